"""Which columns name or number the rows, and so have nothing to learn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

if TYPE_CHECKING:
    from collections.abc import Mapping

Role = Literal["identifier", "learn"]

MOST_CATEGORIES = 1000
"""Text with more distinct values is an identifier, which is passed through and not learned."""
FEW_CATEGORIES = 20
"""So is text with more distinct values than this, if these are more than half of its cells."""
_COLLISIONS = 7.0
"""If this many pairs of equal integers are expected and there is none, they were given out: chance
leaves none with a probability of e⁻⁷."""
_DIGITS = 9
"""Distinct integers that all have this many digits or more, and the same number, are codes."""
_YEARS = (631_152_000, 4_102_444_800)
"""1990 and 2100 in seconds since 1970: such integers may be times."""
_KEY = b"isthmus.role"


def is_identifier(distinct: int, observed: int) -> bool:
    """Whether text has too many distinct values to be categories."""
    return distinct > MOST_CATEGORIES or (distinct > FEW_CATEGORIES and distinct > observed / 2)


def numbers_rows(cells: pa.ChunkedArray) -> bool:
    """Whether integers are row numbers, card numbers or other codes rather than quantities.

    They are all different, although quantities of this range would repeat: of n draws from a range
    of R values, n(n−1) / 2R pairs are equal on average if all values are as likely, and more
    otherwise. Or they all have one number of digits, and that is large.
    """
    if not pt.is_integer(cells.type):
        return False
    present = cells.drop_null()
    count = len(present)
    low, high = (bound.as_py() for bound in pc.min_max(present).values())
    expected = count * (count - 1) / 2 / (high - low + 1)
    long = count > 1 and low > 0 and len(str(low)) == len(str(high)) >= _DIGITS
    if not (expected >= _COLLISIONS or (long and not _are_times(present, low, high))):
        return False
    return bool(pc.count_distinct(present).as_py() == count)


def _are_times(cells: pa.ChunkedArray, low: int, high: int) -> bool:
    """Whether integers are in order and within a century of seconds, milliseconds, ... ."""
    plausible = any(
        _YEARS[0] * scale <= low and high <= _YEARS[1] * scale for scale in (1, 10**3, 10**6, 10**9)
    )
    return plausible and bool(np.all(np.diff(cells.to_numpy()) > 0))


def with_roles(table: pa.Table, roles: Mapping[str, Role]) -> pa.Table:
    """Return the table with the roles of some columns as metadata, for `role_of`."""
    fields = [
        field.with_metadata({_KEY: roles[field.name].encode()}) if field.name in roles else field
        for field in table.schema
    ]
    return pa.table(table.columns, schema=pa.schema(fields, metadata=table.schema.metadata))


def role_of(field: pa.Field) -> Role | None:
    """Return the role that `with_roles` gave a column."""
    stored = (field.metadata or {}).get(_KEY, b"").decode()
    return next((role for role in get_args(Role) if role == stored), None)
