"""The supervised autoencoder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from sklearn.metrics import r2_score
from sklearn.utils import ClassifierTags, RegressorTags
from sklearn.utils.metaestimators import available_if

from isthmus.core.catalogue import Catalogue
from isthmus.core.errors import InvalidData, InvalidParameter
from isthmus.estimators import input_checks, parameter_checks, resolved_settings
from isthmus.estimators.base import BaseAutoencoder, TrainingGoal
from isthmus.estimators.batched import in_batches
from isthmus.estimators.labels import Classes, Labelling, Targets
from isthmus.estimators.sample_weights import refuse_keywords, without_keywords
from isthmus.networks.architecture_settings import ACTIVATIONS
from isthmus.networks.head import Head
from isthmus.networks.inference import Function
from isthmus.objectives.objective import Metric, Objective
from isthmus.objectives.supervision import cross_entropy, hits, squared_error, supervision
from isthmus.persistence import config_checks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from isthmus.core.types import Floats
    from isthmus.data.schema import Schema
    from isthmus.networks.network import Network

TASKS: Catalogue[type[Labelling]] = Catalogue(
    "task", {"classification": Classes, "regression": Targets}
)
_AUTO_HEAD = (128,)


class SupervisedAutoencoder(BaseAutoencoder):
    """Learns codes from which the input can be reconstructed and labels can be predicted.

    In addition to the decoder, a head predicts labels from the code, so that the codes separate
    the labels (Le et al., 2018, "Supervised autoencoders: improving generalization performance with
    unsupervised regularizers"). The estimator is a classifier or a regressor, and a transformer.

    The objective is the loss of `Autoencoder` plus ``classification_weight`` times the head's loss:
    cross-entropy in nats, or the squared error of standardised targets. Rows without a label only
    train the reconstruction; the head's loss is the mean over the other rows.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    classes_ : array of shape (classes,)
        The classes in the order of `predict_proba`; for classification.
    head_ : keras.Model
        Codes -> class probabilities, or standardised targets.
    labelled_share_ : float
        Fraction of the rows passed to `fit` that have a label.
    history_ : dict of str to list
        As for `Autoencoder`, plus ``supervised_loss`` and, for classification, ``accuracy``; also
        with the prefix ``val_`` if held-out rows have labels.
    Other attributes are those of `Autoencoder`.

    Examples
    --------
    >>> import isthmus as ist
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> model = ist.SupervisedAutoencoder(latent_dim=2, epochs=20, random_state=0).fit(X, y)
    >>> model.predict_proba(X).shape
    (150, 3)
    """

    kind = "supervised autoencoder"
    figures = ("labelled_share_",)
    supervised: ClassVar[bool] = True

    task: str
    classification_weight: float
    head_hidden: Any
    head_activation: str
    head_dropout: float
    loss: Any

    _given_classes: Classes | None = None
    """The classes that `partial_fit` was told."""

    def __init__(
        self,
        latent_dim: int | str = "auto",
        *,
        task: str = "classification",
        classification_weight: float = 0.1,
        head_hidden: Any = "auto",
        head_activation: str = "gelu",
        head_dropout: float = 0.0,
        architecture: str = "auto",
        encoder: Any = None,
        decoder: Any = None,
        hidden: Any = "auto",
        activation: str = "gelu",
        normalization: str = "auto",
        linear_path: bool = True,
        loss: Any = "auto",
        l1: float = 0.0,
        contraction: float = 0.0,
        scale: str = "auto",
        unknown: str = "warn",
        augmentation: str = "auto",
        epochs: int | str = "auto",
        batch_size: int | str = "auto",
        optimizer: Any = "adam",
        learning_rate: float = 0.005,
        schedule: str = "cosine",
        clip_norm: float | None = 1.0,
        patience: int | str | None = "auto",
        validation_fraction: float = 0.1,
        precision: str = "float32",
        checkpoint: Any = None,
        checkpoint_every: int = 1,
        warm_start: bool = False,
        verbose: int = 1,
        random_state: Any = None,
    ) -> None:
        self._store(locals())

    @without_keywords
    def fit(
        self, X: Any, y: Any = None, *, callbacks: Any = None, **unsupported: Any
    ) -> SupervisedAutoencoder:
        """Learn to reconstruct `X` and to predict `y`.

        Parameters
        ----------
        X : array, sparse matrix, DataFrame, Arrow table, path or source of batches
            (n, columns) or (n, *image shape). NaN and null mark missing cells, which the loss
            ignores. A path is read by `isthmus.data.reading.read`; its labels and test rows are
            not used. A source is as for `Autoencoder`, or yields pairs (X, y) of rows and their
            labels. If its rows take more than 1 GiB as float32, they are read in batches; its
            labels stay in memory, as two bytes for each row, or as four for each target.
        y : array of shape (n,), or (n, targets) for regression, or str
            Labels: text, integers or booleans for classification, numbers for regression. None and
            NaN mark missing labels. Among integer classes, so does -1, unless the classes are
            exactly -1 and 1, or one is below -1. A str is the name of their column in `X`, which
            is then not learned. None if `X` yields pairs.
        callbacks : keras.callbacks.Callback or list of them, optional
            As for `Autoencoder`.

        Returns
        -------
        self

        Raises
        ------
        InvalidParameter, InvalidData, UnreadableFile, TrainingDiverged
            A setting is invalid, the data or labels cannot be learned or the file cannot be read,
            or the loss became infinite or NaN.
        """
        refuse_keywords(unsupported)
        self._given_classes = None
        return super().fit(X, y, callbacks=callbacks)

    def partial_fit(self, X: Any, y: Any = None, classes: Any = None) -> Self:
        """Learn from more rows and labels, and do not forget earlier ones.

        Parameters
        ----------
        X : array, sparse matrix, DataFrame, Arrow table or path
            As for `Autoencoder.partial_fit`, which says what goes on from call to call.
        y : array of shape (n,), or (n, targets) for regression
            As for `fit`. Means and deviations of targets are those of the first call.
        classes : array of shape (classes,), optional
            All classes that may come, for the first call. By default they are those of its labels.

        Returns
        -------
        self

        Raises
        ------
        InvalidParameter, InvalidData, UnreadableFile, TrainingDiverged
            As for `Autoencoder.partial_fit`; a label is none of the classes, or no row so far has a
            label.
        """
        self._given_classes = self._with_classes(classes)
        return super().partial_fit(X, y)

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the most likely class of each sample, (n,), or targets in the shape of `y`."""
        responses = self._responses(X)
        return self._labels_known().decode(responses)

    @available_if(lambda self: self.task == "classification")  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any) -> Floats:
        """Return the probability of each class, (n, classes), in the order of `classes_`."""
        return self._responses(X)

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Return the accuracy, or R² for regression, on rows that have labels.

        Parameters
        ----------
        X : array, DataFrame or Arrow table
            As for `fit`.
        y : array of shape (n,) or (n, targets)
            As for `fit`; rows without a label are left out.
        sample_weight : array of shape (n,), optional
            Weights of the rows.
        """
        predicted = self.predict(X)
        truth, rows = self._labels_known().known(y, len(predicted))
        if not len(truth):
            raise InvalidData("y", expected="at least one label", received="only missing labels")
        weight = None if sample_weight is None else np.asarray(sample_weight)[rows]
        if self._labels_known().classifies:
            return float(np.average(predicted[rows] == truth, weights=weight))
        return float(r2_score(truth, predicted[rows], sample_weight=weight))

    @property
    def classes_(self) -> NDArray[Any]:
        """The classes in the order of `predict_proba`."""
        if isinstance(self._labelling, Classes):
            return self._labelling.values
        raise AttributeError("classes_ is only available after fit with task='classification'")

    def _opened(self, X: Any, y: Any, schema: Schema | None) -> tuple[Any, Any]:
        return input_checks.opened_with_labels(X, y, schema)

    def _labels(self, y: Any, n: int, *, warm: bool) -> Floats:
        if not warm and self._given_classes is None:
            self._labelling, labels = TASKS[self.task].of(y, n)
            return labels
        if not warm:
            self._labelling = self._given_classes
        return self._labels_known().encode(y, n)

    def _see_labels(self, labels: Floats | None) -> None:
        if labels is None:
            raise AssertionError("_labels returns some")
        missing = np.isnan(labels) if labels.ndim == 1 else np.isnan(labels).all(axis=1)
        self.labelled_share_ = 1.0 - float(missing.mean())
        if missing.all():
            raise InvalidData(
                "y",
                expected="a label for at least one row so far",
                received="only missing labels",
                remedy="begin with rows that have labels, or use Autoencoder, which needs none",
            )

    def _with_classes(self, classes: Any) -> Classes | None:
        """Return the classes that were passed to `partial_fit`, None without."""
        if classes is None:
            return None
        if self.task != "classification":
            raise InvalidParameter(
                "classes",
                expected="None with task='regression'",
                received=repr(classes)[:200],
                remedy="leave classes out",
            )
        made, _ = Classes.of(classes, len(classes))
        if hasattr(self, "network_"):
            self._labels_known().encode(classes, len(classes))
        return made

    @classmethod
    def _check_figures(cls, fitted: Mapping[str, Any]) -> None:
        share = fitted["labelled_share_"]
        if type(share) is not float or not 0 < share <= 1:
            config_checks.refuse("fraction of rows with labels", "a number in (0, 1]", share)

    def _goal(self, schema: Schema) -> TrainingGoal:
        labelling = self._labels_known()
        reconstruction, loss = resolved_settings.reconstruction(self, schema)
        term, metric = supervision(
            cross_entropy if labelling.classifies else squared_error,
            float(self.classification_weight),
            labelled_share=self.labelled_share_,
        )
        metrics = (metric, Metric("accuracy", hits)) if labelling.classifies else (metric,)
        hidden = parameter_checks.layers("head_hidden", self.head_hidden)
        head = Head(
            labelling.outputs,
            labelling.classifies,
            _AUTO_HEAD if hidden is None else hidden,
            ACTIVATIONS[self.head_activation],
            float(self.head_dropout),
        )
        penalties = (*resolved_settings.penalties(self), term)
        return TrainingGoal(Objective(reconstruction, penalties, metrics), loss, head=head)

    def _labels_known(self) -> Labelling:
        if self._labelling is None:
            raise AssertionError("fit sets the labels before they are used")
        return self._labelling

    @in_batches
    def _responses(self, X: Any) -> Floats:
        X = self._checked(X)
        return self._collected(self._respond, X, self._labels_known().outputs)

    def _keep_network(self, network: Network) -> None:
        super()._keep_network(network)
        self.head_ = network.head
        self._respond = self._encode.then(Function(network.head))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        if self.task == "regression":
            tags.estimator_type, tags.regressor_tags = "regressor", RegressorTags()
            tags.target_tags.multi_output = True
        else:
            tags.estimator_type, tags.classifier_tags = "classifier", ClassifierTags()
        return tags
