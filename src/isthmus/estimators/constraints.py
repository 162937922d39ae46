"""Valid values of constructor parameters, checked in `fit`, archives and on the command line.

Nothing heavy is imported here, because the command line builds its options from this module.
"""

from __future__ import annotations

import numbers
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from isthmus.core.catalogue import nearest
from isthmus.core.errors import InvalidParameter
from isthmus.core.weighted_names import check_weights, from_text

CUSTOM = "custom:"
"""The prefix of the name of a function or optimizer, which an archive cannot store."""
MOST_UNITS = 2**20
"""The largest size of a code or a layer. A layer from a sample of 1,000 cells to this many units
has 4 GiB of weights."""
MOST_LAYERS = 1000
"""The largest number of hidden layers."""


@dataclass(frozen=True)
class Constraint(ABC):
    """Abstract: the valid values of a parameter.

    Parameters
    ----------
    auto : bool
        Whether ``"auto"`` is valid.
    optional : bool
        Whether None is valid.
    """

    auto: bool = False
    optional: bool = False

    @property
    def option(self) -> type:
        """The type of an option on the command line."""
        return str

    @property
    def metavar(self) -> str | None:
        """The placeholder for the value in ``--help``; None means the name of the type."""
        return None

    def check(self, name: str, value: Any) -> None:
        """Check a value; raises InvalidParameter."""
        automatic = self.auto and isinstance(value, str) and value == "auto"
        if not automatic and not (self.optional and value is None):
            self._check(name, value)

    @abstractmethod
    def _check(self, name: str, value: Any) -> None:
        """Check a value that is neither "auto" nor None; raises InvalidParameter."""

    def from_option(self, name: str, value: Any) -> Any:
        """Convert an option's value for the constructor; raises InvalidParameter."""
        self.check(name, value)
        return value

    def from_archive(self, name: str, value: Any) -> Any:
        """Convert an archive's value for the constructor; raises InvalidParameter."""
        self.check(name, value)
        return value


@dataclass(frozen=True)
class _Number(Constraint):
    """Abstract: a number, or "auto" or None if allowed; the command line writes None as "none"."""

    number: ClassVar[type]
    """The type of the number."""

    @property
    def option(self) -> type:
        """The type of an option: text if a word is allowed."""
        return str if self.auto or self.optional else self.number

    @property
    def metavar(self) -> str | None:
        """The number, and the words that are allowed instead."""
        words = self._words()
        return "|".join([f"<{self.number.__name__}>", *words]) if words else None

    def _words(self) -> list[str]:
        return [*(["auto"] if self.auto else []), *(["none"] if self.optional else [])]

    def from_option(self, name: str, value: Any) -> Any:
        """Return the number, "auto" or None; raises InvalidParameter."""
        if self.optional and value == "none":
            return None
        if isinstance(value, str) and not (self.auto and value == "auto"):
            try:
                value = self.number(value)
            except ValueError:
                kind = {int: "an integer", float: "a number"}[self.number]
                expected = " or ".join([kind, *self._words()])
                raise InvalidParameter(name, expected=expected, received=repr(value)) from None
        self.check(name, value)
        return value


@dataclass(frozen=True)
class Integer(_Number):
    """An integer from `at_least` to `at_most`.

    Where a larger number would mean more memory or work than any machine has, `at_most` says so.
    """

    at_least: int = 1
    at_most: int = 2**31 - 1
    number: ClassVar[type] = int

    def _check(self, name: str, value: Any) -> None:
        from isthmus.estimators import parameter_checks

        parameter_checks.count(name, value, at_least=self.at_least, at_most=self.at_most)


@dataclass(frozen=True)
class Real(_Number):
    """A finite number within bounds."""

    above: float | None = None
    at_least: float | None = None
    at_most: float | None = None
    below: float | None = None
    number: ClassVar[type] = float

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

    @property
    def option(self) -> type:
        """The type of an option, which also has a negated form."""
        return bool

    def from_archive(self, name: str, value: Any) -> Any:
        """Return True or False; raises InvalidParameter."""
        # Earlier versions wrote NumPy's booleans as text.
        value = {"True": True, "False": False}.get(value, value)
        return super().from_archive(name, value)

    def _check(self, name: str, value: Any) -> None:
        from isthmus.estimators import parameter_checks

        parameter_checks.flag(name, value)


@dataclass(frozen=True)
class LayerSizes(Constraint):
    """The sizes of hidden layers; on the command line ``512,256``, or an empty text for none."""

    at_most: int = MOST_UNITS
    """The largest size."""
    most: int = MOST_LAYERS
    """The largest number of layers."""

    def _check(self, name: str, value: Any) -> None:
        from isthmus.estimators import parameter_checks

        parameter_checks.layers(name, value, at_most=self.at_most, most=self.most)

    def from_option(self, name: str, value: Any) -> Any:
        """Return the sizes; raises InvalidParameter."""
        sizes = value
        if value != "auto":
            try:
                sizes = tuple(int(size) for size in value.split(",") if size.strip())
            except ValueError:
                raise InvalidParameter(
                    name, expected="sizes such as 512,256", received=repr(value)
                ) from None
        self.check(name, sizes)
        return sizes


