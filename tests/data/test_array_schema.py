"""Conversion of arrays to a network's matrix and back."""

import json
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from isthmus.core.errors import DataWarning, InvalidArchive, InvalidData, SchemaMismatch
from isthmus.data import reading, writing
from isthmus.data.array_schema import without_mask
from isthmus.data.formats.image_arrays import with_form
from isthmus.data.formats.image_options import ImageForm
from isthmus.data.schema import infer_schema, schema_from_config

RNG = np.random.default_rng(0)


@given(
    arrays(
        np.float32,
        array_shapes(min_dims=2, max_dims=4, max_side=5),
        elements=st.floats(-200, 200, width=32),
    ),
    st.sampled_from([np.float32, np.float64, np.int16, np.uint8, np.bool_]),
    st.sampled_from(["auto", "range", "robust"]),
)
def test_arrays_come_back_within_float32(X, dtype, scale):
    X = (np.abs(X) if dtype == np.uint8 else X).astype(dtype)
    schema = infer_schema(X, scale=scale)
    matrix = schema.to_matrix(X)
    assert matrix.dtype == np.float32
    assert matrix.shape == X.shape == (len(X), *schema.sample_shape)
    span = float(X.max()) - float(X.min())
    np.testing.assert_allclose(schema.from_matrix(matrix), X, rtol=2e-5, atol=1e-5 * span + 1e-5)
    again = schema_from_config(json.loads(json.dumps(schema.to_config())))
    np.testing.assert_array_equal(again.to_matrix(X), matrix)
    assert again.to_config() == schema.to_config()


@pytest.mark.parametrize(
    ("X", "values", "low", "high"),
    [
        (RNG.integers(0, 9, (5, 3)).astype(np.uint8), "unit", 0, 255),
        (np.eye(3, dtype=np.uint8), "unit", 0, 1),
        (np.zeros((3, 3), dtype=np.uint8), "unit", 0, 255),
        (RNG.random((5, 3)), "unit", 0, 1),
        (RNG.random((5, 3)) > 0.5, "unit", 0, 1),
        (RNG.permutation(128.0 * np.arange(3 * 16)).reshape(3, 4, 4), "unit", 0, 128 * 47),
        (np.r_[RNG.integers(0, 256, (9, 64)), np.full((1, 64), 255)], "unit", 0, 255),
    ],
)
def test_auto_finds_the_range(X, values, low, high):
    schema = infer_schema(X)
    assert schema.values == values
    limits = schema.from_matrix(np.array([[0.0], [1.0]]) * np.ones((2, schema.n_columns)))
    assert (limits[0] == low).all()
    assert (limits[1] == high).all()


@pytest.mark.parametrize(
    "X", [RNG.normal(size=(9, 3)), RNG.integers(0, 256, (9, 63)), RNG.integers(0, 100, (9, 64))]
)
def test_auto_standardises_what_is_no_picture(X):
    assert infer_schema(X).values == "real"


def test_range_is_per_column_for_rows_and_shared_by_images():
    rows = np.array([[0.0, 10], [5, 20]])
    assert infer_schema(rows, scale="range").to_matrix(rows).tolist() == [[0, 0], [1, 1]]
    images = np.arange(8.0).reshape(2, 2, 2)
    assert infer_schema(images, scale="range").to_matrix(images).ravel()[-1] == 1
    np.testing.assert_allclose(infer_schema(images).to_matrix(images).ravel(), np.arange(8) / 7)


def test_none_leaves_values_alone():
    X = RNG.normal(size=(9, 3))
    schema = infer_schema(X, scale="none")
    assert schema.values == "real"
    np.testing.assert_array_equal(schema.to_matrix(X), X.astype(np.float32))


@pytest.mark.parametrize(
    ("shape", "is_image", "last"),
    [
        ((5,), False, "x4"),
        ((4, 4), True, "row 3 column 3"),
        ((4, 4, 1), True, "row 3 column 3"),
        ((4, 4, 3), True, "row 3 column 3 channel 2"),
        ((4, 4, 16), True, "row 3 column 3 channel 15"),
        ((4, 4, 17), False, "row 3 column 3 channel 16"),
    ],
)
def test_what_is_a_picture(shape, is_image, last):
    schema = infer_schema(RNG.random((3, *shape)))
    assert schema.is_image is is_image
    assert schema.sample_shape == shape
    assert schema.segments == ()
    assert schema.n_columns == len(schema.columns) == np.prod(shape)
    assert schema.columns[-1] == last


