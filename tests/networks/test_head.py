import keras
import numpy as np
import pytest

from isthmus.networks.bottlenecks import DeterministicBottleneck
from isthmus.networks.convolutional import Convolutional
from isthmus.networks.dense import Dense
from isthmus.networks.head import Head
from isthmus.networks.network import clone_given, join
from isthmus.networks.serialization import weights_of

ROWS = np.random.default_rng(0).random((6, 8, 8)).astype(np.float32)
HEAD = Head(3, True, (7, 5), "tanh", 0.5)


def pair():
    layers = keras.layers
    encoder = keras.Sequential(
        [keras.Input((8, 8)), layers.Flatten(), layers.Dropout(0.1), layers.Dense(2)]
    )
    decoder = keras.Sequential(
        [keras.Input((2,)), layers.Dense(64, "sigmoid"), layers.Reshape((8, 8))]
    )
    return encoder, decoder


def networks(head):
    shape = (8, 8)
    yield join(Dense((9,)), shape, DeterministicBottleneck(2), values="unit", head=head, seed=1)
    yield join(
        Convolutional((3,)), shape, DeterministicBottleneck(2), values="unit", head=head, seed=1
    )
    yield clone_given(*pair(), DeterministicBottleneck(2), head, seed=1)


@pytest.mark.parametrize("head", [HEAD, Head(3, True), Head(2, False, (4,))])
def test_the_head_has_the_last_weights(head):
    for network in networks(head):
        arrays = weights_of(network.full)
        own = weights_of(network.head)
        assert len(own) == head.variable_count
        for mine, theirs in zip(own, arrays[len(arrays) - len(own) :], strict=True):
            np.testing.assert_array_equal(mine, theirs)


def test_a_head_changes_nothing_else_at_the_start():
    for network, plain in zip(networks(HEAD), networks(None), strict=True):
        if len(network.halves[0].layers) != 3:  # a custom pair gets new weights each time
            for part in ("encoder", "decoder"):
                for a, b in zip(
                    weights_of(getattr(network, part)),
                    weights_of(getattr(plain, part)),
                    strict=True,
                ):
                    np.testing.assert_array_equal(a, b)
        assert plain.head is None
        assert "response" not in plain.full.output


def test_probabilities_are_a_softmax_of_the_response():
    for network in networks(HEAD):
        made = network.full(ROWS)
        shares = np.asarray(network.head(made["code"]))
        logits = np.asarray(made["response"])
        expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        np.testing.assert_allclose(shares, expected, rtol=1e-4)


def test_targets_are_the_response():
    network = join(
        Dense(()), (8, 8), DeterministicBottleneck(2), values="real", head=Head(2, False), seed=0
    )
    made = network.full(ROWS)
    np.testing.assert_allclose(network.head(made["code"]), made["response"], rtol=1e-5)


def test_a_single_class_is_certain():
    network = join(
        Dense(()), (8, 8), DeterministicBottleneck(2), values="real", head=Head(1, True), seed=0
    )
    np.testing.assert_array_equal(network.head(np.ones((4, 2), np.float32)), np.ones((4, 1)))


def test_the_fast_twin_serves_networks_with_a_head():
    fast = [network.fast() is not network.full for network in networks(HEAD)]
    assert fast == [network.fast() is not network.full for network in networks(None)]
    assert fast[2]  # a custom pair gets logits from its last layer
    for network in networks(HEAD):
        trainable = [v.value for v in network.full.trainable_variables]
        others = [v.value for v in network.full.non_trainable_variables]
        slow, _ = network.full.stateless_call(trainable, others, ROWS, training=False)
        quick, _ = network.fast().stateless_call(trainable, others, ROWS, training=False)
        for name, values in slow.items():
            np.testing.assert_allclose(quick[name], values, rtol=1e-4, atol=1e-5)


def test_dropout_is_keyed_by_the_seed():
    def draw(seed):
        network = join(
            Dense((9,)), (8, 8), DeterministicBottleneck(2), values="unit", head=HEAD, seed=seed
        )
        states = [
            np.asarray(v.value)
            for v in network.full.non_trainable_variables
            if v.name == "seed_generator_state"
        ]
        return np.concatenate(states)

    assert len(draw(1)) == 4
    np.testing.assert_array_equal(draw(1), draw(1))
    assert (draw(1) != draw(2)).any()


def test_configurations():
    known = {"outputs": 3, "classifies": True}
    assert Head.from_config(HEAD.to_config(), **known) == HEAD
    for change in (
        {"hidden": [0]},
        {"hidden": "7"},
        {"hidden": [True]},
        {"activation": "exec"},
        {"dropout": 1.0},
        {"dropout": -0.1},
        {"dropout": float("nan")},
        {"more": 1},
    ):
        assert Head.from_config({**HEAD.to_config(), **change}, **known) is None
    assert Head.from_config(None, **known) is None
