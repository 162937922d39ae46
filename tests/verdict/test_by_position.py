"""Layers of unknown content that are recognised by what they take and what takes them."""

import keras
import pytest
from keras import layers, ops
from models import DENOISING, OVER, UNDER, VARIATIONAL, without_drawing

import isthmus as ist


@pytest.fixture(autouse=True)
def _quickly(monkeypatch):
    without_drawing(monkeypatch)


class Own(layers.Layer):
    """What it computes cannot be known from its file."""

    def call(self, inputs):
        return sum(inputs) if isinstance(inputs, (list, tuple)) else inputs


class Two(layers.Layer):
    def call(self, inputs):
        return list(inputs)


def judged(model, form, tmp_path, **more):
    if form == "live":
        return ist.inspect(model, **{"target": "input", **more})
    model.save(tmp_path / f"model.{form}")
    return ist.inspect(tmp_path / f"model.{form}", **{"target": "input", **more})


FORMS = pytest.mark.parametrize("form", ["live", "keras", "h5"])


def drawn(join, heads=2):
    rows = keras.Input((30,))
    h = layers.Dense(12)(rows)
    made = [layers.Dense(4)(h) for _ in range(heads)]
    return keras.Model(rows, layers.Dense(30)(layers.Dense(12)(join(made))))


@FORMS
def test_two_heads_into_one_layer_at_the_bottleneck_are_a_posterior(form, tmp_path):
    verdict = judged(drawn(Own()), form, tmp_path)
    assert verdict.kind == VARIATIONAL
    assert any("Two layers on the same features" in reason for reason in verdict.reasons)


@FORMS
@pytest.mark.parametrize(
    ("join", "heads"),
    [
        (layers.Add(), 2),
        (layers.Multiply(), 2),
        (Own(), 3),  # as the queries, keys and values of an attention
        (lambda made: layers.Multiply()([made[0], Own()(made[1])]), 2),  # a gate
        (lambda made: layers.Add()(Two()(made)), 2),
    ],
    ids=["sum", "product", "three", "gate", "passed on"],
)
def test_other_joins_of_two_heads_are_not(join, heads, form, tmp_path):
    assert judged(drawn(join, heads), form, tmp_path).kind == UNDER


@FORMS
def test_heads_on_different_features_are_not(form, tmp_path):
    rows = keras.Input((30,))
    one, other = layers.Dense(12)(rows), layers.Dense(12)(rows)
    code = Own()([layers.Dense(4)(one), layers.Dense(4)(other)])
    model = keras.Model(rows, layers.Dense(30)(code))
    assert judged(model, form, tmp_path).kind == UNDER


@FORMS
def test_a_join_before_the_bottleneck_is_not(form, tmp_path):
    rows = keras.Input((30,))
    h = layers.Dense(20)(rows)
    wide = Own()([layers.Dense(12)(h), layers.Dense(12)(h)])
    model = keras.Model(rows, layers.Dense(30)(layers.Dense(4)(wide)))
    assert judged(model, form, tmp_path).kind == UNDER


@FORMS
@pytest.mark.parametrize("noisy", [False, True])
@pytest.mark.parametrize("name", ["reconstruction_loss", "last"])
def test_a_last_layer_that_compares_is_no_path_around_the_code(name, noisy, form, tmp_path):
    rows = keras.Input((30,))
    given = layers.GaussianNoise(0.3)(rows) if noisy else rows
    back = layers.Dense(30)(layers.Dense(4)(given))
    model = keras.Model(rows, Own(name=name)([rows, back]))
    verdict = judged(model, form, tmp_path)
    if name == "last":  # it may as well be a skip connection
        assert verdict.kind == (DENOISING if noisy else OVER)
        assert verdict.code_size == 30
        return
    assert (verdict.kind, verdict.code_size) == (DENOISING if noisy else UNDER, 4)
    assert any("adds the loss" in reason for reason in verdict.reasons)
    assert verdict.heads == (name,)


@FORMS
def test_without_another_loss_the_last_layer_adds_it(form, tmp_path):
    rows = keras.Input((30,))
    model = keras.Model(rows, Own(name="last")([rows, layers.Dense(30)(layers.Dense(4)(rows))]))
    model.compile("adam", loss=None)
    assert judged(model, form, tmp_path).code_size == 4


def test_a_model_with_its_loss_as_last_layer_is_split():
    rows = keras.Input((30,))
    back = layers.Dense(30)(layers.Dense(4)(rows))
    encoder, decoder = ist.split(keras.Model(rows, Own(name="loss")([rows, back])))
    assert (encoder.output_shape, decoder.input_shape) == ((None, 4), (None, 4))
    assert decoder.output_shape == (None, 30)


def test_a_loss_layer_whose_output_has_another_shape():
    rows = keras.Input((30,))
    back = layers.Dense(30)(layers.Dense(4)(rows))
    apart = layers.Lambda(lambda t: ops.mean((t[0] - t[1]) ** 2, axis=-1), name="loss")
    model = keras.Model(rows, apart([rows, back]))
    assert ist.inspect(model, target="input").kind == UNDER
