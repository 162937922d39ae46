import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

import isthmus as ist
from isthmus.core.errors import InvalidData, InvalidParameter

QUICK = {"epochs": 2, "random_state": 0, "verbose": 0}


def small(**settings):
    return ist.DenoisingAutoencoder(**{"latent_dim": 2, "hidden": (8,), **QUICK, **settings})


@pytest.fixture(scope="module")
def pictures(digits):
    return (digits.images[:600] / 16).astype(np.float32)


@parametrize_with_checks([small(epochs=1)])
def test_scikit_learn_contract(estimator, check):
    check(estimator)


def test_it_takes_noise_away(pictures):
    noise = np.random.default_rng(1).normal(0, 0.3, pictures.shape)
    noisy = np.clip(pictures + noise, 0, 1).astype(np.float32)
    model = ist.DenoisingAutoencoder(
        16, noise_level=0.3, epochs=40, random_state=0, verbose=0, batch_size=64
    ).fit(pictures[:500])
    assert model.loss_ == "bce"

    def error(X):
        return np.square(X[500:] - pictures[500:]).mean()

    denoised = model.denoise(noisy)
    assert error(denoised) < 0.65 * error(noisy)
    np.testing.assert_array_equal(denoised, model.reconstruct(noisy))
    plain = ist.Autoencoder(16, epochs=40, random_state=0, verbose=0, batch_size=64)
    assert error(denoised) < 0.95 * error(plain.fit(pictures[:500]).reconstruct(noisy))


@pytest.mark.parametrize("noise", ["masking", "salt_pepper", lambda key, x: x * 0.9])
def test_every_noise_trains_and_repeats(pictures, noise):
    a, b = (small(noise=noise, noise_level=0.2).fit(pictures[:100]) for _ in range(2))
    np.testing.assert_array_equal(a.transform(pictures), b.transform(pictures))
    clean = ist.Autoencoder(2, hidden=(8,), **QUICK).fit(pictures[:100])
    assert (a.transform(pictures) != clean.transform(pictures)).any()


def test_a_table_with_categories_and_missing_cells():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"size": rng.normal(size=80), "kind": rng.choice(["a", "b"], 80)})
    X.loc[::7, "size"] = np.nan
    for noise in ("gaussian", "masking"):
        model = small(noise=noise).fit(X)
        assert model.loss_ == "mixture"
        assert not model.denoise(X).isna().any().any()


def test_pipeline_clone_and_archive(pictures, tmp_path):
    labels = np.arange(100) % 2
    rows = pictures[:100].reshape(100, -1)
    pipeline = make_pipeline(small(), LogisticRegression()).fit(rows, labels)
    again = clone(pipeline).fit(rows, labels)
    np.testing.assert_array_equal(again.predict_proba(rows), pipeline.predict_proba(rows))
    codes = pipeline[0].transform(rows)
    assert codes.shape == (100, 2)
    np.testing.assert_array_equal(pipeline[1].predict(codes), pipeline.predict(rows))
    model = small(noise="masking", architecture="convolutional", hidden=(3,)).fit(pictures[:100])
    model.save(tmp_path / "m.isthmus")
    again = ist.load(tmp_path / "m.isthmus")
    assert type(again) is ist.DenoisingAutoencoder
    assert again.get_params() == model.get_params()
    for other in (again, pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(other.denoise(pictures), model.denoise(pictures))


def test_a_saved_noise_of_your_own_must_be_given_again(pictures, tmp_path):
    small(noise=lambda key, x: x).fit(pictures[:50]).save(tmp_path / "m.isthmus")
    model = ist.load(tmp_path / "m.isthmus")
    with pytest.raises(InvalidParameter, match=r"set_params\(noise="):
        model.fit(pictures[:50])


def test_a_run_goes_on_with_the_same_noise(pictures, tmp_path):
    whole = small(epochs=4, checkpoint=tmp_path / "c").fit(pictures[:100])
    again = small(epochs=4, checkpoint=tmp_path / "c").fit(pictures[:100])
    np.testing.assert_array_equal(whole.transform(pictures), again.transform(pictures))
    with pytest.raises(InvalidParameter, match="received another noise_level"):
        small(epochs=4, noise_level=0.1, checkpoint=tmp_path / "c").fit(pictures[:100])


def half(key, x):
    return x[:, :4]


def numpy_noise(key, x):
    return np.asarray(x) + 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"noise": "gausian"}, "did you mean 'gaussian'"),
        ({"noise": None}, "noise: expected one of"),
        ({"noise_level": -1}, "noise_level: expected a finite number at least 0"),
        ({"noise": "masking", "noise_level": 1.5}, "at most 1"),
        ({"noise": half}, r"noise 'half': .*received values of shape \(2, 4, 8\)"),
        ({"noise": numpy_noise}, "noise 'numpy_noise': .*TracerArrayConversionError"),
        ({"noise": lambda x: x}, "TypeError"),
        ({"noise": lambda key, x: jax.random.bernoulli(key, 0.5, x.shape)}, "bool"),
        ({"noise": lambda key, x: jnp.float16(x)}, "float16"),
        ({"noise": lambda key, x: (x, x)}, "AttributeError"),
    ],
)
def test_noise_that_cannot_work(pictures, change, message):
    with pytest.raises(InvalidParameter, match=message):
        small(**change).fit(pictures[:50])


