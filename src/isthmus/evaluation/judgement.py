"""The result of the referee: figures for each method, and findings in plain sentences."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from isthmus.core.number_format import count, number, percent, seconds, text_table
from isthmus.core.sample_words import SampleNoun, about
from isthmus.evaluation.channel_errors import HEADERS, MOST_CHANNELS, ChannelError

Level = Literal["good", "note", "warning"]

LABELS = {"autoencoder": "autoencoder", "pca": "PCA", "mean": "mean row"}


@dataclass(frozen=True)
class Finding:
    """One fact about a model."""

    level: Level
    code: str
    """A short identifier for programs, such as ``"collapsed"``."""
    text: str
    """A plain sentence with figures."""


@dataclass(frozen=True)
class Contestant:
    """The figures of one method on the held-out rows."""

    name: str
    """``"autoencoder"``, ``"pca"`` or ``"mean"``."""
    error: float
    """Mean squared error per cell, in scaled units; lower is better."""
    standard_error: float | None
    """Standard error of `error`, from the rows' errors; None for a single row."""
    explained_variance: float | None
    """1 - error / error of the mean row; None if the held-out rows are all alike."""
    cross_entropy: float | None
    """Binary cross-entropy in nats per cell, for cells that are fractions of a range; else None."""
    psnr: float | None
    """Peak signal-to-noise ratio of `error` in dB, for images; None for others or an error of 0."""
    ssim: float | None
    """Mean structural similarity, at most 1, for images; else None."""
    code_size: int
    """Numbers per row."""
    seconds: float
    """Time to fit."""
    rows_won: float
    """Win rate: fraction of rows on which this method alone has the lowest error."""

    @property
    def label(self) -> str:
        """The name for display."""
        return LABELS[self.name]


@dataclass(frozen=True)
class Judgement:
    """The comparison of an autoencoder with PCA and the mean row on held-out rows.

    ``str()`` returns a plain-text table followed by the findings.
    """

    contestants: tuple[Contestant, ...]
    """The autoencoder, PCA and the mean row, in this order."""
    findings: tuple[Finding, ...]
    """The first is the verdict."""
    n_test: int
    """Number of rows that the methods were evaluated on."""
    n_fit: int
    """Number of rows that PCA and the mean were fitted on."""
    own_training_rows: bool
    """Whether those were the model's training rows; otherwise, half of the held-out rows."""
    train_error: float | None
    """The autoencoder's error on training rows; None if they were not given."""
    channels: tuple[ChannelError, ...] = ()
    """The errors by channel of images and series with several channels."""
    noun: SampleNoun = "row"
    """What samples are called in texts: images are called so."""

    @property
    def verdict(self) -> Finding:
        """The most important finding."""
        return self.findings[0]

    @property
    def basis(self) -> str:
        """The rows that the figures are based on, in one sentence."""
        fitted = (
            f"PCA and the mean were fitted on {count(self.n_fit, 'training row')}"
            if self.own_training_rows
            else f"PCA and the mean were fitted on {count(self.n_fit, 'other held-out row')}"
        )
        return about(self.noun, f"Evaluated on {count(self.n_test, 'held-out row')}; {fitted}.")

    def to_dict(self) -> dict[str, Any]:
        """Return all fields as values that JSON can represent."""
        return asdict(self)

    def __str__(self) -> str:
        headers, rows = self.table()
        findings = [f"{_MARKS[f.level]} {f.text}" for f in self.findings]
        parts = [text_table(headers, rows), self.basis, ""]
        if self.channels:
            shown = [channel.cells for channel in self.channels[:MOST_CHANNELS]]
            parts += [text_table(list(HEADERS), shown), ""]
        return "\n".join([*parts, *findings])

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Return the headers and rows of the comparison as text."""
        with_entropy = self.contestants[0].cross_entropy is not None
        headers = ["", "error", "± se", "explained variance"]
        headers += ["BCE, nats per cell"] if with_entropy else []
        with_quality = self.contestants[0].ssim is not None
        headers += ["PSNR, dB", "SSIM"] if with_quality else []
        headers += ["code size", "fit", "win rate"]
        rows = []
        for one in self.contestants:
            row = [about(self.noun, one.label), number(one.error), number(one.standard_error, 2)]
            row.append(percent(one.explained_variance))
            row += [number(one.cross_entropy, 4)] if with_entropy else []
            row += [number(one.psnr), number(one.ssim)] if with_quality else []
            row += [f"{one.code_size:,}", seconds(one.seconds), percent(one.rows_won)]
            rows.append(row)
        return headers, rows


_MARKS = {"good": "✓", "note": "·", "warning": "!"}
