import numpy as np
import pytest
from sklearn.decomposition import PCA

import isthmus as ist
from isthmus.core.errors import InvalidParameter
from isthmus.networks.architecture_settings import ArchitectureSettings
from isthmus.networks.bottlenecks import DeterministicBottleneck
from isthmus.networks.catalogue import ARCHITECTURES
from isthmus.networks.network import join
from isthmus.networks.recurrent import GRU, LSTM


def network(architecture, time, channels=2, seed=0):
    return join(
        architecture, (time, channels), DeterministicBottleneck(3), values="real", seed=seed
    )


def sines(n, rng, time=50):
    frequency, phase = rng.uniform(0.02, 0.1, (n, 1, 1)), rng.uniform(0, 1, (n, 1, 1))
    return np.sin(2 * np.pi * (frequency * np.arange(time)[:, None] + phase)).astype(np.float32)


@pytest.fixture(scope="module")
def fitted():
    """A model and its sequences of 4 to 12 steps; one cell of the first sequence is missing."""
    rng = np.random.default_rng(0)
    X = np.sin(np.arange(12)[None, :, None] * rng.uniform(0.2, 1, (60, 1, 2)))
    for sequence, length in zip(X, rng.integers(4, 13, 60), strict=True):
        sequence[length:] = np.nan
    X[0, 6:] = np.nan
    X[0, 1, 0] = np.nan
    settings = {"architecture": "recurrent", "hidden": (6, 5), "epochs": 2, "verbose": 0}
    return ist.Autoencoder(3, **settings, random_state=0).fit(X), X


@pytest.mark.parametrize("kind", [LSTM, GRU])
def test_a_code_does_not_depend_on_how_far_a_sequence_is_padded(kind):
    architecture = kind((5, 4), linear_path=False)
    short, long = network(architecture, 7), network(architecture, 11)
    long.encoder.set_weights(short.encoder.get_weights())
    x = np.random.default_rng(0).normal(size=(6, 7, 2)).astype(np.float32)
    padded = np.pad(x, ((0, 0), (0, 4), (0, 0)))
    np.testing.assert_allclose(short.encoder(x), long.encoder(padded), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", [LSTM, GRU])
def test_missing_steps_within_a_sequence_do_not_end_it(kind):
    x = np.random.default_rng(0).normal(size=(2, 8, 2)).astype(np.float32)
    x[:, 3:5] = 0
    x[1, 7] += 1
    codes = np.asarray(network(kind((4,), linear_path=False), 8).encoder(x))
    assert (codes[0] != codes[1]).any()


def test_a_sequence_without_any_cell_has_a_finite_code():
    codes = network(LSTM((4,)), 5).encoder(np.zeros((2, 5, 2), np.float32))
    assert np.isfinite(codes).all()


def test_what_lies_behind_the_end_stays_missing(fitted):
    model, X = fitted
    rebuilt = model.reconstruct(X)
    behind = np.isnan(X).all(axis=2)
    assert np.isnan(rebuilt[behind]).all()
    assert np.isfinite(rebuilt[~behind]).all()
    assert np.isfinite(model.reconstruction_error(X)).all()
    assert np.isfinite(model.inverse_transform(model.transform(X))).all()


def test_any_number_of_sequences_gives_the_same_codes(fitted):
    model, X = fitted
    codes = model.transform(X)
    for n in (1, 2, 59):
        np.testing.assert_allclose(model.transform(X[:n]), codes[:n], rtol=1e-4, atol=1e-5)


def test_a_saved_model_comes_back(fitted, tmp_path):
    model, X = fitted
    model.save(tmp_path / "m.isthmus")
    again = ist.load(tmp_path / "m.isthmus")
    np.testing.assert_array_equal(again.transform(X), model.transform(X))
    np.testing.assert_array_equal(again.reconstruct(X), model.reconstruct(X))


def test_its_models_can_be_a_pair_of_ones_own(fitted, tmp_path):
    model, X = fitted
    pair = {"encoder": model.encoder_, "decoder": model.decoder_}
    own = ist.Autoencoder(**pair, epochs=1, verbose=0, random_state=0).fit(X)
    own.save(tmp_path / "m.isthmus")
    np.testing.assert_array_equal(ist.load(tmp_path / "m.isthmus").transform(X), own.transform(X))


def test_sines_are_learned_far_better_than_by_pca():
    rng = np.random.default_rng(0)
    X, V = sines(1000, rng), sines(200, rng)
    settings = {"architecture": "recurrent", "epochs": 18, "batch_size": 32}
    model = ist.Autoencoder(4, **settings, scale="none", random_state=0, verbose=0).fit(X)
    pca = PCA(4).fit(X[:, :, 0])
    rest = V[:, :, 0] - pca.inverse_transform(pca.transform(V[:, :, 0]))
    assert np.mean((model.reconstruct(V) - V) ** 2) < 0.5 * np.mean(rest**2)


def test_recurrent_kernels_begin_orthogonal_and_lstms_remembering():
    weights = network(LSTM((4,)), 5).encoder.weights
    kernel, bias = (
        np.asarray(next(w for w in weights if w.path.endswith(f"lstm_cell/{name}")))
        for name in ("recurrent_kernel", "bias")
    )
    np.testing.assert_allclose(kernel @ kernel.T, np.eye(4), atol=1e-5)
    np.testing.assert_array_equal(bias, np.repeat([0, 1, 0, 0], 4))


@pytest.mark.parametrize("shape", [(9,), (4, 4, 3)])
def test_what_is_no_sequence_is_refused(shape):
    asked = ArchitectureSettings(shape, "real", None, "gelu", "auto", True, "float32")
    with pytest.raises(InvalidParameter, match=r"expected sequences.*Try: "):
        ARCHITECTURES["recurrent"].from_settings(asked)


def test_no_layers_are_refused():
    asked = ArchitectureSettings((9, 2), "real", (), "gelu", "auto", True, "float32")
    with pytest.raises(InvalidParameter, match="at least one layer"):
        ARCHITECTURES["gru"].from_settings(asked)
