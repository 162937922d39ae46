"""Files hold more than a model was trained on: numbers of rows, names, labels.

The library refuses a column that it does not know; here, where a file is what it is, such columns
are carried past the model, and a note says so.
"""

from __future__ import annotations

from typing import Any

from isthmus.core.errors import InvalidData


def unknown(estimator: Any, rows: Any) -> list[str]:
    """Return the names of columns in a table of `rows` that the model was not trained on."""
    if estimator.schema_.kind != "table" or not hasattr(rows, "column_names"):
        return []
    known = set(estimator.schema_.columns)
    return [name for name in rows.column_names if name not in known]


def without(rows: Any, names: list[str]) -> Any:
    """Return `rows` less the columns called so."""
    return rows.drop_columns(names) if names else rows


def beside(carried: Any, names: list[str], result: Any) -> Any:
    """Put the columns of `carried` called `names` back to those of `result`.

    Columns that both have stand where they stood in `carried`; the others of `result` come last.

    Raises
    ------
    InvalidData
        `result` has a column of the same name as one that is carried.
    """
    both = sorted(set(names) & set(result.column_names))
    if both:
        raise InvalidData(
            f"column {both[0]!r}",
            expected="names that the result does not use itself",
            received="the same name twice",
            remedy="rename the column in the file",
        )
    order = [name for name in carried.column_names if name in {*names, *result.column_names}]
    order += [name for name in result.column_names if name not in order]
    columns = [(carried if name in names else result).column(name) for name in order]
    return type(result).from_arrays(columns, names=order)


def listed(names: list[str]) -> str:
    """Return names as a part of a sentence, the first few of many."""
    shown = ", ".join(map(repr, names[:5]))
    return f"{shown} and {len(names) - 5} more" if len(names) > 5 else shown
