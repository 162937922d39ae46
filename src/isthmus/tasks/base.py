"""The base class of tasks: an autoencoder, its codes, and an archive with both."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted

from isthmus.core.errors import InvalidArchive, InvalidParameter
from isthmus.estimators import input_checks
from isthmus.estimators.autoencoder import Autoencoder
from isthmus.estimators.base import BaseAutoencoder
from isthmus.estimators.storage import plain_params, storable
from isthmus.persistence import artifact, config_checks
from isthmus.persistence.artifact import Artifact
from isthmus.persistence.loading import ESTIMATORS, restored
from isthmus.persistence.prefixes import outside_prefixes, with_prefix, without_prefix

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from isthmus.core.types import Floats
    from isthmus.estimators.parameters import Parameter

_NESTED = "autoencoder/"
_COLUMNS = ("n_features_in_", "feature_names_in_")


class Task(BaseEstimator, ABC):
    """Abstract base class of estimators that use the codes of an autoencoder.

    `fit` clones the autoencoder and fits the clone, as scikit-learn's meta-estimators do. A fitted
    one in scikit-learn's ``FrozenEstimator`` is used unchanged. ``autoencoder_`` is the one used.
    """

    kind: ClassVar[str]
    """The name of the task in archives."""
    _parameters: ClassVar[tuple[Parameter, ...]] = ()
    """The records of the constructor's parameters, if there are any."""

    autoencoder: Any
    autoencoder_: BaseAutoencoder

    @abstractmethod
    def _arrays(self) -> dict[str, np.ndarray]:
        """Return the fitted arrays to save, without those of the autoencoder."""

    @abstractmethod
    def _restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Check and restore the arrays that `_arrays` returned; raises InvalidArchive."""

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
            The file cannot be written; an existing file at `path` is unchanged.
        InvalidParameter
            The autoencoder's networks have layers that an archive cannot store, or a parameter that
            was changed after `fit` contradicts what was learned.
        """
        check_is_fitted(self)
        artifact.write(path, self._to_artifact())

    def _fit_codes(self, X: Any, y: Any, seed: int) -> Floats:
        """Set ``autoencoder_`` and return the codes of `X`, (n, latent_dim)."""
        given = Autoencoder(random_state=seed) if self.autoencoder is None else self.autoencoder
        inner, frozen = unwrapped(given)
        if frozen:
            input_checks.refuse_samples(y, X)
        else:
            X = input_checks.opened(X)  # not once more for its codes
            inner = clone(inner).fit(X, y)
        self._keep(inner)
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
        """Return the codes of `X` as an array, regardless of the autoencoder's `set_output`."""
        return np.asarray(self.autoencoder_.transform(X), dtype=np.float32)

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
        """Return a task with parameters and autoencoder, and the task's own arrays."""
        content = config_checks.entries(stored.manifest, ("params", "autoencoder"), cls.kind)
        params = plain_params(cls, content["params"], cls._parameters)
        autoencoder = _nested_autoencoder(stored)
        task = cls(**{**params, "autoencoder": autoencoder})
        task._keep(autoencoder)
        return task, outside_prefixes(stored.arrays, _NESTED)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "autoencoder_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = True
        return tags


def unwrapped(given: Any) -> tuple[BaseAutoencoder, bool]:
    """Return the autoencoder that a task was given, and whether it is frozen.

    Raises
    ------
    InvalidParameter
        `given` is not an isthmus estimator, alone or in a ``FrozenEstimator``.
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
