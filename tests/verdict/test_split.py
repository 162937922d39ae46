"""A foreign model falls into encoder and decoder that share its weights."""

import keras
import numpy as np
import pytest
from keras import layers
from models import DENOISING, OVER, SUPERVISED, UNDER, ZOO, without_drawing

import isthmus as ist
from isthmus.core.errors import InvalidParameter

WITHOUT = {  # no single tensor between input and output
    "identity",
    "unet_with_a_skip",
    "unet_with_a_skip_from_the_input",
    "residual_around_everything",
    "skip_that_still_narrows",
}
KINDS = (UNDER, OVER, DENOISING, SUPERVISED)
WHOLE = [name for name, case in ZOO.items() if case.kind in KINDS and name not in WITHOUT]


def built(name, monkeypatch):
    without_drawing(monkeypatch)
    model = ZOO[name].build()
    rng = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign(rng.normal(size=variable.shape) / 4)
    return model


def as_list(value):
    return [np.asarray(part) for part in keras.tree.flatten(value)]


@pytest.mark.parametrize("name", WHOLE)
def test_one_after_the_other_they_give_what_the_model_gives(name, monkeypatch):
    model = built(name, monkeypatch)
    encoder, decoder = ist.split(model)
    rng = np.random.default_rng(1)
    arrays = [
        keras.ops.cast(rng.random((3, *(size or 8 for size in t.shape[1:]))) * 5, t.dtype)
        for t in model.inputs
    ]
    names = [tensor._keras_history.operation.name for tensor in model.inputs]
    given = dict(zip(names, arrays, strict=True))
    taken = [given[t._keras_history.operation.name] for t in encoder.inputs]
    code = encoder(taken if len(taken) > 1 else taken[0])
    rest = [given[t._keras_history.operation.name] for t in decoder.inputs[1:]]
    back = as_list(decoder([code, *rest] if rest else code))
    whole = as_list(model(arrays if len(arrays) > 1 else arrays[0]))
    for part in back:
        assert any(part.shape == other.shape and np.allclose(part, other) for other in whole)
    assert ist.inspect(model, target="input").code_size in (None, np.asarray(code)[0].size)


@pytest.mark.parametrize("name", sorted(WITHOUT))
def test_without_a_single_bottleneck_it_says_what_to_do(name, monkeypatch):
    with pytest.raises(InvalidParameter, match=r"Try: "):
        ist.split(built(name, monkeypatch))


def test_weights_are_shared(monkeypatch):
    model = built("document_dense_128_64_32", monkeypatch)
    encoder, decoder = ist.split(model)
    own = {id(v) for v in model.variables}
    assert {id(v) for part in (encoder, decoder) for v in part.variables} == own
    assert (encoder.output_shape, decoder.input_shape) == ((None, 32), (None, 32))


def test_a_variational_autoencoder_is_cut_where_its_code_is_drawn(monkeypatch):
    encoder, decoder = ist.split(built("document_variational", monkeypatch))
    assert (encoder.output_shape, decoder.output_shape) == ((None, 2), (None, 28, 28, 1))


def test_what_has_no_graph_is_refused():
    class Own(keras.Model):
        def call(self, rows):
            return rows

    for wrong in (Own(), keras.Sequential([layers.Dense(2)]), "model.keras"):
        with pytest.raises(InvalidParameter, match=r"keras\.Model"):
            ist.split(wrong)
