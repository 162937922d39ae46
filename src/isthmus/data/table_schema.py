"""The schema of tables: named columns of several kinds, possibly with missing cells."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import pyarrow as pa

from isthmus.core.aligned_memory import aligned_empty
from isthmus.core.catalogue import nearest
from isthmus.core.errors import DataWarning, InvalidData, SchemaMismatch
from isthmus.core.name_lists import name_list
from isthmus.core.types import ObservedRows, Segment
from isthmus.data import arrow_types, frames
from isthmus.data import scaling as scalings
from isthmus.data.array_schema import as_numbers
from isthmus.data.formats.image_options import AS_STORED
from isthmus.data.formats.text_options import PLAIN, Convention, TextOptions, convention_of
from isthmus.data.frames import Container
from isthmus.data.identifiers import role_of
from isthmus.data.scaling import Scaling
from isthmus.data.table_columns import (
    UNSEEN,
    Label,
    TableColumn,
    learn_column,
    one_hot,
    require_float32,
)
from isthmus.data.unseen_values import Unknown, UnseenValues
from isthmus.persistence.config_checks import entry, items, one_of, refuse

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from isthmus.core.types import Floats, Values
    from isthmus.data.column_domain import Domain

    Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class TableSchema:
    """The schema of a table.

    Parameters
    ----------
    fields : tuple of TableColumn
        The user's columns, in the order that `fit` saw.
    scaling : Scaling
        The scaling of the columns of kind ``"number"``, in order.
    container : "pandas", "polars" or "arrow"
        What `from_matrix` returns by default.
    unknown : "warn" or "error"
        Whether a value that `fit` did not see (another category, for example) is a missing cell,
        with a warning, or refused.
    convention : Convention
        How the CSV file wrote numbers and dates, if `fit` saw one.
    """

    fields: tuple[TableColumn, ...]
    scaling: Scaling
    container: Container
    unknown: Unknown = "warn"
    convention: Convention = PLAIN
    kind = "table"
    is_image = False
    image_options = AS_STORED
    pixel_type = None
    channels = 1
    absent = None

    @cached_property
    def segments(self) -> tuple[Segment, ...]:
        """The learned columns in the order of the matrix."""
        segments, start = [], 0
        for field in self.learned:
            segments.append(Segment(field.name, field.cell_kind, start, start + field.width))
            start += field.width
        return tuple(segments)

    @cached_property
    def learned(self) -> tuple[TableColumn, ...]:
        """The columns that are part of the matrix."""
        return tuple(field for field in self.fields if field.width)

    @property
    def not_learned(self) -> str:
        """The columns that are not part of the matrix, with reasons; empty if all are learned."""
        left = [field for field in self.fields if not field.width]
        return ", ".join(f"{field.name} ({field.why_not_learned})" for field in left)

    @property
    def n_columns(self) -> int:
        """Number of all columns, learned or not."""
        return len(self.fields)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of all columns, learned or not."""
        return tuple(field.name for field in self.fields)

    @property
    def text_options(self) -> TextOptions:
        """How to read the columns from a CSV file."""
        types = {field.name: field.type_to_read for field in self.fields if field.kind != "empty"}
        return TextOptions(types, fitted=self.convention)

    @property
    def has_domains(self) -> bool:
        """Whether the values that numbers had in fit are known; not in older archives."""
        return all(field.domain is not None for field in self._numbers)

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """``(width,)`` of the matrix."""
        return (self.segments[-1].stop,)

    @property
    def values(self) -> Values:
        """``"mixed"`` if some segments are not numeric."""
        if any(segment.kind != "numeric" for segment in self.segments):
            return "mixed"
        return "unit" if self.scaling.method == "range" else "real"

    def to_matrix(self, X: Any) -> Floats:
        """Scale and encode rows for the network.

        Parameters
        ----------
        X : DataFrame, Table or ndarray
            The columns that `fit` saw, in any order; if all are numeric, also an array with the
            columns in order. Missing cells are null or NaN.

        Returns
        -------
        ndarray of float32, shape (n, width)
            Aligned for JAX, see `aligned_empty`. A missing cell is NaN in all cells of its segment.

        Raises
        ------
        SchemaMismatch
            Columns are missing, new or of another type; with ``unknown="error"``, a category is
            new.
        InvalidData
            There are no rows, or a number is infinite.

        Warns
        -----
        DataWarning
            Some cells hold a value that `fit` did not see.
        """
        (matrix,) = self.blocks(X)
        return matrix

    def blocks(self, X: Any, rows: int | None = None) -> Iterator[Floats]:
        """Yield the result of `to_matrix` in blocks of `rows` rows; None for a single block."""
        for _, matrix, _ in self._encoded_blocks(X, rows, "they are treated as missing"):
            yield matrix

    def with_unknown(self, unknown: Unknown) -> TableSchema:
        """Return the schema with another way to treat values that `fit` did not see."""
        return replace(self, unknown=unknown)

    def with_domains(self, domains: Mapping[str, Domain | None]) -> TableSchema:
        """Return the schema with other domains of some columns, by name."""
        fields = (replace(f, domain=domains.get(f.name, f.domain)) for f in self.fields)
        return replace(self, fields=tuple(fields))

    def including(self, X: Any) -> TableSchema:
        """Return the schema whose numbers are restored within the range of `X`, too.

        Parameters and errors are those of `to_matrix`. Scaling and categories stay the same.
        """
        table = self._aligned(X)
        known = {f.name: (f, f.domain) for f in self._numbers if f.domain is not None}
        return self.with_domains(
            {
                name: domain.including(
                    field.numbers(table.column(name)), arrow_types.precision(field.type)
                )
                for name, (field, domain) in known.items()
            }
        )

    def unbounded(self) -> TableSchema:
        """Return the schema by which numbers are restored whatever values `fit` saw."""
        return self.with_domains(dict.fromkeys(self.columns))

    def exact(self) -> TableSchema:
        """Return the schema for a matrix whose cells are an atom only if they are equal to it."""
        return self.with_domains({f.name: f.domain.exact() for f in self.fields if f.domain})

    def observe(self, X: Any) -> ObservedRows:
        """Return the result of `to_matrix`, with the cells that are missing or were never seen."""
        ((table, matrix, masks),) = self._encoded_blocks(X, None, "they count as anomalous")
        missing = np.column_stack([f.is_missing(table.column(f.name)) for f in self.fields])
        unseen = np.zeros(missing.shape, dtype=bool)
        for place, field in enumerate(self.fields):
            if field.name in masks:
                unseen[:, place] = masks[field.name]
        return ObservedRows(matrix, missing, unseen)

    def _encoded_blocks(
        self, X: Any, rows: int | None, consequence: str
    ) -> Iterator[tuple[pa.Table, Floats, dict[str, Mask]]]:
        """Yield blocks of rows, and what `_encoded` returns; then warn of unseen values."""
        table, unseen = self._aligned(X), UnseenValues(self.fields, self.unknown)
        for start in range(0, table.num_rows, rows or table.num_rows):
            part = table.slice(start, rows)
            matrix, masks = self._encoded(part, start)
            unseen.add(part, masks, start)
            yield part, matrix, masks
        unseen.warn(consequence)

    def _encoded(self, table: pa.Table, first_row: int) -> tuple[Floats, dict[str, Mask]]:
        """Scale and encode rows of a table; messages count rows from `first_row`.

        Return the matrix, and for each column with values that `fit` did not see, which rows have
        one.
        """
        matrix = aligned_empty((table.num_rows, *self.sample_shape))
        for group, places in self._number_groups(table.num_rows):
            fields = self._numbers[group]
            block = np.empty((table.num_rows, len(fields)))
            for i, field in enumerate(fields):
                block[:, i] = field.numbers(table.column(field.name), first_row)
            require_float32(self.scaling.forward(block, group), fields, first_row)
            matrix[:, places] = block
        masks: dict[str, Mask] = {}
        for field, segment in zip(self.learned, self.segments, strict=True):
            if field.kind == "boolean":
                matrix[:, segment.start] = field.numbers(table.column(field.name), first_row)
            elif field.kind == "category":
                codes = field.codes(table.column(field.name))
                one_hot(codes, matrix[:, segment.start : segment.stop])
                masks[field.name] = codes == UNSEEN
        for field in self._unvaried:
            masks[field.name] = field.differs(table.column(field.name), first_row)
        return matrix, {name: mask for name, mask in masks.items() if mask.any()}

    def from_matrix(self, matrix: NDArray[Any], like: Any = None) -> Any:
        """Convert scaled values to a table with the original columns, units and types.

        Parameters
        ----------
        matrix : ndarray of shape (n, width)
            Scaled values; probabilities in binary and categorical cells.
        like : DataFrame, Table or ndarray, optional
            The original data. It determines the container, pandas' index and column types, and
            supplies the cells of columns that are not learned, which are otherwise empty.

        Returns
        -------
        DataFrame, Table or ndarray
            Of the type of `like`, or of the data that `fit` saw. Numbers and dates are the nearest
            in the range and on the grid of their column; NaN becomes a missing cell.
        """
        return self.from_blocks([matrix], len(matrix), like)

    def from_blocks(self, blocks: Iterable[NDArray[Any]], rows: int, like: Any = None) -> Any:
        """Return what `from_matrix` does, for a matrix of `rows` rows that is given in blocks."""
        table = pa.concat_tables([self._decoded(block) for block in blocks])
        for name, cells in self._unlearned(rows, like).items():
            table = table.append_column(name, cells)
        table = table.select(self.columns)
        if isinstance(like, np.ndarray):
            return np.column_stack(
                [f.numbers(c) for f, c in zip(self.fields, table.columns, strict=True)]
            )
        natives = {field.name: field.native for field in self.fields if field.native}
        integers = [field.name for field in self.fields if field.label == "integer"]
        return frames.from_arrow(table, self.container, like, natives, integers)

    def _decoded(self, matrix: NDArray[Any]) -> pa.Table:
        """Return the learned columns of a block of the matrix, in original units and types."""
        cells: dict[str, pa.Array] = {}
        for group, places in self._number_groups(len(matrix)):
            block = self.scaling.inverse(matrix[:, places].astype(np.float64), group)
            for i, field in enumerate(self._numbers[group]):
                cells[field.name] = field.from_numbers(block[:, i])
        for field, segment in zip(self.learned, self.segments, strict=True):
            part = matrix[:, segment.start : segment.stop]
            if field.kind == "boolean":
                cells[field.name] = field.from_numbers(part[:, 0].astype(np.float64))
            elif field.kind == "category":
                best = np.where(np.isnan(part[:, 0]), -1, part.argmax(axis=1))
                cells[field.name] = field.from_codes(best)
        return pa.table(cells)

    def _unlearned(self, rows: int, like: Any) -> dict[str, Any]:
        """Return constants, and what `like` has of the columns that are passed through."""
        columns: dict[str, Any] = {}
        for field in self.fields:
            if field.kind == "constant":
                columns[field.name] = field.from_codes(np.zeros(rows, dtype=np.intp))
            elif field.passed_through:
                columns[field.name] = pa.nulls(rows, field.type)
        wanted = [field.name for field in self.fields if field.passed_through]
        if wanted and frames.is_table(like):
            source = frames.to_arrow(like)
            columns |= {n: source.column(n) for n in wanted if n in source.column_names}
        return columns

    @cached_property
    def _numbers(self) -> tuple[TableColumn, ...]:
        return tuple(field for field in self.learned if field.kind == "number")

    @cached_property
    def _unvaried(self) -> tuple[TableColumn, ...]:
        return tuple(field for field in self.fields if field.kind in ("constant", "empty"))

    def _number_groups(self, rows: int) -> Iterator[tuple[slice, list[int]]]:
        """Yield groups of numeric columns: their slice of the scaling, and their matrix columns."""
        places = [
            segment.start
            for field, segment in zip(self.learned, self.segments, strict=True)
            if field.kind == "number"
        ]
        return ((group, places[group]) for group in _groups(len(places), rows))

    def _aligned(self, X: Any) -> pa.Table:
        """Return `X` as a Table, after checking its columns against those that `fit` saw."""
        table = frames.to_arrow(X) if frames.is_table(X) else self._by_position(X)
        self._check_names(table.column_names)
        _require_rows(table)
        for field in self.fields:
            given = table.column(field.name)
            cells = field.parsed(given)
            if cells is not given:
                place = table.column_names.index(field.name)
                table = table.set_column(place, field.name, cells)
            field.check(cells)
        return table

    def _check_names(self, names: Sequence[str]) -> None:
        known, given = dict.fromkeys(self.columns), set(names)
        absent = [name for name in known if name not in given]
        new = [name for name in names if name not in known]
        if absent:
            hint = nearest(absent[0], new)
            raise SchemaMismatch(
                "columns of X",
                expected=f"all {len(known)} that fit saw",
                received=f"none named {name_list(absent)}",
                remedy=hint or "add the column; its cells may be empty",
            )
        if new:
            raise SchemaMismatch(
                "columns of X",
                expected=f"the {len(known)} that fit saw",
                received=f"also {name_list(new)}",
                remedy="drop the new columns, or fit again with them",
            )

    def _by_position(self, X: Any) -> pa.Table:
        others = [f.name for f in self.fields if arrow_types.family(f.type) != "numbers"]
        if others:
            raise SchemaMismatch(
                "X",
                expected=f"a table, because columns such as {others[0]!r} are not numeric",
                received=type(X).__name__,
                remedy="pass a DataFrame with the columns that fit saw",
            )
        array = as_numbers(X)
        if array.shape[1:] != (len(self.fields),):
            raise SchemaMismatch(
                "X",
                expected=f"{len(self.fields)} columns",
                received=f"shape {array.shape}",
                remedy="pass the columns that fit saw, in the same order",
            )
        values = array.astype(np.float64, copy=False)
        return pa.table({f.name: pa.array(values[:, i]) for i, f in enumerate(self.fields)})

    def to_config(self) -> dict[str, Any]:
        """Return a JSON-able description, exact to the last bit."""
        return {
            "kind": self.kind,
            "container": self.container,
            "unknown": self.unknown,
            "convention": self.convention.to_config(),
            "columns": [field.to_config() for field in self.fields],
            "scaling": self.scaling.to_config(),
        }

    @classmethod
    def from_config(cls, config: Any) -> TableSchema:
        """Rebuild from the result of `to_config`, which may be untrusted.

        Raises
        ------
        InvalidArchive
            It is not such a result.
        """
        fields = tuple(TableColumn.from_config(column) for column in items(config, "columns"))
        if len({field.name for field in fields}) != len(fields):
            refuse("columns", "different names", [field.name for field in fields[:10]])
        if not any(field.width for field in fields):
            refuse("columns", "at least one that is learned", "none")
        numbers = sum(field.kind == "number" for field in fields)
        return cls(
            fields=fields,
            scaling=Scaling.from_config(entry(config, "scaling"), numbers),
            container=one_of(config, "container", get_args(Container)),
            # Archives of before have neither.
            unknown=one_of({"unknown": "warn", **config}, "unknown", get_args(Unknown)),
            convention=Convention.from_config(config["convention"])
            if "convention" in config
            else PLAIN,
        )


