"""Bodies of requests and responses: JSON, Arrow IPC streams, and NumPy's format."""

from __future__ import annotations

import io
import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.types as pt

from isthmus.core.catalogue import Catalogue
from isthmus.core.errors import UnreadableFile
from isthmus.data.formats import arrays
from isthmus.serve.arrow_bodies import read_arrow, too_many_rows, write_arrow
from isthmus.serve.failures import RequestRefused

if TYPE_CHECKING:
    from collections.abc import Callable

    from isthmus.serve.limits import Limits
    from isthmus.serve.operations import Results, RowReader

JSON, ARROW, NPY = "application/json", "application/vnd.apache.arrow.stream", "application/x-npy"


@dataclass(frozen=True)
class BodyFormat:
    """How rows are read from a body, and results written.

    Rows in JSON are lists of values, which the model's thread converts, those of several requests
    at once: a conversion by pyarrow or NumPy passes Python's lock on, and here, beside a model that
    computes, each would wait to get it back.
    """

    read: Callable[[bytes, RowReader, Limits], Any]
    write: Callable[[Results], bytes]


def body_format(content_type: str) -> str:
    """Return the format of a body; raises RequestRefused."""
    name = content_type.split(";")[0].strip().lower()
    if name in FORMATS:
        return name
    raise RequestRefused(
        "the content-type",
        expected=f"one of {', '.join(FORMATS)}",
        received=name[:100] or "none",
        remedy="set the header content-type",
        status=415,
    )


def response_format(accept: str, sent: str) -> str:
    """Return the format that a client accepts, by default the one it sent; raises RequestRefused.

    Weights are not considered: the first format in the header that is known counts.
    """
    wanted = [part.split(";")[0].strip().lower() for part in accept.split(",") if part.strip()]
    for name in wanted:
        if name in FORMATS:
            return name
    if not wanted or "*/*" in wanted or "application/*" in wanted:
        return sent
    raise RequestRefused(
        "the header accept",
        expected=f"one of {', '.join(FORMATS)}",
        received=accept[:100],
        remedy="leave it out to get the format that you send",
        status=406,
    )


def _read_json(body: bytes, _: RowReader, limits: Limits) -> list[Any]:
    content = parsed_json(body)
    given = content.get("rows") if isinstance(content, dict) and len(content) == 1 else None
    if not isinstance(given, list):
        raise RequestRefused(
            "the body",
            expected='an object with the key "rows" and a list of rows',
            received=f"an object with the keys {list(content)[:5]}"
            if isinstance(content, dict)
            else type(content).__name__,
            remedy='write {"rows": [...]}',
            status=422,
        )
    _check_count(len(given), limits)
    return given


def _read_arrow(body: bytes, rows: RowReader, limits: Limits) -> Any:
    table = read_arrow(body, limits)
    _check_count(table.num_rows, limits)
    return rows.from_arrow(table)


def _read_npy(body: bytes, rows: RowReader, limits: Limits) -> Any:
    try:
        array = arrays.load(lambda _: io.BytesIO(body), len(body), "the body")
    except (UnreadableFile, ValueError) as error:
        raise RequestRefused(
            "the body", expected="an array in NumPy's format", received=str(error)[:200]
        ) from None
    if array.ndim == 0 or not math.prod(array.shape[1:]):
        raise RequestRefused("the body", expected="rows", received=f"shape {array.shape}")
    _check_count(len(array), limits)
    return rows.from_array(array)


def _check_count(rows: int, limits: Limits) -> None:
    if rows > limits.rows:
        raise too_many_rows(rows, limits)
    if not rows:
        raise RequestRefused("the body", expected="at least one row", received="none", status=422)


def parsed_json(text: bytes | str) -> Any:
    """Return the value of a text in JSON.

    Raises
    ------
    RequestRefused
        It is not JSON, or contains NaN or an infinity.
    """
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        deep = isinstance(error, RecursionError)
        raise RequestRefused(
            "the body",
            expected="JSON",
            received="too many levels of brackets" if deep else str(error)[:200],
            remedy="write null for a missing number",
        ) from None


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


def _write_json(results: Results) -> bytes:
    return json.dumps({"rows": results.values}, allow_nan=False, separators=(",", ":")).encode()


def _write_arrow(results: Results) -> bytes:
    values = results.values
    if isinstance(values, pa.Table):
        return write_arrow(values)
    if values.ndim != 2:
        raise _not_in("Arrow", f"samples of shape {values.shape[1:]}")
    return write_arrow(pa.table(dict(zip(results.columns, values.T, strict=True))))


def _write_npy(results: Results) -> bytes:
    values = results.values
    if isinstance(values, pa.Table):
        if not all(pt.is_floating(kind) or pt.is_integer(kind) for kind in values.schema.types):
            raise _not_in("NPY", "columns of several types")
        values = np.column_stack([column.to_numpy() for column in values.columns])
    written = io.BytesIO()
    np.save(written, values, allow_pickle=False)
    return written.getvalue()


def _not_in(form: str, what: str) -> RequestRefused:
    return RequestRefused(
        "the response",
        expected=f"results that {form} can represent",
        received=what,
        remedy=f"set the header accept, for example to {JSON}",
        status=406,
    )


FORMATS = Catalogue(
    "content-type",
    {
        JSON: BodyFormat(_read_json, _write_json),
        ARROW: BodyFormat(_read_arrow, _write_arrow),
        NPY: BodyFormat(_read_npy, _write_npy),
    },
)
"""By content-type."""
