"""The exception tree.

::

    IsthmusError
    ├── InvalidParameter   (ValueError)   a setting that cannot work
    ├── InvalidData        (ValueError)   values that cannot be learned or read
    │   └── SchemaMismatch                data that differ from what `fit` saw
    ├── UnreadableFile     (ValueError)   a data file that is not what it claims
    ├── InvalidArchive     (ValueError)   a model file that is damaged, foreign or hostile
    ├── CannotWrite        (OSError)      nothing was written; an existing file is unchanged
    ├── TrainingDiverged   (ArithmeticError)  no finite weights to fall back on
    ├── ProcessLost        (RuntimeError) another process of a training ended
    └── MissingExtra       (ImportError)  an optional dependency is not installed

    IsthmusWarning (UserWarning)
    ├── DataWarning            the data may not be what the user expects
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
        The three parts of the message. All may be left out if `subject` is a complete message.
    context : tuple of str, optional
        Where it happened, outermost first, such as a file; see `about`.

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

        Adding a context that the error already has changes nothing.

        Parameters
        ----------
        context : str
            The beginning of the message.
        remedy : str, optional
            Replaces the error's own remedy.
        """
        present = context in self.context or self.subject == context
        return type(self)(
            **self._parts()
            | {"context": self.context if present else (context, *self.context)}
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
    """The file could not be written; an existing file is unchanged."""


class TrainingDiverged(IsthmusError, ArithmeticError):
    """The loss became infinite or NaN before there were good weights to keep."""


class ProcessLost(IsthmusError, RuntimeError):
    """Another process of a distributed training ended or cannot be reached."""


class MissingExtra(IsthmusError, ImportError):
    """An optional dependency is needed but not installed."""


class IsthmusWarning(UserWarning):
    """Base of all warnings."""


class DataWarning(IsthmusWarning):
    """The data contain something that the user should know about."""


class TrainingWarning(IsthmusWarning):
    """Training ended early or could not follow the settings, or its result cannot be saved.

    The weights are usable.
    """
