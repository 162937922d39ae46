"""Tables and pictures of an anomaly report: rows with the highest scores, blind spots, drift."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from isthmus.core.number_format import count, number, percent
from isthmus.evaluation.alarm_reasons import reasons
from isthmus.report.column_errors import CELLS_PER_ROW, cell_text
from isthmus.report.image_data import SMALL, data_uri, heat_uri, overlay_uri, shares_of_range
from isthmus.report.image_samples import SamplePicture, image_shape
from isthmus.report.power_maps import PowerMaps, power_maps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from isthmus.evaluation.alarm_evaluation import AlarmCounts
    from isthmus.evaluation.alarm_reasons import Reasons

_MOST_ROWS = 10
_MOST_COLUMNS = 20
_WEAK = 0.5
"""A smaller fraction of faults found is a blind spot."""
_ALPHA = 0.05


class AnomalousCell(NamedTuple):
    """A cell that contributes to a row's score, in the column's unit."""

    column: str
    value: str
    expected: str
    share: float
    share_text: str


class AnomalousRow(NamedTuple):
    """A row with a high score and the cells that contribute most to it."""

    number: str
    score: str
    p_value: str
    alarm: bool
    label: str
    cells: list[AnomalousCell]


class AnomalousRows(NamedTuple):
    """The rows with the highest scores, as a table or, for images, as strips of pictures."""

    title: str
    note: str
    rows: list[AnomalousRow]
    strips: list[tuple[str, list[SamplePicture]]]
    lines: list[tuple[str, list[str]]]
    labelled: bool
    smooth: bool


class BlindTable(NamedTuple):
    """Detection power by column and fault: for each cell, its text and whether it is weak."""

    note: str
    headers: list[str]
    rows: list[tuple[str, list[tuple[str, bool]]]]
    more: str
    maps: PowerMaps | None


class DriftTable(NamedTuple):
    """Name, p-value, corrected p-value and whether it has changed, for each column."""

    note: str
    rows: list[tuple[str, str, str, bool]]
    more: str


def top(
    detector: Any, X: Any, seen: AlarmCounts, names: Sequence[str] | None = None
) -> AnomalousRows:
    """Show the rows with the highest scores and the cells that contribute to them.

    Parameters
    ----------
    detector : AnomalyDetector
    X : array or table of n rows
    seen : AlarmCounts
        The alarms of the detector on these rows.
    names : sequence of n str, optional
        The rows' names; by default, their numbers.
    """
    order = np.argsort(-seen.scores, kind="stable")[:_MOST_ROWS]
    why = reasons(detector, X, order)
    shape = image_shape(detector.schema_)
    rows = [
        AnomalousRow(
            f"{int(row):,}" if names is None else names[row],
            number(float(seen.scores[row])),
            number(float(seen.p_values[row]), 2),
            bool(seen.raised[row]),
            "" if seen.anomalous is None else ("anomaly" if seen.anomalous[row] else "normal"),
            cells_of(why, place),
        )
        for place, row in enumerate(order)
    ]
    labelled = seen.anomalous is not None
    alarms = int(seen.raised[order].sum())
    noun = "image" if detector.schema_.is_image else "row"
    note = (
        f"The {count(len(order), noun)} with the highest scores"
        f"{', counted from 0' if names is None else ''}; "
        f"{'all of them' if alarms == len(order) else f'{alarms} of them'} "
        f"{'raises an alarm' if alarms == 1 else 'raise alarms'}. "
    )
    title = "Highest scores"
    if shape is None:
        note += "Listed are the columns that contribute most to each score, in their own units."
        return AnomalousRows(title, note, rows, [], [], labelled, smooth=False)
    largest = float(why.contributions.max())
    note += f"The brightest pixel is a contribution of {number(largest)}."
    lines = [
        (
            noun if names is None else "file",
            [row.number for row in rows],
        ),
        ("score", [row.score for row in rows]),
        ("p-value", [row.p_value for row in rows]),
        *([("label", [row.label for row in rows])] if labelled else []),
    ]
    strips = _strips(why, shape, largest)
    if hasattr(detector, "anomaly_map"):
        strips = [*strips[:-1], _overlays(detector, np.asarray(X)[order])]
        note = note.partition(" The brightest")[0] + " Brighter colours are higher scores."
    return AnomalousRows(title, note, [], strips, lines, labelled, smooth=max(shape[:2]) > SMALL)


def blind_table(blind: Any, schema: Any) -> BlindTable:
    """Tabulate detection power by column and fault, the weakest columns first.

    Parameters
    ----------
    blind : BlindSpots
    schema : Schema
        That of the detector; for images, the power of each fault is also drawn as a picture.
    """
    powers: dict[str, dict[str, float]] = {}
    for spot in blind.spots:
        size = "" if math.isnan(spot.size) else f" {spot.size:g}".replace("-", "−")
        powers.setdefault(spot.column, {})[spot.kind + size] = spot.power
    headers = list(dict.fromkeys(header for row in powers.values() for header in row))
    weakest = sorted(powers, key=lambda name: float(np.mean(list(powers[name].values()))))
    note = (
        f"Fraction of {count(blind.n_rows, 'normal row')} that raise an alarm if one cell is "
        "faulty: a spike up or down, stuck at a value, scaled by a factor, with noise, or swapped "
        "with another row's. Sizes are standard deviations of the column. Without a fault, "
        f"{percent(blind.false_alarm_rate)} raise one."
    )
    rows = [(name, [_power(powers[name].get(h)) for h in headers]) for name in weakest]
    more = (
        f"The weakest {_MOST_COLUMNS} of {len(weakest):,} columns are listed."
        if len(weakest) > _MOST_COLUMNS
        else ""
    )
    maps = power_maps(powers, headers, schema)
    return BlindTable(note, headers, rows[:_MOST_COLUMNS], more, maps)


def drift_table(drift: Any) -> DriftTable:
    """List the columns that have changed most."""
    changed = sum(p < _ALPHA for p in drift.adjusted.values())
    verdict = (
        "These rows differ from those that the detector was fitted on"
        if drift.p_value < _ALPHA
        else "No evidence that these rows differ from those that the detector was fitted on"
    )
    note = (
        f"{verdict} (p = {number(drift.p_value, 2)}; {count(drift.n_rows, 'row')} compared with "
        f"{drift.n_reference:,}). {changed} of {count(len(drift.columns), 'column')} "
        f"{'has' if changed == 1 else 'have'} changed. For the scores, p = "
        f"{number(drift.score, 2)}."
    )
    order = sorted(drift.columns, key=drift.columns.__getitem__)
    rows = [
        (
            name,
            number(drift.columns[name], 2),
            number(drift.adjusted[name], 2),
            drift.adjusted[name] < _ALPHA,
        )
        for name in order[:_MOST_COLUMNS]
    ]
    more = (
        f"The {_MOST_COLUMNS} of {len(order):,} columns with the smallest p-values are listed."
        if len(order) > _MOST_COLUMNS
        else ""
    )
    return DriftTable(note, rows, more)


def cells_of(why: Reasons, row: int) -> list[AnomalousCell]:
    """Return the cells that contribute most to the row at a place among those explained."""
    shares = why.shares
    return [
        AnomalousCell(
            why.columns[i],
            cell_text(why.values[i][row]),
            cell_text(why.expected[i][row]),
            float(shares[row, i]),
            percent(float(shares[row, i])),
        )
        for i in why.largest(row, CELLS_PER_ROW)
    ]


def _strips(
    why: Reasons, shape: tuple[int, ...], largest: float
) -> list[tuple[str, list[SamplePicture]]]:
    values = np.asarray(why.values, dtype=np.float32).T
    expected = np.asarray(why.expected, dtype=np.float32).T
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    pictures = [
        (name, [SamplePicture(data_uri(x), f"{alt} {i}") for i, x in enumerate(images, 1)])
        for name, alt, images in (
            ("picture", "Picture", shares_of_range(values.reshape(-1, *shape), low, high)),
            (
                "expected",
                "Expected picture",
                shares_of_range(expected.reshape(-1, *shape), low, high),
            ),
        )
    ]
    shares = why.contributions.astype(np.float32).reshape(-1, *shape)
    heats = [
        SamplePicture(heat_uri(x, largest), f"Contribution {i}") for i, x in enumerate(shares, 1)
    ]
    return [*pictures, ("contribution", heats)]


def _overlays(detector: Any, pictures: Any) -> tuple[str, list[SamplePicture]]:
    """Draw the anomaly maps of pictures on them, all on the same scale."""
    maps = detector.anomaly_map(pictures)
    largest = float(np.nanmax(maps))
    low, high = float(np.nanmin(pictures)), float(np.nanmax(pictures))
    shown = shares_of_range(pictures.astype(np.float32), low, high)
    return "heat map", [
        SamplePicture(overlay_uri(image, heat, largest), f"Heat map {i}")
        for i, (image, heat) in enumerate(zip(shown, maps, strict=True), 1)
    ]


def _power(power: float | None) -> tuple[str, bool]:
    return ("–", False) if power is None else (f"{power:.0%}".replace("%", " %"), power < _WEAK)
