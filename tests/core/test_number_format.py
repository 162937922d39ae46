"""Numbers are formatted as people write them."""

import pytest

from isthmus.core.number_format import count, number, percent, ratio, seconds, text_table, value


@pytest.mark.parametrize(
    ("write", "amount", "text"),
    [
        (number, 0.012345, "0.0123"),
        (number, 1234.5, "1,234"),
        (number, -2.0, "−2.00"),
        (number, 1.5e-9, "1.50e-9"),
        (number, 0, "0"),
        (number, float("nan"), "–"),
        (number, float("-inf"), "−∞"),
        (number, None, "–"),
        (value, 18.0, "18"),
        (value, 141418.7, "141,419"),
        (value, -1901.94, "−1,901.9"),
        (value, 2.5e-7, "2.5e-7"),
        (percent, 0.831, "83.1 %"),
        (percent, 0.99999, "99.99 %"),
        (percent, 1.0, "100.0 %"),
        (percent, 0.0002, "under 0.1 %"),
        (percent, -0.45, "−45.0 %"),
        (percent, -20.0, "−2,000 %"),
        (percent, None, "–"),
        (ratio, 3.6666, "3.67 to 1"),
        (ratio, 392.0, "392 to 1"),
        (seconds, 0.001, "under 0.01 s"),
        (seconds, 135.0, "2 min 15 s"),
        (seconds, 7260.0, "2 h 1 min"),
        (seconds, None, "–"),
    ],
)
def test_amounts(write, amount, text):
    assert write(amount) == text


def test_counts_take_the_plural():
    assert [count(n, "row") for n in (0, 1, 2000)] == ["0 rows", "1 row", "2,000 rows"]


def test_tables_are_aligned():
    table = text_table(["a", "long"], [["x", "1"], ["sum", "22"]], rule_above=1)
    assert table.splitlines() == ["a    long", "───  ────", "x       1", "───  ────", "sum    22"]
