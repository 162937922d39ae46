"""From scikit-learn's ``random_state`` to one integer seed, and from that to keys by name."""

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
        None draws fresh entropy; a generator is advanced by one draw.

    Raises
    ------
    InvalidParameter
        It is none of these.
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
    """Return a seed in [0, 2**31) for one use, independent of the seeds of other names."""
    sequence = np.random.SeedSequence([seed, zlib.crc32(name.encode())])
    return int(sequence.generate_state(1)[0]) >> 1


def key_for(seed: int, name: str) -> jax.Array:
    """Return a JAX key for one use, independent of the keys of other names."""
    import jax

    return jax.random.key(derive_seed(seed, name))


def generator_for(seed: int, name: str) -> np.random.Generator:
    """Return a NumPy generator for one use, independent of those of other names."""
    return np.random.default_rng(derive_seed(seed, name))
