"""The coder of pictures, fields and volumes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.datasets import load_sample_image

import isthmus as ist
from isthmus.compression.coders import catalogue
from isthmus.compression.coders.block import ColumnBlock, Layout
from isthmus.compression.coders.general_purpose import GeneralPurposeCoder
from isthmus.compression.coders.selection import largest_error
from isthmus.compression.planes.coder import PlaneCoder
from isthmus.core.errors import InvalidArchive

QUICK = settings(max_examples=25, deadline=None)
SHAPES = st.sampled_from([(4, 4), (5, 9), (9, 4), (3, 5, 6), (6, 5, 3), (3, 4, 5, 2), (2, 4, 5, 3)])


def block_of(values: np.ndarray, bound: float = 0.0) -> ColumnBlock:
    flat = values.reshape(len(values), -1)
    layout = Layout((values.dtype,) * flat.shape[1], values.shape[1:])
    return ColumnBlock(list(flat.T.copy()), (bound,) * flat.shape[1], layout)


def decoded(packed: bytes, block: ColumnBlock) -> list[np.ndarray]:
    return PlaneCoder().decode(memoryview(packed), block.rows, block.layout)


def field(height: int = 40, width: int = 50) -> np.ndarray:
    """Return hills with noise, (height, width)."""
    y, x = np.mgrid[:height, :width]
    hills = 200 * np.sin(y / 9) * np.cos(x / 13) + 3 * y
    noise = np.random.default_rng(0).normal(size=hills.shape)
    return np.rint(hills + noise).astype(np.int16)


@QUICK
@given(data=st.data(), shape=SHAPES)
def test_integers_of_any_shape_come_back(data, shape: tuple[int, ...]) -> None:
    numbers = st.one_of(st.integers(-2, 2), st.integers(-(2**37), 2**37))
    values = data.draw(hnp.arrays(np.int64, shape, elements=numbers))
    block = block_of(values)
    packed = PlaneCoder().encode(block)
    assert packed is not None
    np.testing.assert_array_equal(decoded(packed, block), block.columns)


@pytest.mark.parametrize("dtype", ["u1", "i2", "u2", "f4", "f8", "?"])
@pytest.mark.parametrize("bound", [0.0, 2.5])
def test_types_come_back_within_their_bounds(dtype: str, bound: float) -> None:
    values = field() - field().min()
    if dtype == "?":
        values, bound = values > 300, 0.0
    values = (values // 4).astype(dtype)
    if values.dtype.kind == "f":
        values += np.random.default_rng(1).normal(size=values.shape).astype(dtype).round(1)
        values[3, 4], values[5, 6], values[20:25, 30:40] = np.inf, -0.0, np.nan
    block = block_of(values, bound)
    packed = PlaneCoder().encode(block)
    assert packed is not None
    back = decoded(packed, block)
    errors = [largest_error(*each, bound) for each in zip(block.columns, back, strict=True)]
    assert None not in errors
    if bound:
        assert max(errors) > 0


def test_rows_that_are_not_planes_are_left_to_others() -> None:
    series = np.arange(400.0)[:, None]
    assert PlaneCoder().encode(block_of(series)) is None
    assert PlaneCoder().encode(block_of(np.arange(40.0).reshape(2, 20))) is None
    far = np.full((8, 8), 2**62)
    far[0] = -(2**62)
    assert PlaneCoder().encode(block_of(far)) is None
    two_bounds = block_of(np.eye(8))
    two_bounds.bounds = (0.1,) * 7 + (0.2,)
    assert PlaneCoder().encode(two_bounds) is None


def test_planes_are_cut_into_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isthmus.compression.planes.geometry.TILE", 600)
    for values in (field(), np.stack([field(16, 20)[:, :, None]] * 5).repeat(3, -1)):
        block = block_of(values)
        packed = PlaneCoder().encode(block)
        assert packed is not None
        np.testing.assert_array_equal(decoded(packed, block), block.columns)


def test_values_that_do_not_occur_cost_nothing() -> None:
    few = np.minimum((field() - field().min()) // 60, 7)
    spread = np.array([0, 1, 2, 3, 50, 51, 200, 255])[few]
    sizes = [len(PlaneCoder().encode(block_of(each))) for each in (few, spread)]
    assert sizes[1] < sizes[0] + 40
    block = block_of(spread)
    np.testing.assert_array_equal(decoded(PlaneCoder().encode(block), block), block.columns)


def general_purpose(block: ColumnBlock) -> int:
    """Return the size of the smallest result of a general-purpose compressor."""
    found = [each.encode(block) for each in GeneralPurposeCoder.variants()]
    return min(len(each) for each in found if each is not None)


def test_neighbours_make_fields_smaller_than_compressors_do() -> None:
    for block in (block_of(field(120, 100)), block_of(field(120, 100), 3.0)):
        assert len(PlaneCoder().encode(block)) < 0.85 * general_purpose(block)


def test_neighbours_and_channels_make_photographs_smaller_than_compressors_do() -> None:
    photograph = block_of(load_sample_image("flower.jpg")[200:248, 300:364])
    assert len(PlaneCoder().encode(photograph)) < 0.9 * general_purpose(photograph)


def test_the_codec_uses_it() -> None:
    codec = ist.Codec(max_error=3).fit(field())
    blob = codec.compress(field())
    assert np.abs(codec.decompress(blob).astype(int) - field()).max() <= 3
    assert codec.decompress(blob).dtype == np.int16
    assert len(blob) < 1.01 * len(PlaneCoder().encode(block_of(field(), 3.0))) + 60


def test_a_volume_is_predicted_from_the_slice_before() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(20, 20)).cumsum(axis=0) * 9
    moving = np.stack([noise + rng.normal(size=noise.shape) for _ in range(12)])
    volume = block_of(np.rint(moving).astype(np.int32))
    shuffled = block_of(np.rint(rng.permuted(moving.reshape(12, -1), axis=1)).reshape(moving.shape))
    assert len(PlaneCoder().encode(volume)) < 0.6 * len(PlaneCoder().encode(shuffled))


GOLDEN = bytes.fromhex(
    "030001000001311000001d001d010606a30351d4031c275000090b0c0e1022000911161b000004000003da33a7"
    "160043339968d686eae1de88cc4503da87830030e82821255b11462a65744263a13bcabe12a8c7f1f88f4ddf39"
    "e800008ca012ff14fd86feb1ee95ece7d822e916d4a5f483ff656edfb8c89fd6bb68cf7dc956e9db70aebec7d1"
    "48ab6fed7794fa90db65b4aabfb4fbd251c347ebe000cf00b2c977ee70f742c20bed4bf4"
)
"""What version 0.1 wrote for `small_pictures`."""


def small_pictures() -> np.ndarray:
    y, x = np.mgrid[:9, :8]
    return np.stack([(y * x + 3 * k * y) % 50 for k in range(4)]).astype(np.uint8)


def test_files_of_today_are_read_tomorrow() -> None:
    block = block_of(small_pictures())
    np.testing.assert_array_equal(decoded(GOLDEN, block), block.columns)


def test_damage_is_refused_whatever_it_is() -> None:
    rng = np.random.default_rng(0)
    block = block_of(np.stack([field(12, 14)] * 3, axis=-1))
    packed = PlaneCoder().encode(block)
    for _ in range(150):
        content = bytearray(packed)
        content[rng.integers(len(content))] ^= 1 << int(rng.integers(8))
        cut = int(rng.choice([len(content), rng.integers(len(content))]))
        try:
            back = decoded(bytes(content[:cut]), block)
        except InvalidArchive as error:
            assert str(error)  # noqa: PT017 - either outcome is right
        else:
            assert np.stack(back).shape == (14 * 3, 12)


def test_the_catalogue_decodes_it() -> None:
    block = block_of(field())
    packed = bytes([PlaneCoder.number]) + PlaneCoder().encode(block)
    back = catalogue.decode(memoryview(packed), block.rows, block.layout)
    np.testing.assert_array_equal(back, block.columns)
    assert catalogue.describe(memoryview(packed)) == "planes"
