"""Losses of images, and weighted losses, in estimators: fit, save, load, clone and warm start."""

import numpy as np
import pytest
from sklearn.base import clone

import isthmus as ist
from isthmus.core.errors import InvalidArchive, InvalidParameter
from isthmus.objectives.catalogue import LOSSES
from isthmus.persistence import artifact

SETTINGS = {"latent_dim": 3, "hidden": (16,), "epochs": 3, "random_state": 0, "verbose": 0}
IMAGE_LOSSES = [name for name, loss in LOSSES.items() if loss.images]
WEIGHTS = {"mse": 0.7, "ssim": 1 / 3}


def images(n=40, shape=(12, 12)):
    """Blobs at random places, as fractions."""
    rng = np.random.default_rng(0)
    row, column = (np.arange(side) for side in shape[:2])
    top, left = rng.uniform(2, 10, (2, n, 1, 1))
    blobs = np.exp(-((row[:, None] - top) ** 2 + (column - left) ** 2) / 8)
    return np.stack([blobs] * shape[2], axis=-1) if len(shape) > 2 else blobs


@pytest.mark.parametrize("name", IMAGE_LOSSES)
@pytest.mark.parametrize("shape", [(12, 12), (12, 12, 3)], ids=str)
def test_losses_of_images_fall(name, shape):
    X = images(shape=shape)
    X[::5, :2] = np.nan
    model = ist.Autoencoder(loss=name, **{**SETTINGS, "epochs": 12}).fit(X)
    assert model.loss_ == name
    assert np.isfinite(model.history_["loss"]).all()
    assert model.history_["loss"][-1] < model.history_["loss"][0]


@pytest.mark.parametrize("loss", [*IMAGE_LOSSES, {"mse": 1.0, "ssim": 0.5}], ids=str)
@pytest.mark.parametrize(
    ("X", "settings"),
    [
        (np.random.default_rng(0).random((30, 16)), {}),
        (np.random.default_rng(0).random((30, 16, 2)), {"architecture": "convolutional-1d"}),
    ],
    ids=["flat", "series"],
)
def test_other_data_are_refused(loss, X, settings):
    if "architecture" in settings:
        settings = {**settings, "hidden": "auto"}
    with pytest.raises(InvalidParameter, match=r"expected images, of shape .* Try: X.reshape"):
        ist.Autoencoder(loss=loss, **{**SETTINGS, **settings}).fit(X)


def test_unscaled_fractions_have_an_ssim_and_other_numbers_do_not():
    model = ist.Autoencoder(loss=WEIGHTS, scale="none", **SETTINGS).fit(images())
    assert model.schema_.values == "unit"
    with pytest.raises(InvalidParameter, match="loss 'ssim' with scale='none': expected values"):
        ist.Autoencoder(loss=WEIGHTS, scale="none", **SETTINGS).fit(2 * images())


def test_weighted_losses_are_saved_and_loaded(tmp_path):
    X = images()
    model = ist.Autoencoder(loss=WEIGHTS, **SETTINGS).fit(X)
    assert model.loss_ == f"mse:0.7,ssim:{1 / 3!r}"
    model.save(tmp_path / "m")
    loaded = ist.load(tmp_path / "m")
    assert (loaded.loss, loaded.loss_) == (WEIGHTS, model.loss_)
    np.testing.assert_array_equal(loaded.transform(X), model.transform(X))
    assert clone(loaded).loss == WEIGHTS
    refitted = loaded.set_params(warm_start=True, loss="ms_ssim").fit(X)
    assert refitted.loss_ == "ms_ssim"
    model.set_params(loss={"mse": 0.7, "ssim": 0.5})
    with pytest.raises(InvalidParameter, match=r"loss: expected 'mse:0\.7,"):
        model.save(tmp_path / "n")


@pytest.mark.parametrize("loss", ["mse:1,ssim:0.1", "mse", "mse:0.7,bcee:1"])
def test_a_forged_weighted_loss_is_refused(loss, tmp_path):
    stored = ist.Autoencoder(loss=WEIGHTS, **SETTINGS).fit(images())._to_artifact()
    fitted = {**stored.manifest["fitted"], "loss_": loss}
    forged = artifact.Artifact(stored.kind, {**stored.manifest, "fitted": fitted}, stored.arrays)
    artifact.write(tmp_path / "m", forged)
    with pytest.raises(InvalidArchive, match="the archive's settings"):
        ist.load(tmp_path / "m")


def test_a_weight_of_1_is_the_loss_itself():
    X = images()
    single = ist.Autoencoder(loss="mse", **SETTINGS).fit(X)
    weighted = ist.Autoencoder(loss={"mse": 1}, **SETTINGS).fit(X)
    np.testing.assert_allclose(weighted.history_["loss"], single.history_["loss"], rtol=1e-5)


@pytest.mark.parametrize("estimator", [ist.DenoisingAutoencoder, ist.SupervisedAutoencoder])
def test_other_estimators_have_weighted_losses(estimator):
    X = images()
    model = estimator(loss=WEIGHTS, **SETTINGS).fit(X, np.arange(len(X)) % 2)
    assert model.loss_.startswith("mse:0.7,ssim:")
