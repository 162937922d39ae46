"""What the referee says: figures for each contestant, and findings in plain sentences."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from isthmus.core.number_format import count, number, percent, seconds, text_table

Level = Literal["good", "note", "warning"]

LABELS = {"autoencoder": "autoencoder", "pca": "PCA", "mean": "mean row"}


@dataclass(frozen=True)
class Finding:
    """One thing to know about a model."""

    level: Level
    code: str
    """A short name for programs: ``"collapsed"``."""
    text: str
    """A plain sentence, with its figures."""


@dataclass(frozen=True)
class Contestant:
    """The figures of one contestant on the held-out rows."""

    name: str
    """``"autoencoder"``, ``"pca"`` or ``"mean"``."""
    error: float
    """Mean squared error of a cell, scaled units; lower is better."""
    standard_error: float | None
    """Of `error`, from the spread of the rows' errors; None for a single row."""
    explained_variance: float | None
    """1 - error / error of the mean row; None when the held-out rows are all alike."""
    cross_entropy: float | None
    """Binary cross-entropy in nats per cell, for cells that are fractions of a range; else None."""
    code_size: int
    """Code size: numbers per row."""
    seconds: float
    """Time to fit."""
    rows_won: float
    """Fraction of rows on which this contestant alone has the lowest error."""

    @property
    def label(self) -> str:
        """The name as people read it."""
        return LABELS[self.name]


@dataclass(frozen=True)
class Judgement:
    """How good an autoencoder is, compared with PCA and the mean row, on rows it has not seen.

    ``str()`` of it is a plain-text table with the findings under it.
    """

    contestants: tuple[Contestant, ...]
    """The autoencoder, PCA and the mean row, in this order."""
    findings: tuple[Finding, ...]
    """The first is the verdict."""
    n_test: int
    """Rows judged on."""
    n_fit: int
    """Rows that PCA and the mean were fitted on."""
    own_training_rows: bool
    """Whether those were the model's training rows; otherwise, a half of the held-out rows."""
    train_error: float | None
    """The autoencoder's error on training rows; None when they were not given."""

    @property
    def verdict(self) -> Finding:
        """The finding that matters most."""
        return self.findings[0]

    @property
    def basis(self) -> str:
        """What the figures rest on, in one sentence."""
        fitted = (
            f"PCA and the mean were fitted on {count(self.n_fit, 'training row')}"
            if self.own_training_rows
            else f"PCA and the mean were fitted on {count(self.n_fit, 'other held-out row')}"
        )
        return f"Judged on {count(self.n_test, 'held-out row')}; {fitted}."

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values that JSON can hold."""
        return asdict(self)

    def __str__(self) -> str:
        headers, rows = self.table()
        findings = [f"{_MARKS[f.level]} {f.text}" for f in self.findings]
        return "\n".join([text_table(headers, rows), self.basis, "", *findings])

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Return the headers and rows of the comparison, as texts."""
        with_entropy = self.contestants[0].cross_entropy is not None
        headers = ["", "error", "± se", "explained variance"]
        headers += ["BCE, nats per cell"] if with_entropy else []
        headers += ["code size", "fit", "win rate"]
        rows = []
        for one in self.contestants:
            row = [one.label, number(one.error), number(one.standard_error, 2)]
            row.append(percent(one.explained_variance))
            row += [number(one.cross_entropy, 4)] if with_entropy else []
            row += [f"{one.code_size:,}", seconds(one.seconds), percent(one.rows_won)]
            rows.append(row)
        return headers, rows


_MARKS = {"good": "✓", "note": "·", "warning": "!"}
