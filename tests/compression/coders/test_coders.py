"""Every coder gives back what it took, and keeps giving the same bytes."""

import bz2
import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from isthmus.compression.coders import (
    catalogue,
    general_compressors,
    matrix_layouts,
    quantization,
    quantizers,
    selection,
)
from isthmus.compression.coders.block import ColumnBlock, Layout
from isthmus.compression.coders.byte_cursor import Cursor, signed, varint
from isthmus.compression.coders.context_mixing import ContextMixing
from isthmus.compression.coders.general_purpose import GeneralPurposeCoder
from isthmus.compression.coders.residual_tables import ResidualTables
from isthmus.core.errors import InvalidArchive

INTEGERS = hnp.arrays(np.int64, st.tuples(st.integers(1, 40), st.integers(1, 4)))
QUICK = settings(max_examples=40, deadline=None)


def block(values: np.ndarray, bound: float = 0.0) -> ColumnBlock:
    layout = Layout((values.dtype,) * values.shape[1], values.shape[1:])
    return ColumnBlock(list(values.T.copy()), (bound,) * values.shape[1], layout)


def decoded(coder, packed: bytes, like: ColumnBlock) -> np.ndarray:
    return np.stack(coder.decode(memoryview(packed), like.rows, like.layout), axis=1)


@given(st.lists(st.integers(0, 2**64 - 1)), st.lists(st.integers(-(2**63), 2**63 - 1)))
def test_numbers_in_few_bytes(positive: list[int], any_sign: list[int]) -> None:
    cursor = Cursor(b"".join(map(varint, positive)) + b"".join(map(signed, any_sign)))
    assert [cursor.varint() for _ in positive] == positive
    assert [cursor.signed() for _ in any_sign] == any_sign
    cursor.close()
    with pytest.raises(InvalidArchive, match="the end of the data"):
        cursor.read(1)


@pytest.mark.parametrize("layout", matrix_layouts.LAYOUTS.values(), ids=lambda layout: layout.name)
@QUICK
@given(q=INTEGERS)
def test_layouts(layout: matrix_layouts.MatrixLayout, q: np.ndarray) -> None:
    q = q % 11 if layout.bits else q
    packed = matrix_layouts.pack(q, layout, lambda content: (0, content))
    back = matrix_layouts.unpack(memoryview(packed)[:2], memoryview(packed)[2:], *q.shape)
    np.testing.assert_array_equal(back, q)


@pytest.mark.parametrize("number", range(len(general_compressors.COMPRESSORS)))
def test_compressors_stop_at_the_stated_size(number: int) -> None:
    content = bytes(10**6)
    packed = memoryview(general_compressors.COMPRESSORS[number].encode(content))
    assert general_compressors.unpack(number, packed, len(content)) == content
    for size in (len(content) - 1, len(content) + 1, 0):
        with pytest.raises(InvalidArchive):
            general_compressors.unpack(number, packed, size)
    with pytest.raises(InvalidArchive):
        general_compressors.unpack(number, memoryview(b"\x55" * 20), 7)


@pytest.mark.parametrize("coder", [ContextMixing(), ResidualTables()], ids=lambda coder: coder.name)
@QUICK
@given(
    q=hnp.arrays(
        np.int64,
        st.tuples(st.integers(1, 60), st.integers(1, 4)),
        elements=st.one_of(st.integers(-3, 3), st.integers(-(2**39), 2**39)),
    )
)
def test_coders_of_integers(coder, q: np.ndarray) -> None:
    given_ = block(q)
    np.testing.assert_array_equal(decoded(coder, coder.encode(given_), given_), q)


def test_integers_beyond_a_coders_reach_are_left_to_others() -> None:
    far = block(np.array([[2**62], [-(2**62)]]))
    assert ContextMixing().encode(far) is None
    assert ResidualTables().encode(far) is None
    packed, error = selection.CoderSelection().encode(far)
    assert error == 0
    np.testing.assert_array_equal(
        catalogue.decode(memoryview(packed), 2, far.layout)[0], far.columns[0]
    )


def walk(rows: int = 4000) -> np.ndarray:
    steps = np.random.default_rng(0).normal(size=(rows, 3)) * [1, 2, 4]
    return np.cumsum(np.rint(steps), axis=0).astype(np.int64)