@pytest.fixture(scope="module")
def pairs(pictures):
    """Pictures behind stripes, which no noise of `NOISES` is like, and the clean ones."""
    noisy = pictures.copy()
    noisy[:, ::3] = 1.0
    return noisy, pictures


def test_pairs_teach_what_clean_samples_look_like(pairs):
    noisy, clean = pairs
    settings = {"latent_dim": 16, "epochs": 40, "random_state": 0, "verbose": 0}
    by_pairs = ist.DenoisingAutoencoder(**settings).fit(noisy[:500], clean[:500])
    by_noise = ist.DenoisingAutoencoder(**settings).fit(clean[:500])

    def error(model):
        return np.square(model.denoise(noisy[500:]) - clean[500:]).mean()

    assert error(by_pairs) < 0.5 * error(by_noise)
    assert error(by_pairs) < 0.2 * np.square(noisy[500:] - clean[500:]).mean()
    expected = by_pairs.reconstruction_error(noisy[500:])
    assert by_pairs.score(noisy[500:]) == pytest.approx(-expected.mean())
    assert by_pairs.score(noisy[500:], clean[500:]) == pytest.approx(-error(by_pairs), rel=1e-3)
    np.testing.assert_array_equal(by_pairs.reconstruct(noisy), by_pairs.denoise(noisy))


def test_noise_is_added_to_pairs_only_if_it_is_named(pairs):
    noisy, clean = (rows[:100] for rows in pairs)
    default, named = small().fit(noisy, clean), small(noise="gaussian").fit(noisy, clean)
    still = small(noise=lambda key, x: x).fit(noisy, clean)
    assert (default.transform(noisy) == still.transform(noisy)).all()
    assert (default.transform(noisy) != named.transform(noisy)).any()
    unpaired = small().fit(clean)
    np.testing.assert_array_equal(
        unpaired.transform(clean), small(noise="gaussian").fit(clean).transform(clean)
    )


@pytest.mark.parametrize("y", [None, "labels", "column", "itself"])
def test_labels_and_the_samples_themselves_are_no_pairs(pictures, y):
    rows = pictures[:60]
    labels = np.arange(60) % 2
    given = {"labels": labels, "column": labels[:, None], "itself": rows}.get(y)
    np.testing.assert_array_equal(
        small().fit(rows, given).transform(rows), small().fit(rows).transform(rows)
    )


