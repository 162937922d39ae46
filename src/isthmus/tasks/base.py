"""What all tasks share: an autoencoder, its codes, and an archive in which its own is nested."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted

from isthmus.core.errors import InvalidArchive, InvalidData, InvalidParameter
from isthmus.estimators.autoencoder import Autoencoder
from isthmus.estimators.base import BaseAutoencoder
from isthmus.estimators.storage import plain_params, storable
from isthmus.persistence import artifact, config_checks
from isthmus.persistence.artifact import Artifact
from isthmus.persistence.loading import ESTIMATORS, restored
from isthmus.persistence.prefixes import with_prefix, without_prefix

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from isthmus.core.types import Floats
    from isthmus.estimators.parameters import Parameter

_NESTED = "autoencoder/"
_COLUMNS = ("n_features_in_", "feature_names_in_")


class Task(BaseEstimator, ABC):
    """Abstract: has an autoencoder and works with its codes.

    `fit` clones the autoencoder and fits the clone, as scikit-learn's meta-estimators do; one
    wrapped in scikit-learn's ``FrozenEstimator`` is used as it is. Either is ``autoencoder_``.
    """

    kind: ClassVar[str]
    """What an archive calls the task."""
    _parameters: ClassVar[tuple[Parameter, ...]] = ()
    """The records of its constructor's parameters, where it has some."""

    autoencoder: Any
    autoencoder_: BaseAutoencoder

    @abstractmethod
    def _arrays(self) -> dict[str, np.ndarray]:
        """Return what was learned beside the autoencoder, to be saved."""

    @abstractmethod
    def _restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Take back what `_arrays` returned, once it is checked; raises InvalidArchive."""

    def _check_learned(self) -> None:
        """Check the parameters against what was learned.

        Raises
        ------
        InvalidParameter
            A parameter was changed after `fit`, or forged, and contradicts what was learned.
        """

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted task and its autoencoder to one file; `isthmus.load` reads it.

        Raises
        ------
        CannotWrite
            The disk or folder does not allow it; what stood at `path` is untouched.
        InvalidParameter
            The autoencoder's networks hold layers that an archive cannot hold, or a parameter that
            was changed after `fit` contradicts what was learned.
        """
        check_is_fitted(self)
        artifact.write(path, self._to_artifact())

    def _fit_codes(self, X: Any, y: Any, seed: int) -> Floats:
        """Set ``autoencoder_`` and return the codes of `X`, (n, latent_dim)."""
        given = Autoencoder(random_state=seed) if self.autoencoder is None else self.autoencoder
        inner, frozen = unwrapped(given)
        self._keep(inner if frozen else clone(inner).fit(X, y))
        return self._encode(X)

    def _keep(self, autoencoder: BaseAutoencoder) -> None:
        check_is_fitted(autoencoder)
        self.autoencoder_ = autoencoder
        for name in _COLUMNS:
            if hasattr(autoencoder, name):
                setattr(self, name, getattr(autoencoder, name))
            elif hasattr(self, name):
                delattr(self, name)

    def _encode(self, X: Any) -> Floats:
        """Return the codes of `X` as an array, whatever the autoencoder's output is set to."""
        codes = np.asarray(self.autoencoder_.transform(X), dtype=np.float32)
        if not np.isfinite(codes).all():
            raise InvalidData(
                "X",
                expected="rows that the autoencoder encodes as finite numbers",
                received=f"{int((~np.isfinite(codes).all(axis=1)).sum())} rows that it does not",
                remedy="check the scale of the rows, or fit the autoencoder again",
            )
        return codes

    def _to_artifact(self) -> Artifact:
        self._check_learned()
        inner = self.autoencoder_._to_artifact()
        params = self.get_params(deep=False)
        del params["autoencoder"]
        manifest = {
            "params": {name: storable(value) for name, value in params.items()},
            "autoencoder": {"kind": inner.kind, "content": inner.manifest},
        }
        nested = with_prefix(inner.arrays, _NESTED)
        return Artifact(self.kind, manifest, {**self._arrays(), **nested})

    @classmethod
    def _from_artifact(cls, stored: Artifact) -> Self:
        task, arrays = cls._opened(stored)
        task._restore(arrays)
        task._vet_learned()
        return task

    def _vet_learned(self) -> None:
        """Check the parameters of an archive against its arrays; raises InvalidArchive."""
        try:
            self._check_learned()
        except InvalidParameter as error:
            raise InvalidArchive.of(error).about("the archive's settings") from error

    @classmethod
    def _opened(cls, stored: Artifact) -> tuple[Self, dict[str, np.ndarray]]:
        """Return a task with parameters and autoencoder, and the arrays that are its own."""
        content = config_checks.entries(stored.manifest, ("params", "autoencoder"), cls.kind)
        params = plain_params(cls, content["params"], cls._parameters)
        autoencoder = _nested_autoencoder(stored)
        task = cls(**{**params, "autoencoder": autoencoder})
        task._keep(autoencoder)
        own = {name: array for name, array in stored.arrays.items() if not name.startswith(_NESTED)}
        return task, own

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "autoencoder_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


def unwrapped(given: Any) -> tuple[BaseAutoencoder, bool]:
    """Return the autoencoder that a task was given, and whether it is to be used as it is.

    Raises
    ------
    InvalidParameter
        It is none of isthmus' estimators, by itself or in a ``FrozenEstimator``.
    """
    frozen = isinstance(given, FrozenEstimator)
    inner = given.estimator if frozen else given
    if not isinstance(inner, BaseAutoencoder):
        raise InvalidParameter(
            "autoencoder",
            expected="an isthmus estimator or None",
            received=repr(given)[:200],
            remedy="leave it out for a default, or pass for example ist.Autoencoder(2)",
        )
    return inner, frozen


def _nested_autoencoder(stored: Artifact) -> BaseAutoencoder:
    described = config_checks.entries(
        stored.manifest["autoencoder"], ("kind", "content"), "autoencoder"
    )
    kind = config_checks.one_of(described, "kind", tuple(ESTIMATORS))
    if not isinstance(described["content"], dict):
        config_checks.refuse("autoencoder", "a JSON object", described["content"])
    arrays = without_prefix(stored.arrays, _NESTED)
    inner = Artifact(kind, described["content"], arrays, stored.versions)
    autoencoder: BaseAutoencoder = restored(inner)
    return autoencoder
