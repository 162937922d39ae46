import os
import subprocess
import sys
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from isthmus.compression.entropy.integer_networks import IntegerDense
from isthmus.compression.pixels.alphabet import Alphabet
from isthmus.compression.pixels.model import PixelModel
from isthmus.compression.pixels.neighbourhood import Neighbourhood
from isthmus.compression.pixels.network import PLACES, PixelNetwork
from isthmus.core.errors import InvalidArchive, InvalidData

SHAPES = st.tuples(
    st.integers(1, 4), st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 2, 3, 4])
)
IMAGES = SHAPES.flatmap(lambda shape: hnp.arrays(np.uint8, shape))


@pytest.fixture(scope="module")
def pictures(digits):
    return np.round(digits.images * (255 / 16)).astype(np.uint8)[..., None]


@pytest.fixture(scope="module")
def model(pictures):
    return PixelModel.fit(pictures[:1500], seed=0, epochs=10)


@pytest.fixture(scope="module")
def coded(model, pictures):
    return model.encode(pictures[1500:1600])


def untrained(images, centred=False, seed=0, units=9):
    """Random weights code as correctly as trained ones, only larger."""
    rng = np.random.default_rng(seed)
    shape = Neighbourhood(*images.shape[1:], 10, centred)
    alphabet = Alphabet.of(np.bincount(images.ravel(), minlength=256))
    networks = []
    for channel in range(shape.channels):
        sizes = (shape.inputs(channel), units, units, len(alphabet))
        layers = tuple(
            IntegerDense(
                rng.integers(-127, 128, (after, before), np.int8),
                rng.integers(-(2**12), 2**12, after, np.int32),
                shift,
                slack=2**15,
            )
            for before, after, shift in zip(sizes, sizes[1:], (8, 7, 7), strict=False)
        )
        rows, columns = (
            rng.integers(-127, 128, (min(size, PLACES), units), np.int8)
            for size in (shape.height, shape.width)
        )
        networks.append(PixelNetwork(layers, rows, columns))
    return PixelModel(shape, alphabet, tuple(networks))


def back(model):
    return PixelModel.from_arrays(model.to_arrays())


def test_coding_loses_nothing_and_makes_unseen_pictures_small(model, pictures, coded):
    unseen = pictures[1500:1600]
    assert np.array_equal(model.decode(coded, 100), unseen)
    counts = np.bincount(pictures[:1500].ravel(), minlength=256) + 1
    order_0 = -np.log2(counts / counts.sum())[unseen].sum() / 8
    assert len(coded) < 0.8 * order_0


def test_a_model_is_small_and_comes_back_from_its_arrays(model, pictures, coded):
    arrays = model.to_arrays()
    assert sum(array.nbytes for array in arrays.values()) < 16_000
    assert back(model).encode(pictures[1500:1600]) == coded
    assert np.array_equal(back(model).decode(coded, 100), pictures[1500:1600])
    assert back(model).image_shape == (8, 8, 1)


def test_the_same_seed_gives_the_same_bits_and_another_gives_others(pictures):
    one, two, other = (
        PixelModel.fit(pictures[:50], seed=seed, epochs=5).encode(pictures[:9])
        for seed in (1, 1, 2)
    )
    assert one == two != other


@settings(max_examples=60, deadline=None)
@given(IMAGES, st.booleans())
def test_any_images_come_back(images, centred):
    model = untrained(images, centred)
    coded = model.encode(images)
    assert np.array_equal(back(model).decode(coded, len(images)), images)


@settings(max_examples=25, deadline=None)
@given(hnp.arrays(np.uint8, st.tuples(st.integers(0, 5), st.just(8), st.just(8), st.just(1))))
def test_images_unlike_those_learned_from_come_back(model, images):
    assert np.array_equal(model.decode(model.encode(images), len(images)), images)


def test_no_images_and_one(model, pictures):
    assert model.encode(pictures[:0]) == b""
    assert model.decode(b"", 0).shape == (0, 8, 8, 1)
    assert np.array_equal(model.decode(model.encode(pictures[:1]), 1), pictures[:1])


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (2, 20, 3, 3)])
def test_images_of_any_shape_can_be_learned_from(shape):
    images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    model = PixelModel.fit(images, seed=0, epochs=10)
    assert np.array_equal(back(model).decode(model.encode(images), len(images)), images)


