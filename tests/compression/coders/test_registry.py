"""The contract that every registered coder keeps."""

from types import SimpleNamespace

import numpy as np
import pytest

from isthmus.compression.coders.block import ColumnBlock, Layout
from isthmus.compression.coders.catalogue import CODERS, LEARNED, decode, describe
from isthmus.compression.coders.coder import LearnedCoder
from isthmus.compression.coders.numbering import by_number
from isthmus.compression.coders.selection import CoderSelection, largest_error
from isthmus.compression.lossy.coder import LossyModelCoder, RateController
from isthmus.compression.lossy.model import LossyModel
from isthmus.compression.pixels.coder import PixelNetworkCoder
from isthmus.compression.pixels.model import PixelModel
from isthmus.core.errors import InvalidArchive


def block_of(values: np.ndarray, bound: float = 0.0) -> ColumnBlock:
    flat = values.reshape(len(values), -1)
    layout = Layout((values.dtype,) * flat.shape[1], values.shape[1:])
    return ColumnBlock(list(flat.T.copy()), (bound,) * flat.shape[1], layout)


def values_of(dtype: str, seed: int, columns: int = 3) -> np.ndarray:
    rng = np.random.default_rng(seed)
    kind = np.dtype(dtype)
    if kind.kind == "b":
        return rng.random((40, columns)) < 0.3
    if kind.kind == "f":
        values = (
            (rng.normal(size=(40, columns)) * 10.0 ** rng.integers(-1, 2)).round(2).astype(kind)
        )
        extremes = [np.finfo(kind).max, np.finfo(kind).tiny, np.nan, np.inf, -np.inf, -0.0]
        values[rng.integers(0, 40, 6), rng.integers(0, 3, 6)] = extremes
        return values
    limits = np.iinfo(kind)
    values = rng.integers(max(limits.min, -50), 50, (40, columns)).astype(kind)
    if seed % 2:
        values[3, 0], values[20, 2] = limits.min, limits.max
    return values


UNTRAINED = [
    pytest.param(variant, id=f"{coder.name} {place}")
    for coder in CODERS.values()
    if not issubclass(coder, LearnedCoder)
    for place, variant in enumerate(coder.variants())
]


@pytest.mark.parametrize("coder", UNTRAINED)
@pytest.mark.parametrize("bound", [0.0, 0.05])
def test_blocks_come_back_within_their_bounds(coder, bound: float) -> None:
    encoded = 0
    for dtype in ("?", "u1", "i8", "u8", "f4", "f8"):
        for seed, columns in ((0, 3), (1, 3), (1, 70)):
            block = block_of(values_of(dtype, seed, columns), 0.0 if dtype == "?" else bound)
            packed = coder.encode(block)
            if packed is None:
                continue
            encoded += 1
            back = coder.decode(memoryview(packed), block.rows, block.layout)
            for values, decoded in zip(block.columns, back, strict=True):
                assert decoded.dtype == values.dtype
                with np.errstate(invalid="ignore"):
                    assert largest_error(values, decoded, bound) is not None
    assert encoded >= 3


@pytest.mark.parametrize("coder", UNTRAINED)
def test_one_row_and_equal_rows(coder) -> None:
    encoded = 0
    equal = np.full((50, 2), 7, np.int16)
    for values in (np.zeros((1, 1)), equal, np.arange(9)[:, None], np.zeros((1, 70)), np.eye(70)):
        block = block_of(values)
        packed = coder.encode(block)
        if packed is None:
            continue
        encoded += 1
        back = coder.decode(memoryview(packed), block.rows, block.layout)
        np.testing.assert_array_equal(np.stack(back, axis=1), values)
    assert encoded >= 1


@pytest.fixture(scope="module")
def learned():
    images = np.random.default_rng(0).integers(0, 4, (8, 6, 6), dtype=np.uint8)
    block = block_of(images)
    pixels = PixelNetworkCoder(PixelModel.fit(images[..., None], seed=0, epochs=0.1))
    lossy = LossyModelCoder(LossyModel.fit(images, seed=0, epochs=0.1))
    blobs = {
        pixels.number: pixels.encode(block),
        lossy.number: RateController(lossy, 5.0, None).encode(block)[0][1:],
    }
    return SimpleNamespace(images=images, block=block, coders=(pixels, lossy), blobs=blobs)


