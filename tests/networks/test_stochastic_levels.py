import keras
import numpy as np
import pytest

from isthmus.networks.bottlenecks import GaussianBottleneck
from isthmus.networks.dense import Dense
from isthmus.networks.network import clone_given, join
from isthmus.networks.stochastic_levels import Columns, HierarchicalBottleneck, level_sizes

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(6, 5)).astype(np.float32)
NOISE = RNG.normal(size=(6, 7)).astype(np.float32)
SIZES = (4, 2, 1)


@pytest.fixture(scope="module")
def network():
    return join(Dense((8,)), (5,), HierarchicalBottleneck(4, 3), values="real", seed=0)


@pytest.fixture(scope="module")
def outputs(network):
    return {name: np.asarray(value) for name, value in network.full([ROWS, NOISE]).items()}


@pytest.mark.parametrize(
    ("latent_dim", "levels", "sizes"),
    [(50, 1, (50,)), (50, 3, (50, 25, 12)), (3, 4, (3, 1, 1, 1))],
)
def test_each_level_has_half_the_dimensions(latent_dim, levels, sizes):
    assert level_sizes(latent_dim, levels) == sizes


def test_every_level_is_sampled_from_its_posterior(network, outputs):
    assert network.noise_dim == sum(SIZES)
    expected = outputs["mean"] + np.exp(outputs["log_variance"] / 2) * NOISE
    np.testing.assert_allclose(outputs["latents"], expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(outputs["code"], outputs["latents"][:, :4])
    np.testing.assert_allclose(network.encoder(ROWS), outputs["mean"][:, :4], rtol=1e-5)
    np.testing.assert_allclose(network.decoder(outputs["code"]), outputs["reconstruction"], 1e-4)


def test_the_prior_of_a_level_depends_on_the_one_above(network, outputs):
    assert outputs["prior_mean"].shape == outputs["prior_log_variance"].shape == (6, 4 + 2)
    noise = NOISE.copy()
    noise[:, :4] += 1  # the code itself, on which no prior depends
    same = network.full([ROWS, noise])["prior_mean"]
    np.testing.assert_array_equal(same, outputs["prior_mean"])
    noise[:, 6] += 1  # the third level
    other = np.asarray(network.full([ROWS, noise])["prior_mean"])
    np.testing.assert_array_equal(other[:, :4], outputs["prior_mean"][:, :4])
    assert (other[:, 4:] != outputs["prior_mean"][:, 4:]).all()


def test_the_prior_is_sampled_from_the_last_level_down(network):
    below = network.full.get_layer("levels")
    code = network.prior(NOISE)
    z = NOISE[:, 6:]
    for level, part in ((2, NOISE[:, 4:6]), (1, NOISE[:, :4])):
        mean, log_variance = map(np.asarray, below.get_layer(f"prior_{level}")(z))
        z = mean + np.exp(log_variance / 2) * part
    np.testing.assert_allclose(code, z, rtol=1e-4, atol=1e-5)


def test_code_and_decoder_are_those_of_one_level(network):
    one = join(Dense((8,)), (5,), GaussianBottleneck(4), values="real", seed=0)
    assert one.prior is None
    assert [v.shape for v in one.encoder.variables] == [v.shape for v in network.encoder.variables]
    assert one.decoder.count_params() == network.decoder.count_params()


def test_a_pair_of_the_users_own_gets_levels():
    encoder = keras.Sequential([keras.Input((5,)), keras.layers.Dense(7, activation="relu")])
    decoder = keras.Sequential([keras.Input((4,)), keras.layers.Dense(5)])
    a, b, c = (
        clone_given(encoder, decoder, HierarchicalBottleneck(4, 3), seed=s) for s in (0, 0, 1)
    )
    first, same, other = (np.asarray(n.full([ROWS, NOISE])["prior_mean"]) for n in (a, b, c))
    np.testing.assert_array_equal(first, same)
    assert (first != other).any()


def test_columns_are_restored_from_their_configuration():
    layer = Columns.from_config(Columns(1, 3, name="part").get_config())
    np.testing.assert_array_equal(layer(ROWS), ROWS[:, 1:3])
    assert layer.compute_output_shape((None, 5)) == (None, 2)