def test_missing_cells_stay_missing_and_constants_come_back():
    X = RNG.normal(size=(20, 3))
    X[:, 1] = 7.1
    X[3, 0] = np.nan
    schema = infer_schema(X)
    matrix = schema.to_matrix(X)
    assert np.isnan(matrix).sum() == 1
    assert (matrix[:, 1] == 0).all()
    assert (schema.from_matrix(matrix)[:, 1] == 7.1).all()
    assert np.isnan(schema.to_matrix(np.full((1, 3), np.nan))).all()


def test_the_float_type_is_kept():
    X = RNG.normal(size=(9, 3))
    schema = infer_schema(X)
    matrix = schema.to_matrix(X)
    assert schema.from_matrix(matrix).dtype == np.float64
    assert schema.from_matrix(matrix, like=X.astype(np.float32)).dtype == np.float32
    assert infer_schema(X.astype(np.float32)).from_matrix(matrix).dtype == np.float32


def test_object_arrays_of_numbers_are_numbers():
    assert infer_schema(np.array([[1, 2.5], [None, 3]], dtype=object)).sample_shape == (2,)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.zeros((0, 3)), r"0 sample\(s\)"),
        (np.zeros((3, 0)), r"0 feature\(s\)"),
        (np.zeros((3, 0, 2)), "non-empty"),
        (np.zeros(3), "Reshape your data"),
        (np.zeros((2, 2, 2, 2, 2, 2)), "2 to 5 dimensions"),
        (np.ones((2, 2)) * 1j, "Complex data not supported"),
        (np.array([["a", "b"]]), "bytes/strings"),
        (np.array([[{}, 1]], dtype=object), "dict"),
        ([[1, 2], [3]], "inhomogeneous"),
        (np.array([[10**400]], dtype=object), "too large"),
        (np.array([[0, 1.0], [2, np.inf]]), r"column 'x1', row 1: .*inf.*Try: "),
        (np.array([["1e400"]], dtype=object), r"column 'x0', row 0: .*inf"),
        (np.array([[[0, 1], [-np.inf, 2]]]), r"cell \(1, 0\), row 0"),
        (np.array([[1, np.nan], [2, np.nan]]), r"column 'x1'.*missing \(NaN\) in every row"),
        (np.broadcast_to(np.uint8(0), (1, 4096, 4097)), "samples of at most 16777216 cells"),
        (np.full((2, 9), np.nan), r"'x0', 'x1', 'x2', 'x3', 'x4' and 4 more"),
    ],
)
def test_what_cannot_be_learned_is_named(X, message):
    with pytest.raises(InvalidData, match=message):
        infer_schema(X)


def test_what_appears_at_predict_time_is_named():
    images = infer_schema(RNG.random((3, 28, 28)))
    with pytest.raises(
        SchemaMismatch, match=r"expected samples of shape \(28, 28\), received \(32, 32\)"
    ):
        images.to_matrix(np.zeros((3, 32, 32)))
    with pytest.raises(SchemaMismatch, match=r"X\.reshape\(-1, 28, 28\)"):
        images.to_matrix(np.zeros((3, 784)))
    rows = infer_schema(RNG.normal(size=(5, 2)), scale="none")
    with pytest.raises(InvalidData, match=r"column 'x1', row 2.*inf"):
        rows.to_matrix(np.array([[0, 0], [0, 0], [0, -np.inf]]))
    with pytest.raises(InvalidData, match="too large to compute"):
        rows.to_matrix(np.array([[0, 1e300]]))
    with pytest.raises(InvalidData, match=r"0 sample\(s\)"):
        rows.to_matrix(np.zeros((0, 2)))


def test_the_input_is_left_alone():
    X = RNG.normal(size=(9, 3))
    before = X.copy()
    schema = infer_schema(X)
    matrix = schema.to_matrix(X)
    kept = matrix.copy()
    schema.from_matrix(matrix)
    np.testing.assert_array_equal(X, before)
    np.testing.assert_array_equal(matrix, kept)


def peak(work):
    """Return the peak memory of `work` in MiB, without its result."""
    tracemalloc.start()
    try:
        result = work()
        return (tracemalloc.get_traced_memory()[1] - result.nbytes) / 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8])
def test_a_large_matrix_is_aligned_and_made_in_small_pieces(dtype):
    X = RNG.integers(0, 255, (400_000, 10)).astype(dtype)
    schema = infer_schema(X)
    matrix = schema.to_matrix(X)
    assert matrix.ctypes.data % 64 == 0
    assert peak(lambda: schema.to_matrix(X)) < 12


def test_pictures_that_lie_strided_in_memory_are_not_copied_whole():
    X = RNG.integers(0, 255, (28, 28, 9000), dtype=np.uint8).transpose(2, 0, 1)
    schema = infer_schema(X)
    np.testing.assert_array_equal(schema.to_matrix(X), schema.to_matrix(X.copy()))
    assert peak(lambda: schema.to_matrix(X)) < 12


