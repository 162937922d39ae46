"""Compiled programs, kept in the process: the same program is compiled once.

A grid search or cross-validation fits many networks of one shape. JAX knows programs by the Python
function that made them, which each fit makes anew; here they are known by their text.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING, Any

import jax

if TYPE_CHECKING:
    from collections.abc import Callable

_MOST = 64
_kept: OrderedDict[str, Any] = OrderedDict()
_lock = Lock()


class Program:
    """A function that compiles when it is first called; later calls must have the same shapes.

    Parameters
    ----------
    function : callable
        Of arrays and trees of arrays.
    donate : tuple of int
        Arguments whose memory the results may take.
    """

    def __init__(self, function: Callable[..., Any], donate: tuple[int, ...] = ()) -> None:
        self._jitted = jax.jit(function, donate_argnums=donate)
        self._compiled: Any = None

    def __call__(self, *arguments: Any) -> Any:
        """Return what the function makes of the arguments."""
        if self._compiled is None:
            self._compiled = _compiled(self._jitted.lower(*arguments))
        return self._compiled(*arguments)


def _compiled(lowered: Any) -> Any:
    """Return what ``jax.jit(function).lower(...)`` compiles to, or what an equal one did before."""
    # The text leaves out how arguments and results are packed into trees.
    trees = f"{lowered.in_tree}{lowered.out_tree}{lowered.donate_argnums}"
    text = f"{jax.default_backend()}{trees}{lowered.as_text()}"
    key = hashlib.sha256(text.encode()).hexdigest()
    with _lock:
        if key in _kept:
            _kept.move_to_end(key)
            return _kept[key]
    made = lowered.compile()
    with _lock:
        _kept[key] = made
        while len(_kept) > _MOST:
            _kept.popitem(last=False)
    return made
