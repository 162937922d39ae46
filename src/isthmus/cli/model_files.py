"""Loads the model that a command is given."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from isthmus.cli import image_options
from isthmus.core import error_context
from isthmus.core.errors import InvalidParameter
from isthmus.data.formats.image_options import AS_STORED, ImageOptions

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
    if not of_rows:
        return getattr(saved, "autoencoder_", saved)
    from isthmus.engines.saved_autoencoders import autoencoder_in

    return autoencoder_in(saved, Path(path).name)


def detector_and_images(
    path: Path, data: Path, normal: Path | None, given: Mapping[str, Any]
) -> tuple[Any, ImageOptions]:
    """Return the detector in a file, and how to read images for it.

    Parameters
    ----------
    path, normal : Path
        As for `detector`.
    data : Path
        The rows that it is applied to.
    given : mapping of str to object
        The options about images.
    """
    found = detector(path, normal=normal, images=given)
    schema = getattr(found, "schema_", None)  # a detector of series has none
    like = AS_STORED if schema is None else schema.image_options
    return found, image_options.chosen(given, data, like=like)


def detector(
    path: Path, *, normal: Path | None = None, images: Mapping[str, Any] | None = None
) -> Any:
    """Return the detector in a file.

    Parameters
    ----------
    path : Path
        A detector, or an autoencoder if `normal` is given.
    normal : Path, optional
        Normal rows to fit a detector with the autoencoder, preferably not its training rows.
    images : mapping of str to object, optional
        Options about the images of `normal`.

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

    options = image_options.chosen(images or {}, like=inner.schema_.image_options)
    rows = reading.read(normal, text=inner.schema_.text_options, images=options).X
    rows = carried_columns.without(rows, carried_columns.unknown(inner, rows))
    with error_context.adding(normal.name):
        return AnomalyDetector(FrozenEstimator(inner), random_state=0).fit(rows)