def test_smooth_images_are_coded_by_differences(pictures):
    rng = np.random.default_rng(0)
    steps = rng.integers(-2, 4, (20, 24, 24, 3)).cumsum(1) + rng.integers(-2, 4, (20, 24, 24, 1))
    images = (steps.cumsum(2) + rng.integers(0, 100, (20, 1, 1, 1))).astype(np.uint8)
    model = PixelModel.fit(images, seed=0, epochs=10)
    coded = model.encode(images)
    assert model.neighbours.centred
    assert len(coded) < 0.8 * images.size
    assert np.array_equal(back(model).decode(coded, len(images)), images)
    assert not PixelModel.fit(pictures[:50], seed=0, epochs=1).neighbours.centred


@pytest.mark.parametrize("value", [0, 255])
def test_constant_images_cost_next_to_nothing(value):
    images = np.full((200, 16, 16, 1), value, np.uint8)
    model = PixelModel.fit(images, seed=0, epochs=1)
    coded = model.encode(images)
    assert len(coded) < 100
    assert np.array_equal(model.decode(coded, 200), images)


def test_binary_images_have_no_more_classes_than_they_need(pictures):
    images = np.where(pictures > 127, np.uint8(255), np.uint8(0))
    model = untrained(images[:300])
    assert model.alphabet.bounds.tolist() == [0, 1, 255, 256]
    assert np.array_equal(model.decode(model.encode(images), len(images)), images)


def test_one_large_image_and_many_small_ones():
    rng = np.random.default_rng(0)
    large = np.cumsum(rng.integers(0, 3, (1, 100, 120, 3)), 2).astype(np.uint8)
    model = untrained(large, centred=True)
    assert np.array_equal(model.decode(model.encode(large), 1), large)
    many = rng.integers(0, 4, (10_000, 2, 3, 1), np.uint8) * np.uint8(80)
    model = untrained(many)
    assert np.array_equal(model.decode(model.encode(many), len(many)), many)


def test_streams_bound_what_is_worked_on_at_once(model, pictures, monkeypatch):
    whole = model.encode(pictures[:10])
    monkeypatch.setattr("isthmus.compression.pixels.model._STREAM_CELLS", 4 * 12 * 16)
    parts = model.encode(pictures[:10])
    assert parts != whole
    assert np.array_equal(model.decode(parts, 10), pictures[:10])


SCRIPT = """
import sys
import numpy as np
from isthmus.compression.pixels.model import PixelModel
model = PixelModel.from_arrays(dict(np.load(sys.argv[1])))
sys.stdout.buffer.write(model.decode(open(sys.argv[2], "rb").read(), 100).tobytes())
assert "jax" not in sys.modules and "keras" not in sys.modules
"""


@pytest.mark.parametrize("threads", ["1", "2"])
def test_another_process_with_other_threads_decodes_the_same(
    model, pictures, coded, tmp_path, threads
):
    np.savez(tmp_path / "model.npz", **model.to_arrays())
    (tmp_path / "coded").write_bytes(coded)
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": threads, "OPENBLAS_CORETYPE": "Prescott"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "model.npz"), str(tmp_path / "coded")],
        env=environment,
        capture_output=True,
        check=True,
    )
    assert done.stdout == pictures[1500:1600].tobytes()


