import random

import jax
import keras
import numpy as np
import pytest
from keras import layers

import isthmus as ist
from isthmus.networks import acceleration, fast_layers
from isthmus.networks.acceleration import accelerated, rows_at_once
from isthmus.networks.architecture_settings import ArchitectureSettings
from isthmus.networks.bottlenecks import DeterministicBottleneck
from isthmus.networks.catalogue import ARCHITECTURES
from isthmus.networks.network import clone_given, join

pytestmark = pytest.mark.skipif(jax.default_backend() != "cpu", reason="needs a run on the CPU")

SIDE = 4
QUICKLY = {"xla_backend_optimization_level": 0}


@keras.saving.register_keras_serializable(package="tests")
class Positions(layers.Layer):
    """A layer with a constant, like a position encoding."""

    def __init__(self, scale=0.1, **settings):
        super().__init__(**settings)
        self.scale = scale

    def build(self, shape):
        self.table = self.scale * keras.ops.arange(shape[-1], dtype="float32")

    def call(self, inputs):
        return inputs + self.table

    def compute_output_shape(self, shape):
        return shape

    def get_config(self):
        return {**super().get_config(), "scale": self.scale}


@keras.saving.register_keras_serializable(package="tests")
class Doubled(keras.Model):
    """A functional model whose call computes more than its graph shows."""

    def __init__(self, **settings):
        inputs = keras.Input((SIDE, SIDE, 2))
        made = layers.Conv2D(2, 3, padding="same", name="inner_conv")(inputs)
        super().__init__(inputs, made, name="doubled")

    def call(self, inputs, training=None, mask=None):
        return 2 * super().call(inputs)

    def get_config(self):
        return {}

    @classmethod
    def from_config(cls, config):
        return cls()


