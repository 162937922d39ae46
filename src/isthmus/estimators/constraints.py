"""What values a constructor parameter takes: checked in `fit`, in archives and on the command line.

Nothing heavy is imported here, since the command line builds its options from it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from isthmus.core.catalogue import nearest
from isthmus.core.errors import InvalidParameter

CUSTOM = "custom:"
"""How an archive begins the name of a function or optimizer, which it cannot hold."""


@dataclass(frozen=True)
class Constraint(ABC):
    """Abstract: the values that a parameter takes.

    Parameters
    ----------
    auto : bool
        Whether ``"auto"`` is one of them.
    optional : bool
        Whether None is one of them.
    """

    auto: bool = False
    optional: bool = False

    option: ClassVar[type] = str
    """The type of an option on the command line."""

    def check(self, name: str, value: Any) -> None:
        """Check a value; raises InvalidParameter."""
        automatic = self.auto and isinstance(value, str) and value == "auto"
        if not automatic and not (self.optional and value is None):
            self._check(name, value)

    @abstractmethod
    def _check(self, name: str, value: Any) -> None:
        """Check a value that is neither "auto" nor None; raises InvalidParameter."""

    def from_option(self, name: str, value: Any) -> Any:  # noqa: ARG002 - others name it
        """Return what the constructor takes for an option's value; raises InvalidParameter."""
        return value


@dataclass(frozen=True)
class Integer(Constraint):
    """An integer of at least `at_least`."""

    at_least: int = 1
    option: ClassVar[type] = int

    def _check(self, name: str, value: Any) -> None:
        from isthmus.estimators import parameter_checks

        parameter_checks.count(name, value, at_least=self.at_least)


@dataclass(frozen=True)
class Real(Constraint):
    """A finite number within bounds."""

    above: float | None = None
    at_least: float | None = None
    at_most: float | None = None
    below: float | None = None
    option: ClassVar[type] = float

    def _check(self, name: str, value: Any) -> None:
        from isthmus.estimators import parameter_checks

        parameter_checks.number(
            name,
            value,
            above=self.above,
            at_least=self.at_least,
            at_most=self.at_most,
            below=self.below,
        )


@dataclass(frozen=True)
class Flag(Constraint):
    """True or False."""

    option: ClassVar[type] = bool

    def _check(self, name: str, value: Any) -> None:
        from isthmus.estimators import parameter_checks

        parameter_checks.flag(name, value)


@dataclass(frozen=True)
class LayerSizes(Constraint):
    """The sizes of hidden layers; on the command line ``512,256``, or nothing for no layer."""

    def _check(self, name: str, value: Any) -> None:
        from isthmus.estimators import parameter_checks

        parameter_checks.layers(name, value)

    def from_option(self, name: str, value: Any) -> Any:
        """Return the sizes; raises InvalidParameter."""
        if value == "auto":
            return value
        try:
            return tuple(int(size) for size in value.split(",") if size.strip())
        except ValueError:
            raise InvalidParameter(
                name, expected="sizes such as 512,256", received=repr(value)
            ) from None


@dataclass(frozen=True)
class File(Constraint):
    """The path of a file."""

    option: ClassVar[type] = Path

    def _check(self, name: str, value: Any) -> None:
        from isthmus.estimators import parameter_checks

        parameter_checks.path(name, value)


@dataclass(frozen=True)
class OneOf(Constraint):
    """One of several names, or where `custom` is set an object of the user's own.

    A saved model has only the name of such an object, which counts as a value here; the part that
    uses it says how to set it again.
    """

    names: tuple[str, ...] = ()
    custom: bool = False

    def _check(self, name: str, value: Any) -> None:
        if self.custom and (not isinstance(value, str) or value.startswith(CUSTOM)):
            return
        if not isinstance(value, str) or value not in self.names:
            shown = (*(["auto"] if self.auto else []), *self.names)
            raise InvalidParameter(
                name,
                expected=f"one of {', '.join(map(repr, shown))}"
                + (", or your own" if self.custom else ""),
                received=repr(value),
                remedy=nearest(str(value), list(shown)) or "choose one of the names",
            )


@dataclass(frozen=True)
class Unchecked(Constraint):
    """Anything; the part that uses it checks it."""

    def _check(self, name: str, value: Any) -> None:
        pass