def infer_table(X: Any, scale: str, unknown: Unknown = "warn") -> TableSchema:
    """Learn the schema of a table; parameters as for `infer_schema`."""
    table = frames.to_arrow(X)
    _require_rows(table)
    fields = _learn_fields(table, frames.native_types(X), frames.integer_labels(X))
    numbers = [field for field in fields if field.kind == "number"]
    scaling = _fit_numbers(table, numbers, scale)
    convention = convention_of(table)
    return TableSchema(fields, scaling, frames.container_of(X), unknown, convention)


def _learn_fields(
    table: pa.Table, natives: dict[str, str], integers: frozenset[str]
) -> tuple[TableColumn, ...]:
    columns = []
    for place, field in enumerate(table.schema):
        name, cells = field.name, table.column(place)
        label: Label = "integer" if name in integers else "text"
        columns.append(learn_column(name, cells, natives.get(name, ""), label, role_of(field)))
    given = {field.name for field in table.schema if role_of(field) == "identifier"}
    identifiers = [column.name for column in columns if column.kind == "identifier"]
    _warn_of_identifiers([c for c in columns if c.kind == "identifier" and c.name not in given])
    empty = [column.name for column in columns if column.kind == "empty"]
    if empty:
        warnings.warn(
            f"Every cell of {name_list(empty)} is empty; it is passed through, not learned.",
            DataWarning,
            stacklevel=5,
        )
    if not any(column.width for column in columns):
        # In a single row every column is constant; learning those is better than nothing.
        columns = [c.learned() if c.kind == "constant" else c for c in columns]
    if not any(column.width for column in columns):
        raise InvalidData(
            "X",
            expected="a column of numbers, booleans, categories or dates",
            received=f"only identifiers and empty columns: {name_list(identifiers + empty)}",
            remedy="add columns that describe the rows",
        )
    return tuple(columns)


