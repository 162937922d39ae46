"""The coder of arrays of two or more dimensions: pictures, fields, volumes."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from isthmus.compression.coders import general_compressors, quantization
from isthmus.compression.coders.byte_cursor import (
    Cursor,
    length_prefixed,
    refuse,
    varint,
)
from isthmus.compression.coders.coder import Coder
from isthmus.compression.coders.quantizers import read_quantizer
from isthmus.compression.entropy.rans import RansDecoder, RansEncoder
from isthmus.compression.planes import fitting, residuals
from isthmus.compression.planes.channel_model import ChannelModel
from isthmus.compression.planes.distributions import FrequencyTables
from isthmus.compression.planes.fitting import Planes
from isthmus.compression.planes.geometry import Grid, grid_of
from isthmus.compression.planes.painting import PlanePainter
from isthmus.compression.planes.reduced_integers import SPAN, ReducedIntegers
from isthmus.compression.planes.walk import Walk, excerpt

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isthmus.compression.coders.block import ColumnBlock, Layout
    from isthmus.compression.planes.geometry import Frame
    from isthmus.compression.planes.prediction import Experts

    Integers = NDArray[np.int64]

_FITTED = 1 << 17
"""Experts are fitted to about this many values of each channel."""
_CELLS_PER_LANE = 4096
_MOST_LANES = 1024
_SIDE_LIMIT = 1 << 16


class _Modelled(NamedTuple):
    """Planes of one channel with their predictions and levels of uncertainty."""

    channel: int
    frame: Frame
    values: Integers
    fine: NDArray[Any]
    level: NDArray[np.uint8]


class _Plan(NamedTuple):
    """How an array is coded, and about how many bits it takes."""

    cube: Integers
    values: ReducedIntegers
    grid: Grid
    experts: list[Experts]
    bits: float


class PlaneCoder(Coder):
    """Arrays of two or more dimensions, whose values are predicted from their neighbours."""

    name, number = "planes", 5
    max_cells = 1 << 23  # about what a chunk of bytes has; more would take too much memory

    def encode(self, block: ColumnBlock) -> bytes | None:
        """Return the encoded block; None without two dimensions, or with several bounds."""
        grid = grid_of(block.rows, block.layout, stacked=False)
        if not (grid.worthwhile and block.layout.uniform and len(set(block.bounds)) == 1):
            return None
        flat = block.image().ravel()
        quantizer, q, patches = quantization.to_integers(flat, block.bounds[0])
        if int(q.max()) - int(q.min()) >= SPAN or abs(int(q.min())) > SPAN:
            return None
        head = quantizer.to_bytes() + quantization.patches_to_bytes(patches, flat)
        values, reduced = ReducedIntegers.of(q)
        forms = [(values, reduced), values.numbered(reduced)]
        stacks = (False, True) if grid.groups > 1 else (False,)
        plans = [
            _plan(*form, replace(grid, stacked=stacked))
            for form in forms
            if form
            for stacked in stacks
        ]
        return length_prefixed(head) + _encoded(min(plans, key=lambda plan: plan.bits))

    def decode(self, packed: memoryview, rows: int, layout: Layout) -> list[NDArray[Any]]:
        """Return the columns."""
        cursor = Cursor(packed)
        head = Cursor(cursor.length_prefixed())
        values = ReducedIntegers.read(cursor)
        grid = grid_of(rows, layout, stacked=cursor.varint(1) == 1)
        if not (grid.worthwhile and layout.uniform):
            refuse("rows without two dimensions")
        q = values.restored(_decoded(cursor, grid, values)).ravel()
        dtype = layout.dtypes[0]
        flat = read_quantizer(head, dtype).values(q, dtype)
        quantization.patch(head, flat)
        head.close()
        return list(flat.reshape(rows, -1).T)


def _lanes(grid: Grid) -> int:
    return min(max(math.prod(grid.shape) // _CELLS_PER_LANE, 1), _MOST_LANES)


def _plan(values: ReducedIntegers, reduced: Integers, grid: Grid) -> _Plan:
    """Return the best experts for a grid, and about how many bits the array takes."""
    cube = reduced.reshape(grid.shape)
    chosen = [_chosen_experts(cube, grid, values, channel) for channel in range(grid.channels)]
    bits = sum(each for each, _ in chosen) + 8 * len(values.to_bytes())
    return _Plan(cube, values, grid, [experts for _, experts in chosen], bits)


def _encoded(plan: _Plan) -> bytes:
    """Return the encoded integers."""
    cube, values, grid, experts, _ = plan
    modelled: list[_Modelled] = []
    walk = Walk(cube, grid, values.middle)
    for visit in walk:
        own = cube[visit.groups, visit.rows, :, visit.channel]
        planes = Planes(own, visit, values.middle, values.span)
        fine, level, sizes = planes.modelled(experts[visit.channel])
        walk.keep(visit, sizes)
        found = _Modelled(visit.channel, visit.frame, own, _narrow(fine), level.astype(np.uint8))
        modelled.append(found)
    models = [
        _model([each for each in modelled if each.channel == channel], experts[channel])
        for channel in range(grid.channels)
    ]
    side = b"".join(each.to_bytes() for each in models)
    number, packed = general_compressors.smallest(side)
    head = varint(len(side)) + bytes([number]) + length_prefixed(packed)
    head = varint(int(grid.stacked)) + head
    return values.to_bytes() + head + _stream(modelled, models, _lanes(grid))


def _narrow(fine: Integers) -> NDArray[Any]:
    """Return predictions in half the memory, if they fit."""
    return fine.astype(np.int32) if int(fine.max()) < 2**31 else fine


def _model(modelled: list[_Modelled], experts: Experts) -> ChannelModel:
    cells = sum(each.values.size for each in modelled)
    stride = -(-cells // _FITTED)
    fine, level, values = (
        np.concatenate([part.ravel()[::stride] for part in parts]).astype(np.int64)
        for parts in zip(*((each.fine, each.level, each.values) for each in modelled), strict=True)
    )
    return ChannelModel(experts, fitting.fitted_levels(fine, level, values)[0])


def _stream(modelled: list[_Modelled], models: list[ChannelModel], lanes: int) -> bytes:
    tables = [FrequencyTables(each.levels) for each in models]
    encoder = RansEncoder(lanes)
    for each in modelled:
        level, fine, values = each.level.ravel(), each.fine.ravel(), each.values.ravel()
        for diagonal in each.frame.diagonals():
            at = each.frame.without_margins(diagonal)
            residuals.push(
                encoder, tables[each.channel], level[at].astype(np.int64), fine[at], values[at]
            )
    return encoder.finish()


def _chosen_experts(
    cube: Integers, grid: Grid, values: ReducedIntegers, channel: int
) -> tuple[float, Experts]:
    """Fit experts of several kinds to an excerpt, and return the best with the bits they need."""
    part, visit = excerpt(cube, grid, _FITTED, values.middle, channel)
    planes = Planes(part, visit, values.middle, values.span)
    larger = math.prod(grid.shape[:3]) / part.size
    trials: list[tuple[float, int, Experts]] = []
    plans = fitting.PLANS if larger == 1 and part.size < _FITTED // 4 else fitting.PLANS[-2:]
    for own, count in plans:
        experts = fitting.fitted(planes, own, count)
        fine, level, _ = planes.modelled(experts)
        _, bits = fitting.fitted_levels(fine, level, part)
        trials.append((bits * larger + fitting.side_bits(experts), len(trials), experts))
    bits, _, best = min(trials)
    return bits, best


def _decoded(cursor: Cursor, grid: Grid, values: ReducedIntegers) -> Integers:
    """Return the integers, of shape `grid.shape`."""
    size, number = cursor.varint(_SIDE_LIMIT), cursor.read(1)[0]
    side = Cursor(general_compressors.unpack(number, cursor.length_prefixed(), size))
    models = [
        ChannelModel.read(side, channel + int(grid.stacked)) for channel in range(grid.channels)
    ]
    side.close()
    tables = [FrequencyTables(each.levels) for each in models]
    decoder = RansDecoder(bytes(cursor.rest()), _lanes(grid))
    cube = np.zeros(grid.shape, dtype=np.int64)
    walk = Walk(cube, grid, values.middle)
    for visit in walk:
        painter = PlanePainter(visit, models[visit.channel].experts, values)
        for at in visit.frame.diagonals():
            fine, level = painter.predict(at)
            painter.paint(at, fine, residuals.pop(decoder, tables[visit.channel], level, fine))
        cube[visit.groups, visit.rows, :, visit.channel] = painter.values
        walk.keep(visit, painter.sizes)
    decoder.finish()
    return cube
