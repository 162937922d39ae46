"""Subclassed models with an encoder and a decoder of Keras' own layers."""

import json
import zipfile

import keras
import numpy as np
import pytest
from keras import layers
from models import UNDER, without_drawing
from tutorial_models import TUTORIALS

import isthmus as ist
from isthmus.core.errors import InvalidParameter

WHOLE = ("tf_basic", "tf_denoising", "tf_anomalies", "single_layers_as_parts")


def built(name):
    model = TUTORIALS[name].build()
    rng = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign(rng.normal(size=variable.shape) / 4)
    return model


@pytest.mark.parametrize("name", WHOLE)
def test_they_are_split_and_probed(name):
    model = built(name)
    encoder, decoder = ist.split(model)
    shape = encoder.input_shape[1:]
    X = np.random.default_rng(1).random((6, *shape)).astype("float32")
    whole = np.asarray(model(X))
    np.testing.assert_allclose(decoder(encoder(X)), whole, rtol=1e-5, atol=1e-6)
    own = {id(v) for v in model.variables}
    assert {id(v) for part in (encoder, decoder) for v in part.variables} <= own
    assert any("Probed" in reason for reason in ist.inspect(model, X=X).reasons)


@pytest.mark.parametrize("name", [*WHOLE, "tf_cvae"])
def test_inspecting_changes_nothing(name):
    model = built(name)
    parts = [layer for layer in model._flatten_layers() if layer is not model]
    before = [len(layer._inbound_nodes) for layer in parts]
    assert ist.inspect(model, target="input") == ist.inspect(model, target="input")
    assert before == [len(layer._inbound_nodes) for layer in parts]


@pytest.mark.parametrize("name", ["tf_cvae", "book_variational_with_a_sampler"])
def test_code_that_is_drawn_outside_is_not_split(name, monkeypatch):
    without_drawing(monkeypatch)
    with pytest.raises(InvalidParameter, match=r"mean and a spread.*model\.encoder"):
        ist.split(TUTORIALS[name].build())


@pytest.mark.parametrize("wrong", ["one", None, 3, layers.Dense(2)])
def test_other_attributes_of_these_names_are_no_parts(wrong):
    class Odd(keras.Model):
        def call(self, rows):
            return rows

    model = Odd()
    object.__setattr__(model, "encoder", wrong)
    object.__setattr__(model, "decoder", wrong)
    model(np.zeros((2, 3), "float32"))
    assert ist.inspect(model, target="input").is_autoencoder is None


@pytest.mark.parametrize(
    "settings",
    [
        {"layers": [64, 32], "input_layers": [], "output_layers": []},
        {"layers": [{"class_name": "Dense"}], "input_layers": [], "output_layers": []},
        {"encoder": {"config": {}}, "decoder": {"config": {}}},
        {"encoder": [64, 32], "decoder": [32, 64]},
        {"encoder": "dense"},
    ],
)
def test_settings_of_the_author_with_these_names_are_no_parts(settings, tmp_path):
    record = {"module": "mine", "class_name": "Mine", "config": settings}
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
        archive.writestr("config.json", json.dumps(record))
    assert ist.inspect(tmp_path / "m.keras", target="input").is_autoencoder is None


def test_a_part_that_is_a_layer_of_keras_may_have_settings(monkeypatch):
    class Convolved(keras.Model):
        def __init__(self):
            super().__init__()
            self.encoder = layers.Conv1D(2, 3, strides=4, padding="same")
            self.decoder = layers.Conv1DTranspose(1, 3, strides=4, padding="same")

        def call(self, rows):
            return self.decoder(self.encoder(rows))

    model = Convolved()
    model(np.zeros((2, 32, 1), "float32"))
    verdict = ist.inspect(model, target="input")
    assert (verdict.kind, verdict.code_size, verdict.input_size) == (UNDER, 16, 32)
    assert verdict.bottleneck[0].startswith("encoder/conv1d")