@pytest.mark.parametrize(
    ("coder", "digest"),
    [(ContextMixing(), "16fcf43f9777725b"), (ResidualTables(), "06dd501e13bc6544")],
    ids=["mixing", "tables"],
)
def test_files_of_today_are_read_tomorrow(coder, digest: str) -> None:
    packed = coder.encode(block(walk()))
    assert hashlib.sha256(packed).hexdigest()[:16] == digest


def test_a_coder_of_contexts_beats_compressors_of_bytes() -> None:
    hours = np.arange(4000)
    noise = np.random.default_rng(0).normal(size=len(hours))
    rows = block(np.rint(9 * np.sin(hours * np.pi / 6) + noise).astype(np.int64)[:, None])
    numbers = [
        len(matrix_layouts.pack(rows.integers[0], layout, general_compressors.smallest))
        for layout in matrix_layouts.LAYOUTS.values()
        if layout.suits(rows.integers[0])
    ]
    assert len(ContextMixing().encode(rows)) < 0.95 * min(numbers)


@pytest.mark.parametrize("bound", [0.0, 1e-7, 0.004, 0.06, 3.0, 1e9])
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_lattices(bound: float, dtype: str) -> None:
    rng = np.random.default_rng(0)
    for values in (rng.normal(size=500) * 100, rng.normal(size=500).round(2), np.zeros(9)):
        values = values.astype(dtype)
        values[1:4] = np.nan, np.inf, -0.0
        found, q, patches = quantization.to_integers(values, bound)
        back = found.values(q, values.dtype)
        far = np.ones(len(values), bool)
        far[patches] = False
        with np.errstate(invalid="ignore"):
            near = np.abs(back[far].astype(float) - values[far].astype(float)) <= bound
        same = back[far].view(f"u{values.itemsize}") == values[far].view(f"u{values.itemsize}")
        assert (same if bound == 0 else near | same).all()
        kept = Cursor(quantization.patches_to_bytes(patches, values))
        quantization.patch(kept, back)
        assert np.isnan(back[1])
        assert np.isposinf(back[2])


def test_decimals_are_found() -> None:
    values = np.abs(np.random.default_rng(0).normal(size=500)).round(2).astype("f4")
    found, q, patches = quantization.to_integers(values, 0.0)
    assert (found.mode, found.places, len(patches)) == (quantizers.DECIMALS, 2, 0)
    np.testing.assert_array_equal(q, np.rint(values.astype(float) * 100))


def test_damage_is_refused_whatever_it_is() -> None:
    rng = np.random.default_rng(0)
    rows = block(walk(300))
    for coder in (
        ContextMixing(),
        ResidualTables(),
        GeneralPurposeCoder(3),
    ):
        packed = coder.encode(rows)
        for _ in range(60):
            content = bytearray(packed)
            content[rng.integers(len(content))] ^= 1 << int(rng.integers(8))
            cut = int(rng.choice([len(content), rng.integers(len(content))]))
            try:
                back = decoded(coder, bytes(content[:cut]), rows)
            except InvalidArchive as error:
                assert str(error)  # noqa: PT017 - either outcome is right
            else:
                assert back.shape == (300, 3)


def kept_within(values: np.ndarray, bound: float) -> quantizers.Quantizer:
    """Return the quantizer of a column, after its bytes and its errors were checked."""
    found, q, patches = quantization.to_integers(values, bound)
    assert quantizers.read_quantizer(Cursor(found.to_bytes()), values.dtype) == found
    back = found.values(q, values.dtype)
    back[patches] = values[patches]
    apart = [abs(int(a) - int(b)) for a, b in zip(back, values, strict=True)]
    if values.dtype.kind == "f":
        apart = np.abs(back.astype(float) - values.astype(float))
    assert max(apart, default=0) <= bound
    return found


