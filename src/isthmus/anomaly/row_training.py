"""Fits the detector for rows: splits the data, trains the network and calibrates the score."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import check_is_fitted

from isthmus.anomaly import conformal
from isthmus.anomaly.cell_density import CellModel
from isthmus.anomaly.nearest_neighbours import NearestNeighbours
from isthmus.anomaly.novelty import Novelty
from isthmus.anomaly.output_shapes import places
from isthmus.anomaly.row_detector import RowDetector
from isthmus.anomaly.row_order import order_effect
from isthmus.anomaly.row_score import RowScore, distinct_rows
from isthmus.anomaly.standardization import (
    StandardizedSpace,
    center_and_scale,
    standardised,
    symlog,
    training_input,
)
from isthmus.core.errors import DataWarning, InvalidData, InvalidParameter
from isthmus.core.randomness import derive_seed, generator_for
from isthmus.data.schema import infer_schema
from isthmus.data.sparse_rows import SparseRows
from isthmus.estimators import input_checks
from isthmus.estimators.denoising import DenoisingAutoencoder
from isthmus.tasks.base import unwrapped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from isthmus.anomaly.protocol import FitRequest
    from isthmus.core.types import Floats, ObservedRows
    from isthmus.data.schema import Schema
    from isthmus.estimators.base import BaseAutoencoder

# The default network, tuned on ADBench's ten data sets of 1,000 to 10,000 rows. Hidden layers took
# longer and detected less there; on six data sets not used for tuning they detected slightly more.
_CODE = 32
_NOISE = 0.3
_LEARNING_RATE = 0.01
_EPOCHS = 3
_FEWEST = 3
"""Fewest rows to fit to."""
_FEWEST_TRAINED = 4096
_FEWEST_EPOCHS = 2
_STEPS = 10_000
_BATCH = (128, 512)
_MANY_ROWS = 25_000
_NEIGHBOURS = 20
"""Neighbours used to exclude far outliers from contaminated data, before there is a network."""
_MOST_TRIMMED = 0.5
_KEPT_CELLS = 1_000_000
_KEPT_ROWS = (200, 2_000)
"""Fewest and most held-out rows to keep for `blind_spots` and `drift`."""


class RowSplit(NamedTuple):
    """Row indices of the training and held-out parts."""

    learned: NDArray[np.intp]
    """Rows that the network is trained on."""
    held_out: NDArray[np.intp]
    """Rows that it never sees."""

    def without(self, excluded: NDArray[np.bool_]) -> RowSplit:
        """Return the split without the rows in a mask, (n,)."""
        return RowSplit(*(rows[~excluded[rows]] for rows in self))


class PreparedRows(NamedTuple):
    """Training rows, converted once, and the space in which the score works."""

    space: StandardizedSpace
    observed: ObservedRows
    """In the units of the schema."""
    matrix: Floats
    """(n, d), standardised, missing cells filled."""
    split: RowSplit


def fit_rows(request: FitRequest) -> RowDetector:
    """Fit a detector to rows.

    Raises
    ------
    InvalidParameter, InvalidData, TrainingDiverged
        There are too few rows, or the autoencoder's `fit` fails.

    Warns
    -----
    DataWarning
        There are too few rows to guarantee the false-alarm rate, or the last rows differ from those
        before.
    """
    refuse_series_settings(request)
    X = input_checks.checked(request.estimator, request.X, reset=True)
    rows = X.num_rows if hasattr(X, "num_rows") else len(X)
    if rows < _FEWEST:
        raise InvalidData(
            "X",
            expected=f"at least {_FEWEST} rows",
            received=f"n_samples={rows}",
            remedy="pass more rows",
        )
    input_checks.check_length(request.y, rows)
    prepared = _prepared(X, request)
    if not request.contaminated:  # anomalies need not be spread evenly over the rows
        _warn_if_ordered(prepared)
    detector = _calibrated(prepared, request)
    warn_if_few(len(detector.calibration), request.false_alarm_rate)
    return detector


def refuse_series_settings(request: FitRequest) -> None:
    """Refuse parameters that are for series only; raises InvalidParameter."""
    for name, rows_of in (("group", "series of several units"), ("longest_gap", "a series")):
        if getattr(request, name) is not None:
            raise InvalidParameter(
                name,
                expected="None without a window",
                received=repr(getattr(request, name)),
                remedy=f"set window, too, if the rows are {rows_of}",
            )


def _prepared(X: Any, request: FitRequest) -> PreparedRows:
    """Fit the network, and convert the rows.

    Rows are converted by the detector's schema and, if the user passed an autoencoder, once more
    by that autoencoder's schema.
    """
    pictures = not hasattr(X, "columns") and np.ndim(X) > 2
    with warnings.catch_warnings():
        if request.autoencoder is not None:  # its own schema gives the same warnings
            warnings.simplefilter("ignore", DataWarning)
        schema = infer_schema(X, scale="auto" if pictures else "robust", unknown=request.unknown)
    scaled = schema.observe(X).matrix
    split = _split(len(scaled), request.false_alarm_rate, request.seed)
    center, scale = center_and_scale(scaled, schema, split.learned)
    if request.contaminated or request.autoencoder is None:
        rows = standardised(scaled, schema, center, scale)
    if request.contaminated:
        split = split.without(_far_out(rows, request.seed))
    if request.autoencoder is None:
        # Memory for the network, whose matrix is wider: the others are made once more after it.
        del scaled
        given = _given_rows(rows, split.learned)
        del rows
        network = _default(given, len(split.learned), request.seed)
        del given
        space = StandardizedSpace(schema, center, scale, network, compressed=True)
        observed = schema.observe(X)
        return PreparedRows(space, observed, space.matrix(observed.matrix), split)
    split = _with_every_category(split, scaled, schema)
    network = given_autoencoder(request.autoencoder, X, request.y, split.learned)
    schema = network.schema_.with_unknown(request.unknown)
    observed = schema.observe(X)
    center, scale = center_and_scale(observed.matrix, schema, split.learned)
    space = StandardizedSpace(schema, center, scale, network, compressed=False)
    return PreparedRows(space, observed, space.matrix(observed.matrix), split)


def _calibrated(rows: PreparedRows, request: FitRequest) -> RowDetector:
    space, observed, matrix, split = rows
    contaminated, seed = request.contaminated, request.seed
    used = np.sort(np.concatenate(split))
    held = np.searchsorted(used, split.held_out)
    among = matrix if len(used) == len(matrix) else matrix[used]
    score, scores = RowScore.fit(space, among, held_out=held, contaminated=contaminated, seed=seed)
    held_out = split.held_out
    if contaminated:
        normal = ~conformal.far_out(scores)
        held_out, scores = held_out[normal], scores[normal]
    cells = CellModel.fit(among, groups=_groups(space.schema), seed=derive_seed(seed, "cells"))
    fewest, most = _KEPT_ROWS
    kept = min(most, max(fewest, _KEPT_CELLS // matrix.shape[1]))
    novelty = None
    if len(space.schema.sample_shape) == 1:  # pixels of pictures are not cells of their own
        schema = space.schema
        novelty, events = Novelty.fit(observed, schema.segments, places(schema), np.sort(scores))
        scores = novelty.raised(scores, events.of(held_out))
    return RowDetector(space, score, cells, np.sort(scores), matrix[held_out[:kept]], novelty)


def _groups(schema: Schema) -> Sequence[Sequence[int]] | None:
    """Return the matrix columns of each table column; None for arrays."""
    return [range(s.start, s.stop) for s in schema.segments] or None


def warn_if_few(held_out: int, rate: float) -> None:
    """Warn if no p-value can be as small as the false-alarm rate."""
    if not conformal.is_enough(held_out, rate):
        needed = round(1 / rate) - 1
        warnings.warn(
            f"false_alarm_rate={rate:g} requires {needed} held-out rows, or about {2 * needed} "
            f"rows in total, but only {held_out} were held out. The threshold is extrapolated "
            "beyond all of their scores, so the rate is not guaranteed. Try: more rows, or a "
            f"false_alarm_rate of {1 / (held_out + 1):.2g} or more.",
            DataWarning,
            stacklevel=4,
        )


def _warn_if_ordered(rows: PreparedRows) -> None:
    """Warn if the last rows differ from those before, so that later rows may differ again."""
    effect = order_effect(rows.matrix)
    if effect is not None:
        name = _column_name(rows.space.schema, effect.column)
        warnings.warn(
            f"The last fifth of the rows differs from the others, most in {name!r}. The "
            "false-alarm rate holds for rows like a random sample of all of these, but later rows "
            "may be like none of them. Try: window= if the rows are a series; otherwise fit on "
            "rows of all kinds that are normal, and compare new rows with drift(X).",
            DataWarning,
            stacklevel=4,
        )


def _column_name(schema: Schema, column: int) -> str:
    """Return the name of the table column that a column of the matrix belongs to."""
    found = [segment.name for segment in schema.segments if segment.start <= column < segment.stop]
    return found[0] if found else f"x{column}"


def _split(n: int, rate: float, seed: int) -> RowSplit:
    order = generator_for(seed, "calibration").permutation(n)
    held_out = min(conformal.calibration_size(n, rate), n - 1)
    # The held-out rows stay in random order, so that any part of them is a random sample.
    return RowSplit(np.sort(order[held_out:]), order[:held_out])


def _far_out(rows: Floats, seed: int) -> NDArray[np.bool_]:
    """Return a mask, (n,), of the rows of a contaminated set to exclude, at most half of them."""
    dense = np.nan_to_num(symlog(rows))
    neighbours = NearestNeighbours(distinct_rows(dense, seed)).find(dense, _NEIGHBOURS)
    distances = neighbours.distances.mean(axis=1)
    logs = np.log(np.maximum(distances, np.finfo(np.float32).eps))
    far: NDArray[np.bool_] = conformal.far_out(logs) & (logs > np.quantile(logs, _MOST_TRIMMED))
    return far


def _with_every_category(split: RowSplit, scaled: Floats, schema: Schema) -> RowSplit:
    """Move held-out rows to training if their categories would be missing from it otherwise."""
    cells = [c for s in schema.segments if s.kind != "numeric" for c in range(s.start, s.stop)]
    if not cells:
        return split
    marks = scaled[:, cells] > 0
    unseen = ~marks[split.learned].any(axis=0)
    moved = marks[split.held_out][:, unseen].any(axis=1)
    if not moved.any() or moved.all():
        return split
    learned = np.sort(np.concatenate([split.learned, split.held_out[moved]]))
    return RowSplit(learned, split.held_out[~moved])


def _given_rows(rows: Floats, learned: NDArray[np.intp]) -> Floats:
    """Return what the default network is fitted to: standardised rows, compressed."""
    # Repeat the rows up to a fixed number, so that all small data sets share a compiled program.
    return training_input(rows, np.resize(learned, max(_FEWEST_TRAINED, len(learned))))


def _default(given: Floats, learned: int, seed: int) -> DenoisingAutoencoder:
    """Return the default network, fitted to `_given_rows` of so many rows that are learned."""
    batch = _BATCH[learned > _MANY_ROWS]
    network = DenoisingAutoencoder(
        _CODE,
        noise="masking",
        noise_level=_NOISE,
        architecture="linear",
        scale="none",
        epochs=max(_FEWEST_EPOCHS, min(_EPOCHS, _STEPS * batch // len(given))),
        batch_size=batch,
        learning_rate=_LEARNING_RATE,
        validation_fraction=0,  # with noise and so few epochs it does not overfit
        random_state=derive_seed(seed, "network"),
    )
    return network.fit(given)


def given_autoencoder(autoencoder: Any, X: Any, y: Any, rows: NDArray[np.intp]) -> BaseAutoencoder:
    """Return the user's autoencoder, fitted to the given rows of X unless it is frozen."""
    inner, frozen = unwrapped(autoencoder)
    if frozen:
        check_is_fitted(inner)
        return inner
    y = y if y is None or hasattr(y, "columns") else np.asarray(y)
    labels = None if y is None else _safe_indexing(y, rows)
    part = X.by_row[rows] if isinstance(X, SparseRows) else _safe_indexing(X, rows)
    fitted: BaseAutoencoder = clone(inner).fit(part, labels)
    return fitted
