"""Worker: rate of a large float32 matrix product in JAX, in GFLOP/s.

job: size, times
"""

import time

import jax
import jax.numpy as jnp
import job


def main() -> None:
    task = job.read()
    square = jnp.ones((task.size, task.size), jnp.float32)
    product = jax.jit(jnp.matmul)
    product(square, square).block_until_ready()
    seconds = []
    for _ in range(task.times):
        began = time.perf_counter()
        product(square, square).block_until_ready()
        seconds.append(time.perf_counter() - began)
    job.report(gflops=2 * task.size**3 / min(seconds) / 1e9)


if __name__ == "__main__":
    main()
