import pickle
import subprocess
import sys
import warnings

import keras
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

import isthmus as ist
from isthmus.core.errors import InvalidArchive, InvalidParameter, TrainingWarning
from isthmus.persistence import artifact

QUICK = {"epochs": 2, "random_state": 0, "verbose": 0}
quiet = pytest.mark.filterwarnings("ignore:.*latent dimensions collapsed")


def small(**settings):
    return ist.VariationalAutoencoder(**{"latent_dim": 2, "hidden": (8,), **QUICK, **settings})


@pytest.fixture(scope="module")
def pictures(digits):
    return (digits.images[:600] / 16).astype(np.float32)


@pytest.fixture(scope="module")
def fitted(pictures):
    return ist.VariationalAutoencoder(2, epochs=30, random_state=0, verbose=0).fit(pictures)


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    kind = rng.choice(["a", "b"], 200)
    X = pd.DataFrame({"size": 3 * (kind == "a") + rng.normal(0, 0.1, 200), "kind": kind})
    X.loc[::9, "size"] = np.nan
    return X


@quiet
@parametrize_with_checks([small(epochs=1)])
def test_scikit_learn_contract(estimator, check):
    check(estimator)


def test_public_use(fitted, pictures):
    assert fitted.loss_ == "bernoulli"
    assert fitted.kl_.shape == (2,)
    assert (fitted.kl_ > 0.5).all()
    assert fitted.noise_variance_ is None
    codes = fitted.transform(pictures)
    np.testing.assert_allclose(
        codes, fitted.encoder_.predict(pictures, verbose=0), rtol=1e-3, atol=1e-4
    )
    rebuilt = fitted.reconstruct(pictures)
    np.testing.assert_allclose(rebuilt, fitted.inverse_transform(codes), rtol=1e-4, atol=1e-5)
    assert -fitted.score(pictures) < 0.8 * pictures.var(axis=0).mean()


@quiet
def test_colour_pictures_get_a_calibrated_variance(pictures, tmp_path):
    colour = pictures[:60, ..., None] * np.array([1.0, 0.8, 0.5], np.float32)
    model = small(architecture="convolutional", hidden=(3,)).fit(colour)
    assert model.loss_ == "gaussian"
    residuals = colour - model.reconstruct(colour)
    assert 0.5 < np.square(residuals).mean() / model.noise_variance_ < 1.5
    model.save(tmp_path / "m.isthmus")
    assert ist.load(tmp_path / "m.isthmus").noise_variance_ == model.noise_variance_


def test_samples_look_like_the_data(fitted, pictures):
    samples = fitted.sample(300, random_state=0)
    assert samples.shape == (300, 8, 8)
    np.testing.assert_array_equal(samples, fitted.sample(300, random_state=0))
    assert (samples != fitted.sample(300, random_state=1)).any()
    assert np.corrcoef(samples.mean(axis=0).flat, pictures.mean(axis=0).flat)[0, 1] > 0.9


def test_interpolation_ends_at_the_reconstructions(fitted, pictures):
    way = fitted.interpolate(pictures[0], pictures[1:2], steps=5)
    assert way.shape == (5, 8, 8)
    np.testing.assert_allclose(way[[0, 4]], fitted.reconstruct(pictures[:2]), rtol=1e-4, atol=1e-5)
    with pytest.raises(InvalidParameter, match="b: expected one sample, received 3 rows"):
        fitted.interpolate(pictures[0], pictures[:3])


def test_the_plane_is_laid_out_like_a_map(fitted):
    plane = fitted.latent_plane(3)
    assert plane.shape == (9, 8, 8)
    edge = 0.9674216  # the 5/6 quantile of a standard normal
    corners = fitted.inverse_transform([[-edge, edge], [edge, edge], [0, 0]])
    np.testing.assert_allclose(plane[[0, 2, 4]], corners, rtol=1e-4, atol=1e-5)


def test_the_likelihood_is_bounded_by_the_elbo(fitted, pictures):
    few, many = (
        fitted.log_likelihood(pictures[:150], samples, random_state=0).mean()
        for samples in (1, 200)
    )
    elbo = -64 * fitted.history_["val_loss"][fitted.best_epoch_ - 1]
    assert many > few
    np.testing.assert_allclose(few, elbo, rtol=0.05)
    again = fitted.log_likelihood(pictures[:150], 200, random_state=0)
    np.testing.assert_array_equal(again.mean(), many)


