"""The fitted detector for independent rows, used by `AnomalyDetector` without ``window=``.

See `row_score` for the score, `conformal` for p-values and the threshold, `cell_density` for
explanations, and `row_training` for fitting.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

import numpy as np

from isthmus.anomaly import output_shapes
from isthmus.anomaly.blind_spots import BlindSpots, blind_spots
from isthmus.anomaly.cell_density import CellModel
from isthmus.anomaly.conformal_rows import ConformalRows, check_settings_of_rows
from isthmus.anomaly.contributions import contributions
from isthmus.anomaly.drift import Drift, drift
from isthmus.anomaly.novelty import CellEvents, Novelty
from isthmus.anomaly.output_shapes import Repaired
from isthmus.anomaly.repair import repair_rows
from isthmus.anomaly.row_score import RowScore
from isthmus.anomaly.standardization import StandardizedSpace, padded_width
from isthmus.core.errors import InvalidArchive
from isthmus.core.finite_outputs import require_finite
from isthmus.data.schema import schema_from_config
from isthmus.estimators import input_checks
from isthmus.persistence.array_checks import check_arrays
from isthmus.persistence.prefixes import outside_prefixes, with_prefix, without_prefix

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from isthmus.anomaly.protocol import StoredDetector
    from isthmus.core.types import Floats
    from isthmus.data.schema import Schema
    from isthmus.estimators.base import BaseAutoencoder

    Scores = NDArray[np.float64]

_SCORE, _CELLS, _EVENTS = "score/", "cells/", "events/"
"""Prefixes of arrays in an archive."""


class ScoredRows(NamedTuple):
    """Rows as the detector works on them."""

    matrix: Floats
    """(n, d), standardised, missing cells filled."""
    events: CellEvents | None
    """Their missing and unseen cells; None where no row has any."""


@dataclass(frozen=True, eq=False)
class RowDetector(ConformalRows):
    """A fitted detector of anomalous rows; implements `FittedDetector`.

    Parameters
    ----------
    space : StandardizedSpace
        Converts rows to the matrix that all other parts work on.
    row_score : RowScore
        Scores the matrix.
    cells : CellModel
        Density of each cell given the others of its row, for explanations.
    calibration : float64 array of shape (held-out rows,)
        Anomaly scores of held-out rows, in ascending order.
    held_out : float32 array of shape (k, d)
        Some of the held-out rows, standardised.
    novelty : Novelty, optional
        How improbable missing and unseen cells are. None for pictures, and in older archives.
    """

    is_series: ClassVar[bool] = False

    space: StandardizedSpace
    row_score: RowScore
    cells: CellModel
    calibration: Scores
    held_out: Floats
    novelty: Novelty | None = None

    @property
    def autoencoder(self) -> BaseAutoencoder:
        """The fitted autoencoder."""
        return self.space.autoencoder

    @property
    def schema(self) -> Schema:
        """Maps the data to numbers and back."""
        return self.space.schema

    def prepare(self, X: Any, estimator: Any) -> ScoredRows:
        """Return rows standardised; scikit-learn checks them in the name of `estimator`."""
        X = input_checks.checked(estimator, X, reset=False)
        if self.novelty is None:
            return ScoredRows(self.space.matrix(self.schema.to_matrix(X)), None)
        observed = self.schema.observe(X)
        events = self.novelty.events(observed)
        matrix = self.space.matrix(observed.matrix)
        return ScoredRows(matrix, events if events.any_in_row().any() else None)

    def score(self, rows: ScoredRows) -> Scores:
        """Return the anomaly score of each row, (n,), above 0, higher is worse."""
        scores = self.row_score.score(rows.matrix)
        require_finite(scores, "the anomaly score")
        return self._raised(scores, rows.events)

    def _raised(self, scores: Scores, events: CellEvents | None) -> Scores:
        """Return scores at least as high as the rows' events imply."""
        if events is None or self.novelty is None:
            return scores
        return self.novelty.raised(scores, events)

    def explain(self, rows: ScoredRows, like: Any) -> Any:
        """Return what each cell adds to its row's score, in the container and shape of `like`."""
        parts = self._of_all_columns(
            contributions(self.row_score, self.cells, rows.matrix, absent=self.schema.absent)
        )
        if rows.events is not None and self.novelty is not None:
            plain = parts.sum(axis=1)
            surprise = self.novelty.surprise(rows.events)
            total = np.maximum(surprise.sum(axis=1), np.finfo(np.float64).tiny)
            added = self._raised(plain, rows.events) - plain
            parts += surprise * (added / total)[:, None]
        return output_shapes.shaped(parts, self.schema, like)

    def expected(self, rows: ScoredRows, like: Any) -> Any:
        """Return the value of each cell that the rest of its row suggests, in units of `like`."""
        return self.space.restore(self.cells.expected(rows.matrix), like)

    def repair(self, rows: ScoredRows, like: Any, *, most: int, threshold: float) -> Repaired:
        """Change up to `most` cells of each row whose score is above `threshold`.

        In a row with cells that are missing or were never seen, the least probable of these are
        changed, and no others.
        """
        found = repair_rows(self.row_score, self.cells, rows.matrix, most, threshold=threshold)
        before = self._raised(found.before, rows.events)
        changed = self._of_all_columns(found.changed)
        matrix, after = found.matrix, found.after
        if rows.events is not None and self.novelty is not None:
            eventful = rows.events.any_in_row()
            mended = self.novelty.least_probable(rows.events, most)
            mended[before <= threshold] = False
            left = rows.events.without(mended)
            changed[eventful] = mended[eventful]
            matrix = np.where(eventful[:, None], rows.matrix, matrix)
            after = np.where(eventful, self._raised(found.before, left), after)
        new = self.space.restore(matrix, like)
        return Repaired(
            X=output_shapes.merged(changed, new, like, self.schema),
            changed=output_shapes.shaped(changed, self.schema, like),
            before=before,
            after=after,
        )

    def _of_all_columns(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return values of the learned columns as values of all columns, 0 for the others."""
        if not self.schema.segments:
            return values
        spread = np.zeros((len(values), self.schema.n_columns), dtype=values.dtype)
        spread[:, output_shapes.places(self.schema)] = values
        return spread

    def blind_spots(self, threshold: float) -> BlindSpots:
        """Inject faults into held-out rows and count how many score above `threshold`."""
        return blind_spots(
            self.row_score, self.cells, self.held_out, threshold=threshold, names=self._names
        )

    def drift(self, rows: ScoredRows) -> Drift:
        """Compare a batch of rows with held-out ones."""
        return drift(self.row_score, self.cells, self.held_out, rows.matrix, names=self._names)

    def set_attributes(self, estimator: Any) -> None:
        """Set the fitted attributes that `AnomalyDetector` documents for rows."""
        estimator.schema_ = self.schema
        estimator.calibration_scores_ = self.calibration
        input_checks.remember_columns(estimator, self.schema)

    def check_settings(
        self, *, window: Any, group: Any, longest_gap: Any, contaminated: bool
    ) -> None:
        """Check that it is not for series, and whether training rows may contain anomalies."""
        series = {"window": window, "group": group, "longest_gap": longest_gap}
        check_settings_of_rows(
            series, contaminated=contaminated, learned_contaminated=self.row_score.contaminated
        )

    def own_schema(self) -> dict[str, Any] | None:
        """Return the schema as JSON if the network is the default one, whose schema differs."""
        return self.schema.to_config() if self.space.compressed else None

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return what was learned beside the autoencoder."""
        events = {} if self.novelty is None else self.novelty.to_arrays()
        return {
            "center": self.space.center,
            "scale": self.space.scale,
            "calibration": self.calibration,
            "held_out": self.held_out,
            **with_prefix(self.row_score.to_arrays(), _SCORE),
            **with_prefix(self.cells.to_arrays(), _CELLS),
            **with_prefix(events, _EVENTS),
        }

    @classmethod
    def from_archive(cls, stored: StoredDetector) -> Self:
        """Rebuild the detector from an archive.

        Raises
        ------
        InvalidArchive
            The archive does not contain such a detector.
        """
        arrays, autoencoder = stored.arrays, stored.autoencoder
        schema = _archived_schema(stored).with_unknown(stored.unknown)
        width = math.prod(schema.sample_shape)
        _check_own_arrays(arrays, width)
        space = StandardizedSpace(
            schema,
            arrays["center"],
            arrays["scale"],
            autoencoder,
            compressed=stored.schema is not None,
        )
        score = RowScore.from_arrays(
            space, without_prefix(arrays, _SCORE), width=width, code=autoencoder.latent_dim_
        )
        cells = CellModel.from_arrays(without_prefix(arrays, _CELLS), width=width)
        novelty = None
        if events := without_prefix(arrays, _EVENTS):  # not in older archives
            novelty = Novelty.from_arrays(
                events, columns=schema.n_columns, table=bool(schema.segments)
            )
        return cls(space, score, cells, arrays["calibration"], arrays["held_out"], novelty)

    @property
    def _names(self) -> Sequence[str]:
        return output_shapes.names(self.schema)


def _archived_schema(stored: StoredDetector) -> Schema:
    """Return the archive's own schema, or else that of the autoencoder."""
    own: Schema = stored.autoencoder.schema_
    if stored.schema is None:
        return own
    schema = schema_from_config(stored.schema)
    if own.sample_shape != (padded_width(math.prod(schema.sample_shape)),):
        raise InvalidArchive(
            "the archive's schema",
            expected=f"samples that fit the network's input shape {own.sample_shape}",
            received=str(schema.sample_shape),
        )
    return schema


def _check_own_arrays(arrays: Mapping[str, np.ndarray], width: int) -> None:
    """Check the arrays that belong to neither the score nor the cell model."""
    check_arrays(
        outside_prefixes(arrays, _SCORE, _CELLS, _EVENTS),
        {
            "center": ("float64", (width,)),
            "scale": ("float64", (width,)),
            "calibration": ("float64", (None,)),
            "held_out": ("float32", (None, width)),
        },
    )
    if arrays["scale"].min() <= 0 or (np.diff(arrays["calibration"]) < 0).any():
        raise InvalidArchive(
            "the archive's detector",
            expected="scales above 0 and calibration scores in ascending order",
        )