def test_missing_cells_of_either_half_of_a_pair():
    rng = np.random.default_rng(0)
    clean = rng.normal(size=(200, 1)) @ rng.normal(size=(1, 6)) + 0.01 * rng.normal(size=(200, 6))
    noisy, target = clean.copy(), clean.copy()
    noisy[rng.random(clean.shape) < 0.3] = np.nan
    target[rng.random(clean.shape) < 0.3] = np.nan
    model = small(latent_dim=1, epochs=60, hidden=(16,)).fit(noisy, target)
    assert np.square(model.denoise(noisy) - clean).mean() < 0.3 * clean.var()
    assert np.isfinite(model.score(noisy, target))


def test_pairs_of_tables(tmp_path):
    rng = np.random.default_rng(0)
    clean = pd.DataFrame({"size": rng.normal(size=80), "kind": rng.choice(["a", "b"], 80)})
    noisy = clean.assign(size=clean["size"] + 5.0)
    model = small(epochs=60).fit(noisy, clean)
    assert abs(model.denoise(noisy)["size"].mean() - clean["size"].mean()) < 1
    model.save(tmp_path / "m.isthmus")
    again = ist.load(tmp_path / "m.isthmus")
    pd.testing.assert_frame_equal(again.denoise(noisy), model.denoise(noisy))
    model.fit(noisy, clean)


def test_pairs_from_files_are_the_same(pairs, tmp_path):
    noisy, clean = (rows[:60] for rows in pairs)
    np.save(tmp_path / "noisy.npy", noisy)
    np.save(tmp_path / "clean.npy", clean)
    by_path = small().fit(tmp_path / "noisy.npy", tmp_path / "clean.npy")
    np.testing.assert_array_equal(
        by_path.transform(noisy), small().fit(noisy, clean).transform(noisy)
    )


def test_a_run_with_pairs_goes_on_with_the_same_pairs(pairs, tmp_path):
    noisy, clean = (rows[:60] for rows in pairs)
    whole = small(epochs=4, checkpoint=tmp_path / "c").fit(noisy, clean)
    again = small(epochs=4, checkpoint=tmp_path / "c").fit(noisy, clean)
    np.testing.assert_array_equal(whole.transform(noisy), again.transform(noisy))
    with pytest.raises(InvalidParameter, match="another noisy samples"):
        small(epochs=4, checkpoint=tmp_path / "c").fit(noisy * 0.9, clean)


@pytest.mark.parametrize(
    ("noisy", "clean", "message"),
    [
        (np.ones((30, 8, 8)), np.ones((30, 8, 7)), r"y of shape \(30, 8, 7\)"),
        (np.ones((30, 8, 8)), np.ones((30, 64)), "X and y: expected pairs"),
        (np.ones((30, 8, 8)), np.ones((29, 8, 8)), r"one clean sample per row"),
        (np.ones((30, 8, 8)), np.ones(29), "29 labels"),
        (np.ones((30, 3)), pd.DataFrame(np.ones((30, 3))), "y as DataFrame"),
        (np.ones((30, 3)), np.full((30, 3), "a"), "numeric"),
        (np.ones((30, 3)), np.full((30, 3), np.inf), "infinity"),
    ],
)
def test_what_is_no_pair_is_refused(noisy, clean, message):
    with pytest.raises((InvalidData, ValueError), match=message):
        small().fit(noisy, clean)


@pytest.mark.parametrize(
    "estimator",
    [
        ist.Autoencoder(2, **QUICK),
        ist.VariationalAutoencoder(2, **QUICK),
        ist.AnomalyDetector(),
        ist.AnomalyDetector(ist.Autoencoder(2, **QUICK)),
        ist.LatentSampler(ist.Autoencoder(2, **QUICK)),
        ist.SimilarityIndex(),
        ist.Codec(),
    ],
)
def test_clean_samples_are_refused_where_they_would_be_ignored(pairs, estimator):
    noisy, clean = (rows[:60] for rows in pairs)
    with pytest.raises(InvalidData, match=r"DenoisingAutoencoder\(\)\.fit\(noisy, clean\)"):
        clone(estimator).fit(noisy, clean)
    if isinstance(estimator, ist.Autoencoder):
        estimator.fit(clean, clean)  # the usual call in Keras, and nothing is ignored


