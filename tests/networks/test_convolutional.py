import numpy as np
import pytest

import isthmus as ist
from isthmus.core.errors import InvalidParameter
from isthmus.networks.architecture_settings import ArchitectureSettings
from isthmus.networks.bottlenecks import DeterministicBottleneck
from isthmus.networks.catalogue import ARCHITECTURES
from isthmus.networks.convolutional import Convolutional, Convolutional1D, Strided
from isthmus.networks.network import join


def settings(shape=(8, 8), hidden=None):
    return ArchitectureSettings(shape, "unit", hidden, "gelu", "auto", True, "float32")


PICTURES = [(1, 1), (1, 9), (7, 5), (8, 8, 1), (6, 11, 2), (5, 4, 3), (9, 9, 4), (3, 3, 7)]
SERIES = [(1, 1), (2, 3), (9, 1), (16, 4), (21, 8)]


@pytest.mark.parametrize("linear_path", [True, False])
@pytest.mark.parametrize(
    ("kind", "shape"),
    [(kind, shape) for kind in (Convolutional, Strided) for shape in PICTURES]
    + [(Convolutional1D, shape) for shape in SERIES],
)
def test_any_size_comes_back(kind, shape, linear_path):
    net = join(
        kind((3, 4, 5), linear_path=linear_path),
        shape,
        DeterministicBottleneck(2),
        values="real",
        seed=0,
    )
    x = np.random.default_rng(0).normal(size=(4, *shape)).astype(np.float32)
    assert net.full(x)["reconstruction"].shape == x.shape


@pytest.mark.parametrize(
    ("kind", "shape"), [(Convolutional, (7, 5, 2)), (Strided, (7, 5, 2)), (Convolutional1D, (9, 2))]
)
def test_what_trains_computes_the_same(kind, shape):
    net = join(kind((3, 4)), shape, DeterministicBottleneck(2), values="unit", seed=0)
    x = np.random.default_rng(0).random((4, *shape)).astype(np.float32)
    weights = [[v.value for v in net.full.trainable_variables]]
    weights += [[v.value for v in net.full.non_trainable_variables]]
    made, _ = net.fast().stateless_call(*weights, x, training=False)
    expected = net.full(x)["reconstruction"]
    np.testing.assert_allclose(made["reconstruction"], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("estimator", "architecture", "shape"),
    [
        (ist.Autoencoder, "convolutional", (1, 1)),
        (ist.DenoisingAutoencoder, "strided", (7, 5, 4)),
        (ist.VariationalAutoencoder, "convolutional-1d", (9, 2)),
    ],
)
def test_every_estimator_takes_them(estimator, architecture, shape, tmp_path):
    X = np.random.default_rng(0).random((40, *shape))
    settings = {"architecture": architecture, "hidden": (3, 4), "epochs": 1, "verbose": 0}
    model = estimator(1, **settings, random_state=0).fit(X)
    assert model.reconstruct(X).shape == X.shape
    model.save(tmp_path / "m.isthmus")
    again = ist.load(tmp_path / "m.isthmus")
    np.testing.assert_array_equal(again.reconstruct(X), model.reconstruct(X))


def test_a_series_is_convolved_in_time_alone():
    kernels = [
        tuple(v.shape)
        for v in Convolutional1D((3, 6)).encoder((20, 7)).trainable_variables
        if v.name == "kernel"
    ]
    assert kernels == [(5, 1, 7, 3), (5, 1, 3, 6)]


@pytest.mark.parametrize("shape", [(9,), (4, 4, 3)])
def test_what_is_no_series_is_refused(shape):
    with pytest.raises(InvalidParameter, match="expected series"):
        ARCHITECTURES["convolutional-1d"].from_settings(settings(shape))


def test_odd_sides_are_not_cut_off_before_they_are_seen():
    net = join(
        Convolutional((4,), linear_path=False),
        (5, 5),
        DeterministicBottleneck(3),
        values="real",
        seed=0,
    )
    x = np.zeros((2, 5, 5), np.float32)
    x[1, 4, 4] = 1
    codes = np.asarray(net.encoder(x))
    assert (codes[0] != codes[1]).any()


def test_hidden_are_its_filters():
    asked = ARCHITECTURES["strided"].from_settings(settings(hidden=(3, 6)))
    assert asked.filters == (3, 6)
    kernels = [
        tuple(v.shape) for v in asked.encoder((8, 8)).trainable_variables if v.name == "kernel"
    ]
    assert kernels == [(3, 3, 1, 3), (3, 3, 3, 6)]


@pytest.mark.parametrize("shape", [(9,), (2, 3, 4, 5)])
def test_what_is_no_picture_is_refused(shape):
    with pytest.raises(InvalidParameter, match=r"expected pictures.*Try: reshape"):
        ARCHITECTURES["convolutional"].from_settings(settings(shape))


def test_no_blocks_are_refused():
    with pytest.raises(InvalidParameter, match="at least one block"):
        ARCHITECTURES["strided"].from_settings(settings(hidden=()))


def test_kernels_start_as_glorot_and_bengio_say():
    net = join(
        Convolutional((64,), linear_path=False),
        (8, 8, 4),
        DeterministicBottleneck(2),
        values="real",
        seed=0,
    )
    kernel = next(v for v in net.full.trainable_variables if tuple(v.shape) == (3, 3, 4, 64))
    limit = np.sqrt(6 / (9 * (4 + 64)))
    values = np.asarray(kernel.value)
    assert 0.95 * limit < np.abs(values).max() <= limit