@dataclass(frozen=True)
class File(Constraint):
    """The path of a file."""

    @property
    def option(self) -> type:
        """The type of an option."""
        return Path

    def _check(self, name: str, value: Any) -> None:
        from isthmus.estimators import parameter_checks

        parameter_checks.path(name, value)


@dataclass(frozen=True)
class Label(Constraint):
    """The name of a column."""

    def _check(self, name: str, value: Any) -> None:
        if not isinstance(value, str) or not value:
            raise InvalidParameter(
                name,
                expected="the name of a column",
                received=repr(value)[:200],
                remedy="pass the column's name as text",
            )


@dataclass(frozen=True)
class OneOf(Constraint):
    """One of several names or, if `custom` is set, an object passed by the user.

    A saved model stores only the name of such an object, which is valid here; the code that uses
    the object explains how to set it again.
    """

    names: tuple[str, ...] = ()
    custom: bool = False

    def _check(self, name: str, value: Any) -> None:
        if self.custom and (not isinstance(value, str) or value.startswith(CUSTOM)):
            return
        if not self._is_name(value):
            raise self._unknown(name, value, ", or a custom one" if self.custom else "")

    def from_option(self, name: str, value: Any) -> Any:
        """Return the name; an option can have no other value. Raises InvalidParameter."""
        if not self._is_name(value):
            raise self._unknown(name, value)
        return value

    def from_archive(self, name: str, value: Any) -> Any:
        """Return a name, possibly that of an object passed by the user; raises InvalidParameter."""
        if not isinstance(value, str):
            raise self._unknown(name, value)
        return super().from_archive(name, value)

    def _is_name(self, value: Any) -> bool:
        return isinstance(value, str) and value in self._all_names()

    def _all_names(self) -> list[str]:
        return [*(["auto"] if self.auto else []), *self.names]

    def _unknown(self, name: str, value: Any, others: str = "") -> InvalidParameter:
        names = self._all_names()
        return InvalidParameter(
            name,
            expected=f"one of {', '.join(map(repr, names))}{others}",
            received=repr(value),
            remedy=nearest(str(value), names) or "choose one of the names",
        )


@dataclass(frozen=True)
class NamesWithAmounts(Constraint):
    """Names of augmentation joined by ``+``, each with an optional amount: ``flip+crop:0.2``."""

    def _check(self, name: str, value: Any) -> None:
        from isthmus.data.augmentation import amounts

        if not isinstance(value, str):
            raise InvalidParameter(
                name,
                expected="names as one text, such as 'flip+crop'",
                received=repr(value)[:200],
                remedy="join several names by '+'; for no changes, pass 'none'",
            )
        if value != "none":
            amounts(value)


@dataclass(frozen=True)
class WeightedNames(OneOf):
    """As `OneOf`, or a mapping from several names to weights above 0.

    Options and archives have it as text: ``mse:0.5,ssim:0.5``.
    """

    def _check(self, name: str, value: Any) -> None:
        if not isinstance(value, Mapping):
            super()._check(name, value)
            return
        check_weights(name, value)
        for each in value:
            if each not in self.names:
                raise InvalidParameter(
                    name,
                    expected=f"weights of {', '.join(map(repr, self.names))}",
                    received=repr(each),
                    remedy=nearest(str(each), list(self.names)) or "choose among the names",
                )

    def from_option(self, name: str, value: Any) -> Any:
        """Return the name or the weights; raises InvalidParameter."""
        return self._from_text(name, value) or super().from_option(name, value)

    def from_archive(self, name: str, value: Any) -> Any:
        """Return the name or the weights; raises InvalidParameter."""
        return self._from_text(name, value) or super().from_archive(name, value)

    def _from_text(self, name: str, value: Any) -> dict[str, float] | None:
        """Return the weights that a text stands for; None if it is a single name."""
        if not isinstance(value, str) or ":" not in value or value.startswith(CUSTOM):
            return None
        weights = from_text(name, value)
        self.check(name, weights)
        return weights


@dataclass(frozen=True)
class Verbosity(Constraint):
    """An integer or a boolean: how much is shown."""

    @property
    def option(self) -> type:
        """The type of an option."""
        return int

    def _check(self, name: str, value: Any) -> None:
        from isthmus.estimators import parameter_checks

        if not isinstance(value, numbers.Integral):
            parameter_checks.flag(name, value)
        elif not isinstance(value, bool):
            most = parameter_checks.LARGEST_INTEGER
            parameter_checks.count(name, value, at_least=-most, at_most=most)


@dataclass(frozen=True)
class Seed(Constraint):
    """A ``random_state`` of scikit-learn, which `isthmus.core.randomness.resolve_seed` checks."""

    def _check(self, name: str, value: Any) -> None:
        pass

    def from_archive(self, name: str, value: Any) -> Any:
        """Return an integer or None: an archive cannot store generators."""
        if value is not None and type(value) is not int:
            raise InvalidParameter(name, expected="an integer or None", received=repr(value))
        return value


@dataclass(frozen=True)
class Model(Constraint):
    """A model or an estimator, which the code that uses it checks."""

    def _check(self, name: str, value: Any) -> None:
        pass

    def from_archive(self, name: str, value: Any) -> Any:
        """Return None: an archive stores models separately from the settings."""
        if value is not None:
            raise InvalidParameter(
                name, expected="no model among the settings", received=repr(value)
            )
        return value
