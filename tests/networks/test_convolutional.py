import numpy as np
import pytest

from isthmus.core.errors import InvalidParameter
from isthmus.networks.bottlenecks import Point
from isthmus.networks.catalogue import ARCHITECTURES
from isthmus.networks.convolutional import Convolutional
from isthmus.networks.network import join
from isthmus.networks.settings import Settings


def settings(shape=(8, 8), hidden=None):
    return Settings(shape, "unit", hidden, "gelu", "auto", True, "float32")


@pytest.mark.parametrize("linear_path", [True, False])
@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 9), (7, 5), (8, 8, 1), (6, 11, 2), (5, 4, 3), (9, 9, 4), (3, 3, 7)]
)
def test_any_size_comes_back(shape, linear_path):
    net = join(
        Convolutional((3, 4, 5), linear_path=linear_path), shape, Point(2), values="real", seed=0
    )
    x = np.random.default_rng(0).normal(size=(4, *shape)).astype(np.float32)
    assert net.full(x)["reconstruction"].shape == x.shape


def test_odd_sides_are_not_cut_off_before_they_are_seen():
    net = join(Convolutional((4,), linear_path=False), (5, 5), Point(3), values="real", seed=0)
    x = np.zeros((2, 5, 5), np.float32)
    x[1, 4, 4] = 1
    codes = np.asarray(net.encoder(x))
    assert (codes[0] != codes[1]).any()


def test_hidden_are_its_filters():
    asked = ARCHITECTURES["convolutional"].from_settings(settings(hidden=(3, 6)))
    assert asked.filters == (3, 6)
    kernels = [
        tuple(v.shape) for v in asked.encoder((8, 8)).trainable_variables if v.name == "kernel"
    ]
    assert kernels == [(3, 3, 1, 3), (3, 3, 3, 6)]


@pytest.mark.parametrize("shape", [(9,), (2, 3, 4, 5)])
def test_what_is_no_picture_is_refused(shape):
    with pytest.raises(InvalidParameter, match=r"expected pictures.*Remedy: reshape"):
        ARCHITECTURES["convolutional"].from_settings(settings(shape))


def test_no_blocks_are_refused():
    with pytest.raises(InvalidParameter, match="at least one block"):
        ARCHITECTURES["convolutional"].from_settings(settings(hidden=()))


def test_kernels_start_as_glorot_and_bengio_say():
    net = join(Convolutional((64,), linear_path=False), (8, 8, 4), Point(2), values="real", seed=0)
    kernel = next(v for v in net.full.trainable_variables if tuple(v.shape) == (3, 3, 4, 64))
    limit = np.sqrt(6 / (9 * (4 + 64)))
    values = np.asarray(kernel.value)
    assert 0.95 * limit < np.abs(values).max() <= limit
