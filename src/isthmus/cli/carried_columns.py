"""Files hold more than a model was trained on: numbers of rows, names, labels.

The library refuses a column that it does not know; here, where a file is what it is, such columns
are carried past the model, and a note says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from isthmus.core.errors import InvalidData, InvalidParameter

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


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


def named(path: Path, rows: Any, name: str, *, option: str, purpose: str) -> NDArray[Any]:
    """Return the column that an option names.

    Parameters
    ----------
    path : Path
        The file of the rows.
    rows : pyarrow.Table or ndarray
    name : str
        The column.
    option : str
        As it is typed, such as ``"--label"``.
    purpose : str
        What the column does, to end "the column that".

    Raises
    ------
    InvalidParameter
        The rows have no such column.
    """
    known = getattr(rows, "column_names", [])
    if name not in known:
        raise InvalidParameter(
            option,
            expected=f"a column of {path.name}: {listed(known)}"
            if known
            else f"nothing, as {path.name} has no columns",
            received=repr(name),
            remedy=f"name the column that {purpose}, or leave {option} out",
        )
    found: NDArray[Any] = rows.column(name).to_numpy()
    return found


def listed(names: list[str]) -> str:
    """Return names as a part of a sentence, the first few of many."""
    shown = ", ".join(map(repr, names[:5]))
    return f"{shown} and {len(names) - 5} more" if len(names) > 5 else shown