def encoder(*more, ahead=()):
    return keras.Sequential(
        [
            keras.Input((SIDE, SIDE, 1)),
            *ahead,
            layers.Conv2D(3, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            *more,
            layers.Flatten(),
            layers.Dense(2),
        ]
    )


def decoder(build, *, side=SIDE // 2):
    """A functional decoder: `build` makes the image from a tensor (n, side, side, 2)."""
    code = keras.Input((2,))
    x = layers.Dense(side * side * 2, activation="tanh")(code)
    x = layers.Reshape((side, side, 2))(x)
    return keras.Model(code, build(x))


def picture(activation="sigmoid"):
    return layers.Conv2D(1, 3, padding="same", activation=activation)


def joined(first, second):
    """The complete autoencoder, with nonzero values in all variables."""
    full = clone_given(first, second, DeterministicBottleneck(2), seed=0).full
    rng = np.random.default_rng(0)
    for variable in full.variables:
        if "seed" not in variable.path:
            variable.assign(rng.uniform(0.1, 0.5, variable.shape))
    return full


def of_decoder(build, **settings):
    return joined(encoder(), decoder(build, **settings))


def kinds(model):
    return {type(layer) for layer in model._flatten_layers()}


def images(n=3):
    return np.random.default_rng(1).random((n, SIDE, SIDE, 1)).astype(np.float32)


def assert_same(full, *, twin=None, training=True):
    """A twin has the model's outputs, updates, losses and gradients for the same values."""
    twin = accelerated(full) if twin is None else twin

    def loss(trainable, model):
        outputs, updated, losses = model.stateless_call(
            trainable,
            [v.value for v in full.non_trainable_variables],
            images(),
            training=training,
            return_losses=True,
        )
        slopes = np.cos(np.arange(outputs["reconstruction"].size)).astype(np.float32)
        value = (outputs["reconstruction"].ravel() * slopes).sum() + sum(losses)
        return value, ({k: outputs[k] for k in ("code", "reconstruction")}, updated, losses)

    def all_of(trainable):
        return [jax.value_and_grad(loss, has_aux=True)(trainable, m) for m in (twin, full)]

    quick = jax.jit(all_of, compiler_options=QUICKLY)
    got, expected = quick([v.value for v in full.trainable_variables])
    for one, other in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
    return twin


def test_convolution_pooling_and_upsampling():
    def build(x):
        return picture()(layers.UpSampling2D(2)(x))

    full = of_decoder(build)
    before = random.getstate()
    twin = assert_same(full)
    assert random.getstate() == before
    assert [v.path for v in twin.variables] == [v.path for v in full.variables]
    assert {fast_layers.Conv2D, fast_layers.MaxPooling2D} < kinds(twin)
    assert fast_layers.UpSampling2D not in kinds(twin)  # the convolution does it
    assert "logits" in twin.output


def test_transposed_and_average_pooling_with_batch_normalisation_and_dropout():
    def build(x):
        x = layers.Conv2DTranspose(3, 3, 2, "same", activation="relu")(x)
        return picture("linear")(layers.Dropout(0.3)(layers.BatchNormalization()(x)))

    first = encoder(layers.BatchNormalization(), layers.AveragePooling2D(2))
    twin = assert_same(joined(first, decoder(build)))
    assert {fast_layers.Conv2DTranspose, fast_layers.AveragePooling2D} < kinds(twin)
    assert "logits" not in twin.output


def test_layers_that_are_frozen_or_called_twice():
    conv, up = layers.Conv2D(2, 3, padding="same"), layers.UpSampling2D(2)
    conv.trainable = False
    assert_same(of_decoder(lambda x: picture()(conv(up(conv(up(x))))), side=1))


def _twice(x):
    wide = layers.UpSampling2D(2)(x)
    return picture()(layers.Concatenate()([layers.Conv2D(2, 3, padding="same")(wide), wide]))


def _function(x):
    wide = layers.UpSampling2D(2)(x)
    return picture()(layers.Conv2D(2, 3, padding="same")(wide) + keras.ops.mean(wide, 3, True))


def _both_sides(x):
    wide = layers.UpSampling2D(2)(x)
    return picture()(layers.Add()([wide, wide]))


def _output_of_a_model(x):
    inner = keras.Input(x.shape[1:])
    wide = layers.UpSampling2D(2)(inner)
    model = keras.Model(inner, [layers.Conv2D(2, 3, padding="same")(wide), wide])
    return picture()(layers.Add()(model(x)))


def _seen_by_a_loss(x):
    return picture()(layers.UpSampling2D(2, activity_regularizer="l2")(x))


def _strided(x):
    return picture()(layers.Conv2D(2, 3, 2, "same")(layers.UpSampling2D(4)(x)))


def _valid(x):
    return picture()(layers.Conv2D(2, 3)(layers.UpSampling2D(3)(x)))


def _smooth(x):
    return picture()(layers.UpSampling2D(2, interpolation="bilinear")(x))


@pytest.mark.parametrize(
    "build",
    [
        _twice,
        _function,
        _both_sides,
        _output_of_a_model,
        _seen_by_a_loss,
        _strided,
        _valid,
        _smooth,
    ],
)
def test_upsampling_that_no_convolution_may_do(build):
    twin = assert_same(of_decoder(build))
    assert fast_layers.UpSampling2D in kinds(twin)


def test_upsampling_inside_a_nested_model_is_the_convolutions_work():
    inner = keras.Sequential(
        [keras.Input((2, 2, 2)), layers.UpSampling2D(2), layers.Conv2D(2, 3, padding="same")]
    )
    twin = assert_same(of_decoder(lambda x: picture()(inner(x))))
    assert fast_layers.UpSampling2D not in kinds(twin)


@pytest.mark.parametrize(
    "layer", [Positions(), layers.Normalization(axis=None, mean=0.5, variance=0.1)]
)
def test_layers_with_constants_survive(layer):
    second = decoder(lambda x: picture()(layers.UpSampling2D(2)(x)))
    twin = assert_same(joined(encoder(ahead=[layer]), second))
    assert type(layer) in kinds(twin)


def test_a_model_of_a_class_of_ones_own_is_left_alone():
    full = of_decoder(lambda x: picture()(Doubled()(x)), side=SIDE)
    assert accelerated(full) is full


def dense_decoder(*last):
    return keras.Sequential([keras.Input((2,)), layers.Dense(5, activation="tanh"), *last])


CELLS = SIDE * SIDE
SHAPE = (SIDE, SIDE, 1)


def dense(last):
    first = keras.Sequential([keras.Input(SHAPE), layers.Flatten(), layers.Dense(2)])
    return joined(first, last)


def _nested():
    inner = keras.Sequential(
        [keras.Input((5,)), layers.Dense(CELLS, activation="sigmoid"), layers.Reshape(SHAPE)]
    )
    return dense_decoder(inner)


def ending(*last):
    """Return a builder of a dense decoder, so that models are built when the test runs."""
    return lambda: dense_decoder(*(build() for build in last), layers.Reshape(SHAPE))


def _cells(activation=None, **settings):
    return lambda: layers.Dense(CELLS, activation=activation, **settings)


def _transposed():
    return decoder(lambda x: layers.Conv2DTranspose(1, 3, 2, "same", activation="sigmoid")(x))


@pytest.mark.parametrize(
    "last",
    [
        ending(_cells("sigmoid")),
        ending(_cells(), lambda: layers.Activation("sigmoid")),
        _nested,
        _transposed,
    ],
    ids=["dense", "activation", "nested", "transposed"],
)
def test_a_final_sigmoid_gives_its_logits(last):
    full = dense(last())
    twin = assert_same(full)
    outputs, _ = twin.stateless_call(
        [v.value for v in full.trainable_variables],
        [v.value for v in full.non_trainable_variables],
        images(),
    )
    expected = keras.ops.sigmoid(outputs["logits"])
    np.testing.assert_allclose(outputs["reconstruction"], expected, rtol=1e-5)


def _used_elsewhere():
    code = keras.Input((2,))
    shares = layers.Dense(CELLS, activation="sigmoid")(code)
    return keras.Model(code, layers.Reshape(SHAPE)(layers.Add()([shares, shares])))


def _same_model_twice():
    inner = keras.Sequential([keras.Input(SHAPE), picture()])
    return dense_decoder(layers.Dense(CELLS), layers.Reshape(SHAPE), inner, inner)


def _sigmoid_twice():
    """The last layer is also called earlier, where its sigmoid must stay."""
    last = layers.Dense(2, activation="sigmoid")
    code = keras.Input((2,))
    spread = [last(last(code))] * (CELLS // 2)
    return keras.Model(code, layers.Reshape(SHAPE)(layers.Concatenate()(spread)))


@pytest.mark.parametrize(
    "last",
    [
        ending(_cells()),
        ending(_cells("tanh")),
        _used_elsewhere,
        _same_model_twice,
        _sigmoid_twice,
        ending(_cells("sigmoid", activity_regularizer="l2")),
    ],
    ids=["linear", "tanh", "used_elsewhere", "same_model_twice", "called_twice", "seen_by_a_loss"],
)
def test_other_endings_have_no_logits(last):
    assert "logits" not in assert_same(dense(last())).output


def test_a_function_that_reads_the_reconstruction_leaves_it_a_share():
    inner_code = keras.Input((2,))
    shares = layers.Dense(CELLS, activation="sigmoid")(inner_code)
    scaled = layers.Reshape(SHAPE)(shares)
    other = keras.ops.multiply(shares, 0.5)
    inner = keras.Model(inner_code, [scaled, other])
    code = keras.Input((2,))
    full = dense(keras.Model(code, inner(code)[0]))
    assert "logits" not in assert_same(full).output


def test_where_nothing_is_gained_the_model_comes_back():
    full = dense(ending(_cells())())
    assert accelerated(full) is full


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_convolutional_architecture(precision):
    settings = ArchitectureSettings(SHAPE, "unit", (3, 4), "gelu", "auto", True, precision)
    architecture = ARCHITECTURES["convolutional"].from_settings(settings)
    full = join(architecture, SHAPE, DeterministicBottleneck(2), values="unit", seed=0).full
    twin = accelerated(full)
    assert fast_layers.Conv2D in kinds(twin)
    values = (
        [v.value for v in full.trainable_variables],
        [v.value for v in full.non_trainable_variables],
    )

    def both():
        return [model.stateless_call(*values, images())[0] for model in (twin, full)]

    made, expected = jax.jit(both, compiler_options=QUICKLY)()
    close = 1e-5 if precision == "float32" else 0.05
    np.testing.assert_allclose(made["logits"], expected["logits"], rtol=close, atol=close)


# 4 * 4 * 3 cells of 4 bytes: the largest layer of `encoder()`.
ROW = 4 * SIDE * SIDE * 3


@pytest.mark.parametrize(
    ("batch_size", "fitting", "rows"),
    [
        (64, 20, 16),
        (60, 20, 20),
        (64, 64, 64),
        (64, 7, 4),
        (64, 3, 64),
        (37, 20, 37),
        (22, 20, 11),
        (1, 20, 1),
    ],
)
def test_rows_at_once_divide_the_batch(monkeypatch, batch_size, fitting, rows):
    monkeypatch.setattr(acceleration, "_CACHE", fitting * ROW)
    assert rows_at_once(encoder(), batch_size) == rows


@pytest.mark.parametrize(("outputs", "rows"), [(1, 16), (2, 8), (5, 2), (16, 1), (50, 1)])
def test_rows_with_several_outputs(monkeypatch, outputs, rows):
    monkeypatch.setattr(acceleration, "_CACHE", 16 * ROW)
    assert rows_at_once(encoder(), 64, outputs) == rows


@pytest.mark.parametrize(
    "layer",
    [
        layers.BatchNormalization(),
        layers.TimeDistributed(layers.BatchNormalization()),
        layers.SpectralNormalization(layers.Conv2D(2, 1)),
        layers.ActivityRegularization(l2=0.1),
        layers.Conv2D(2, 1, activity_regularizer="l2"),
        layers.Lambda(lambda x: x),
        Positions(),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_samples_that_may_meet_stay_together(monkeypatch, layer):
    monkeypatch.setattr(acceleration, "_CACHE", 10 * ROW)
    assert rows_at_once(encoder(layer), 64) == 64
    nested = keras.Sequential([keras.Input(SHAPE), encoder(layer)])
    assert rows_at_once(nested, 64) == 64


def test_functions_may_join_samples(monkeypatch):
    monkeypatch.setattr(acceleration, "_CACHE", 10 * ROW)
    inputs = keras.Input(SHAPE)
    x = layers.Conv2D(2, 3)(inputs)
    model = keras.Model(inputs, x - keras.ops.mean(x, axis=0, keepdims=True))
    assert rows_at_once(model, 64) == 64


@pytest.mark.parametrize(
    "layer",
    [
        layers.GroupNormalization(1),
        layers.LayerNormalization(),
        layers.Dropout(0.5),
        layers.Conv2D(2, 1, kernel_regularizer="l2"),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_layers_that_keep_samples_apart(monkeypatch, layer):
    monkeypatch.setattr(acceleration, "_CACHE", 10 * ROW)
    assert rows_at_once(encoder(layer), 64) == 8


def test_dense_models_run_whole_batches(monkeypatch):
    monkeypatch.setattr(acceleration, "_CACHE", 1)
    assert rows_at_once(dense(ending(_cells())()), 64) == 64


def _fitted(pair):
    return ist.Autoencoder(
        encoder=pair[0],
        decoder=pair[1],
        epochs=2,
        batch_size=16,
        loss="bce",
        optimizer=keras.optimizers.SGD(0.5),
        schedule="constant",
        validation_fraction=0,
        verbose=0,
        random_state=0,
    ).fit(images(40))  # the last batch is half empty


def test_a_fit_in_pieces_is_that_of_keras_own_layers(monkeypatch):
    pair = (
        encoder(layers.Conv2D(2, 3, padding="same", kernel_regularizer="l2")),
        decoder(lambda x: picture()(layers.UpSampling2D(2)(x))),
    )
    whole = _fitted(pair)
    monkeypatch.setattr(acceleration, "_CACHE", 8 * 4 * SIDE * SIDE * 3)
    assert whole.network_.rows_at_once(16) == 8
    pieces = _fitted(pair)
    monkeypatch.undo()
    monkeypatch.setattr(acceleration, "_FAST", {})
    monkeypatch.setattr(acceleration, "_final_sigmoid", lambda graph: None)
    assert accelerated(whole.network_.full) is whole.network_.full
    plain = _fitted(pair)
    for other in (pieces, plain):
        for model, reference in (
            (other.encoder_, whole.encoder_),
            (other.decoder_, whole.decoder_),
        ):
            for one, two in zip(model.get_weights(), reference.get_weights(), strict=True):
                np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-5)
    kernels = zip(pair[0].get_weights(), whole.encoder_.get_weights(), strict=True)
    assert all((before != after).any() for before, after in kernels)
    for layer in (*whole.encoder_._flatten_layers(), *whole.decoder_._flatten_layers()):
        assert type(layer).__module__.startswith("keras.")
