"""Augmentation as a setting of estimators: in training alone, keyed, and saved."""

import keras
import numpy as np
import pandas as pd
import pytest

import isthmus as ist
from isthmus.core.errors import InvalidArchive, InvalidParameter, TrainingWarning
from isthmus.persistence import artifact

QUICK = {"hidden": (8,), "epochs": 2, "random_state": 0, "verbose": 0}
FROZEN = {"optimizer": "sgd", "learning_rate": 1e-30}
MANY = "flip+flip_vertical+quarter_turns+rotation+crop+contrast+brightness"
PICTURES = np.random.default_rng(0).random((48, 8, 8)).astype(np.float32)


def weights(model):
    return np.concatenate([w.ravel() for w in model.network_.full.get_weights()])


def test_it_changes_training_rows_and_nothing_else():
    plain = ist.Autoencoder(2, **QUICK).fit(PICTURES)
    none = ist.Autoencoder(2, augmentation="none", **QUICK).fit(PICTURES)
    np.testing.assert_array_equal(weights(plain), weights(none))
    first, again = (
        ist.Autoencoder(2, augmentation="brightness:1", **QUICK).fit(PICTURES) for _ in range(2)
    )
    np.testing.assert_array_equal(weights(first), weights(again))
    assert (weights(first) != weights(plain)).any()


def test_held_out_rows_do_not_change():
    kept, brighter = (
        ist.Autoencoder(2, augmentation=each, normalization="none", **QUICK, **FROZEN)
        .fit(PICTURES)
        .history_
        for each in ("none", "brightness:1")
    )
    np.testing.assert_allclose(kept["val_loss"], brighter["val_loss"], rtol=1e-5)
    assert kept["loss"][0] == pytest.approx(kept["loss"][1], rel=1e-5)
    assert brighter["loss"][0] != pytest.approx(brighter["loss"][1], rel=1e-3)


def copying():
    """A network whose output is its input."""
    layers = keras.layers
    same = {"kernel_initializer": keras.initializers.Identity(), "use_bias": False}
    encoder = [keras.Input((8, 8)), layers.Flatten(), layers.Dense(64, **same)]
    decoder = [keras.Input((64,)), layers.Dense(64, **same), layers.Reshape((8, 8))]
    return {"encoder": keras.Sequential(encoder), "decoder": keras.Sequential(decoder)}


def first_loss(kind, *rows, **settings):
    given = {"augmentation": MANY, "epochs": 1, "random_state": 0, "verbose": 0, **FROZEN}
    return kind(**copying(), **{**given, **settings}).fit(*rows).history_["loss"][0]


def test_the_target_changes_as_the_input_does():
    rows = np.where(PICTURES < 0.1, np.float32(np.nan), PICTURES)
    assert first_loss(ist.Autoencoder, rows) == pytest.approx(0, abs=1e-10)
    assert first_loss(ist.DenoisingAutoencoder, rows, rows.copy()) == pytest.approx(0, abs=1e-10)
    # Noise is added to what was changed.
    noisy = first_loss(
        ist.DenoisingAutoencoder, PICTURES, noise=lambda key, x: x + 0.1, augmentation="brightness"
    )
    assert noisy == pytest.approx(0.01, rel=1e-4)


def test_a_run_goes_on_with_the_same_changes(tmp_path, monkeypatch):
    settings = {**QUICK, "epochs": 4, "augmentation": "flip+crop"}
    whole = ist.Autoencoder(2, **settings).fit(PICTURES)

    path, whole_write = tmp_path / "run.checkpoint", artifact.write

    def write_until_the_second_epoch(place, stored):
        whole_write(place, stored)
        if stored.manifest["epoch"] == 2:
            raise KeyboardInterrupt

    first = ist.Autoencoder(2, checkpoint=path, **settings)
    monkeypatch.setattr(artifact, "write", write_until_the_second_epoch)
    with pytest.warns(TrainingWarning, match="interrupted"):
        first.fit(PICTURES)
    monkeypatch.undo()
    resumed = ist.Autoencoder(2, checkpoint=path, **settings).fit(PICTURES)
    np.testing.assert_array_equal(weights(resumed), weights(whole))
    with pytest.raises(InvalidParameter, match="received another augmentation"):
        ist.Autoencoder(2, checkpoint=path, **{**settings, "augmentation": "flip"}).fit(PICTURES)


def test_the_convolutional_network_makes_no_other_changes(monkeypatch):
    """Its own choice of mirror images is made with "auto" alone."""
    left = PICTURES[..., None] * np.linspace(0, 1, 8)[:, None]
    both = np.concatenate([left, left[:, :, ::-1]])
    seen = {}

    def spy(*args, **kwargs):
        seen["mirrored"] = kwargs["mirrored"]
        raise KeyboardInterrupt

    monkeypatch.setattr("isthmus.training.loop.compile_programs", spy)
    for given, expected in (("auto", True), ("none", False), ("crop", False)):
        model = ist.Autoencoder(4, augmentation=given, random_state=0, verbose=0)
        with pytest.raises(KeyboardInterrupt):
            model.fit(both)
        assert bool(seen["mirrored"]) == expected


def test_labels_and_posteriors_allow_it():
    labels = np.arange(48) % 2
    classifier = ist.SupervisedAutoencoder(2, augmentation="flip", **QUICK).fit(PICTURES, labels)
    assert set(classifier.predict(PICTURES)) <= {0, 1}
    ist.VariationalAutoencoder(2, augmentation="flip", **QUICK).fit(PICTURES)


def test_windows_of_a_series_are_no_pictures():
    series = np.cumsum(np.random.default_rng(0).normal(size=(300, 2)), axis=0)
    detector = ist.AnomalyDetector(ist.Autoencoder(2, augmentation="flip", **QUICK), window=5)
    with pytest.raises(InvalidParameter, match="'flip' and windows of a series"):
        detector.fit(series)


def test_an_archive_keeps_it(tmp_path):
    model = ist.Autoencoder(2, augmentation="crop:0.25+flip", **QUICK).fit(PICTURES)
    model.save(tmp_path / "m.isthmus")
    assert ist.load(tmp_path / "m.isthmus").augmentation == "crop:0.25+flip"
    stored = model._to_artifact()
    for forged in ("flop", "crop:9", 3, None):
        params = {**stored.manifest["params"], "augmentation": forged}
        manifest = {**stored.manifest, "params": params}
        artifact.write(tmp_path / "f", artifact.Artifact(stored.kind, manifest, stored.arrays))
        with pytest.raises(InvalidArchive, match="the archive's settings: augmentation"):
            ist.load(tmp_path / "f")


@pytest.mark.parametrize(
    ("rows", "settings", "said"),
    [
        (PICTURES.reshape(48, -1), {}, "received rows of a table"),
        (
            pd.DataFrame({"a": [0.5, 1.5] * 20, "b": [2.5, 1.5, 0] * 13 + [1]}),
            {},
            "received rows of a table",
        ),
        (PICTURES, {"architecture": "gru"}, "received series, by architecture='gru'"),
        (PICTURES, {"augmentation": ("flip", "crop")}, r"received \('flip', 'crop'\).*by '\+'"),
        (PICTURES, {"augmentation": None}, "pass 'none'"),
        (PICTURES[:, :5], {"augmentation": "quarter_turns"}, "5 x 8 pixels"),
    ],
)
def test_it_is_refused_before_training(rows, settings, said):
    model = ist.Autoencoder(2, **{**QUICK, "augmentation": "flip", **settings})
    with pytest.raises(InvalidParameter, match=said):
        model.fit(rows)
