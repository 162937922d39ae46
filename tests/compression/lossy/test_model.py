import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.compression.lossy import fitting
from isthmus.compression.lossy.grey_levels import LevelGrid
from isthmus.compression.lossy.model import LossyModel
from isthmus.compression.lossy.static_tables import StaticTables
from isthmus.core.errors import InvalidArchive, InvalidData, InvalidParameter, IsthmusError

FEW_GRIDS = ((2, 2), (4, 1))
SHORT = 0.5


def fitted(samples, epochs=SHORT, seed=0, grids=FEW_GRIDS):
    """Learn with few updates and, as each takes seconds to compile, few grids."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fitting, "GRIDS", grids)
        return LossyModel.fit(samples, seed=seed, epochs=epochs)


@pytest.fixture(scope="module")
def pictures(digits):
    return np.round(digits.images * (255 / 16)).astype(np.uint8)


@pytest.fixture(scope="module")
def model(pictures):
    return fitted(pictures[:1500], epochs=20)


@pytest.fixture(scope="module")
def table():
    generator = np.random.default_rng(0)
    hidden = generator.normal(size=(400, 2))
    table = hidden @ generator.normal(size=(2, 6)) + 0.05 * generator.normal(size=(400, 6))
    return table * [1, 10, 1e-3, 1e6, 1, 0] + [0, 5, 0, 1e9, -3, 7]


@pytest.fixture(scope="module")
def rows(table):
    return fitted(table)


def decibels(model, rebuilt, samples):
    apart = (rebuilt.astype(float) - samples).reshape(len(samples), -1) / model.ranges
    return -10 * np.log10((apart**2).mean())


def back(model):
    return LossyModel.from_arrays(model.to_arrays())


@pytest.mark.parametrize("quality", [8, 17, 28, 40])
def test_pictures_have_the_quality_asked_for_and_hardly_more(model, pictures, quality):
    unseen = pictures[1500:]
    data = model.encode(unseen, quality)
    rebuilt = model.decode(data, len(unseen))
    assert rebuilt.dtype == np.uint8
    assert rebuilt.shape == unseen.shape
    assert quality <= decibels(model, rebuilt, unseen) < quality + (0.1 if quality > 8 else 9)


def test_fewer_bits_than_principal_components_alone(model, pictures):
    unseen = pictures[1500:]
    alone = LossyModel(
        model.shape, model.dtype, model.mean, model.ranges, {"linear": model.coders["linear"]}
    )
    for quality in (20, 24):
        assert len(model.encode(unseen, quality)) < 0.95 * len(alone.encode(unseen, quality))


@pytest.mark.parametrize("bits", [0.02, 0.3, 1.1, 3])
def test_the_size_asked_for_is_kept_and_used(model, pictures, bits):
    unseen = pictures[1500:]
    data = model.encode(unseen, bits=bits)
    assert 0.85 * bits < 8 * len(data) / unseen.size <= bits
    assert model.decode(data, len(unseen)).shape == unseen.shape


def test_more_bits_never_make_it_worse(model, pictures):
    unseen = pictures[1500:]
    reached = [
        decibels(model, model.decode(model.encode(unseen, bits=bits), len(unseen)), unseen)
        for bits in (0.05, 0.3, 1)
    ]
    assert reached == sorted(reached)


@pytest.mark.parametrize("quality", [10, 20, 40, 55])
def test_tables_are_rebuilt_relative_to_the_range_of_each_column(rows, table, quality):
    data = rows.encode(table, quality)
    rebuilt = rows.decode(data, len(table))
    assert rebuilt.dtype == table.dtype
    assert decibels(rows, rebuilt, table) >= quality
    assert np.array_equal(rebuilt[:, 5], table[:, 5])
    assert len(data) < table.nbytes / 4


def test_values_far_from_all_that_were_seen_are_still_kept(rows, table):
    odd = table.copy()
    odd[3, 0] += 200 * rows.ranges[0]
    rebuilt = rows.decode(rows.encode(odd, 30), len(odd))
    assert decibels(rows, rebuilt, odd) >= 30


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(), (1,), (3, 2)])
def test_floats_of_any_shape(dtype, shape):
    samples = np.random.default_rng(0).normal(size=(40, *shape)).astype(dtype)
    model = fitted(samples)
    rebuilt = back(model).decode(model.encode(samples, 25), 40)
    assert (rebuilt.dtype, rebuilt.shape) == (samples.dtype, samples.shape)
    assert decibels(model, rebuilt, samples) >= 25


def test_coloured_pictures_of_odd_sizes():
    places = np.add.outer(np.arange(7), np.arange(5))[None, :, :, None]
    shifts = np.random.default_rng(0).integers(0, 40, (60, 1, 1, 2))
    pictures = (places * 15 + shifts).astype(np.uint8)
    model = fitted(pictures, grids=((3, 2),))
    rebuilt = back(model).decode(model.encode(pictures, 20), 60)
    assert rebuilt.shape == pictures.shape
    assert decibels(model, rebuilt, pictures) >= 20


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_samples(model, pictures, count):
    some = pictures[1500 : 1500 + count]
    assert model.decode(model.encode(some, 20), count).shape == some.shape


def test_one_constant_sample_is_enough_to_fit():
    samples = np.full((1, 4), 3.5, np.float32)
    model = fitted(samples)
    assert np.array_equal(model.decode(model.encode(samples, 30), 1), samples)


def test_a_model_comes_back_from_its_arrays(model, pictures):
    unseen = pictures[1500:1600]
    data = model.encode(unseen, 22)
    assert back(model).encode(unseen, 22) == data
    assert np.array_equal(back(model).decode(data, 100), model.decode(data, 100))
    assert set(model.describe(data).split(" and ")) <= {"linear", "network", "levels"}
    # Files name a model by a hash of its arrays, in their order.
    assert list(back(model).to_arrays()) == list(model.to_arrays())


def test_coders_that_were_not_used_need_not_be_kept(model, pictures):
    unseen = pictures[1500:1600]
    coded = [model.encode(unseen, quality) for quality in (24, 26)]
    small = back(model.needed_for(*coded, b""))
    assert "levels" in small.coders
    assert "linear" not in small.coders
    for data in coded:
        assert np.array_equal(small.decode(data, 100), model.decode(data, 100))
    assert back(model.needed_for(b"")).encode(unseen, 20) == model.encode(unseen, 20)


def test_the_same_seed_gives_the_same_model(table):
    first, second, other = fitted(table), fitted(table), fitted(table, seed=1)
    same = [np.array_equal(a, second.to_arrays()[name]) for name, a in first.to_arrays().items()]
    assert all(same)
    assert not np.array_equal(
        other.to_arrays()["network.transform.encoder.1"],
        first.to_arrays()["network.transform.encoder.1"],
    )


PROGRAM = """
import sys
import numpy as np
from isthmus.compression.lossy.model import LossyModel
with np.load(sys.argv[1]) as arrays:
    arrays = dict(arrays)
