"""Opening the model that a command is to work with."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from isthmus.cli import error_context
from isthmus.core.errors import InvalidParameter

DetectorFile = Annotated[
    Path, typer.Argument(metavar="MODEL", help="A detector, from 'isthmus fit --kind detector'.")
]
Normal = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Where MODEL is an autoencoder: normal rows, to make a detector of it first.",
        show_default="none",
    ),
]


def autoencoder(path: str | os.PathLike[str], *, of_rows: bool = True) -> Any:
    """Return the autoencoder in a file: what was saved, or what a saved task has inside it.

    Parameters
    ----------
    path : path
        The file.
    of_rows : bool
        Whether it is to be given rows as they are in files. The one inside a detector may see
        them only once they are standardised, or windows of them.

    Raises
    ------
    InvalidArchive
        As `isthmus.load`.
    InvalidParameter
        It cannot be given rows as they are.
    """
    from isthmus.persistence.loading import load

    saved = load(path)
    inner = getattr(saved, "autoencoder_", saved)
    if of_rows and inner is not saved and getattr(saved, "schema_", None) is not inner.schema_:
        _refuse_inner(saved, path)
    return inner


def _refuse_inner(saved: Any, path: str | os.PathLike[str]) -> None:
    from isthmus.anomaly.detector import AnomalyDetector

    if isinstance(saved, AnomalyDetector):
        raise InvalidParameter(
            Path(path).name,
            expected="an autoencoder",
            received="a detector, whose autoencoder does not see rows as they are",
            remedy="use 'isthmus detect' (--report for a page) or 'isthmus explain'; or fit an "
            "autoencoder, 'isthmus fit' without --kind",
        )


def detector(path: Path, *, normal: Path | None = None) -> Any:
    """Return the detector in a file.

    Parameters
    ----------
    path : Path
        A detector; or an autoencoder, if there are rows for it.
    normal : Path, optional
        Normal rows, by which the autoencoder becomes a detector; best ones it has not seen.

    Raises
    ------
    InvalidArchive
        As `isthmus.load`.
    InvalidParameter
        It is no detector and there are no rows to make one; or it is one and there are.
    """
    from isthmus.anomaly.detector import AnomalyDetector
    from isthmus.persistence.loading import load

    saved = load(path)
    if isinstance(saved, AnomalyDetector):
        if normal is None:
            return saved
        raise InvalidParameter(
            "--normal",
            expected="nothing, as a detector knows normal rows already",
            received=normal.name,
            remedy="leave --normal out",
        )
    inner = getattr(saved, "autoencoder_", saved)
    if normal is None:
        raise InvalidParameter(
            path.name,
            expected="a detector",
            received=f"a model of the kind {saved.kind!r}",
            remedy="fit one, 'isthmus fit normal.csv --kind detector', or add --normal FILE with "
            "normal rows to make one of this model",
        )
    from sklearn.frozen import FrozenEstimator

    from isthmus.cli import carried_columns
    from isthmus.data import reading

    rows = reading.read(normal, types=inner.schema_.arrow_types).X
    rows = carried_columns.without(rows, carried_columns.unknown(inner, rows))
    with error_context.about(normal.name):
        return AnomalyDetector(FrozenEstimator(inner), random_state=0).fit(rows)
