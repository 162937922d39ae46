"""The result of evaluating the alarms of a series."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from isthmus.core.number_format import count, number, percent, seconds, text_table

if TYPE_CHECKING:
    import datetime
    from collections.abc import Mapping, Sequence

_MOST_UNITS = 10
"""Of so many units, the summary has figures."""


@dataclass(frozen=True)
class AlarmEvaluation:
    """The figures of `evaluate_alarms`; ``str()`` returns a summary in plain text.

    An anomaly is a run of labelled rows. It is found if an alarm includes one of its rows. An alarm
    that includes no labelled row is false. Figures are fractions from 0 to 1 unless their
    description says otherwise, and None where they are undefined, such as recall without anomalies.
    Those about alarms are None if no alarms were given.
    """

    rows: int
    """Number of rows."""
    normal_rows: int
    """Number of rows that are not labelled as anomalies."""
    anomalies: int
    """Number of anomalies."""
    buffer: int
    """The longest buffer of `vus_pr` and `vus_roc`, in rows."""
    alarms: int | None = None
    """Number of alarms."""
    found: int | None = None
    """Number of anomalies that are found."""
    false_alarms: int | None = None
    """Number of false alarms."""
    event_precision: float | None = None
    """found / (found + false alarms), times (1 - false-alarm rate).

    The second factor makes an alarm that lasts for the whole series worthless (El Amine Sehili and
    Zhang, 2024, "Multivariate Time Series Anomaly Detection: Fancy Algorithms and Flawed Evaluation
    Methodology")."""
    event_recall: float | None = None
    """found / anomalies (same source)."""
    range_precision: float | None = None
    """Mean over alarms of the fraction of rows that are anomalous, divided by the number of
    anomalies in the alarm if there are several (Tatbul et al., 2018, "Precision and Recall for Time
    Series"; flat bias, alpha = 0)."""
    range_recall: float | None = None
    """Mean over anomalies of 0.2 if it is found, plus 0.8 times the fraction of its rows in alarms,
    divided by the number of these alarms if there are several (same source; alpha = 0.2 as in
    TSB-AD)."""
    point_precision: float | None = None
    """Fraction of the rows in alarms that are anomalous."""
    point_recall: float | None = None
    """Fraction of the anomalous rows that are in alarms."""
    false_alarm_rate: float | None = None
    """Fraction of the normal rows that are in alarms."""
    median_delay_rows: float | None = None
    """Median over found anomalies of the number of rows before the first that is in an alarm."""
    median_delay: datetime.timedelta | None = None
    """The same as time; None if times are unknown."""
    false_alarms_per_day: float | None = None
    """False alarms, divided by the days that are not labelled as anomalies; gaps are included. None
    if times are unknown."""
    false_alarms_per_1000_rows: float | None = None
    """False alarms, divided by the number of normal rows, times 1,000."""
    vus_pr: float | None = None
    """Volume under the surface of precision over recall (Paparrizos et al., 2022, "Volume Under the
    Surface: A New Accuracy Evaluation Measure for Time-Series Anomaly Detection"); see
    `isthmus.evaluation.vus`. None without scores, and if all rows have the same label."""
    vus_roc: float | None = None
    """Volume under the surface of ROC curves (same source). Buffers favour every
    score: random ones reach more than 0.5."""
    units: Mapping[str | int, AlarmEvaluation] | None = None
    """The figures of each unit of a fleet, whose events are those within units; None for one
    series."""

    @property
    def event_f1(self) -> float | None:
        """Harmonic mean of `event_precision` and `event_recall`; 0 without alarms."""
        return _f1(self.event_precision, self.event_recall)

    @property
    def range_f1(self) -> float | None:
        """Harmonic mean of `range_precision` and `range_recall`; 0 without alarms."""
        return _f1(self.range_precision, self.range_recall)

    @property
    def point_f1(self) -> float | None:
        """Harmonic mean of `point_precision` and `point_recall`; 0 without alarms."""
        return _f1(self.point_precision, self.point_recall)

    @property
    def delay_text(self) -> str:
        """The median delay with its unit; "–" if no anomaly is found."""
        if self.median_delay_rows is None:
            return "–"
        if self.median_delay is not None:
            delay = self.median_delay.total_seconds()
            return seconds(delay) if delay else "0 s"
        rows = self.median_delay_rows
        return f"{rows:,.1f}".removesuffix(".0") + (" row" if rows == 1 else " rows")

    @property
    def frequency_text(self) -> str:
        """False alarms per day, or per 1,000 normal rows if times are unknown."""
        if self.false_alarms_per_day is not None:
            return f"{number(self.false_alarms_per_day)} per day"
        return f"{number(self.false_alarms_per_1000_rows)} per 1,000 normal rows"

    def sentences(self) -> Sequence[str]:
        """Describe the number of anomalies found and of false alarms."""
        said = []
        if self.found is not None and self.anomalies:
            delay = f", median delay {self.delay_text}" if self.found else ""
            anomalies = count(self.anomalies, "anomaly", "anomalies")
            said.append(f"{self.found:,} of {anomalies} found{delay}.")
        if not self.anomalies:
            said.append("No row is labelled as an anomaly.")
        if self.alarms == 0:
            said.append("No alarms.")
        elif self.alarms is not None:
            often = f": {self.frequency_text}" if self.false_alarms and self.normal_rows else ""
            are = "is" if self.alarms == 1 else "are"
            said.append(
                f"{self.false_alarms:,} of {count(self.alarms, 'alarm')} {are} false{often}."
            )
        return said

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Return the headers and rows of precision, recall and F1 as text."""
        figures = {
            "events": (self.event_precision, self.event_recall, self.event_f1),
            "ranges": (self.range_precision, self.range_recall, self.range_f1),
            "points": (self.point_precision, self.point_recall, self.point_f1),
        }
        return ["", "precision", "recall", "F1"], [
            [name, percent(precision), percent(recall), _decimals(f1)]
            for name, (precision, recall, f1) in figures.items()
        ]

    def unit_table(self, most: int | None = None) -> tuple[list[str], list[list[str]]]:
        """Return the headers and rows of the units' figures as text, the worst units first.

        Parameters
        ----------
        most : int, optional
            The largest number of units; all by default.
        """
        units = sorted((self.units or {}).items(), key=lambda each: each[1]._faults, reverse=True)
        return ["unit", "anomalies", "found", "delay", "alarms", "false"], [
            [
                str(name),
                f"{one.anomalies:,}",
                f"{one.found or 0:,}",
                one.delay_text,
                f"{one.alarms or 0:,}",
                f"{one.false_alarms or 0:,}",
            ]
            for name, one in units[:most]
        ]

    @property
    def _faults(self) -> int:
        """Number of false alarms and of anomalies that are not found."""
        return (self.false_alarms or 0) + self.anomalies - (self.found or 0)

    def __str__(self) -> str:
        parts = [" ".join(self.sentences())]
        if self.alarms is not None:
            parts += ["", text_table(*self.table()), ""]
        if self.false_alarm_rate is not None:
            parts.append(
                f"False-alarm rate: {percent(self.false_alarm_rate)} of normal rows are in alarms."
            )
        if self.vus_pr is not None:
            parts.append(
                f"VUS-PR {_decimals(self.vus_pr)}, VUS-ROC {_decimals(self.vus_roc)} "
                f"(buffers up to {count(self.buffer, 'row')})."
            )
        if self.units is not None and self.alarms is not None:
            more = len(self.units) - _MOST_UNITS
            parts += ["", text_table(*self.unit_table(_MOST_UNITS))]
            parts += [f"and {count(more, 'unit')} with as many or fewer faults"] if more > 0 else []
        return "\n".join(parts).strip()


def _decimals(figure: float | None) -> str:
    return "–" if figure is None else f"{figure:.3f}"


def _f1(precision: float | None, recall: float | None) -> float | None:
    if recall is None:
        return None
    if not precision or not recall:
        return 0.0
    return 2 * precision * recall / (precision + recall)
