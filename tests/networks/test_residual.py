"""The convolutional architecture: any size, and the start at principal components."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA

import isthmus as ist
from isthmus.core.errors import InvalidArchive, InvalidParameter
from isthmus.networks.architecture_settings import ArchitectureSettings
from isthmus.networks.bottlenecks import DeterministicBottleneck, GaussianBottleneck
from isthmus.networks.catalogue import (
    ARCHITECTURES,
    architecture_from_config,
    architecture_to_config,
)
from isthmus.networks.convolutional import Convolutional
from isthmus.networks.initializers import without_values
from isthmus.networks.network import join
from isthmus.networks.residual import Residual


def residual(shape, values="unit", hidden=None, linear_path=True):
    return ARCHITECTURES["convolutional"].from_settings(
        ArchitectureSettings(shape, values, hidden, "gelu", "auto", linear_path, "float32")
    )


def network(architecture, shape, code=3, values="unit"):
    return join(architecture, shape, DeterministicBottleneck(code), values=values, seed=0)


def pictures(n, shape, seed=0):
    """Pictures of few causes, within [0.2, 0.8]."""
    rng = np.random.default_rng(seed)
    causes = rng.normal(size=(n, 5)) * [3, 2, 1, 0.5, 0.2]
    made = causes @ rng.normal(size=(5, int(np.prod(shape))))
    made -= made.min()
    return (0.2 + 0.6 * made / made.max()).reshape(n, *shape).astype(np.float32)


@settings(max_examples=6, deadline=None)
@given(
    st.tuples(st.integers(1, 70), st.integers(1, 70)),
    st.one_of(st.none(), st.integers(1, 16)),
    st.booleans(),
)
def test_any_size_comes_back(sides, channels, linear_path):
    shape = sides if channels is None else (*sides, channels)
    architecture = residual(shape, linear_path=linear_path)
    halves = without_values(lambda: (architecture.encoder(shape), architecture.decoder(shape, 2)))
    assert len(halves[0].output_shape) == 2
    assert halves[1].output_shape == (None, *shape)


@pytest.mark.parametrize("side", [8, 64, 512])
@pytest.mark.parametrize("channels", [1, 3, 16])
def test_weights_stay_few(side, channels):
    shape = (side, side, channels)
    architecture = residual(shape)
    encoder, decoder = without_values(
        lambda: (architecture.encoder(shape), architecture.decoder(shape, 64))
    )
    weights = encoder.count_params() + decoder.count_params() + 64 * encoder.output_shape[1]
    assert 4 * weights < 16e6


@pytest.mark.parametrize("shape", [(9, 6), (20, 33, 3)])
def test_it_starts_as_pca(shape):
    rows, held = pictures(80, shape), pictures(30, shape, seed=1)
    architecture = residual(shape)
    net = network(architecture, shape)
    architecture.start(net, rows, None, seed=0)
    rebuilt = np.asarray(net.full(held)["reconstruction"])
    pca = PCA(3).fit(rows.reshape(80, -1))
    flat = held.reshape(30, -1)
    inside = pca.inverse_transform(pca.transform(flat)).clip(0, 1)
    np.testing.assert_allclose(rebuilt.reshape(30, -1), inside, atol=0.03)
    codes = np.asarray(net.encoder(rows))
    np.testing.assert_allclose(codes.std(axis=0), 1, rtol=1e-2)


def test_more_components_than_rows_start_finite():
    shape = (8, 8)
    architecture = residual(shape, values="real")
    net = network(architecture, shape, code=20, values="real")
    architecture.start(net, pictures(4, shape), None, seed=0)
    assert np.isfinite(np.asarray(net.full(pictures(6, shape))["reconstruction"])).all()


def test_a_posterior_starts_at_pca_too():
    shape = (8, 8)
    architecture = residual(shape)
    net = join(architecture, shape, GaussianBottleneck(3), values="unit", seed=0)
    rows = pictures(50, shape)
    assert architecture.start(net, rows, None, seed=0) == ()
    np.testing.assert_allclose(np.asarray(net.encoder(rows)).std(axis=0), 1, rtol=1e-2)


def test_missing_cells_do_not_spread():
    shape = (8, 8)
    rows = pictures(50, shape)
    rows[np.random.default_rng(0).random(rows.shape) < 0.2] = np.nan
    architecture = residual(shape)
    net = network(architecture, shape)
    architecture.start(net, rows, rows[:20], seed=0)
    assert all(np.isfinite(weight).all() for weight in net.full.get_weights())


def test_what_trains_computes_the_same():
    shape = (13, 18, 2)
    architecture = residual(shape)
    net = network(architecture, shape)
    rng = np.random.default_rng(0)
    for variable in net.full.trainable_variables:
        variable.assign(rng.normal(scale=0.1, size=variable.shape).astype(np.float32))
    x = rng.random((4, *shape)).astype(np.float32)
    weights = [v.value for v in net.full.trainable_variables]
    made, _ = net.fast().stateless_call(weights, [], x, training=False)
    expected = net.full(x)["reconstruction"]
    np.testing.assert_allclose(made["reconstruction"], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("normalization", ["auto", "batch"])
def test_it_learns_beyond_its_start(normalization, tmp_path):
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:12, :12]
    centers = rng.uniform(3, 9, (300, 2, 1, 1))
    discs = (((y - centers[:, 0]) ** 2 + (x - centers[:, 1]) ** 2) < 9).astype(np.float32)
    model = ist.Autoencoder(
        2, architecture="convolutional", normalization=normalization, epochs=10,
        random_state=0, verbose=0,
    ).fit(discs[:250])  # fmt: skip
    held = discs[250:].reshape(50, -1)
    pca = PCA(2).fit(discs[:250].reshape(250, -1))
    error = np.square(pca.inverse_transform(pca.transform(held)) - held).mean()
    assert -model.score(discs[250:]) < 0.8 * error
    assert model.loss_ == "mse"
    model.save(tmp_path / "m.isthmus")
    again = ist.load(tmp_path / "m.isthmus")
    np.testing.assert_array_equal(again.reconstruct(discs), model.reconstruct(discs))


def test_without_anything_to_learn_it_is_pca_of_all_rows():
    noise = np.random.default_rng(0).normal(0.5, 0.05, (200, 8, 8, 1)).astype(np.float32)
    rows = noise.clip(0.1, 0.9)
    model = ist.Autoencoder(
        4, architecture="convolutional", scale="none", loss="mse", epochs=2,
        random_state=0, verbose=0,
    ).fit(rows)  # fmt: skip
    assert model.best_epoch_ == 0
    assert model.n_iter_ == 2
    flat = rows.reshape(len(rows), -1)
    pca = PCA(4).fit(flat)
    error = np.square(pca.inverse_transform(pca.transform(flat)) - flat).mean()
    assert -model.score(rows) == pytest.approx(error, rel=2e-3)


def test_bfloat16():
    rows = pictures(40, (10, 10, 3))
    model = ist.Autoencoder(
        2, architecture="convolutional", precision="bfloat16", epochs=1, verbose=0
    ).fit(rows)
    assert np.isfinite(model.reconstruct(rows)).all()


def test_hidden_are_its_filters():
    assert residual((40, 40), hidden=(5, 7, 9)).filters == (5, 7, 9)


def test_no_stages_are_refused():
    with pytest.raises(InvalidParameter, match="at least one stage"):
        residual((8, 8), hidden=())


@pytest.mark.parametrize("shape", [(9,), (2, 3, 4, 5)])
def test_what_is_no_picture_is_refused(shape):
    with pytest.raises(InvalidParameter, match=r"expected pictures.*Try: reshape"):
        residual(shape)


def test_the_name_of_an_earlier_network_still_means_it():
    earlier = Convolutional((3, 4))
    assert architecture_from_config(architecture_to_config(earlier)) == earlier


@pytest.mark.parametrize(
    "change",
    [
        {"patch": 0}, {"patch": 9}, {"patch": True}, {"patch": 2.0}, {"shrinking": 0},
        {"shrinking": 10**6}, {"fractions": 1}, {"filters": []}, {"filters": [-1]}, {"other": 1},
        {"policy": "float8"},
    ],
)  # fmt: skip
def test_a_strangers_description_is_refused(change):
    described = architecture_to_config(residual((20, 20)))
    assert isinstance(architecture_from_config(described), Residual)
    with pytest.raises(InvalidArchive):
        architecture_from_config({**described, **change})