def test_learned_coders_are_kept_and_decode(learned) -> None:
    assert {coder.model_name for coder in learned.coders} == set(LEARNED)
    for coder in learned.coders:
        again = LEARNED[coder.model_name].from_arrays(coder.to_arrays())
        packed = memoryview(bytes([coder.number]) + learned.blobs[coder.number])
        back = decode(packed, 8, learned.block.layout, [again])
        values = np.stack(back, axis=1).reshape(learned.images.shape)
        assert values.dtype == np.uint8
        if coder.model_name == "pixels":
            np.testing.assert_array_equal(values, learned.images)
        assert coder.name in describe(packed, [again])
        with pytest.raises(InvalidArchive, match="needs its model"):
            decode(packed, 8, learned.block.layout)


def hostile(packed: bytes, rng: np.random.Generator) -> bytes:
    content = bytearray(packed or b"\0")
    for _ in range(rng.integers(1, 4)):
        place = min(int(rng.integers(len(content))), int(rng.choice([6, 40, len(content) - 1])))
        content[place] = rng.integers(256)
    cut = int(rng.choice([len(content), rng.integers(len(content))]))
    return bytes(content[:cut]) + bytes(rng.choice([b"", b"\xff" * 12]))


def refuses_or_decodes(coder, packed: bytes, block: ColumnBlock) -> None:
    try:
        back = coder.decode(memoryview(packed), block.rows, block.layout)
    except InvalidArchive as error:
        assert str(error)  # noqa: PT017 - either outcome is right
    else:
        assert [column.shape for column in back] == [(block.rows,)] * len(block.columns)


@pytest.mark.parametrize("coder", UNTRAINED)
def test_hostile_bytes_are_refused(coder) -> None:
    rng = np.random.default_rng(1)
    block = block_of(values_of("i2", 0))
    packed = coder.encode(block)
    for _ in range(40):
        refuses_or_decodes(coder, hostile(packed, rng), block)
    for junk in (b"", b"\0", b"\xff" * 40):
        with pytest.raises(InvalidArchive):
            coder.decode(memoryview(junk), block.rows, block.layout)


def test_hostile_bytes_are_refused_by_learned_coders(learned) -> None:
    rng = np.random.default_rng(1)
    for coder in learned.coders:
        for _ in range(25):
            packed = hostile(learned.blobs[coder.number], rng)
            refuses_or_decodes(coder, packed, learned.block)
        with pytest.raises(InvalidArchive):
            coder.decode(memoryview(b""), 8, learned.block.layout)


def test_numbers_are_those_of_files_written_before() -> None:
    numbers = {coder.name: number for number, coder in CODERS.items()}
    assert numbers == {
        "plain": 0,
        "context mixing": 1,
        "pixel network": 2,
        "tables of odds": 3,
        "lossy": 4,
        "planes": 5,
    }


@pytest.mark.parametrize("numbers", [(1, 1), (0, 256), (-1,)])
def test_numbers_are_unique_and_fit_a_byte(numbers: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="number"):
        by_number([SimpleNamespace(number=number) for number in numbers])


def test_unknown_numbers_are_refused() -> None:
    layout = Layout((np.dtype("i2"),))
    for number in set(range(256)) - set(CODERS):
        with pytest.raises(InvalidArchive, match=f"coder {number}"):
            decode(memoryview(bytes([number])), 1, layout)


def test_the_smallest_encoding_is_selected() -> None:
    block = block_of(np.arange(3000)[:, None])
    packed, error = CoderSelection().encode(block)
    sizes = [
        len(found)
        for coder in CODERS.values()
        if not issubclass(coder, LearnedCoder)
        for variant in coder.variants()
        if (found := variant.encode(block)) is not None
    ]
    assert error == 0
    assert len(packed) == 1 + min(sizes)