def test_a_detector_of_pairs(pairs):
    noisy, clean = (rows[:200] for rows in pairs)
    detector = ist.AnomalyDetector(small(), false_alarm_rate=0.05, random_state=0)
    assert detector.fit(noisy, clean).predict(noisy).mean() > 0


def waves(n, *shape):
    """Smooth pictures, (n, *shape), in each channel of another brightness."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[: shape[0], : shape[1]] / shape[0]
    high, wide, phase = rng.uniform(0, 6, (3, n, 1, 1))
    grey = 0.5 + 0.5 * np.sin(high * y + wide * x + phase)
    return grey if len(shape) == 2 else grey[..., None] * np.linspace(0.5, 1, shape[2])


@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 2)])
def test_noisy_pictures_alone_teach_it(shape, tmp_path):
    """Without hidden pixels, a code as large as the picture lets the noise through."""
    clean = waves(700, *shape)
    noisy = clean + np.random.default_rng(1).normal(0, 0.3, clean.shape)
    settings = {"latent_dim": 64, "epochs": 30, "loss": "mse", "hidden": (64,), "patience": None}

    def error(model):
        return np.square(model.denoise(noisy[600:]) - clean[600:]).mean()

    model = small(noise="blind_spot", **settings).fit(noisy[:600])
    plain = small(noise=lambda key, x: x, **settings).fit(noisy[:600])
    assert error(model) < 0.7 * error(plain)
    assert error(model) < 0.3 * 0.09
    model.save(tmp_path / "m.isthmus")
    again = ist.load(tmp_path / "m.isthmus")
    np.testing.assert_array_equal(again.denoise(noisy), model.denoise(noisy))


@pytest.fixture(scope="module")
def noisy_waves():
    """Noisy pictures in two channels, and the clean ones."""
    clean = waves(300, 8, 8, 2)
    return clean + np.random.default_rng(1).normal(0, 0.2, clean.shape), clean


def test_gaussian_noise_is_estimated(noisy_waves, tmp_path):
    noisy, clean = noisy_waves
    settings = {"latent_dim": 32, "epochs": 30, "loss": "mse", "hidden": (64,), "patience": None}
    model = small(noise="blind_spot", **settings).fit(noisy[:250])
    scale = model.schema_.scaling.scale
    expected = np.sqrt(np.square(0.2 / scale).mean())  # each channel has its own range
    assert model.noise_level_ == pytest.approx(expected, rel=0.2)
    squares = np.square(model.denoise(noisy[250:]) - clean[250:])
    assert squares.mean() < 0.5 * 0.2**2
    estimate = model.history_["val_loss"][model.best_epoch_ - 1]
    # Not the error to noisy pictures.
    assert estimate == pytest.approx((squares / scale**2).mean(), rel=0.5)
    model.save(tmp_path / "m.isthmus")
    again = ist.load(tmp_path / "m.isthmus")
    assert again.noise_level_ == model.noise_level_
    np.testing.assert_array_equal(again.denoise(noisy), model.denoise(noisy))


@pytest.mark.parametrize(
    ("settings", "level"),
    [({"noise_level": 0.1}, 0.1), ({"noise_level": 0}, None), ({"loss": "mae"}, None)],
)
def test_pixels_are_hidden_without_a_level_and_for_other_losses(noisy_waves, settings, level):
    noisy, _ = noisy_waves
    model = small(noise="blind_spot", epochs=1, **settings).fit(noisy)
    assert model.noise_level_ == level


def test_pixels_are_hidden_for_salt_and_pepper(noisy_waves):
    _, clean = noisy_waves
    drawn = np.random.default_rng(0).random(clean.shape)
    spoilt = np.where(drawn < 0.2, drawn < 0.1, clean)
    assert small(noise="blind_spot", epochs=1).fit(spoilt).noise_level_ is None


def test_noise_beside_missing_pixels(noisy_waves):
    noisy, _ = noisy_waves
    holes = np.where(np.random.default_rng(0).random(noisy.shape) < 0.1, np.nan, noisy)
    holes[:, :2, :2] = np.nan  # in every picture
    model = small(noise="blind_spot").fit(holes)
    assert model.noise_level_ is not None
    assert np.isfinite(model.history_["loss"]).all()
    assert np.isnan(model.denoise(holes)[:, :2, :2]).all()
    assert np.isfinite(model.denoise(holes)[:, 2:]).all()


def test_a_run_with_hidden_pixels_repeats_and_goes_on(pictures, tmp_path):
    settings = {"noise": "blind_spot", "epochs": 4}
    whole = small(**settings).fit(pictures[:100])
    saved = small(**settings, checkpoint=tmp_path / "c")
    saved.fit(pictures[:100])
    again = small(**settings, checkpoint=tmp_path / "c").fit(pictures[:100])
    for other in (saved, again):
        np.testing.assert_array_equal(other.transform(pictures), whole.transform(pictures))


def test_hidden_pixels_next_to_missing_ones(pictures):
    holes = pictures[:200].copy()
    holes[np.random.default_rng(0).random(holes.shape) < 0.2] = np.nan
    holes[:, :2, :2] = np.nan  # in every picture
    model = small(noise="blind_spot", epochs=5).fit(holes)
    assert np.isfinite(model.history_["loss"]).all()
    assert np.isnan(model.denoise(holes)[:, :2, :2]).all()
    assert np.isfinite(model.denoise(holes)[:, 2:]).all()


@pytest.mark.parametrize("architecture", ["convolutional-1d", "gru"])
def test_noisy_series_alone_teach_it(architecture):
    rng = np.random.default_rng(0)
    series = np.sin(np.arange(40) / 5 + rng.uniform(0, 6, (60, 1)))[..., None]
    noisy = series + rng.normal(0, 0.3, series.shape)
    if architecture == "gru":
        noisy[::2, 30:] = np.nan  # shorter ones
    model = small(noise="blind_spot", architecture=architecture).fit(noisy)
    assert np.isfinite(model.history_["loss"]).all()
    assert (np.isnan(model.denoise(noisy)) == np.isnan(noisy)).all()


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (np.ones((30, 64)) * np.arange(30)[:, None], None, "rows of 64 numbers.*reshape"),
        (pd.DataFrame({"a": np.arange(30.0), "b": np.arange(30.0) ** 2}), None, "no neighbours"),
        (np.random.default_rng(0).random((30, 8, 8)), np.ones((30, 8, 8)), "the better target"),
    ],
)
def test_hidden_pixels_need_noisy_pictures_alone(X, y, message):
    with pytest.raises(InvalidParameter, match=message):
        small(noise="blind_spot").fit(X, y)


@pytest.mark.parametrize("loss", ["ssim", {"mse": 1.0, "gradient_difference": 0.5}])
def test_hidden_pixels_need_a_loss_of_single_pixels(loss):
    pictures = np.random.default_rng(0).random((30, 8, 8))
    with pytest.raises(InvalidParameter, match="a loss of single pixels"):
        small(noise="blind_spot", loss=loss).fit(pictures)


@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 3)])
def test_masked_pixels_are_filled(shape):
    """Inpainting: pixels under a known mask are NaN, in training and afterwards."""
    clean = waves(700, *shape)
    unknown = np.random.default_rng(0).random(clean.shape[:3]) < 0.3
    masked = clean.copy()
    masked[unknown] = np.nan
    model = ist.DenoisingAutoencoder(
        16, noise="masking", noise_level=0.2, epochs=30, random_state=0, verbose=0, batch_size=32
    ).fit(masked[:600])
    unknown = np.isnan(masked[600:])
    errors = np.square(model.reconstruct(masked[600:]) - clean[600:])[unknown]
    assert errors.mean() < 0.3 * clean.var()
