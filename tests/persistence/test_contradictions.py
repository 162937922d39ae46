"""Settings of an archive that contradict each other, or what was learned, are refused at load."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import isthmus as ist
from isthmus.core.errors import InvalidArchive, InvalidParameter
from isthmus.persistence import artifact
from isthmus.persistence.artifact import Artifact

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "archives"


def opened(name: str) -> Artifact:
    return artifact.read(GOLDEN / f"{name}.isthmus")


def with_values(name: str, path: Path, **values: Any) -> Path:
    """Write an archive with other values at places such as ``params__bits``."""
    stored = opened(name)
    for place, value in values.items():
        *parents, last = place.split("__")
        part: Any = stored.manifest
        for parent in parents:
            part = part[parent]
        part[last] = value
    artifact.write(path, stored)
    return path


@pytest.mark.parametrize(
    ("name", "settings", "said"),
    [
        ("codec-images", {"quality": 40.0}, "quality: expected None, as max_error is not None"),
        ("codec-images", {"bits": 2**100}, "bits: expected a finite number above 0 and at most 64"),
        ("codec-images", {"max_error": None, "quality": 40.0}, "max_error: expected 'a number'"),
        ("codec-images", {"max_error": 0.5}, "max_error: expected 0, as the model was fitted"),
        ("codec-images", {"relative": True}, "relative: expected False"),
        ("codec-images", {"relative": "yes"}, "relative: expected True or False"),
        ("codec-lossy-f4", {"max_error": 0, "quality": None}, "max_error: expected None"),
        ("codec-lossy-f4", {"bits": 2.0}, "bits and quality: expected one of them"),
        ("codec-lossy-f4", {"quality": None}, "bits and quality: expected one of them"),
        ("codec-lossy-f4", {"quality": None, "bits": 2**100}, "bits: expected"),
        ("codec-lossy-f4", {"quality": 1e6}, "quality: expected .* at most 1000"),
        ("codec-lossy-f4", {"quality": 10**400}, "quality: expected .* received an integer of"),
        ("codec-numbers-relative", {"relative": False}, "relative: expected True"),
        ("codec-numbers-absolute", {"relative": True}, "relative: expected False"),
        (
            "codec-numbers-absolute",
            {"max_error": None, "bits": 3},
            "max_error: expected 'a number'",
        ),
        ("detector-numbers", {"mode": "outlier"}, "mode: expected 'novelty', as the model was"),
        ("detector-series", {"window": 2**24 + 1}, "window: expected an integer from 2 to"),
        ("sampler-numbers", {"n_components": 31}, r"n_components: expected \d+, as the model was"),
        ("sampler-numbers", {"n_components": 2**100}, "n_components: expected an integer from 1"),
        ("map-tsne", {"method": "pca"}, "method: expected one of 'auto', 'tsne', 'umap'"),
        ("index-euclidean", {"metric": "cosines"}, "did you mean 'cosine'"),
        ("variational-gaussian", {"likelihood": "mse"}, "likelihood: expected 'gaussian'"),
        ("supervised-classes", {"task": "regression"}, "task: expected 'classification'"),
        ("supervised-classes", {"head_hidden": [7]}, "head_hidden: expected"),
        ("supervised-classes", {"head_dropout": 0.5}, "head_dropout: expected 0.1"),
        ("autoencoder-table", {"unknown": "error"}, "unknown: expected 'warn'"),
        ("autoencoder-series-gru", {"architecture": "recurrent"}, "architecture: expected 'gru'"),
        ("autoencoder-own-pair", {"latent_dim": 9}, "latent_dim: expected"),
    ],
)
def test_a_setting_that_contradicts_is_refused(name, settings, said, tmp_path):
    forged = {f"params__{key}": value for key, value in settings.items()}
    with pytest.raises(InvalidArchive, match=f"the archive's settings: .*{said}"):
        ist.load(with_values(name, tmp_path / "m", **forged))


def test_a_setting_of_a_nested_autoencoder_is_refused(tmp_path):
    place = "autoencoder__content__params__latent_dim"
    with pytest.raises(InvalidArchive, match="latent_dim: expected"):
        ist.load(with_values("map-tsne", tmp_path / "m", **{place: 2**100}))


@pytest.mark.parametrize("name", ["codec-images", "codec-lossy-grey", "autoencoder-images-dense"])
def test_nothing_is_built_before_settings_are_checked(name, tmp_path, monkeypatch):
    def build(*_: Any, **__: Any) -> None:
        raise AssertionError("settings are checked first")

    monkeypatch.setattr("isthmus.estimators.storage.build_with", build)
    monkeypatch.setattr("isthmus.compression.pixels.model.PixelModel.from_arrays", build)
    monkeypatch.setattr("isthmus.compression.lossy.model.LossyModel.from_arrays", build)
    setting = {"params__bits": 2**100} if "codec" in name else {"params__latent_dim": 2**100}
    with pytest.raises(InvalidArchive, match=r"at most 64|from 1 to 1,048,576"):
        ist.load(with_values(name, tmp_path / "m", **setting))


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("variational-gaussian", {"fitted__noise_variance_": None}, "variance of the noise"),
        ("variational-gaussian", {"fitted__noise_variance_": 1e-9}, "variance of the noise"),
        ("variational-binarized", {"fitted__noise_variance_": 1.0}, "variance of the noise"),
        ("variational-gaussian", {"fitted__kl_": None}, "divergences"),
        ("supervised-classes", {"fitted__labelled_share_": 2.0}, "fraction of rows with labels"),
        ("autoencoder-linear", {"fitted__n_iter_": 2**40}, "record of training"),
        ("autoencoder-linear", {"fitted__best_epoch_": 2}, "record of training"),
        ("autoencoder-linear", {"fitted__loss_": "auto"}, "loss: expected the name of a loss"),
        ("autoencoder-linear", {"fitted__loss_": "bce"}, "loss 'bce': expected values within"),
        ("autoencoder-linear", {"schema__values": "unit"}, "archive's values: expected 'unit'"),
        ("codec-numbers-relative", {"ranges": {"a": 1.0}}, "ranges: expected .* once"),
    ],
)
def test_what_was_learned_is_checked_together(name, values, said, tmp_path):
    with pytest.raises(InvalidArchive, match=said):
        ist.load(with_values(name, tmp_path / "m", **values))


def test_more_layers_than_arrays_are_refused_before_they_are_built(tmp_path):
    hidden = [1] * 900
    forged = {"params__hidden": hidden, "network__architecture__hidden": hidden}
    with pytest.raises(InvalidArchive, match=r"at most \d+ layers, as there are"):
        ist.load(with_values("autoencoder-table", tmp_path / "m", **forged))


@pytest.mark.parametrize("name", ["codec-table", "codec-images"])
def test_a_codec_with_arrays_that_it_does_not_need_is_refused(name, tmp_path):
    stored = opened(name)
    arrays = {**stored.arrays, "other" if stored.arrays else "learned/shape": np.zeros(3)}
    artifact.write(tmp_path / "m", Artifact(stored.kind, stored.manifest, arrays))
    with pytest.raises(InvalidArchive, match="arrays: expected ranges, and those of a model"):
        ist.load(tmp_path / "m")


@pytest.mark.parametrize(
    ("name", "setting", "said"),
    [
        ("codec-images", {"max_error": 0.5}, "max_error: expected 0"),
        ("codec-lossy-f4", {"bits": 3.0}, "bits and quality"),
        ("detector-numbers", {"window": 8}, "window: expected None"),
        ("detector-numbers", {"mode": "outlier"}, "mode: expected 'novelty'"),
        ("detector-series", {"window": 9}, "window: expected 8|window: expected"),
        ("sampler-numbers", {"n_components": 31}, "n_components: expected"),
    ],
)
def test_what_could_not_be_loaded_is_not_saved(name, setting, said, tmp_path):
    model = ist.load(GOLDEN / f"{name}.isthmus").set_params(**setting)
    with pytest.raises(InvalidParameter, match=said):
        model.save(tmp_path / "m")
    assert not (tmp_path / "m").exists()


def test_settings_that_contradict_nothing_may_be_changed_before_saving(tmp_path):
    codec = ist.load(GOLDEN / "codec-lossy-f4.isthmus").set_params(quality=None, bits=12)
    codec.save(tmp_path / "codec")
    assert ist.load(tmp_path / "codec").bits == 12
    detector = ist.load(GOLDEN / "detector-numbers.isthmus").set_params(false_alarm_rate=0.2)
    detector.save(tmp_path / "detector")
    assert ist.load(tmp_path / "detector").false_alarm_rate == 0.2
    model = ist.load(GOLDEN / "autoencoder-linear.isthmus")
    model.set_params(latent_dim="auto", epochs=9, learning_rate=0.1).save(tmp_path / "model")
    assert ist.load(tmp_path / "model").epochs == 9


@pytest.mark.parametrize(
    ("place", "rows", "said"),
    [("score/rows", 20_001, "2 to 20,000 rows"), ("cells/rows", 2_001, "at most 2,000")],
)
def test_a_detector_with_more_rows_than_fit_keeps_is_refused(place, rows, said, tmp_path):
    stored = opened("detector-numbers")
    many = np.resize(stored.arrays[place], (rows, stored.arrays[place].shape[1]))
    arrays = {**stored.arrays, place: many}
    artifact.write(tmp_path / "m", Artifact(stored.kind, stored.manifest, arrays))
    with pytest.raises(InvalidArchive, match=said):
        ist.load(tmp_path / "m")


def test_a_fraction_of_a_range_that_overflows_is_a_finite_bound(tmp_path):
    stored = opened("codec-numbers-relative")
    arrays = {"ranges": np.full_like(stored.arrays["ranges"], 1e308)}
    stored.manifest["params"]["max_error"] = 1e308
    artifact.write(tmp_path / "m", Artifact(stored.kind, stored.manifest, arrays))
    codec = ist.load(tmp_path / "m")
    X = np.random.default_rng(0).normal(size=(20, arrays["ranges"].size))
    assert np.isfinite(codec.decompress(codec.compress(X))).all()


# --- checkpoints ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / "c"
    settings = {"hidden": (4,), "epochs": 2, "verbose": 0, "random_state": 0}
    X = np.random.default_rng(0).normal(size=(40, 4))
    model = ist.Autoencoder(2, checkpoint=path, **settings)
    pickle.loads(pickle.dumps(model)).fit(X)
    return model, X, path.read_bytes()


@pytest.mark.parametrize(
    ("alter", "said"),
    [
        (lambda c, a: c.update(epoch=2**40), "epoch: expected an integer from 0"),
        (lambda c, a: c.update(best_epoch=3), "best_epoch: expected an integer from 0 to 2"),
        (lambda c, a: c.update(best_loss=None), "best_loss: expected a number"),
        (lambda c, a: c["history"].update(seconds="relu"), "history: expected"),
        (lambda c, a: c["history"].pop("seconds"), "history: expected 2 numbers in 'seconds'"),
        (lambda c, a: c["history"].update(loss=[1, 2, 3]), "history of 'loss'"),
        (lambda c, a: c["history"].update(loss=[1, "2"]), "history of 'loss'"),
        (lambda c, a: c.update(run=3), "run: expected"),
        (lambda c, a: c["run"].update(settings=2**24), "run's settings"),
        (lambda c, a: c["run"].update(seed="0"), "seed: expected an integer"),
        (lambda c, a: c["run"].update(seed=2**100), "seed: expected an integer"),
        (lambda c, a: c.pop("run"), "checkpoint: expected the entries"),
        (lambda c, a: a.pop("trainable/0"), "array trainable/0: expected .* received none"),
        (lambda c, a: a.update({"best/0": a["best/0"][:1]}), "array best/0: expected float32"),
        (lambda c, a: a.update({"best/0": a["best/0"] > 0}), "array best/0: .* received bool"),
    ],
)
def test_a_forged_checkpoint_is_refused(run, alter, said):
    model, X, blob = run
    stored = artifact.from_bytes(blob)
    content, arrays = stored.manifest, dict(stored.arrays)
    alter(content, arrays)
    artifact.write(model.checkpoint, Artifact(stored.kind, content, arrays))
    with pytest.raises(InvalidArchive, match=said):
        pickle.loads(pickle.dumps(model)).fit(X)
