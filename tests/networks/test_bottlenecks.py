import keras
import numpy as np

from isthmus.networks.bottlenecks import LARGEST_LOG_VARIANCE, GaussianBottleneck
from isthmus.networks.dense import Dense
from isthmus.networks.network import clone_given, join

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(6, 5)).astype(np.float32)
NOISE = RNG.normal(size=(6, 3)).astype(np.float32)


def arrays(network, rows=ROWS, noise=NOISE):
    return {name: np.asarray(value) for name, value in network.full([rows, noise]).items()}


def test_the_code_is_the_mean_and_so_many_deviations():
    network = join(Dense((4,)), (5,), GaussianBottleneck(3), values="real", seed=0)
    assert network.noise_dim == 3
    made = arrays(network)
    expected = made["mean"] + np.exp(made["log_variance"] / 2) * NOISE
    np.testing.assert_allclose(made["code"], expected, rtol=1e-5)
    np.testing.assert_allclose(network.encoder(ROWS), made["mean"], rtol=1e-5)
    np.testing.assert_allclose(network.decoder(made["code"]), made["reconstruction"], rtol=1e-4)


def test_no_log_variance_overflows():
    network = join(Dense(()), (5,), GaussianBottleneck(3), values="real", seed=0)
    made = arrays(network, 1e6 * ROWS)
    assert np.abs(made["log_variance"]).max() <= LARGEST_LOG_VARIANCE
    assert np.isfinite(made["code"]).all()
    gentle = arrays(network, 1e-3 * ROWS)  # values in the normal range are unchanged
    np.testing.assert_allclose(
        1e3 * gentle["log_variance"], 1e4 * arrays(network, 1e-4 * ROWS)["log_variance"], rtol=1e-3
    )


def test_a_pair_of_the_users_own_gives_features():
    encoder = keras.Sequential([keras.Input((5,)), keras.layers.Dense(7, activation="relu")])
    decoder = keras.Sequential([keras.Input((3,)), keras.layers.Dense(5)])
    a, b, c = (clone_given(encoder, decoder, GaussianBottleneck(3), seed=s) for s in (0, 0, 1))
    first, same, other = (arrays(network) for network in (a, b, c))
    assert first["mean"].shape == (6, 3)
    assert "logits" not in first
    np.testing.assert_array_equal(first["mean"], same["mean"])
    assert (first["mean"] != other["mean"]).any()
    np.testing.assert_allclose(a.decoder(first["code"]), first["reconstruction"], rtol=1e-5)