@pytest.mark.parametrize("dtype", [np.float32, np.int64, np.uint8])
def test_masked_cells_are_missing(dtype):
    X = np.ma.array(np.arange(40).reshape(10, 4).astype(dtype), mask=False)
    assert without_mask(X).dtype == dtype
    assert without_mask(plain := X.data) is plain
    X[0, 0], X[3, 1] = 99, 77
    X[0, 0] = X[3, 1] = np.ma.masked
    plain = without_mask(X)
    assert not isinstance(plain, np.ma.MaskedArray)
    assert np.argwhere(np.isnan(plain)).tolist() == [[0, 0], [3, 1]]
    schema = infer_schema(X)
    assert schema.to_config() == infer_schema(plain).to_config()
    np.testing.assert_array_equal(np.isnan(schema.to_matrix(X)), X.mask)


def test_masked_text_is_refused_like_text():
    with pytest.raises(InvalidData, match="DataFrame"):
        infer_schema(np.ma.array([["a", "b"]], mask=[[False, True]]))


def test_blocks_are_the_matrix_and_back():
    X = np.random.default_rng(0).normal(size=(7, 3))
    schema = infer_schema(X)
    blocks = list(schema.blocks(X, 3))
    assert [len(block) for block in blocks] == [3, 3, 1]
    np.testing.assert_array_equal(np.concatenate(blocks), schema.to_matrix(X))
    np.testing.assert_allclose(schema.from_blocks(blocks, 7, like=X), X, rtol=1e-6)
    X[5, 1] = np.inf
    with pytest.raises(InvalidData, match="'x1', row 5"):
        list(schema.blocks(X, 3))


