"""The errors of a comparison by channel of images or series."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from isthmus.core.number_format import number, percent

if TYPE_CHECKING:
    from isthmus.data.schema import Schema
    from isthmus.evaluation.comparison import Comparison, ComparisonEntry

HEADERS = ("", "explained variance", "error", "PCA", "mean row")
MOST_CHANNELS = 40
"""Most channels in a table."""


@dataclass(frozen=True)
class ChannelError:
    """The mean squared error of each method in one channel, in scaled units."""

    name: str
    error: float
    pca_error: float
    mean_error: float

    @property
    def explained_variance(self) -> float | None:
        """1 - error / error of the mean row; None if all rows have the same values."""
        return 1 - self.error / self.mean_error if self.mean_error > 0 else None

    @property
    def cells(self) -> list[str]:
        """The name and figures as text, as in `HEADERS`."""
        errors = (self.error, self.pca_error, self.mean_error)
        return [self.name, percent(self.explained_variance), *map(number, errors)]


def channel_errors(contest: Comparison, schema: Schema) -> tuple[ChannelError, ...]:
    """Return the errors by channel, in order; empty if there are not several channels.

    Channels without an observed cell are left out.
    """
    if schema.channels < 2:
        return ()
    means = [_means(contest, entry, schema.channels) for entry in contest.entries]
    return tuple(
        ChannelError(f"channel {index}", *map(float, errors))
        for index, errors in enumerate(zip(*means, strict=True))
        if not np.isnan(errors[0])
    )


def _means(contest: Comparison, entry: ComparisonEntry, channels: int) -> np.ndarray:
    squares = np.square(contest.target - entry.prediction).reshape(-1, channels)
    observed = (~np.isnan(squares)).sum(axis=0)
    sums = np.nansum(squares, axis=0, dtype=np.float64)
    return np.where(observed > 0, sums / np.maximum(observed, 1), np.nan)
