"""Loads the model that a command is given."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from isthmus.cli import error_context
from isthmus.core.errors import InvalidParameter

DetectorFile = Annotated[
    Path,
    typer.Argument(metavar="MODEL", help="A detector that 'isthmus fit --kind detector' wrote."),
]
Normal = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="If MODEL is an autoencoder: normal rows, to fit a detector with it.",
        show_default="none",
    ),
]


def autoencoder(path: str | os.PathLike[str], *, of_rows: bool = True) -> Any:
    """Return the autoencoder in a file, which may be part of a saved task or detector.

    Parameters
    ----------
    path : path
        The file.
    of_rows : bool
        Whether it must accept rows as they are in files. The autoencoder of a detector may need
        standardized rows or windows instead.

    Raises
    ------
    InvalidArchive
        As `isthmus.load`.
    InvalidParameter
        The autoencoder does not accept rows as they are in files.
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
            received="a detector, whose autoencoder needs transformed rows",
            remedy="use 'isthmus detect' (with --report) or 'isthmus explain', or fit an "
            "autoencoder with 'isthmus fit'",
        )


def detector(path: Path, *, normal: Path | None = None) -> Any:
    """Return the detector in a file.

    Parameters
    ----------
    path : Path
        A detector, or an autoencoder if `normal` is given.
    normal : Path, optional
        Normal rows to fit a detector with the autoencoder, preferably not its training rows.

    Raises
    ------
    InvalidArchive
        As `isthmus.load`.
    InvalidParameter
        The file is not a detector and `normal` is missing, or it is one and `normal` is given.
    """
    from isthmus.anomaly.detector import AnomalyDetector
    from isthmus.persistence.loading import load

    saved = load(path)
    if isinstance(saved, AnomalyDetector):
        if normal is None:
            return saved
        raise InvalidParameter(
            "--normal",
            expected="none, because the detector is fitted already",
            received=normal.name,
            remedy="leave --normal out",
        )
    inner = getattr(saved, "autoencoder_", saved)
    if normal is None:
        raise InvalidParameter(
            path.name,
            expected="a detector",
            received=f"a model of the kind {saved.kind!r}",
            remedy="fit one with 'isthmus fit normal.csv --kind detector', or add --normal FILE "
            "with normal rows to fit one with this model",
        )
    from sklearn.frozen import FrozenEstimator

    from isthmus.cli import carried_columns
    from isthmus.data import reading

    rows = reading.read(normal, text=inner.schema_.text_options).X
    rows = carried_columns.without(rows, carried_columns.unknown(inner, rows))
    with error_context.adding(normal.name):
        return AnomalyDetector(FrozenEstimator(inner), random_state=0).fit(rows)