data, expected = arrays.pop("data").tobytes(), arrays.pop("expected")
rebuilt = LossyModel.from_arrays(arrays).decode(data, len(expected))
assert abs(rebuilt.astype(int) - expected.astype(int)).max() <= 1
"""


@pytest.mark.parametrize("threads", ["1", "2"])
def test_another_process_rebuilds_the_same_up_to_one_grey_level(model, pictures, tmp_path, threads):
    data = model.encode(pictures[1500:1600], 24)
    expected = model.decode(data, 100)
    path = tmp_path / "all.npz"
    np.savez(path, data=np.frombuffer(data, np.uint8), expected=expected, **model.to_arrays())
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    environment = os.environ | dict.fromkeys(names, threads)
    subprocess.run([sys.executable, "-c", PROGRAM, path], check=True, env=environment)


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_damaged_bytes_are_refused_or_decoded_but_never_crash(model, pictures, data):
    quality = data.draw(st.sampled_from([12, 20, 26, 36]))
    whole = bytearray(_coded(model, pictures, quality))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    whole = whole[: data.draw(st.integers(0, len(whole)))]
    try:
        rebuilt = model.decode(bytes(whole), 40)
    except InvalidArchive:
        return
    assert rebuilt.shape == (40, 8, 8)


_CODED = {}


def _coded(model, pictures, quality):
    if quality not in _CODED:
        _CODED[quality] = model.encode(pictures[1500:1540], quality)
    return _CODED[quality]


def test_the_number_of_samples_must_fit(model, pictures):
    data = model.encode(pictures[1500:1540], 20)
    for count in (-1, 0, 39, 41, 10**12):
        with pytest.raises(InvalidArchive):
            model.decode(data, count)


def test_arrays_that_were_tampered_with_are_refused(model):
    arrays = model.to_arrays()
    for name, array in arrays.items():
        for other in (
            None,
            array.astype(np.complex64),
            np.concatenate([array, array])[: 2 * len(array)] if array.ndim else array[None],
            np.full_like(array, np.nan if array.dtype.kind == "f" else np.iinfo(array.dtype).max),
        ):
            changed = {**arrays, name: other}
            if other is None:
                del changed[name]
            try:
                LossyModel.from_arrays(changed)
            except InvalidArchive:
                continue
            assert other is not None, name
            assert array.dtype.kind != "f", name
    with pytest.raises(InvalidArchive):
        LossyModel.from_arrays({**arrays, "more": arrays["mean"]})


@pytest.mark.parametrize(
    "samples",
    [
        [[1.0]],
        np.zeros((0, 3)),
        np.zeros((3, 0)),
        np.zeros((3, 2), np.int32),
        np.array([[1.0, np.nan]]),
        np.array([[1.0], [np.inf]]),
        np.array([[1e308], [-1e308]]),
    ],
)
def test_samples_that_cannot_be_learned_from_are_refused(samples):
    with pytest.raises(InvalidData):
        LossyModel.fit(samples, seed=0)


def test_samples_unlike_those_learned_from_are_refused(model, pictures):
    for samples in (pictures[:, :7], pictures.astype(np.float32), pictures[0]):
        with pytest.raises(InvalidData):
            model.encode(samples, 20)


@pytest.mark.parametrize(
    "wanted",
    [{}, {"quality": 20, "bits": 1}, {"quality": np.nan}, {"quality": "20"}, {"bits": np.inf}],
)
def test_one_of_quality_and_bits_is_needed(model, pictures, wanted):
    with pytest.raises(InvalidParameter):
        model.encode(pictures[:5], **wanted)


@pytest.mark.parametrize("wanted", [{"quality": 200}, {"bits": 1e-9}, {"bits": -1}])
def test_what_cannot_be_reached_is_said(rows, table, wanted):
    with pytest.raises(InvalidParameter, match="expected at"):
        rows.encode(table, **wanted)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_tables_code_any_numbers(data):
    shape = data.draw(st.tuples(st.integers(1, 30), st.integers(1, 5)))
    generator = np.random.default_rng(data.draw(st.integers(0, 99)))
    spread = data.draw(st.sampled_from([0, 0.3, 3, 300, 1e6]))
    learned, others = np.rint(generator.laplace(0, spread, (2, *shape))).astype(np.int64)
    others[:, ~learned.any(0)] = 0
    tables = StaticTables.of(learned)
    tables = StaticTables.from_arrays(tables.to_arrays(), shape[1])
    assert np.array_equal(tables.decode(tables.encode(others), *shape), others)
    assert np.array_equal(tables.decode(tables.encode(learned), *shape), learned)


def test_tables_cost_about_what_numbers_tell():
    numbers = np.rint(np.random.default_rng(0).laplace(0, [0.2, 1, 4, 20], (20000, 4)))
    numbers = numbers.astype(np.int64)
    entropy = 0.0
    for column in numbers.T:
        share = np.unique(column, return_counts=True)[1] / len(column)
        entropy -= len(column) * (share * np.log2(share)).sum()
    assert len(StaticTables.of(numbers).encode(numbers)) * 8 < 1.02 * entropy


@given(st.integers(2, 20), st.integers(1, 3), st.integers(1, 7), st.integers(1, 7))
def test_grids_take_images_apart_and_join_them(levels, factor, height, width):
    grid = LevelGrid((height, width, 2), levels, factor)
    images = np.random.default_rng(0).integers(0, 256, (3, height, width, 2), np.uint8)
    assert np.array_equal(grid.join(grid.split(images)), images)
    assert len(np.unique(grid.quantise(images))) <= levels
    if factor == 1:
        apart = np.abs(grid.quantise(images).astype(int) - images)
        assert apart.max() <= 255 / (levels - 1) / 2 + 1


def test_errors_are_of_one_family(model):
    with pytest.raises(IsthmusError):
        model.decode(b"\xff" * 50, 40)
