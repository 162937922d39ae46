"""The exception tree.

::

    IsthmusError
    ├── InvalidParameter   (ValueError)   a setting that cannot work
    ├── InvalidData        (ValueError)   values that cannot be learned or read
    │   └── SchemaMismatch                data unlike what `fit` saw
    ├── UnreadableFile     (ValueError)   a data file that is not what it claims
    ├── InvalidArchive     (ValueError)   a model file that is damaged, foreign or hostile
    ├── CannotWrite        (OSError)      nothing was written; what stood there is whole
    ├── TrainingDiverged   (ArithmeticError)  no finite weights to fall back on
    └── MissingExtra       (ImportError)  an optional dependency is not installed

    IsthmusWarning (UserWarning)
    ├── DataWarning            something in the data that the person should know
    └── TrainingWarning        training ended early but left good weights

Every message says what was expected, what was received, and the remedy.
"""


class IsthmusError(Exception):
    """Base of all errors raised on purpose.

    Parameters
    ----------
    subject : str
        What the message is about, such as a parameter, a column or a file.
    expected, received, remedy : str, optional
        The three parts of the message. All may be left out when `subject` is a whole message.
    """

    def __init__(
        self, subject: str, *, expected: str = "", received: str = "", remedy: str = ""
    ) -> None:
        message = subject
        if expected:
            message += f": expected {expected}"
        if received:
            message += f"{', ' if expected else ': '}received {received}"
        if remedy:
            message = f"{message.rstrip('.')}. Remedy: {remedy}"
        if (expected or received or remedy) and not message.endswith((".", "!", "?")):
            message += "."
        super().__init__(message)


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
    """The file could not be written; what stood there before is untouched."""


class TrainingDiverged(IsthmusError, ArithmeticError):
    """The loss became infinite or not a number before there were good weights to keep."""


class MissingExtra(IsthmusError, ImportError):
    """An optional dependency is needed and not installed."""


class IsthmusWarning(UserWarning):
    """Base of all warnings."""


class DataWarning(IsthmusWarning):
    """The data hold something that the person should know of."""


class TrainingWarning(IsthmusWarning):
    """Training ended early, or cannot be what was asked; the weights are usable."""
