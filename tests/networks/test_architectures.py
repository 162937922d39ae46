"""The contract of all architectures in the catalogue."""

import keras
import numpy as np
import pytest

from isthmus.core.errors import InvalidArchive, InvalidParameter
from isthmus.core.types import Segment
from isthmus.networks.architecture_settings import ArchitectureSettings
from isthmus.networks.bottlenecks import DeterministicBottleneck, GaussianBottleneck
from isthmus.networks.catalogue import (
    ARCHITECTURES,
    architecture_class,
    architecture_from_config,
    architecture_to_config,
)
from isthmus.networks.layers import TableOutput
from isthmus.networks.network import check_pair, clone_given, join

SEGMENTS = (
    Segment("a", "numeric", 0, 1),
    Segment("b", "categorical", 1, 4),
    Segment("c", "binary", 4, 5),
)

DIMENSIONS = {
    "convolutional": (2, 3),
    "convolutional-3d": (4,),
    "strided": (2, 3),
    "convolutional-1d": (2,),
    "recurrent": (2,),
    "gru": (2,),
}


def build(name, shape=(12,), **settings):
    plain = {"hidden": None, "activation": "gelu", "normalization": "batch"}
    plain |= {"linear_path": True, "precision": "float32"}
    return ARCHITECTURES[name].from_settings(
        ArchitectureSettings(shape, "unit", **{**plain, **settings})
    )


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        (name, shape)
        for name in sorted(ARCHITECTURES)
        for shape in [(12,), (3, 4), (5, 3, 2), (3, 4, 2, 2)]
        if len(shape) in DIMENSIONS.get(name, (1, 2, 3))
    ],
)
@pytest.mark.parametrize(
    "bottleneck", [DeterministicBottleneck(2), GaussianBottleneck(2)], ids=["point", "gaussian"]
)
def test_contract(name, shape, bottleneck):
    architecture = build(name, shape)
    a, b, c = (join(architecture, shape, bottleneck, values="unit", seed=s) for s in (0, 0, 1))
    x = np.random.default_rng(0).random((5, *shape)).astype(np.float32)
    code = a.encoder(x)
    assert code.shape == (5, 2)
    rebuilt = np.asarray(a.decoder(code))
    assert rebuilt.shape == x.shape
    assert 0 <= rebuilt.min() <= rebuilt.max() <= 1
    outputs = a.full([x, np.zeros((5, 2), np.float32)] if a.noise_dim else x)
    np.testing.assert_allclose(outputs["reconstruction"], rebuilt, rtol=1e-4)
    np.testing.assert_allclose(outputs["code"], code, rtol=1e-4)
    same, other = (
        [(u == v).all() for u, v in zip(a.full.get_weights(), n.full.get_weights(), strict=True)]
        for n in (b, c)
    )
    assert all(same)
    assert not all(other)


@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
def test_config_round_trip(name):
    architecture = build(name, (6, 6, 6, 1) if name == "convolutional-3d" else (6, 6))
    assert architecture_from_config(architecture_to_config(architecture)) == architecture


BAD_FIELDS = (
    {"activation": "os.system"},
    {"normalization": "bad"},
    {"policy": "mixed_float8"},
    {"linear_path": 1},
    {"other": 1},
    *({"sizes": sizes} for sizes in ([-1], [True], [2**40], [1] * 5000, "4", None)),
)


SIZES = {"dense": "hidden", "convolutional": "filters", "recurrent": "units"}


def described(name, **change):
    style = {"activation": "gelu", "normalization": "batch"} if name != "recurrent" else {}
    plain = {"name": name, SIZES[name]: change.pop("sizes", [4]), "linear_path": True}
    return {**plain, **style, "policy": "float32", **change}


@pytest.mark.parametrize("name", sorted(SIZES))
def test_what_is_refused_below_differs_in_one_field(name):
    assert architecture_from_config(described(name)).name == name