@pytest.mark.parametrize("channels", [0, 2, 3, 4, 5])
def test_images_of_folders_keep_their_form(tmp_path, channels):
    shape = (4, 5, channels) if channels else (4, 5)
    images = RNG.integers(0, 65535, (6, *shape), dtype=np.uint16)
    X = reading.read(writing.write(tmp_path / "out", images)).X
    schema = infer_schema(X)
    again = schema_from_config(json.loads(json.dumps(schema.to_config())))
    assert again.to_config() == schema.to_config()
    assert again.pixel_type == "uint16"
    assert again.images == ImageForm("uint16")
    assert len(set(again.columns)) == again.n_columns
    colours = {2: "alpha", 3: "blue", 4: "alpha", 5: "channel 4"}
    assert again.columns[-1].endswith(colours.get(channels, "column 4"))
    with pytest.raises(SchemaMismatch, match=r"the mode .*16.*as fit saw, received|5 bands"):
        again.to_matrix(with_form((images // 257).astype(np.uint8), ImageForm("uint8")))
    other = with_form(images[:, :2], ImageForm("uint16"))
    with pytest.raises(SchemaMismatch, match=r"expected 4 × 5 .*--image-size 4x5"):
        again.to_matrix(other)


def test_the_pixels_of_arrays_follow_their_range():
    for most, expected in ((255, "uint8"), (254.5, None), (1, None)):
        images = RNG.random((5, 3, 3)) * most
        images[0, 0, :2] = 0, most
        assert infer_schema(images).pixel_type == expected
    assert infer_schema(images * 2 - 1).pixel_type is None
    assert infer_schema(RNG.integers(0, 9, (5, 3, 3), dtype=np.uint8)).pixel_type == "uint8"


def bands(*widths, rows=20, dtype=np.float32):
    """Images (n, 4, 5, bands) whose bands start at 3 and have these ranges."""
    shares = RNG.random((rows, 4, 5, len(widths)))
    shares[0], shares[1] = 0, 1
    return (3 + shares * np.array(widths)).astype(dtype)


@given(
    widths=st.lists(st.floats(1e-3, 1e5), min_size=1, max_size=5),
    scale=st.sampled_from(["auto", "range"]),
)
def test_each_channel_of_a_picture_has_its_own_range(widths, scale):
    X = bands(*widths, dtype=np.float64)
    schema = infer_schema(X, scale=scale)
    matrix = schema.to_matrix(X)
    assert schema.values == "unit"
    assert schema.channels == len(widths)
    np.testing.assert_allclose(matrix.min(axis=(0, 1, 2)), 0, atol=1e-6)
    np.testing.assert_allclose(matrix.max(axis=(0, 1, 2)), 1, atol=1e-6)
    np.testing.assert_allclose(schema.from_matrix(matrix), X, atol=1e-6 * max(widths))
    again = schema_from_config(json.loads(json.dumps(schema.to_config())))
    np.testing.assert_array_equal(again.to_matrix(X), matrix)
    assert len(schema.to_config()["scaling"]["center"]) == len(widths)


@pytest.mark.parametrize(
    ("X", "low", "high"),
    [
        (RNG.integers(0, 50, (9, 4, 4, 3), dtype=np.uint8), 0, 255),
        (RNG.integers(0, 256, (9, 4, 4, 3)).astype(np.float32), 0, 255),
        (RNG.random((9, 4, 4, 3)), 0, 1),
        (np.full((2, 4, 4, 3), [0.1, 0.6, 0.9]), (0.1, 0.6, 0.9), (1.1, 1.6, 1.9)),
        (np.stack([RNG.integers(0, 256, (9, 4, 4)), RNG.integers(0, 9, (9, 4, 4))], -1), 0, None),
    ],
)
def test_ordinary_pictures_keep_the_natural_range(X, low, high):
    high = X.max(axis=(0, 1, 2)) if high is None else high
    schema = infer_schema(X)
    ends = (schema.from_matrix(np.full((1, *X.shape[1:]), end, np.float32)) for end in (0, 1))
    for end, expected in zip(ends, (low, high), strict=True):
        np.testing.assert_allclose(end, np.broadcast_to(expected, end.shape), rtol=1e-6)


def test_the_axis_of_channels_of_series_is_told_by_the_architecture():
    X = RNG.random((9, 30, 2)) * [1, 370]
    assert infer_schema(X).channels == 1
    schema = infer_schema(X, series=True)
    assert schema.channels == 2
    matrix = schema.to_matrix(X)
    np.testing.assert_allclose(matrix.max(axis=(0, 1)), 1)
    np.testing.assert_allclose(schema.from_matrix(matrix), X, atol=1e-4)


def test_another_scale_is_seen_in_any_channel():
    X = bands(0.5, 0.9, dtype=np.float64) - 3
    schema = infer_schema(X)
    with pytest.warns(DataWarning, match="another scale"):
        schema.to_matrix(X * 255)
    schema.to_matrix(X)


@pytest.mark.parametrize("entries", [2, 4, 6, 9])
def test_an_archive_has_a_range_for_each_channel_or_cell_or_one(entries):
    config = infer_schema(bands(1, 5, 9)).to_config()
    config["scaling"]["center"] = [0.0] * entries
    config["scaling"]["scale"] = [1.0] * entries
    with pytest.raises(InvalidArchive, match="for each of 60 columns"):
        schema_from_config(config)


@given(
    mask=arrays(np.bool_, (4, 5)).filter(lambda mask: mask.any() and not mask.all()),
    channels=st.integers(1, 3),
    scale=st.sampled_from(["auto", "range", "robust", "none"]),
)
def test_pixels_that_are_never_there_stay_missing(mask, channels, scale):
    X = bands(*range(1, channels + 1), dtype=np.float64)
    X[:, mask] = np.nan
    schema = infer_schema(X, scale=scale)
    np.testing.assert_array_equal(schema.absent.reshape(X.shape[1:]).all(axis=-1), mask)
    again = schema_from_config(json.loads(json.dumps(schema.to_config())))
    matrix = again.to_matrix(np.nan_to_num(X, nan=5e3))  # what is there now, fit never saw
    np.testing.assert_array_equal(np.isnan(matrix), np.isnan(X))
    np.testing.assert_allclose(again.from_matrix(np.nan_to_num(matrix)), X, atol=1e-5)


@pytest.mark.parametrize("low_high", [(0, 1), (0, 255)])
def test_pixels_of_flat_pictures_may_be_absent_and_columns_may_not(low_high):
    X = RNG.uniform(*low_high, (30, 64)).round(0 if low_high[1] > 1 else 3)
    X[0, 0] = low_high[1]
    X[:, 10:20] = np.nan
    for scale in ("auto", "robust", "range"):
        assert infer_schema(X, scale=scale).absent.sum() == 10
    for columns in (X[:, :63], X - 5):
        with pytest.raises(InvalidData, match="drop the column"):
            infer_schema(columns)


def test_a_channel_without_values_is_named():
    X = bands(1, 2, 3)
    X[..., 1] = np.nan
    with pytest.raises(InvalidData, match=r"channel 1: .* drop the channel"):
        infer_schema(X)


@pytest.mark.parametrize("ends", [[], [0], [5, 2], [-1, 3], [0, 21], [0, 20], [1.0, 2], "0"])
def test_absent_pixels_of_a_forged_archive(ends):
    config = infer_schema(bands(1)).to_config() | {"absent": ends}
    with pytest.raises(InvalidArchive):
        schema_from_config(config)