@QUICK
@given(
    values=st.sampled_from(["i1", "u2", "i4", "u4", "i8", "u8"]).flatmap(
        lambda kind: hnp.arrays(kind, st.integers(1, 30))
    ),
    multiple=st.sampled_from([1, 2, 3, 10]),
    bound=st.sampled_from([0.0, 0.9, 1.0, 2.5, 7.0, 300.0, 1e12]),
)
def test_integers_stay_within_any_bound(values: np.ndarray, multiple: int, bound: float) -> None:
    kept_within(values // multiple * multiple, bound)


@QUICK
@given(
    values=hnp.arrays(np.int64, st.integers(1, 40), elements=st.integers(-300, 300)),
    unit=st.sampled_from([1, 7, 0.5, 0.25, 0.1, 0.001]),
    share=st.floats(0, 3),
    dtype=st.sampled_from(["f2", "f4", "f8"]),
)
def test_multiples_of_a_step_stay_within_any_bound(
    values: np.ndarray, unit: float, share: float, dtype: str
) -> None:
    kept_within((values * unit).astype(dtype), unit * share)


def test_a_grid_joins_as_many_steps_as_the_bound_allows() -> None:
    values = np.random.default_rng(0).integers(0, 97, 500)
    for unit, bound, step in ((1, 0.5, 2), (1, 0.97, 2), (1, 1.4, 3), (10, 9, 2), (0.25, 0.3, 3)):
        found = kept_within((values * unit).astype("f4"), bound)
        scale = 10**found.places * (2 if found.mode == quantizers.HALVES else 1)
        assert found.step / scale == step * unit


def test_a_coarse_grid_takes_fewer_bytes() -> None:
    walk = np.random.default_rng(0).integers(-2, 3, (3000, 1)).cumsum(axis=0) // 4
    exact, bounded = (
        len(ContextMixing().encode(block(walk.astype("f4"), bound))) for bound in (0.0, 0.5)
    )
    assert bounded < 0.75 * exact


def test_columns_that_repeat_each_other_keep_their_steps() -> None:
    first = np.random.default_rng(0).integers(0, 99, 3000).astype("i2")
    columns = [first, np.roll(first, 1), np.roll(first, 2)]
    layout = Layout((first.dtype,) * 3, (3,))
    mixed = ColumnBlock(columns, (1.0, 2.0, 3.0), layout)
    same = ColumnBlock(columns, (1.0, 1.0, 1.0), layout)
    np.testing.assert_array_equal(mixed.integers[0], same.integers[0])


@pytest.mark.parametrize(
    "head",
    [
        b"\4\0\0",  # a step of 0
        b"\4\1" + b"\xff" * 9 + b"\1",  # an offset of 2**63
        b"\4\1\x80",  # an unfinished offset
        b"\x14\1\0",  # decimal places
        b"\5\1\0",  # halves
        b"\6",
    ],
)
def test_impossible_grids_of_integers_are_refused(head: bytes) -> None:
    with pytest.raises(InvalidArchive):
        quantizers.read_quantizer(Cursor(head), np.dtype("i4"))


@QUICK
@given(
    hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=40)),
    st.sampled_from([2, 3, 16]),
    st.sampled_from([each for each in matrix_layouts.LAYOUTS.values() if each.bits]),
)
def test_few_values_take_few_bits(
    q: np.ndarray, values: int, layout: matrix_layouts.MatrixLayout
) -> None:
    q = (q % values).astype(np.int64) - 3
    packed = memoryview(matrix_layouts.pack(q, layout, lambda content: (0, content)))
    np.testing.assert_array_equal(matrix_layouts.unpack(packed[:2], packed[2:], *q.shape), q)
    lines, length = q.shape if layout.order == "rows" else q.shape[::-1]
    width = {2: 1, 3: 2, 16: 4}[values]
    assert len(packed) <= 4 + lines * -(-length * width // 8)


def test_large_tables_of_few_values_are_no_larger_than_bz2() -> None:
    rng = np.random.default_rng(0)
    table = rng.random((40_000, 20)) < rng.beta(0.5, 2, 20)
    packed, _ = selection.CoderSelection().encode(
        ColumnBlock(list(table.T.copy()), (0.0,) * 20, Layout((table.dtype,) * 20, (20,)))
    )
    whole = [table.tobytes(), table.T.tobytes(), np.packbits(table, axis=1).tobytes()]
    assert len(packed) <= 1.01 * min(len(bz2.compress(each)) for each in whole)
