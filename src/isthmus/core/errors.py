"""The exception tree.

::

    IsthmusError
    ├── InvalidParameter   (ValueError)   a setting that cannot work
    ├── InvalidData        (ValueError)   values that cannot be learned or read
    │   └── SchemaMismatch                data unlike what `fit` saw
    ├── UnreadableFile     (ValueError)   a data file that is not what it claims
    ├── InvalidArchive     (ValueError)   a model file that is damaged, foreign or hostile
    ├── CannotWrite        (OSError)      nothing was written; an existing file is untouched
    ├── TrainingDiverged   (ArithmeticError)  no finite weights to fall back on
    └── MissingExtra       (ImportError)  an optional dependency is not installed

    IsthmusWarning (UserWarning)
    ├── DataWarning            something in the data to know of
    └── TrainingWarning        training ended early but left good weights

Every message says what was expected, what was received, and what to try. The parts are attributes.
"""

from __future__ import annotations

from typing import Any, Self


class IsthmusError(Exception):
    """Base of all errors raised on purpose.

    Parameters
    ----------
    subject : str
        What the message is about, such as a parameter, a column or a file.
    expected, received, remedy : str, optional
        The three parts of the message. All may be left out when `subject` is a whole message.
    context : tuple of str, optional
        Where it happened, from the outside in, such as a file; see `about`.

    Attributes
    ----------
    subject, expected, received, remedy, context
        As given, so that a program can use them without reading the message.
    """

    def __init__(
        self,
        subject: str,
        *,
        expected: str = "",
        received: str = "",
        remedy: str = "",
        context: tuple[str, ...] = (),
    ) -> None:
        self.subject = subject
        self.expected = expected
        self.received = received
        self.remedy = remedy
        self.context = context
        super().__init__(self._message())

    def about(self, context: str, *, remedy: str = "") -> Self:
        """Return the same error with a context, such as the file that it is about.

        It is added where it is known, once: an outer caller that adds it again changes nothing.

        Parameters
        ----------
        context : str
            What the message begins with.
        remedy : str, optional
            What to do, where the error's own remedy does not fit the context.
        """
        known = context in self.context or self.subject == context
        return type(self)(
            **self._parts()
            | {"context": self.context if known else (context, *self.context)}
            | ({"remedy": remedy} if remedy else {})
        )

    @classmethod
    def of(cls, error: IsthmusError) -> Self:
        """Return an error of this class with the parts of another."""
        return cls(**error._parts())

    def _parts(self) -> dict[str, Any]:
        names = ("subject", "expected", "received", "remedy", "context")
        return {name: getattr(self, name) for name in names}

    def _message(self) -> str:
        message = ": ".join((*self.context, self.subject))
        if self.expected:
            message += f": expected {self.expected}"
        if self.received:
            message += f"{', ' if self.expected else ': '}received {self.received}"
        if self.remedy:
            message = f"{message.rstrip('.')}. Try: {self.remedy}"
        structured = self.expected or self.received or self.remedy
        return f"{message}." if structured and not message.endswith((".", "!", "?")) else message

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the parts: an error may come from another process."""
        return _rebuild, (type(self), self._parts())


def _rebuild(kind: type[IsthmusError], parts: dict[str, Any]) -> IsthmusError:
    return kind(**parts)


class InvalidParameter(IsthmusError, ValueError):
    """A setting that cannot work."""


class InvalidData(IsthmusError, ValueError):
    """Values that cannot be learned from."""


class SchemaMismatch(InvalidData):
    """Data that differ in shape, columns or categories from what `fit` saw."""


class UnreadableFile(IsthmusError, ValueError):
    """A data file that is missing, damaged or not what its name says."""


class InvalidArchive(IsthmusError, ValueError):
    """A model file that is damaged, foreign, newer than this version, or hostile."""


class CannotWrite(IsthmusError, OSError):
    """The file could not be written; an existing file is untouched."""


class TrainingDiverged(IsthmusError, ArithmeticError):
    """The loss became infinite or not a number before there were good weights to keep."""


class MissingExtra(IsthmusError, ImportError):
    """An optional dependency is needed and not installed."""


class IsthmusWarning(UserWarning):
    """Base of all warnings."""


class DataWarning(IsthmusWarning):
    """The data hold something that the user should know of."""


class TrainingWarning(IsthmusWarning):
    """Training ended early, or cannot be what was asked; the weights are usable."""