@pytest.mark.parametrize(
    "config",
    [
        None,
        {},
        {"name": "evil"},
        {"name": ["dense"]},
        {"name": "linear", "extra": 1},
        {"name": "dense", "hidden": [4]},
        *(described(name, **change) for name in SIZES for change in BAD_FIELDS),
    ],
)
def test_a_strangers_architecture_is_refused(config):
    with pytest.raises(InvalidArchive):
        architecture_from_config(config)


def test_the_textbook_parameter_count():
    dense = build("dense", (784,), hidden=(100,), normalization="none", linear_path=False)
    assert (
        join(dense, (784,), DeterministicBottleneck(20), values="unit", seed=0).full.count_params()
        == 161_804
    )


def test_table_output_is_a_distribution_per_column():
    network = join(
        build("dense", (5,)),
        (5,),
        DeterministicBottleneck(2),
        values="mixed",
        segments=SEGMENTS,
        seed=0,
    )
    rebuilt = np.asarray(network.full(np.ones((3, 5), np.float32))["reconstruction"])
    np.testing.assert_allclose(rebuilt[:, 1:4].sum(axis=1), 1, rtol=1e-5)
    assert ((rebuilt[:, 4] > 0) & (rebuilt[:, 4] < 1)).all()


def test_table_output_survives_keras_saving(tmp_path):
    layer = TableOutput([(s.kind, s.start, s.stop) for s in SEGMENTS])
    model = keras.Sequential([keras.Input((5,)), layer])
    model.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras")
    x = np.random.default_rng(0).normal(size=(4, 5)).astype(np.float32)
    np.testing.assert_array_equal(model(x), again(x))


def sequential(*layers):
    return keras.Sequential(list(layers))


GOOD = sequential(keras.Input((4,)), keras.layers.Dense(2))
BACK = sequential(keras.Input((2,)), keras.layers.Dropout(0.5), keras.layers.Dense(4))


@pytest.mark.parametrize(
    ("encoder", "decoder", "message"),
    [
        (GOOD, None, "decoder: expected a keras.Model"),
        (sequential(keras.layers.Dense(2)), BACK, "not built"),
        (sequential(keras.Input((5,)), keras.layers.Dense(2)), BACK, "encoder input: expected"),
        (sequential(keras.Input((4,)), keras.layers.Reshape((2, 2))), BACK, "decoder input"),
        (GOOD, sequential(keras.Input((3,)), keras.layers.Dense(4)), "decoder input"),
        (GOOD, sequential(keras.Input((2,)), keras.layers.Dense(5)), "decoder output"),
    ],
)
def test_pairs_that_do_not_fit(encoder, decoder, message):
    with pytest.raises(InvalidParameter, match=message):
        check_pair(encoder, decoder, (4,))


def test_random_layers_are_keyed():
    x = np.ones((50, 4), np.float32)
    a, b, c = (
        np.asarray(
            clone_given(GOOD, BACK, DeterministicBottleneck(2), seed=s).full(x, training=True)[
                "reconstruction"
            ]
        )
        for s in (0, 0, 1)
    )
    assert (a == b).all()
    assert (a != c).any()


def test_linear_has_no_hidden_layers():
    with pytest.raises(InvalidParameter, match="no hidden layers"):
        build("linear", hidden=(3,))


@pytest.mark.parametrize(
    ("shape", "name"),
    [
        ((100_000,), "dense"),
        ((28, 28), "dense"),
        ((32, 32, 3), "convolutional"),
        ((8, 90, 16), "convolutional"),
        ((7, 90, 3), "dense"),
        ((512, 512), "convolutional"),
        ((300, 300, 3), "convolutional"),
        ((100, 100, 50), "dense"),
        ((8, 16, 16, 1), "convolutional-3d"),
        ((2, 64, 64, 3), "convolutional-3d"),
        ((20, 4, 16, 1), "dense"),
        ((20, 16, 16, 30), "dense"),
    ],
)
def test_auto_goes_by_the_shape_of_a_sample(shape, name):
    assert architecture_class("auto", shape).name == name


def test_a_misspelt_architecture_is_named():
    with pytest.raises(InvalidParameter, match="recurrent"):
        architecture_class("recurent", (9, 2))