def test_the_likelihood_of_a_linear_gaussian_model_is_exact():
    """With linear halves the evidence is that of probabilistic PCA, known in closed form."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 2)) @ rng.normal(size=(2, 5)) + 0.3 * rng.normal(size=(500, 5))
    model = ist.VariationalAutoencoder(
        2, architecture="linear", scale="none", epochs=100, random_state=0, verbose=0
    ).fit(X)
    bias, *basis = np.asarray(model.decoder_(np.vstack([np.zeros(2), np.eye(2)])))
    W = np.array(basis) - bias
    covariance = W.T @ W + model.noise_variance_ * np.eye(5)
    centred = X - bias
    _, logdet = np.linalg.slogdet(2 * np.pi * covariance)
    exact = -0.5 * (logdet + (centred @ np.linalg.inv(covariance) * centred).sum(axis=1))
    estimate = model.log_likelihood(X, 500, random_state=0)
    np.testing.assert_allclose(estimate.mean(), exact.mean(), atol=0.05)
    assert np.abs(model.noise_variance_ - 0.09) < 0.05


def test_the_likelihood_under_a_learned_prior():
    """Importance sampling agrees with an average over codes from the prior."""
    X = np.random.default_rng(0).choice([-2.0, 2.0], 300)[:, None] * [1.0, 0.5, -1.0]
    X += np.random.default_rng(1).normal(size=X.shape)
    model = ist.VariationalAutoencoder(
        1, levels=2, hidden=(8,), epochs=60, scale="none", random_state=0, verbose=0
    ).fit(X)
    assert model.kl_.shape == (2,)
    rows = X[:20]
    made = model.sample(20_000, random_state=0)
    v = model.noise_variance_
    densities = -0.5 * np.square(rows[:, None] - made).sum(axis=-1) / v
    exact = np.logaddexp.reduce(densities, axis=1) - np.log(len(made)) - 1.5 * np.log(2 * np.pi * v)
    estimate = model.log_likelihood(rows, 2_000, random_state=0)
    np.testing.assert_allclose(estimate, exact, atol=0.15)


@quiet
def test_levels_keep_the_meaning_of_codes(pictures, tmp_path):
    model = small(levels=2).fit(pictures)
    assert model.kl_.shape == (2 + 1,)
    assert model.code_mean_.shape == (2,)
    codes = model.transform(pictures)
    assert codes.shape == (len(pictures), 2)
    np.testing.assert_allclose(
        model.reconstruct(pictures), model.inverse_transform(codes), rtol=1e-4, atol=1e-5
    )
    model.save(tmp_path / "m.isthmus")
    again = ist.load(tmp_path / "m.isthmus")
    np.testing.assert_array_equal(again.kl_, model.kl_)
    samples = (each.sample(5, random_state=0) for each in (model, again))
    np.testing.assert_array_equal(*samples)
    with pytest.raises(InvalidParameter, match="one level"):
        model.latent_plane()
    model.levels = 3
    with pytest.raises(InvalidParameter, match="levels"):
        model.save(tmp_path / "m.isthmus")


def test_binarised_cells_are_drawn_anew(pictures):
    crisp = np.round(pictures / pictures.max())
    drawn, given = (
        small(likelihood=name, epochs=3).fit(crisp) for name in ("binarized", "bernoulli")
    )
    # Cells of 0 or 1 are unchanged by sampling.
    assert drawn.history_["loss"] == given.history_["loss"]
    np.testing.assert_array_equal(drawn.kl_, given.kl_)

    grey = small(likelihood="binarized", epochs=3).fit(pictures)
    once, again, other = (grey.log_likelihood(pictures, 5, random_state=s) for s in (0, 0, 1))
    np.testing.assert_array_equal(once, again)
    assert (once != other).any()
    assert grey.noise_variance_ is None
    # A cell that is 1 with probability 1/2 costs log 2; only cells of 0 or 1 can cost less.
    assert -64 * grey.history_["loss"][-1] < drawn.log_likelihood(crisp, 5).mean()


@quiet
def test_missing_cells_are_left_out_of_the_likelihood(table):
    model = small(epochs=20).fit(table)
    assert model.loss_ == "mixture"
    whole = table.dropna()
    masked = whole.assign(size=np.nan)
    a, b = (model.log_likelihood(X, 50, random_state=0) for X in (whole, masked))
    assert np.isfinite(a).all()
    assert (a != b).any()
    assert list(model.sample(4, random_state=0).columns) == ["size", "kind"]
    assert model.interpolate(table[:1], table[1:2], 3)["kind"].isin(["a", "b"]).all()


def test_collapsed_dimensions_are_named(pictures):
    with pytest.warns(TrainingWarning, match=r"2 of 2 latent dimensions collapsed.*\(0, 1\)"):
        model = small(beta=100.0, epochs=60).fit(pictures[:200])
    assert (model.kl_ < 0.01).all()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        kept = small(beta=100.0, epochs=60, free_bits=0.5).fit(pictures[:200])
    assert (kept.kl_ > 0.1).all()


@quiet
def test_the_textbooks_objective(pictures):
    """784 * MSE + KL, per cell: with beta 0 it is the squared error of an autoencoder."""
    model = small(likelihood="mse", beta=0.0, epochs=15, hidden=(32,)).fit(pictures)
    assert model.noise_variance_ == 0.5
    error = np.square(pictures - model.reconstruct(pictures)).mean()
    np.testing.assert_allclose(model.history_["val_loss"][-1], error, rtol=0.15)


def pair():
    features = keras.Sequential(
        [keras.Input((8, 8)), keras.layers.Flatten(), keras.layers.Dense(16, activation="relu")]
    )
    decoder = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(64), keras.layers.Reshape((8, 8))]
    )
    return {"encoder": features, "decoder": decoder, "latent_dim": "auto"}


LOAD = """
import sys, numpy as np, isthmus as ist
model = ist.load(sys.argv[1])
np.save(sys.argv[2], model.log_likelihood(np.load(sys.argv[3]), 5, random_state=0))
"""


@quiet
@pytest.mark.parametrize(
    "settings",
    [
        {"architecture": "convolutional", "hidden": (3,), "latent_dim": 3},
        {**pair(), "levels": 3},
    ],
    ids=["convolutional", "own pair with three levels"],
)
def test_archive_and_pickle_keep_every_bit(pictures, tmp_path, settings):
    model = small(**settings).fit(pictures[:100])
    assert model.latent_dim_ == 3
    expected = model.log_likelihood(pictures[:50], 5, random_state=0)
    model.save(tmp_path / "m.isthmus")
    model.encoder_.set_weights([np.zeros_like(w) for w in model.encoder_.get_weights()])
    again = ist.load(tmp_path / "m.isthmus")
    for other in (model, again, pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(other.transform(pictures), model.transform(pictures))
        np.testing.assert_array_equal(
            other.log_likelihood(pictures[:50], 5, random_state=0), expected
        )
        np.testing.assert_array_equal(other.kl_, model.kl_)
    np.save(tmp_path / "x.npy", pictures[:50])
    paths = [str(tmp_path / name) for name in ("m.isthmus", "y.npy", "x.npy")]
    subprocess.run([sys.executable, "-c", LOAD, *paths], check=True, timeout=300)
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), expected)
    again.fit(pictures[:100])  # a loaded model can be fitted again


@quiet
def test_a_run_goes_on(pictures, tmp_path):
    whole = small(checkpoint=tmp_path / "c").fit(pictures[:100])
    again = small(checkpoint=tmp_path / "c").fit(pictures[:100])
    np.testing.assert_array_equal(whole.transform(pictures), again.transform(pictures))
    np.testing.assert_array_equal(whole.kl_, again.kl_)


@quiet
@pytest.mark.parametrize("kl", ["1", [1.0], [1.0, True], [1.0, "a"], [[1.0], [2.0]]])
def test_a_strangers_figures_are_refused(pictures, tmp_path, kl):
    path = tmp_path / "m.isthmus"
    small(epochs=1).fit(pictures[:50]).save(path)
    stored = artifact.read(path)
    stored.manifest["fitted"]["kl_"] = kl
    artifact.write(path, stored)
    with pytest.raises(InvalidArchive, match="figure"):
        ist.load(path)


@quiet
def test_report_and_referee(pictures, tmp_path):
    model = small(epochs=3).fit(pictures[:200])
    ist.write_report(model, pictures[200:300], tmp_path / "r.html")
    assert "bernoulli" in (tmp_path / "r.html").read_text(encoding="utf-8")
    assert ist.parameter_table(model).code_cells == 2


@quiet
def test_pipeline(pictures):
    X, y = pictures[:100].reshape(100, -1), np.arange(100) % 2
    assert make_pipeline(small(), LogisticRegression()).fit(X, y).score(X, y) > 0.4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"beta": -1}, "beta: expected a finite number at least 0"),
        ({"warmup": 2}, "warmup: .* at most 1"),
        ({"free_bits": np.inf}, "free_bits"),
        ({"likelihood": "bernouli"}, "did you mean 'bernoulli'"),
        ({"likelihood": "mixture"}, "several kinds"),
        ({"latent_dim": 0}, "latent_dim"),
        ({"levels": 0}, "levels"),
        ({"importance_samples": 0}, "importance_samples: expected an integer from 1 to 5,000"),
        ({"importance_samples": 2.5}, "importance_samples"),
        ({"importance_samples": 5, "free_bits": 0.1}, "free_bits: expected 0 with importance"),
        ({**pair(), "latent_dim": 4}, "latent_dim: expected 3"),
        ({**pair(), "decoder": None}, "decoder: expected a keras.Model"),
    ],
)
def test_settings_that_cannot_work(pictures, change, message):
    with pytest.raises(InvalidParameter, match=message):
        small(**change).fit(pictures[:50])


def test_questions_that_cannot_be_answered(fitted, pictures):
    with pytest.raises(InvalidParameter, match="n: expected an integer"):
        fitted.sample(0)
    with pytest.raises(InvalidParameter, match="samples"):
        fitted.log_likelihood(pictures, 0)
    with pytest.raises(InvalidParameter, match="steps"):
        fitted.interpolate(pictures[0], pictures[1], steps=1)


@quiet
def test_the_plane_needs_two_dimensions(pictures):
    with pytest.raises(InvalidParameter, match="latent_dim=2"):
        small(latent_dim=3, epochs=1).fit(pictures[:50]).latent_plane()


@quiet
def test_the_importance_weighted_bound(pictures, tmp_path):
    """Its history holds the bound that `log_likelihood` estimates with as many samples."""
    settings = {"importance_samples": 5, "levels": 2, "epochs": 8, "validation_fraction": 0.5}
    model = small(**settings, checkpoint=tmp_path / "run").fit(pictures)
    bound = -64 * model.history_["val_loss"][model.best_epoch_ - 1]
    elbo, five, many = (
        model.log_likelihood(pictures, samples, random_state=0).mean() for samples in (1, 5, 200)
    )
    assert elbo < five < many
    assert bound == pytest.approx(five, rel=0.03)
    assert model.kl_.shape == (3,)
    model.save(tmp_path / "m.isthmus")
    loaded = ist.load(tmp_path / "m.isthmus")
    assert loaded.importance_samples == 5
    resumed = small(**settings, checkpoint=tmp_path / "run").fit(pictures)
    for other in (loaded, resumed):
        np.testing.assert_array_equal(other.transform(pictures), model.transform(pictures))
    loaded.set_params(importance_samples=2, warm_start=True, checkpoint=None).fit(pictures)
    assert loaded.history_["val_loss"][0] < model.history_["val_loss"][0]


@quiet
@pytest.mark.parametrize(
    "settings",
    [
        {"architecture": "convolutional", "hidden": (3,)},
        {**pair(), "warmup": 0.5},
        {"likelihood": "gaussian"},
    ],
    ids=["convolutional", "own pair", "gaussian"],
)
def test_several_codes_of_each_row(pictures, settings):
    model = small(**settings, importance_samples=3, random_state=np.int64(1)).fit(pictures[:100])
    again = small(**settings, importance_samples=3, random_state=1).fit(pictures[:100])
    assert model.history_["loss"][-1] < model.history_["loss"][0]
    np.testing.assert_array_equal(model.transform(pictures), again.transform(pictures))


def test_moments_of_the_codes_of_training_rows(tmp_path):
    X = np.random.default_rng(0).normal(size=(300, 6)).astype(np.float32)
    model = ist.VariationalAutoencoder(
        3, hidden=(8,), epochs=3, validation_fraction=0, random_state=0, verbose=0, free_bits=0.5
    ).fit(X)
    means = model.transform(X)
    np.testing.assert_allclose(model.code_mean_, means.mean(axis=0), atol=1e-5)
    assert (model.code_std_ >= means.std(axis=0) - 1e-6).all()
    model.save(tmp_path / "m.isthmus")
    again = ist.load(tmp_path / "m.isthmus")
    np.testing.assert_array_equal(again.code_std_, model.code_std_)
