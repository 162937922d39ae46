"""Saves, logs and loads models as MLflow's."""

from __future__ import annotations

import importlib.metadata
import tempfile
from pathlib import Path
from typing import Any

from isthmus._version import __version__
from isthmus.core.errors import CannotWrite, InvalidArchive, InvalidParameter, MissingExtra
from isthmus.mlflow.prediction import MLflowModel
from isthmus.mlflow.signatures import input_example, signature
from isthmus.persistence.loading import KINDS, load

_ARCHIVE = "model.isthmus"
_MODULE = "isthmus.mlflow"
_PINNED = ("jax", "keras", "numpy", "pandas", "pyarrow", "scikit-learn")


def save_model(model: Any, path: str | Path, **options: Any) -> None:
    """Write a fitted model as an MLflow model: a folder with an archive and a file ``MLmodel``.

    The folder has the archive that `save` writes, the signature (columns or shape of rows, and the
    parameters of `predict`), an example row, and requirements with versions.

    Parameters
    ----------
    model : isthmus estimator, detector or task
        Fitted; not a codec.
    path : path
        A folder that does not exist, or is empty.
    **options
        Those of `mlflow.pyfunc.save_model`, such as ``metadata``; they take precedence.

    Raises
    ------
    InvalidParameter
        The model cannot be saved.
    CannotWrite
        The folder exists and has files.
    MissingExtra
        MLflow is not installed.
    """
    pyfunc = _pyfunc()
    _check_model(model)
    target = Path(path)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise CannotWrite(
            f"{str(path)!r} exists and was not changed",
            expected="the path of a new folder",
            remedy="choose another name",
        )
    with tempfile.TemporaryDirectory() as folder:
        pyfunc.save_model(path=str(path), **(_arguments(model, folder) | options))


def log_model(model: Any, name: str = "model", **options: Any) -> Any:
    """Write a fitted model to MLflow's tracking server, as `save_model` does, in the active run.

    Parameters
    ----------
    model : isthmus estimator, detector or task
        Fitted; not a codec.
    name : str
        Its name there.
    **options
        Those of `mlflow.pyfunc.log_model`, such as ``registered_model_name``; they take precedence.

    Returns
    -------
    mlflow.models.model.ModelInfo
        ``model_uri`` is what `load_model` and `mlflow.pyfunc.load_model` take.

    Raises
    ------
    InvalidParameter
        The model cannot be saved.
    MissingExtra
        MLflow is not installed.
    """
    pyfunc = _pyfunc()
    _check_model(model)
    with tempfile.TemporaryDirectory() as folder:
        return pyfunc.log_model(name=name, **(_arguments(model, folder) | options))


def load_model(model_uri: str) -> Any:
    """Load the model itself from MLflow, with all of its methods.

    `mlflow.pyfunc.load_model` returns an object with `predict` instead. Both open the archive with
    `isthmus.load`: nothing in it is executed. Of the other files, this function only reads
    ``MLmodel``.

    Parameters
    ----------
    model_uri : str
        An address of MLflow, such as ``"models:/parts/1"``, or a folder.

    Returns
    -------
    isthmus estimator, detector or task
        Fitted, of the class that was saved.

    Raises
    ------
    InvalidArchive
        There is no such model, it is not one of isthmus, or its file is invalid.
    MissingExtra
        MLflow is not installed.
    """
    pyfunc = _pyfunc()
    from mlflow.artifacts import download_artifacts
    from mlflow.exceptions import MlflowException
    from mlflow.models import Model

    try:
        folder = Path(download_artifacts(artifact_uri=str(model_uri)))
        flavor = Model.load(folder).flavors.get(pyfunc.FLAVOR_NAME, {})
    except (MlflowException, OSError) as error:
        raise InvalidArchive(
            f"MLflow's model {str(model_uri)!r}",
            expected="a model that exists",
            received=str(error).splitlines()[0][:300],
            remedy="check the address, and mlflow.set_tracking_uri",
        ) from error
    archive = (folder / str(flavor.get("data", ""))).resolve()
    if flavor.get("loader_module") != _MODULE or not archive.is_relative_to(folder.resolve()):
        raise InvalidArchive(
            f"MLflow's model {str(model_uri)!r}",
            expected="one that isthmus.mlflow saved",
            received=f"one for {str(flavor.get('loader_module'))[:100]}",
            remedy="use mlflow.pyfunc.load_model for models of authors you trust",
        )
    return load(archive)


def _load_pyfunc(path: str) -> MLflowModel:
    """Return a saved model as MLflow calls it; MLflow finds this function by its name."""
    return MLflowModel(load(path), Path(path).name)


def _arguments(model: Any, folder: str) -> dict[str, Any]:
    """Save the archive in a folder, and return what MLflow needs to write its model."""
    archive = Path(folder, _ARCHIVE)
    model.save(archive)
    # The model that is loaded: what it does with rows may change the one that was passed.
    predictor = _load_pyfunc(str(archive))
    example = input_example(predictor)
    return {
        "loader_module": _MODULE,
        "data_path": str(archive),
        "signature": signature(predictor, example),
        "input_example": example,
        "pip_requirements": _requirements(),
    }


def _requirements() -> list[str]:
    versions = [f"{name}=={importlib.metadata.version(name)}" for name in _PINNED]
    return [f"isthmus=={__version__}", *versions]


def _check_model(model: Any) -> None:
    kind = getattr(model, "kind", None)
    if kind not in KINDS or kind == "codec":
        raise InvalidParameter(
            "model",
            expected="a fitted model of isthmus that returns something for rows",
            received=str(kind or type(model).__name__),
            remedy="pass what fit or isthmus.load returns",
        )


def _pyfunc() -> Any:
    """Return `mlflow.pyfunc`; raises MissingExtra."""
    try:
        import mlflow.pyfunc
    except ImportError as error:
        raise MissingExtra(
            "MLflow",
            expected="the packages mlflow-skinny (or mlflow) and pandas",
            received=str(error),
            remedy="pip install 'isthmus[mlflow]'",
        ) from None
    return mlflow.pyfunc