def _warn_of_identifiers(columns: Sequence[TableColumn]) -> None:
    """Name the columns that are not learned because their values are names or numbers of rows."""
    counted = [c.name for c in columns if arrow_types.family(c.type) == "numbers"]
    named = [c.name for c in columns if c.name not in counted]
    reasons = (
        (named, "The text of {} has too many distinct values to be categories"),
        (counted, "The integers of {} are all different, so they number the rows"),
    )
    for names, reason in reasons:
        if names:
            warnings.warn(
                f"{reason.format(name_list(names))}; it is passed through, not learned.",
                DataWarning,
                stacklevel=6,
            )


def _fit_numbers(table: pa.Table, fields: Sequence[TableColumn], scale: str) -> Scaling:
    """Learn the scaling of the numeric columns, a group at a time."""
    if scale == "none" or not fields:
        return scalings.IDENTITY
    parts = []
    for group in _groups(len(fields), table.num_rows):
        names = [repr(field.name) for field in fields[group]]
        block = np.empty((table.num_rows, len(names)))
        for i, field in enumerate(fields[group]):
            block[:, i] = field.numbers(table.column(field.name))
        if scale == "range":
            low, high = np.fmin.reduce(block, axis=0), np.fmax.reduce(block, axis=0)
            parts.append(scalings.fit_range(low, high, names.__getitem__))
        else:
            parts.append(scalings.fit_robust(block, names.__getitem__))
    return Scaling(
        parts[0].method,
        np.concatenate([part.center for part in parts]),
        np.concatenate([part.scale for part in parts]),
    )


def _groups(columns: int, rows: int) -> Iterator[slice]:
    step = max(1, scalings.BLOCK // max(1, rows))
    return (slice(i, min(i + step, columns)) for i in range(0, columns, step))


def _require_rows(table: pa.Table) -> None:
    if not table.num_rows or not table.num_columns:
        raise InvalidData(
            "X",
            expected="at least one row and one column",
            received=f"{table.num_rows} rows of {table.num_columns} columns",
            remedy="check how the data were read or filtered",
        )
