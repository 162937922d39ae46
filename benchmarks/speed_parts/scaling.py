"""Part scaling: seconds and memory for ten thousand to a million rows."""

from typing import Any

import numpy as np

from speed_parts import harness
from speed_parts.harness import Contestant, Options, Section

COLUMNS, BATCH, EPOCHS = 30, 256, 5
MEGABYTE = 1e6


def scaling(options: Options) -> Section:
    """Measure a default Autoencoder on tables of increasing length."""
    sizes = (1_000, 10_000, 100_000) if options.quick else (10_000, 100_000, 1_000_000)
    section = Section(
        "Growth with the number of rows",
        [
            f"A default `Autoencoder` on {COLUMNS} columns of float32, batches of {BATCH}, "
            f"{EPOCHS} epochs, including validation. Deviation: difference between the seconds per "
            "epoch and the straight line that fits all three best in relative terms. Peak: memory "
            "of the whole process, including Python and libraries. Drift: increase in memory from "
            "the second epoch to the last.",
            "",
        ],
    )
    contestants = [
        Contestant(
            f"{rows:,}",
            "isthmus_scaling.py",
            {"rows": rows, "columns": COLUMNS, "batch": BATCH, "epochs": EPOCHS},
        )
        for rows in sizes
    ]
    answers = harness.in_turn(contestants, options.repeats, section.failures)
    counts = [rows for rows in sizes if f"{rows:,}" in answers]
    got = [answers[f"{rows:,}"] for rows in counts]
    seconds = [harness.after_first(a) for a in got]
    off = deviations(counts, seconds)
    lines = []
    for rows, answer, epoch, apart in zip(counts, got, seconds, off, strict=True):
        data, peak = answer[0]["data_bytes"], harness.middle(answer, "peak_bytes")
        allowed = 2.5 * data + 700 * MEGABYTE
        drift = harness.median(_drift(a) for a in answer)
        lines.append(
            [
                *(f"{rows:,}", f"{epoch:.3f}", f"{epoch / rows * 1e6:.3f} µs", f"{apart:+.1%}"),
                *(f"{data / MEGABYTE:,.0f} MB", f"{peak / MEGABYTE:,.0f} MB"),
                *(f"{allowed / MEGABYTE:,.0f} MB", f"{drift / MEGABYTE:+.1f} MB"),
            ]
        )
        section.goals.append(
            harness.at_most(
                f"peak memory, {rows:,} rows", allowed / MEGABYTE, peak / MEGABYTE, "MB"
            )
        )
    section.lines += harness.table(
        ["rows", "s / epoch", "per row", "deviation", "data", "peak", "allowed", "drift"], lines
    )
    worst = 100 * max(map(abs, off)) if len(off) == len(sizes) else None
    section.goals.append(
        harness.at_most("deviation from a straight line over the rows", 15, worst, "%")
    )
    return section


def deviations(counts: list[int], seconds: list[float]) -> list[float]:
    """Return the relative deviation of each point from the best line seconds = a + b * count."""
    if len(counts) < 2:
        return [0.0] * len(counts)
    measured = np.asarray(seconds)
    design = np.column_stack([np.ones(len(counts)), counts]) / measured[:, None]
    line, *_ = np.linalg.lstsq(design, np.ones(len(counts)), rcond=None)
    return list(1 / (design @ line) - 1)


def _drift(answer: dict[str, Any]) -> float:
    held = [bytes_ for bytes_ in answer["epoch_bytes"][1:] if bytes_]
    return max(held) - held[0] if held else 0.0