# --- what is damaged or hostile ---------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_changed_byte_is_noticed(model, pictures, data):
    changed = bytearray(model.encode(pictures[:20]))
    changed[data.draw(st.integers(0, len(changed) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(InvalidArchive):
        model.decode(bytes(changed), 20)


@pytest.mark.parametrize("n", [0, 99, 101, 200, 10**15, -1])
def test_another_number_of_images_is_refused(model, coded, n):
    with pytest.raises(InvalidArchive):
        model.decode(coded, n)


def test_any_other_bytes_are_refused(model, coded):
    for data in (b"", coded[:-1], coded[:-2], coded[:3], coded + b"\0", coded + b"\0\0"):
        with pytest.raises(InvalidArchive):
            model.decode(data, 100)


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=300), st.integers(0, 3))
def test_random_bytes_are_refused(model, data, n):
    if data or n:
        with pytest.raises(InvalidArchive):
            model.decode(data, n)


def test_another_model_is_noticed(pictures, coded):
    with pytest.raises(InvalidArchive):
        untrained(pictures[:50]).decode(coded, 100)


CHANGES = [
    ("shape", np.array([8, 8, 5, 17, 0])),
    ("shape", np.array([0, 8, 1, 17, 0])),
    ("shape", np.array([8, 8, 1, -1, 0])),
    ("shape", np.array([8, 8, 1, 10**6, 0])),
    ("shape", np.array([8, 8, 1, 10, 0])),
    ("shape", np.array([2**62, 2**62, 1, 17, 0])),
    ("shape", np.array([8, 8, 1, 0])),
    ("shape", np.array([8, 8, 1, 17, 2])),
    ("shape", np.array([8, 8, 1, 1, 0])),
    ("shape", np.array([8, 8, 1, 17, 0], np.int32)),
    ("bounds", np.array([0, 256], np.uint16)),
    ("bounds", np.array([0], np.uint16)),
    ("bounds", np.array([], np.uint16)),
    ("shares", np.zeros(256, np.uint16)),
    ("shares", np.ones(256, np.uint16)),
    ("shares", np.ones(255, np.uint16)),
    ("0.shifts", np.array([-1, 6, 4], np.int8)),
    ("0.shifts", np.array([6, 6, 100], np.int8)),
    ("0.weights0", np.ones((64, 3), np.int8)),
    ("0.weights0", np.ones((64, 28))),
    ("0.weights1", np.ones((64, 63), np.int8)),
    ("0.weights1", np.ones((64 * 64), np.int8)),
    ("0.bias0", np.full(64, 2**24, np.int32)),
    ("0.bias1", np.full(64, -(2**31), np.int32)),
    ("0.rows", np.zeros((7, 64), np.int8)),
    ("0.columns", np.zeros((8, 63), np.int8)),
    ("0.columns", None),
    ("more", np.zeros(1)),
    ("1.rows", np.zeros((8, 64), np.int8)),
]


@pytest.mark.parametrize(("name", "value"), CHANGES)
def test_arrays_that_are_no_model_are_refused(model, name, value):
    arrays = model.to_arrays()
    if value is None:
        del arrays[name]
    else:
        arrays[name] = value
    with pytest.raises(InvalidArchive):
        PixelModel.from_arrays(arrays)


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_a_model_with_other_numbers_never_crashes(model, coded, data):
    arrays = {name: array.copy() for name, array in model.to_arrays().items()}
    name = data.draw(st.sampled_from(sorted(arrays)))
    raw = arrays[name].reshape(-1).view(np.uint8)
    raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    with suppress(InvalidArchive):
        PixelModel.from_arrays(arrays).decode(coded, 100)


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((2, 8, 8), np.uint8),
        np.zeros((2, 8, 8, 5), np.uint8),
        np.zeros((2, 8, 8, 0), np.uint8),
        np.zeros((2, 8, 8, 1)),
        np.zeros((0, 8, 8, 1), np.uint8),
        np.zeros((2, 0, 8, 1), np.uint8),
        [[1]],
    ],
)
def test_what_is_no_image_cannot_be_learned_from(images):
    with pytest.raises(InvalidData, match="expected"):
        PixelModel.fit(images, seed=0)


def test_images_of_another_shape_are_refused(model):
    with pytest.raises(InvalidData, match="expected uint8 of shape"):
        model.encode(np.zeros((2, 8, 9, 1), np.uint8))


@pytest.mark.nightly
def test_mnist_takes_less_than_brotli(shared):
    with np.load(shared / "data" / "mnist.npz") as data:
        train, test = data["x_train"][:20_000, ..., None], data["x_test"][..., None]
    model = PixelModel.fit(train, seed=0, epochs=1)
    coded = model.encode(test)
    assert len(coded) * 8 / test.size < 1.2
    assert np.array_equal(back(model).decode(coded, len(test)), test)
