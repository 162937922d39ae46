"""The values of a table that a network's outputs stand for: atoms, and draws.

A network has one output for a cell of a numeric column. Where the column has an atom (see
`isthmus.data.column_domain`), the outputs nearest to the atom become the atom, at the rate that it
has in the training rows. For draws, the log odds of the atom are a linear function of the output's
distance from it. The output is the mean of the atom and the other values, which gives the mean of
the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeGuard

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, logit, ndtr, ndtri

from isthmus.data.table_schema import TableSchema

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from isthmus.core.types import Floats
    from isthmus.data.column_domain import Atom, Domain
    from isthmus.data.schema import Schema
    from isthmus.data.table_columns import TableColumn

    Float64s = NDArray[np.float64]

_EQUAL = 1e-6
"""Scaled cells this close to the scaled atom differ from it only by rounding to float32."""
_SUREST = 0.99
"""Highest probability of the atom from which the mean of the other values is computed."""


class _NumberColumn(NamedTuple):
    """A numeric column, and its place in the matrix and in the scaling."""

    field: TableColumn
    domain: Domain | None
    place: int
    columns: slice


def has_atoms(schema: Schema) -> TypeGuard[TableSchema]:
    """Tell whether a column of a table has an atom."""
    return isinstance(schema, TableSchema) and any(True for _ in _with_atom(schema))


def with_margins(schema: TableSchema, rows: Floats, outputs: Floats) -> TableSchema:
    """Return the schema by which reconstructions have each atom as often as training rows.

    Parameters
    ----------
    schema : TableSchema
        The schema of the rows.
    rows, outputs : float32 arrays of shape (n, width)
        Training rows in scaled units, NaN for a missing cell, and their reconstructions.
    """
    domains = {}
    for number, domain, atom in _with_atom(schema):
        known, is_atom = _observed(schema, number, atom, rows)
        if known.any():
            cells = outputs[known, number.place].astype(np.float64)[:, None]
            values = schema.scaling.inverse(cells, number.columns)[:, 0]
            domains[number.field.name] = domain.with_margin(values, float(is_atom.mean()))
    return schema.with_domains(domains)


def with_odds(
    schema: TableSchema, rows: Floats, outputs: Floats, new_outputs: Floats
) -> TableSchema:
    """Return the schema by which draws have each atom as often as training rows.

    Parameters
    ----------
    schema : TableSchema
        The schema of the rows.
    rows, outputs : float32 arrays of shape (n, width)
        Training rows in scaled units, NaN for a missing cell, and what the decoder made of codes
        drawn from their posteriors.
    new_outputs : float32 array of shape (m, width)
        What the decoder made of codes drawn from the prior. Their mean probability of the atom is
        its rate in the training rows.
    """
    from sklearn.linear_model import LogisticRegression  # 60 ms, and few tables need it

    domains = {}
    for number, domain, atom in _with_atom(schema):
        known, is_atom = _observed(schema, number, atom, rows)
        if is_atom.any() and not is_atom.all():
            away = _distances(schema, number, domain, outputs[known, number.place])
            slope = float(LogisticRegression().fit(away[:, None], is_atom).coef_[0, 0])
            away = _distances(schema, number, domain, new_outputs[:, number.place])
            intercept = _intercept(slope * away, float(is_atom.mean()))
            domains[number.field.name] = domain.with_odds(intercept, slope)
    return schema.with_domains(domains)


def _intercept(log_odds: Float64s, rate: float) -> float:
    """Return what to add to log odds so that their mean probability is `rate`."""
    found: float = brentq(
        lambda added: expit(log_odds + added).mean() - rate,
        logit(rate) - log_odds.max() - 1,
        logit(rate) - log_odds.min() + 1,
    )
    return found


def drawn(
    schema: TableSchema, outputs: Floats, variance: float | None, rng: np.random.Generator
) -> Float64s:
    """Draw rows from the distributions that outputs of a decoder describe.

    Parameters
    ----------
    schema : TableSchema
        The schema of the rows. To convert the draws, use ``schema.exact()``.
    outputs : float32 array of shape (n, width)
        Means of numeric cells, and probabilities of binary and categorical cells.
    variance : float, optional
        Variance of numeric cells, whose values are normal within the range of their column. None:
        they are the means, or the atom.
    rng : numpy Generator
        Draws.

    Returns
    -------
    ndarray of shape (n, width)
        In scaled units.
    """
    cells = outputs.astype(np.float64)
    for segment in schema.segments:
        part = cells[:, segment.start : segment.stop]
        if segment.kind == "binary":
            part[:] = rng.random(part.shape) < part
        elif segment.kind == "categorical":
            totals = np.cumsum(np.maximum(part, 0), axis=1)
            chosen = (totals < rng.random((len(part), 1)) * totals[:, -1:]).sum(axis=1)
            part[:] = np.arange(part.shape[1]) == chosen[:, None]
    for number in _numbers(schema):
        cells[:, number.place] = _drawn_numbers(
            schema, number, cells[:, number.place], variance, rng
        )
    return cells


def _drawn_numbers(
    schema: TableSchema,
    number: _NumberColumn,
    means: Float64s,
    variance: float | None,
    rng: np.random.Generator,
) -> Float64s:
    domain = number.domain
    atom = None if domain is None else domain.atom
    is_atom = np.zeros(len(means), dtype=bool)
    center = 0.0
    if domain is not None and atom is not None:
        away = _distances(schema, number, domain, means)
        probability = expit(atom.intercept + atom.slope * away)
        is_atom = rng.random(len(means)) < probability
        (center,) = _scaled(schema, number, atom.value)
        means = center + (means - center) / (1 - np.minimum(probability, _SUREST))
    if variance is not None:
        low, high = _limits(schema, number)
        means = _truncated_normal(means, variance**0.5, low, high, rng)
    return np.where(is_atom, center, means)


def _truncated_normal(
    means: Float64s, deviation: float, low: float, high: float, rng: np.random.Generator
) -> Float64s:
    """Draw from normal distributions between two limits, by inversion."""
    means = np.clip(means, low, high)
    below, above = ndtr((low - means) / deviation), ndtr((high - means) / deviation)
    quantiles = below + (above - below) * rng.random(len(means))
    return np.asarray(np.clip(means + deviation * ndtri(quantiles), low, high))


def _limits(schema: TableSchema, number: _NumberColumn) -> tuple[float, float]:
    """Return the limits of a column's draws in scaled units: the range, before rounding."""
    domain = number.domain
    if domain is None:
        return -np.inf, np.inf
    half = number.field.spacing / 2
    at_atom = domain.atom is not None and domain.atom.value == domain.low
    low, high = _scaled(
        schema, number, domain.low + (half if at_atom else -half), domain.high + half
    )
    return low, high


