"""Columns of a file that bypass the model, such as row numbers, names and labels.

The library refuses columns that a model was not trained on. The command line copies them from the
input to the output, and says so in a note.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from isthmus.core.errors import InvalidData, InvalidParameter
from isthmus.core.name_lists import name_list

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def unknown(estimator: Any, rows: Any) -> list[str]:
    """Return the names of the columns of `rows` that the model was not trained on."""
    if estimator.schema_.kind != "table" or not hasattr(rows, "column_names"):
        return []
    known = set(estimator.schema_.columns)
    return [name for name in rows.column_names if name not in known]


def without(rows: Any, names: list[str]) -> Any:
    """Return `rows` without the columns of these names."""
    return rows.drop_columns(names) if names else rows


def restore(carried: Any, names: list[str], result: Any) -> Any:
    """Add the columns `names` of `carried` to those of `result`.

    The order is that of `carried`; new columns of `result` come last.

    Raises
    ------
    InvalidData
        `result` has a column with the name of a carried one.
    """
    both = sorted(set(names) & set(result.column_names))
    if both:
        raise InvalidData(
            f"column {both[0]!r}",
            expected="a name that the result does not use",
            received="the same name twice",
            remedy="rename the column in the file",
        )
    order = [name for name in carried.column_names if name in {*names, *result.column_names}]
    order += [name for name in result.column_names if name not in order]
    columns = [(carried if name in names else result).column(name) for name in order]
    return type(result).from_arrays(columns, names=order)


def option_column(path: Path, rows: Any, name: str, *, option: str, purpose: str) -> NDArray[Any]:
    """Return the column that an option names.

    Parameters
    ----------
    path : Path
        The file of the rows.
    rows : pyarrow.Table or ndarray
    name : str
        The column.
    option : str
        The option, such as ``"--label"``.
    purpose : str
        What the column does, to complete "the column that".

    Raises
    ------
    InvalidParameter
        `rows` has no such column.
    """
    known = getattr(rows, "column_names", [])
    if name not in known:
        raise InvalidParameter(
            option,
            expected=f"a column of {path.name}: {name_list(known)}"
            if known
            else f"none, because {path.name} has no columns",
            received=repr(name),
            remedy=f"name the column that {purpose}, or leave {option} out",
        )
    found: NDArray[Any] = rows.column(name).to_numpy()
    return found
