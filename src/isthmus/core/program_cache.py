"""A cache of compiled programs, so that a process compiles the same program only once.

A grid search or cross-validation fits many networks of the same shape. JAX caches programs by the
Python function that they were traced from, and each fit creates new functions; this cache uses the
program's text as its key.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from copy import copy
from threading import Lock
from typing import TYPE_CHECKING, Any

import jax

if TYPE_CHECKING:
    from collections.abc import Callable

_MOST = 64
_BRIEF = {"xla_cpu_use_fusion_emitters": False}
"""Compiler options of XLA for brief programs: its older code generator for fused operations."""
_kept: OrderedDict[str, Any] = OrderedDict()
_lock = Lock()


class Program:
    """A function that compiles when it is first called; later calls must have the same shapes.

    Parameters
    ----------
    function : callable
        Takes arrays and trees of arrays.
    donate : tuple of int
        Positions of the arguments whose memory the results may reuse.
    brief : bool
        Whether the program runs so briefly that compiling it takes longer. On a CPU it is then
        compiled in half the time, and runs about a tenth slower.
    """

    def __init__(
        self, function: Callable[..., Any], donate: tuple[int, ...] = (), *, brief: bool = False
    ) -> None:
        self._jitted = jax.jit(function, donate_argnums=donate)
        self._options = _BRIEF if brief and jax.default_backend() == "cpu" else {}
        self._compiled: Any = None

    def again(self) -> Program:
        """Return a program of the same function, for other shapes."""
        made = copy(self)
        made._compiled = None
        return made

    def __call__(self, *arguments: Any) -> Any:
        """Return the result of the function."""
        if self._compiled is None:
            self._compiled = _compiled(self._jitted.lower(*arguments), self._options)
        return self._compiled(*arguments)


def _compiled(lowered: Any, options: dict[str, bool]) -> Any:
    """Compile the result of ``jax.jit(function).lower(...)``, or return the cached program."""
    # The text does not say how arguments and results are packed into trees.
    trees = f"{lowered.in_tree}{lowered.out_tree}{lowered.donate_argnums}"
    text = f"{jax.default_backend()}{options}{trees}{lowered.as_text()}"
    key = hashlib.sha256(text.encode()).hexdigest()
    with _lock:
        if key in _kept:
            _kept.move_to_end(key)
            return _kept[key]
    made = lowered.compile(compiler_options=options)
    with _lock:
        _kept[key] = made
        while len(_kept) > _MOST:
            _kept.popitem(last=False)
    return made