def _observed(
    schema: TableSchema, number: _NumberColumn, atom: Atom, rows: Floats
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which cells are not missing, (n,), and which of those are the atom."""
    cells = rows[:, number.place]
    known = ~np.isnan(cells)
    (center,) = _scaled(schema, number, atom.value)
    return known, np.abs(cells[known] - center) <= _EQUAL * max(1.0, abs(center))


def _distances(
    schema: TableSchema, number: _NumberColumn, domain: Domain, outputs: NDArray[np.floating]
) -> Float64s:
    """Return the scaled distances of outputs, within the range, from the atom."""
    value = 0.0 if domain.atom is None else domain.atom.value
    low, high, center = _scaled(schema, number, domain.low, domain.high, value)
    return np.asarray(np.abs(np.clip(outputs, low, high).astype(np.float64) - center))


def _scaled(schema: TableSchema, number: _NumberColumn, *values: float) -> list[float]:
    """Return values of a column in scaled units."""
    scaled = schema.scaling.forward(np.array(values)[:, None], number.columns)
    return [float(value) for value in scaled[:, 0]]


def _numbers(schema: TableSchema) -> Iterator[_NumberColumn]:
    count = 0
    for field, segment in zip(schema.learned, schema.segments, strict=True):
        if field.kind == "number":
            yield _NumberColumn(field, field.domain, segment.start, slice(count, count + 1))
            count += 1


def _with_atom(schema: TableSchema) -> Iterator[tuple[_NumberColumn, Domain, Atom]]:
    for number in _numbers(schema):
        if number.domain is not None and number.domain.atom is not None:
            yield number, number.domain, number.domain.atom
