"""The base class of all autoencoder estimators."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from isthmus.core import processes
from isthmus.core.errors import SchemaMismatch
from isthmus.core.randomness import generator_for, resolve_seed
from isthmus.data.reconstruction_error import row_errors, without_padding
from isthmus.data.schema import Schema, infer_schema
from isthmus.data.sources.labelled import LabelledSource
from isthmus.data.sources.source import BatchSource
from isthmus.data.table_outputs import has_atoms, with_margins
from isthmus.data.table_schema import TableSchema
from isthmus.estimators import (
    exporting,
    fit_rows,
    incremental,
    input_checks,
    keras_exporting,
    numpy_exporting,
    parameters,
    resolved_settings,
    resume,
    storage,
    warm_start,
)
from isthmus.estimators.batched import in_batches
from isthmus.estimators.fit_rows import FitRows
from isthmus.estimators.plotting import Figures
from isthmus.estimators.sample_weights import refuse_keywords, without_keywords
from isthmus.estimators.shared_parameters import SharedParameters
from isthmus.networks.bottlenecks import DeterministicBottleneck
from isthmus.networks.inference import Function
from isthmus.networks.serialization import weights_of
from isthmus.persistence import artifact
from isthmus.training.interrupt import Interrupt
from isthmus.training.loop import History, train
from isthmus.training.progress import ProgressBar

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from isthmus.core.types import Corruption, Floats
    from isthmus.estimators.incremental import IncrementalState
    from isthmus.estimators.labels import Labelling
    from isthmus.estimators.resume import TrainingRun
    from isthmus.estimators.warm_start import Continuation
    from isthmus.networks.bottlenecks import Bottleneck
    from isthmus.networks.head import Head
    from isthmus.networks.network import Architecture, Network
    from isthmus.objectives.objective import Objective
    from isthmus.persistence.artifact import Artifact
    from isthmus.training.callbacks import Callbacks
    from isthmus.training.config import TrainingConfig
    from isthmus.training.loop import TrainingData


_MOST_COMPARED = 10_000
"""Training rows that outputs are compared with, to tell which outputs are an atom."""


class TrainingGoal(NamedTuple):
    """What an estimator optimises for given data."""

    objective: Objective
    loss: str
    """The name of the reconstruction term, with "auto" resolved."""
    corruption: Corruption | None = None
    head: Head | None = None
    """Predicts labels from the code; None without labels."""


class BaseAutoencoder(
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    Figures,
    SharedParameters,
    ABC,
):
    """Abstract: a concrete estimator adds its constructor, `_goal` and any methods of its own."""

    kind: ClassVar[str]
    """The estimator's kind in archives."""
    figures: ClassVar[tuple[str, ...]] = ()
    """Attributes that `_measure` sets and archives store: a number, an array or None each."""
    later_figures: ClassVar[tuple[str, ...]] = ()
    """Those of `figures` that archives of earlier versions do not have: None is read."""
    supervised: ClassVar[bool] = False
    """Whether it also learns labels: then `_labels` sets `_labelling`, and `_goal` has a head."""

    _parameters: ClassVar[tuple[parameters.Parameter, ...]]
    _labelling: Labelling | None = None
    _head: Head | None = None
    _incremental: IncrementalState | None = None
    """What `partial_fit` goes on with; None after `fit`."""
    _architecture: Architecture | None

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        kind = cls.kind.removesuffix(" autoencoder")  # one word, as on the command line
        cls._parameters = parameters.parameters_of(kind)
        cls.__doc__ = parameters.documented(cls.__doc__, kind, cls._parameters)

    @abstractmethod
    def _goal(self, schema: Schema) -> TrainingGoal:
        """Return what to minimise for data of this schema, and how to corrupt the inputs."""

    def _labels(self, y: Any, n: int, *, warm: bool) -> Floats | None:  # noqa: ARG002
        """Return the encoded labels of `n` rows; None if unused. Raises InvalidData.

        If `warm`, they are encoded as in an earlier fit.
        """
        input_checks.check_length(y, n)
        return None

    def _opened(self, X: Any, y: Any, schema: Schema | None) -> tuple[Any, Any]:
        """Return the rows of `X`, in memory if they fit, and `y`; `schema` is of an earlier fit."""
        return input_checks.opened(X, schema), y

    def _target(self, X: Any, y: Any) -> Any:
        """Return the samples that `X` is to be reconstructed as: `X` itself, unless `y` has them.

        Raises
        ------
        InvalidData
            `y` has samples, and the estimator does not learn from them.
        """
        if not self.supervised:
            input_checks.refuse_samples(y, X)
        return X

    def _see_labels(self, labels: Floats | None) -> None:
        """Set what `_goal` needs to know of the encoded labels of all rows that are trained.

        Raises
        ------
        InvalidData
            They cannot be learned.
        """

    def _check_incremental(self) -> None:
        """Check that a setting does not need all rows at once; raises InvalidParameter."""

    def _measure(self, data: TrainingData, seed: int) -> None:
        """Set the `figures` of the network after training on `data`."""

    @classmethod
    def _bottleneck_of(cls, latent_dim: int, settings: Mapping[str, Any]) -> Bottleneck:  # noqa: ARG003
        """Return the bottleneck for a code of this size and the constructor's parameters."""
        return DeterministicBottleneck(latent_dim)

    @classmethod
    def _size_of_figure(cls, name: str, latent_dim: int, settings: Mapping[str, Any]) -> int:  # noqa: ARG003
        """Return the size of a figure that is an array."""
        return latent_dim

    @classmethod
    def _check_figures(cls, fitted: Mapping[str, Any]) -> None:
        """Check the `figures` of an archive, each a number, an array or None.

        Raises
        ------
        InvalidArchive
            `_measure` cannot have set them for such a model.
        """

    @without_keywords
    def fit(self, X: Any, y: Any = None, *, callbacks: Any = None, **unsupported: Any) -> Self:
        """Learn to reconstruct `X`.

        Parameters
        ----------
        X : array, sparse matrix, DataFrame, Arrow table, path or source of batches
            (n, columns) or (n, *image shape). NaN and null mark missing cells, which the loss
            ignores. Pixels of images may be missing in every row, such as those outside a field of
            view: they are left out of losses and scores, and stay NaN in reconstructions. A path is
            read by `isthmus.data.reading.read`; its labels and test rows are not used. A source is
            what `isthmus.data.sources.opening.opened` takes, such as a pyarrow Dataset or a
            function that returns an iterator of batches. If its rows take more than 1 GiB as
            float32, they are read in batches. All other methods accept the same.
        y : ignored
            Labels, as pipelines pass them; only their number is checked. Samples like those of `X`
            are refused, unless they are `X` itself: `DenoisingAutoencoder` learns from pairs.
        callbacks : keras.callbacks.Callback or list of them, optional
            Called between epochs, with the figures of `history_`. They may set
            ``model.optimizer.learning_rate``, after which `schedule` no longer applies, and
            ``model.stop_training``. Hooks of batches and other parts of the model are refused. Not
            together with `checkpoint`, which does not store their state.

        Returns
        -------
        self

        Raises
        ------
        InvalidParameter, InvalidData, UnreadableFile, TrainingDiverged
            A setting is invalid, the data cannot be learned or the file cannot be read, or the loss
            became infinite or NaN.

        Warns
        -----
        TrainingWarning
            Before training: `save` will refuse a layer of your own models. After it: training ended
            early because of Ctrl-C or a loss that was not finite.
        """
        refuse_keywords(unsupported)
        before = self.__dict__.copy()
        try:
            with Interrupt() as interrupt:  # until everything is stored, not only while training
                self._fit(X, y, interrupt, callbacks)
        except BaseException:
            # Restore the state of an earlier fit, if any.
            self.__dict__ = before
            raise
        return self

    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """Learn from more rows, and do not forget earlier ones.

        The first call learns the schema, unless there was an earlier `fit`: scales, categories and
        the size of the network stay as they are. So its rows should be like those to come, some
        hundred at least. The ranges of a table's columns grow with the rows.

        Every call trains on the new rows, together with three times as many that are drawn from
        earlier calls. For that, a uniform random sample of their rows is kept: at most 16,384 rows
        and 64 MiB. The optimizer's state goes on, too. The same calls with the same `random_state`
        give the same model.

        `epochs` is the number of passes over the rows of a call; "auto" is 5. `schedule` is
        that of a call. No rows are held out, so `patience` and `validation_fraction` are not used,
        and the last weights are kept. `history_` and `n_iter_` are those of the last call,
        `n_samples_` counts the rows of all calls.

        A pickle has the sample and the optimizer's state. A file that `save` writes has neither, as
        it would show rows: a loaded model goes on from its weights, with a fresh optimizer, and
        without earlier rows, of which it warns. So does a model after `fit`. To keep what earlier
        rows taught, pass some of them again with the new ones.

        Parameters
        ----------
        X : array, sparse matrix, DataFrame, Arrow table or path
            (n, columns) or (n, *image shape), as for `fit`, but no more rows than fit in memory.
        y : ignored
            As for `fit`.

        Returns
        -------
        self

        Raises
        ------
        InvalidParameter, InvalidData, UnreadableFile, TrainingDiverged
            As for `fit`; the columns are not those of the first call, a setting that determines the
            network was changed, or `checkpoint` is set. The model is then as before the call.

        Warns
        -----
        DataWarning
            A table has categories that the first call did not have.
        TrainingWarning
            As for `fit`; the rows of an earlier `fit`, or of a model that was loaded, are not kept.
        """
        before = self.__dict__.copy()
        try:
            with Interrupt() as interrupt:
                self._partial_fit(X, y, interrupt)
        except BaseException:
            self.__dict__ = before
            raise
        return self

    def _fit(self, X: Any, y: Any, interrupt: Interrupt, callbacks: Any) -> None:
        began = time.perf_counter()
        parameters.check(self, self._parameters)
        called = resolved_settings.callbacks(self, callbacks)
        warm = warm_start.WARM_START if warm_start.applies(self) else None
        rows = self._fit_rows(X, y, interrupt, warm)
        recipe = resolved_settings.recipe(self, rows.count, streamed=rows.summary is not None)
        run = resume.open_run(self, rows, resolve_seed(self.random_state))
        data = rows.training_data(self.validation_fraction, run.seed, recipe.batch_size)
        self._train(rows, data, recipe, run, interrupt, warm=warm, callbacks=called)
        self._incremental = None
        self.n_samples_ = rows.count
        self.fit_seconds_ = run.seconds_before + time.perf_counter() - began

    def _partial_fit(self, X: Any, y: Any, interrupt: Interrupt) -> None:
        began = time.perf_counter()
        parameters.check(self, self._parameters)
        incremental.check(self)
        self._check_incremental()
        warm = warm_start.PARTIAL_FIT if hasattr(self, "network_") else None
        if warm and self._incremental is None:
            incremental.warn_of_unknown_rows()
        before = self.n_samples_ if warm else 0
        rows = self._fit_rows(X, y, interrupt, warm)
        recipe = incremental.recipe(self, rows.count)
        call = incremental.begin(self, rows, self._incremental, recipe.batch_size)
        data = call.rows.training_data(0.0, call.run.seed, recipe.batch_size)
        self._train(call.rows, data, recipe, call.run, interrupt, warm=warm)
        self._incremental = call.end()
        self.n_samples_ = before + rows.count
        self.fit_seconds_ = time.perf_counter() - began

    def _train(
        self,
        rows: FitRows,
        data: TrainingData,
        recipe: TrainingConfig,
        run: TrainingRun,
        interrupt: Interrupt,
        *,
        warm: Continuation | None,
        callbacks: Callbacks | None = None,
    ) -> None:
        """Train on rows and keep the result; if `warm`, go on from the weights that there are."""
        schema = rows.schema
        latent_dim = resolved_settings.latent_dim(self, schema)
        self._see_labels(rows.every_label)
        goal = self._goal(schema)
        network, architecture = resolved_settings.network(
            self, schema, latent_dim, goal.head, run.seed
        )
        if warm is None or data.validation is not None:  # else nothing of it would be used
            data = resolved_settings.start(network, architecture, data, run.seed, loss=goal.loss)
        data = resolved_settings.augmented(self, schema, data)
        if warm is not None:
            warm_start.take_over(self, network, architecture, goal.head, warm)
            data = replace(data, start_gain=None)
        interrupt.raise_if_requested()
        history = train(
            network,
            goal.objective,
            data,
            recipe,
            seed=run.seed,
            corruption=goal.corruption,
            observers=[*self._progress(rows), *run.observers],
            start=run.snapshot,
            callbacks=callbacks,
            optimizer_state=run.optimizer_state,
        )
        resolved_settings.learn_start_again(network, architecture, data, history, run.seed)
        self.schema_, self.latent_dim_, self.loss_ = schema, latent_dim, goal.loss
        self._architecture, self._head = architecture, goal.head
        self._keep_history(history)
        self._keep_network(network)
        if has_atoms(schema):
            some = generator_for(run.seed, "margins").permutation(len(rows.matrix))[:_MOST_COMPARED]
            seen = rows.matrix if rows.inputs is None else rows.inputs
            outputs = self._reconstruct(seen[some])
            self.schema_ = with_margins(schema, rows.matrix[some], outputs)
        self._measure(data, run.seed)

    def _fit_rows(self, X: Any, y: Any, interrupt: Interrupt, warm: Continuation | None) -> FitRows:
        """Check and scale the rows of a fit, and learn their schema unless `warm`."""
        other = None if y is X else y  # samples that differ from X, or labels
        X, y = self._opened(X, y, self.schema_ if warm else None)
        other = y if isinstance(other, str) else other
        if isinstance(X, LabelledSource) and warm is not warm_start.PARTIAL_FIT:
            known = self._labelling if warm else None
            rows, self._labelling = fit_rows.summarised_with_labels(self, X, interrupt, known)
            return rows
        if isinstance(X, LabelledSource):
            X = X.source
        if isinstance(X, BatchSource) and warm is not warm_start.PARTIAL_FIT:
            self._target(X, None)
            return fit_rows.summarised(self, X, other, interrupt)
        X = input_checks.checked(self, X, reset=not warm)
        target = self._target(X, other)
        schema = warm_start.schema_of(self, warm) if warm else self._learned_schema(target)
        input_checks.remember_columns(self, schema)
        matrix = schema.to_matrix(target)
        inputs = None if target is X else schema.to_matrix(X)
        if not warm:
            schema = resolved_settings.values_for_loss(self, schema, matrix)
        elif warm is warm_start.PARTIAL_FIT and isinstance(schema, TableSchema):
            schema = schema.including(target)
        return FitRows(schema, matrix, self._labels(y, len(matrix), warm=warm is not None), inputs)

    def _progress(self, rows: FitRows) -> list[ProgressBar]:
        if not self.verbose or processes.index() > 0:
            return []
        return [ProgressBar(0 if rows.summary is None else rows.count)]

    @property
    def code_shape_(self) -> tuple[int, ...]:
        """Shape of the code of a sample: (latent_dim,), or that of your own encoder's output."""
        check_is_fitted(self)
        return self.network_.code_shape

    def _learned_schema(self, X: Any) -> Schema:
        series = resolved_settings.is_for_series(self)
        return infer_schema(X, scale=self.scale, unknown=self.unknown, series=series)

    @in_batches
    def transform(self, X: Any) -> Floats:
        """Return the codes of `X`, float32 of shape (n, latent_dim).

        Spatial codes of your own encoder are flattened: ``.reshape(-1, *code_shape_)`` restores
        them.
        """
        X = self._checked(X)
        return self._collected(self._encode, X, self.latent_dim_)

    def inverse_transform(self, Z: Any, *, bounded: bool = True) -> Any:
        """Decode codes into samples in original units.

        Parameters
        ----------
        Z : array of shape (n, latent_dim) or (n, *code_shape_)
            Codes.
        bounded : bool
            As for `reconstruct`.

        Returns
        -------
        array or DataFrame
            (n, *sample shape), in the container that `fit` was given.
        """
        check_is_fitted(self)
        Z = input_checks.checked_codes(Z, self.code_shape_)
        if Z.shape[1] != self.latent_dim_:
            raise SchemaMismatch(
                "codes",
                expected=f"shape (n, {self.latent_dim_})",
                received=str(Z.shape),
                remedy="pass what transform returned",
            )
        return self._schema_of_outputs(bounded).from_matrix(self._decode(Z))

    @in_batches
    def reconstruct(self, X: Any, *, bounded: bool = True) -> Any:
        """Encode and decode `X`, in the same container, names and units, with missing cells filled.

        With a recurrent architecture, the steps after the end of a sequence stay NaN. So do pixels
        that were missing in every row of `fit`.

        Parameters
        ----------
        X : array, DataFrame or Arrow table
            As for `fit`.
        bounded : bool
            Whether numbers of a table keep to what `fit` saw in their column: the range, the grid
            (whole numbers, or decimal steps such as 0.5 or 0.01), and the value that many cells
            have, such as the zeros of a zero-inflated column. False: as the network outputs them.
            Errors and scores are always computed from its outputs.
        """
        X = self._checked(X)
        ends = self._architecture is not None and self._architecture.variable_length
        predictions = (
            without_padding(prediction, target) if ends else prediction
            for target, prediction in self._streamed(self._reconstruct, X)
        )
        return self._schema_of_outputs(bounded).from_blocks(predictions, len(X), like=X)

    def encode_matrix(self, matrix: Floats) -> Floats:
        """Return the codes of rows in scaled units, (n, *sample_shape) -> (n, latent_dim).

        Parameters
        ----------
        matrix : float32 array of shape (n, *sample_shape)
            As returned by ``schema_.to_matrix``; NaN marks missing cells.
        """
        check_is_fitted(self)
        return self._encode(matrix)

    def reconstruct_matrix(self, matrix: Floats) -> Floats:
        """Encode and decode rows in scaled units, (n, *sample_shape) -> (n, *sample_shape).

        Parameters
        ----------
        matrix : float32 array of shape (n, *sample_shape)
            As returned by ``schema_.to_matrix``; NaN marks missing cells.
        """
        check_is_fitted(self)
        return self._reconstruct(matrix)

    def decode_matrix(self, codes: Floats) -> Floats:
        """Return rows in scaled units, (n, *sample_shape), that codes are decoded to.

        Parameters
        ----------
        codes : float32 array of shape (n, latent_dim)
            As returned by `transform`.
        """
        check_is_fitted(self)
        return self._decode(codes)

    @in_batches
    def reconstruction_error(self, X: Any) -> NDArray[np.float64]:
        """Return the mean squared error of each row, (n,), >= 0, higher is worse.

        The mean is over the row's observed columns in scaled units: fractions of the range for
        images, and robust standard deviations for numeric columns. The error of a categorical
        column is half the squared distance between predicted and true probabilities, in [0, 1].
        The error of a row without observed cells is NaN.
        """
        X = self._checked(X)
        parts = []
        for target, prediction in self._streamed(self._reconstruct, X):
            errors = row_errors(target, prediction, self.schema_.segments)
            errors[np.isnan(target.reshape(len(target), -1)).all(axis=1)] = np.nan
            parts.append(errors)
        return np.concatenate(parts)

    def score(self, X: Any, y: Any = None) -> float:  # noqa: ARG002
        """Return the negative mean reconstruction error, without NaN rows: higher is better."""
        return -float(np.nanmean(self.reconstruction_error(X)))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted estimator atomically to one file, which `isthmus.load` reads.

        Raises
        ------
        CannotWrite
            The file could not be written; an existing file is unchanged.
        InvalidParameter
            The networks contain layers that an archive cannot store, or a parameter that was
            changed after `fit` contradicts what was learned.
        """
        check_is_fitted(self)
        artifact.write(path, self._to_artifact())

    def export(
        self, path: str | os.PathLike[str], part: str = "reconstruct", *, to: str = "onnx"
    ) -> None:
        """Write the model, or a part of it, in a format that needs no isthmus.

        It takes the data in their original units, as `fit` did, and contains the scaling. Its
        outputs are compared with those of Python before it is written.

        Parameters
        ----------
        path : path
            The ONNX file to write, or the folder for the files of another format.
        part : {"reconstruct", "encode", "decode", "predict"}
            What an ONNX file computes. "encode": the code (n, latent_dim). "reconstruct": also the
            reconstruction in original units, and the error of each row. "decode": from codes to
            samples in original units. "predict": labels, of a model that learned some.
        to : {"onnx", "keras", "numpy"}
            "onnx": an ONNX file, which needs the extra ``onnx``. "keras": ``encoder.keras`` and
            ``decoder.keras``, which `keras.saving.load_model` loads in safe mode; they compute in
            float32, and a table may have numbers and truth values only. "numpy": ``model.py`` and
            ``model.npz``, which need NumPy only; of dense networks.

        Raises
        ------
        InvalidParameter
            A layer of the network or a column cannot be exported; the message names it.
        IsthmusError
            An output differs from Python's; nothing is written.
        MissingExtra
            onnx or ONNX Runtime is not installed.
        CannotWrite
            The file could not be written; an existing file is unchanged.
        """
        check_is_fitted(self)
        exporting.check_format(to, part)
        if to == "keras":
            keras_exporting.export_keras(self, path)
        elif to == "numpy":
            numpy_exporting.export_numpy(self, path)
        else:
            exporting.export(self, path, part)

    def _schema_of_outputs(self, bounded: bool) -> Schema:
        return self.schema_ if bounded else self.schema_.unbounded()

    def _checked(self, X: Any) -> Any:
        check_is_fitted(self)
        return input_checks.checked(self, X, reset=False)

    def _streamed(self, function: Function, X: Any) -> Iterator[tuple[Floats, Floats]]:
        """Yield the rows of `X` in scaled units and the outputs of `function`, in blocks."""
        return function.stream(self.schema_.blocks(X, function.block_rows))

    def _collected(self, function: Function, X: Any, width: int) -> Floats:
        """Return the outputs of `function` for the rows of `X`, (n, width)."""
        collected = np.empty((len(X), width), np.float32)
        start = 0
        for block, outputs in self._streamed(function, X):
            collected[start : start + len(block)] = outputs
            start += len(block)
        return collected

    def _keep_history(self, history: History) -> None:
        self.history_ = history.epochs
        self.best_epoch_ = history.best_epoch
        self.stop_reason_ = history.stop_reason
        self.n_iter_ = max(1, len(history.epochs["epoch"]))

    def _keep_network(self, network: Network) -> None:
        self.network_ = network
        self._weights = weights_of(network.full)
        self.encoder_, self.decoder_ = network.encoder, network.decoder
        self._encode, self._decode = Function(network.encoder), Function(network.decoder)
        self._reconstruct = self._encode.then(self._decode)

    def use_fixed_batches(self) -> None:
        """Compute codes and reconstructions, from now on, independently of what else is passed.

        Otherwise the last bits of a row may depend on whether one, few or many are passed. A few
        rows then take as long as some hundreds. Copies and archives do not keep this.
        """
        check_is_fitted(self)
        self._encode, self._decode = self._encode.tiled(), self._decode.tiled()
        self._reconstruct = self._reconstruct.tiled()

    def _to_artifact(self) -> Artifact:
        learned = {name: getattr(self, name) for name in (*storage.LEARNED, *self.figures)}
        parts = storage.FittedParts(
            learned, self.schema_, self.network_, self._architecture, self._labelling, self._head
        )
        return storage.to_artifact(self.kind, self.get_params(deep=False), parts, self._weights)

    @classmethod
    def _from_artifact(cls, stored: Artifact) -> Self:
        params, parts = storage.from_artifact(cls, stored)
        estimator = cls(**params)
        for name, value in parts.learned.items():
            setattr(estimator, name, value)
        input_checks.remember_columns(estimator, parts.schema)
        estimator.schema_, estimator._architecture = parts.schema, parts.architecture
        estimator._labelling, estimator._head = parts.labelling, parts.head
        estimator._keep_network(parts.network)
        return estimator

    def __getstate__(self) -> dict[str, Any]:
        return storage.picklable(dict(super().__getstate__()))

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        network = storage.rebuilt_network(self.__dict__, self._bottleneck_of)
        if network is not None:
            self._keep_network(network)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "network_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    @property
    def _n_features_out(self) -> int:
        return int(self.latent_dim_)
