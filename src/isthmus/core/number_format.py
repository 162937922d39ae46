"""Formatting of numbers and plain-text tables for display."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_EXACT_BELOW = 1e5  # larger magnitudes, and tiny ones, read better in powers of ten
_TINY = 1e-4


def number(value: float | None, digits: int = 3) -> str:
    """Format `value` with `digits` significant digits; ``"–"`` for None and NaN."""
    if value is None or math.isnan(value):
        return "–"
    if value == 0 or math.isinf(value):
        return "0" if value == 0 else ("∞" if value > 0 else "−∞")
    size = abs(value)
    if size < _TINY or size >= _EXACT_BELOW:
        text = f"{size:.{digits - 1}e}"
        mantissa, power = text.split("e")
        text = f"{mantissa}e{int(power)}"
    else:
        decimals = max(0, digits - 1 - math.floor(math.log10(size)))
        text = f"{size:,.{decimals}f}"
    return f"−{text}" if value < 0 else text


def value(amount: float) -> str:
    """Format a value of the user's data: at most four significant digits, no trailing zeros."""
    if math.isnan(amount) or math.isinf(amount):
        return number(amount)
    size = abs(amount)
    if 1e4 <= size < 1e15 and (size >= _EXACT_BELOW or float(size).is_integer()):
        text = f"{size:,.0f}"
    elif 1e3 <= size < _EXACT_BELOW:
        text = f"{size:,.1f}".removesuffix(".0")
    else:
        text = f"{size:.4g}".replace("e-0", "e-").replace("e+0", "e").replace("e+", "e")
    return f"−{text}" if amount < 0 and text != "0" else text


def ratio(amount: float) -> str:
    """Format a ratio: ``"39.2 to 1"``."""
    return f"{amount:,.0f} to 1" if amount >= 100 else f"{amount:.3g} to 1"


def percent(share: float | None) -> str:
    """Format a fraction as a percentage with a sensible number of digits; ``"–"`` for None, NaN."""
    if share is None or math.isnan(share):
        return "–"
    size = abs(share) * 100
    if size >= 1000:
        text = f"{size:,.0f} %"
    elif 99 < size < 100:
        # 99.97 % must not be rounded to a perfect score.
        text = f"{min(size, 99.99):.2f} %"
    elif 0 < size < 0.1:
        text = "under 0.1 %"
    else:
        text = f"{size:.1f} %"
    return f"−{text}" if share < 0 and not text.startswith("under") else text


def seconds(value: float | None) -> str:
    """Format a duration in a suitable unit."""
    if value is None or math.isnan(value):
        return "–"
    if value < 0.01:
        return "under 0.01 s"
    if value < 120:
        return f"{number(value)} s"
    minutes, rest = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def count(value: int, noun: str, plural: str | None = None) -> str:
    """Format an integer with its noun: ``"1 row"``, ``"2,000 rows"``."""
    return f"{value:,} {noun if value == 1 else plural or noun + 's'}"


def text_table(
    headers: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1, rule_above: int = 0
) -> str:
    """Format a table with aligned columns in plain text.

    Parameters
    ----------
    headers : sequence of str
        The names of the columns.
    rows : sequence of sequences of str
        The rows; each has one cell per header.
    left : int
        How many of the first columns are left-aligned; the others are right-aligned.
    rule_above : int
        How many of the last rows are totals, separated from the others by a rule.
    """
    widths = [max(map(len, column)) for column in zip(headers, *rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        aligned = [
            cell.ljust(width) if place < left else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        return "  ".join(aligned).rstrip()

    rule = "  ".join("─" * width for width in widths)
    body = [line(row) for row in rows]
    if rule_above:
        body.insert(len(body) - rule_above, rule)
    return "\n".join([line(headers), rule, *body])
