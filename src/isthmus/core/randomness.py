"""Turns scikit-learn's ``random_state`` into one integer seed, and that into named keys."""

from __future__ import annotations

import secrets
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.core.errors import InvalidParameter

if TYPE_CHECKING:
    import jax


def resolve_seed(random_state: Any) -> int:
    """Turn a scikit-learn ``random_state`` into a seed in [0, 2**32).

    Parameters
    ----------
    random_state : None, int, numpy RandomState or numpy Generator
        None draws a random seed; a generator is advanced by one draw.

    Raises
    ------
    InvalidParameter
        `random_state` is something else.
    """
    if random_state is None:
        return secrets.randbits(32)
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**32, dtype=np.uint64))
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(2**32))
    if isinstance(random_state, (int, np.integer)) and not isinstance(random_state, bool):
        return int(random_state) % 2**32
    raise InvalidParameter(
        "random_state",
        expected="None, an integer, or a numpy RandomState or Generator",
        received=repr(random_state),
        remedy="pass random_state=0 for a repeatable run",
    )


def derive_seed(seed: int, name: str) -> int:
    """Return a seed in [0, 2**31) for the use `name`, independent of seeds for other names."""
    sequence = np.random.SeedSequence([seed, zlib.crc32(name.encode())])
    return int(sequence.generate_state(1)[0]) >> 1


def key_for(seed: int, name: str) -> jax.Array:
    """Return a JAX key for the use `name`, independent of keys for other names."""
    import jax

    return jax.random.key(derive_seed(seed, name))


def generator_for(seed: int, name: str) -> np.random.Generator:
    """Return a NumPy generator for the use `name`, independent of those for other names."""
    return np.random.default_rng(derive_seed(seed, name))
