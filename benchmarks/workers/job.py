"""Functions of all workers: read the job, load data, and print the answer as one line of JSON.

A worker gets its job as one JSON object, its only argument. It runs in its own process, in the
environment of the library that it measures, so this file needs only NumPy.
"""

import json
import os
import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np


def read() -> Any:
    """Return the job as an object with attributes."""
    return SimpleNamespace(**json.loads(sys.argv[1]))


def report(**answer: Any) -> None:
    print(json.dumps(answer, default=float), flush=True)


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def mnist(path: str, rows: int | None = None, *, shape: tuple[int, ...] = (784,)) -> Any:
    """Return training and test digits as float32 in [0, 1], (n, *shape)."""
    with np.load(path) as arrays:
        return tuple(
            arrays[name][:most].reshape(-1, *shape).astype(np.float32) / 255
            for name, most in (("x_train", rows), ("x_test", None))
        )


def table(rows: int, columns: int, *, seed: int = 0) -> np.ndarray:
    """Return a float32 table whose columns depend on a third as many causes, plus noise."""
    rng = np.random.default_rng(seed)
    causes = rng.normal(size=(rows, max(1, columns // 3))).astype(np.float32)
    mixing = rng.normal(size=(causes.shape[1], columns)).astype(np.float32)
    noise = rng.normal(scale=0.1, size=(rows, columns)).astype(np.float32)
    return np.tanh(causes @ mixing) + noise


def standardised(rows: np.ndarray) -> np.ndarray:
    return (rows - rows.mean(axis=0)) / rows.std(axis=0)


def noisy(clean: np.ndarray, *, seed: int = 0) -> np.ndarray:
    """Return the digits with Gaussian noise of standard deviation 0.4, clipped to [0, 1]."""
    noise = np.random.default_rng(seed).normal(scale=0.4, size=clean.shape)
    return np.clip(clean + noise, 0, 1).astype(np.float32)


def cross_entropy(target: np.ndarray, rebuilt: np.ndarray) -> float:
    rebuilt = np.clip(rebuilt.reshape(target.shape).astype(np.float64), 1e-7, 1 - 1e-7)
    return float(-(target * np.log(rebuilt) + (1 - target) * np.log1p(-rebuilt)).mean())


def squared_error(target: np.ndarray, rebuilt: np.ndarray) -> float:
    return float(((rebuilt.reshape(target.shape) - target) ** 2).mean(dtype=np.float64))


def negative_elbo(target: np.ndarray, rebuilt: np.ndarray, mean: Any, log_var: Any) -> float:
    """Return 784 x MSE + KL, with the reconstruction of the posterior mean."""
    divergence = -0.5 * np.sum(1 + log_var - mean**2 - np.exp(log_var), axis=1)
    return 784 * squared_error(target, rebuilt) + float(divergence.mean())


LOSSES = {"bce": cross_entropy, "mse": squared_error}


def memory(field: str = "VmRSS") -> int:
    """Return the current ("VmRSS") or peak ("VmHWM") memory of this process in bytes."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    found = re.search(rf"^{field}:\s+(\d+) kB", status, re.MULTILINE)
    return int(found.group(1)) * 1024 if found else 0


def forget_peak() -> None:
    """Reset the peak memory to the current value (Linux)."""
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
