"""A zoo of Keras models, each with what an expert would say of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import layers, ops

if TYPE_CHECKING:
    from collections.abc import Callable

UNDER = "undercomplete autoencoder"
OVER = "overcomplete autoencoder"
DENOISING = "denoising autoencoder"
VARIATIONAL = "variational autoencoder"
SUPERVISED = "supervised autoencoder"
ENCODER = "encoder only"
DECODER = "decoder only"
TRANSLATOR = "encoder-decoder that is no autoencoder"
CLASSIFIER = "classifier"
REGRESSOR = "regressor"
UNDECIDED = "not decidable from this"


@dataclass(frozen=True)
class Case:
    build: Callable[[], keras.Model]
    kind: str
    code: int | None = None
    target: str | None = "input"
    answer: bool | None = True
    without: str = UNDECIDED
    """The kind when the target is not told."""
    says: str = ""
    """Part of a reason."""


ZOO: dict[str, Case] = {}


def without_drawing(patch: Any) -> None:
    """Let Keras begin with zeros, as it would compile a program for each shape that it draws."""
    for name in ("GlorotUniform", "Orthogonal", "RandomUniform"):
        made = getattr(keras.initializers, name)
        patch.setattr(made, "__call__", lambda self, shape, dtype=None, **_: np.zeros(shape, dtype))


def case(kind: str, code: int | None = None, **rest: Any) -> Callable[[Any], Any]:
    def add(build: Callable[[], keras.Model]) -> Callable[[], keras.Model]:
        ZOO[build.__name__] = Case(build, kind, code, **rest)
        return build

    return add


def not_one(kind: str, **rest: Any) -> Callable[[Any], Any]:
    """What is no autoencoder whatever its target, by its shapes or its loss."""
    return case(kind, **{"target": None, "answer": False, "without": kind, **rest})


def dense(*sizes: int, last: str = "sigmoid", name: str | None = None) -> keras.Sequential:
    first, *rest, end = sizes
    stack = [keras.Input((first,)), *(layers.Dense(n, activation="relu") for n in rest)]
    return keras.Sequential([*stack, layers.Dense(end, activation=last)], name=name)


def conv(filters: int, activation: str = "relu", **settings: Any) -> layers.Layer:
    return layers.Conv2D(filters, 3, activation=activation, padding="same", **settings)


# ---------------------------------------------------------------- of the documents


@case(UNDER, 32)
def document_dense_784_32():
    image = keras.Input((784,))
    code = layers.Dense(32, activation="relu")(image)
    model = keras.Model(image, layers.Dense(784, activation="sigmoid")(code))
    model.compile("adadelta", loss="binary_crossentropy")
    return model


def custom_loss(y_true, y_pred):
    return ops.mean(ops.square(y_true - y_pred))


@case(UNDER, 32)
def document_custom_loss():
    model = document_dense_784_32()
    model.compile("adadelta", loss=custom_loss)
    return model


@case(UNDER, 2)
def document_deep_tanh_2():
    sizes = (500, 300, 100, 2, 100, 300, 500)
    stack = [layers.Dense(n, activation="tanh") for n in sizes]
    return keras.Sequential([keras.Input((784,)), *stack, layers.Dense(784, activation="sigmoid")])


@case(UNDER, 20)
def document_parameters_161804():
    return keras.Sequential([keras.Input((784,)), *(layers.Dense(n) for n in (100, 20, 100, 784))])


@case(SUPERVISED, 2, says="Besides the reconstruction")
def document_supervised_2():
    image = keras.Input((784,))
    code = layers.Dense(2, activation="tanh", name="code")(
        layers.Dense(100, activation="tanh")(image)
    )
    back = layers.Dense(100, activation="tanh")(code)
    back = layers.Dense(784, activation="sigmoid", name="reconstruction")(back)
    head = layers.Dropout(0.5)(layers.Dense(64, activation="tanh")(code))
    head = layers.Dense(10, activation="softmax", name="digit")(head)
    model = keras.Model(image, [back, head])
    model.compile(
        "rmsprop",
        loss=["binary_crossentropy", "categorical_crossentropy"],
        loss_weights=[1, 0.1],
    )
    return model


@case(OVER, 784, says="not smaller")
def document_conv_upsampling():
    image = keras.Input((28, 28, 1))
    x = layers.MaxPooling2D(2, padding="same")(conv(32)(image))
    code = layers.MaxPooling2D(2, padding="same")(conv(16)(x))
    x = layers.UpSampling2D(2)(conv(16)(code))
    x = layers.UpSampling2D(2)(conv(32)(x))
    model = keras.Model(image, conv(1, "sigmoid")(x))
    model.compile("adam", loss="binary_crossentropy")
    return model


@case(OVER, 784, says="not smaller")
def document_conv_transpose():
    encoder = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            *(conv(32), layers.MaxPooling2D(2, padding="same")),
            *(conv(16), layers.MaxPooling2D(2, padding="same"), layers.Flatten()),
        ]
    )
    decoder = keras.Sequential(
        [
            keras.Input((784,)),
            layers.Dense(784, activation="relu"),
            layers.Reshape((7, 7, 16)),
            layers.Conv2DTranspose(16, 3, activation="relu", padding="same"),
            layers.UpSampling2D(2),
            layers.Conv2DTranspose(32, 3, activation="relu", padding="same"),
            layers.UpSampling2D(2),
            conv(1, "sigmoid"),
        ]
    )
    image = keras.Input((28, 28, 1))
    model = keras.Model(image, decoder(encoder(image)))
    model.compile("adam", loss="mse")
    return model


@case(UNDER, 32)
def document_dense_128_64_32():
    encoder = dense(784, 128, 64, 32, last="relu", name="encoder")
    decoder = dense(32, 64, 128, 784, name="decoder")
    image = keras.Input((784,))
    model = keras.Model(image, decoder(encoder(image)))
    model.compile("adam", loss="mse")
    return model


@case(UNDER, 2)
def document_linear_2():
    image = keras.Input((784,))
    model = keras.Model(image, layers.Dense(784)(layers.Dense(2)(image)))
    model.compile("adam", loss="binary_crossentropy")
    return model


@case(UNDER, 25)
def document_dense_25_elu():
    image = keras.Input((28, 28))
    x = layers.Dense(25, activation="elu")(layers.Flatten()(image))
    x = layers.Dense(784, activation="elu")(x)
    model = keras.Model(image, layers.Reshape((28, 28))(x))
    model.compile("adam", loss="mean_squared_error")
    return model


class Sampler(layers.Layer):
    def call(self, inputs):
        mean, log_variance = inputs
        return mean + ops.exp(0.5 * log_variance) * keras.random.normal(ops.shape(mean), seed=0)


def halves_of_vae(sampler: layers.Layer) -> keras.Model:
    image = keras.Input((28, 28, 1))
    x = layers.Conv2D(8, 3, activation="relu", strides=2, padding="same")(image)
    x = layers.Dense(16, activation="relu")(layers.Flatten()(x))
    mean = layers.Dense(2, name="z_mean")(x)
    log_variance = layers.Dense(2, name="z_log_var")(x)
    encoder = keras.Model(image, [mean, log_variance, sampler([mean, log_variance])], name="enc")
    code = keras.Input((2,))
    x = layers.Reshape((14, 14, 8))(layers.Dense(14 * 14 * 8, activation="relu")(code))
    x = layers.Conv2DTranspose(1, 3, activation="sigmoid", strides=2, padding="same")(x)
    decoder = keras.Model(code, x, name="dec")
    return keras.Model(image, decoder(encoder(image)[2]), name="vae")


@case(VARIATIONAL, 2, says="draws the code")
def document_variational():
    return halves_of_vae(Sampler(name="z"))


@case(VARIATIONAL, 2)
def variational_with_a_lambda():
    return halves_of_vae(layers.Lambda(lambda t: t[0] + ops.exp(t[1] / 2) * 0.1, output_shape=(2,)))


@case(VARIATIONAL, 3)
def variational_of_operations():
    rows, noise = keras.Input((20,)), keras.Input((3,), name="noise")
    x = layers.Dense(12, activation="relu")(rows)
    mean, log_variance = layers.Dense(3)(x), layers.Dense(3)(x)
    code = mean + ops.exp(0.5 * log_variance) * noise
    return keras.Model([rows, noise], layers.Dense(20)(layers.Dense(12)(code)))


# ---------------------------------------------------------------- other autoencoders


@case(DENOISING, 8, says="corrupts the input")
def noise_at_the_input():
    rows = keras.Input((30,))
    x = layers.Dense(8, activation="relu")(layers.GaussianNoise(0.3)(rows))
    return keras.Model(rows, layers.Dense(30)(x))


@case(DENOISING, 8)
def dropout_on_pixels():
    return keras.Sequential(
        [
            keras.Input((6, 6, 1)),
            *(layers.Rescaling(1 / 255), layers.Dropout(0.4), layers.Flatten(), layers.Dense(8)),
            *(layers.Dense(36), layers.Reshape((6, 6, 1))),
        ]
    )


@case(UNDER, 4)
def dropout_after_learning():
    return keras.Sequential(
        [
            keras.Input((20,)),
            *(layers.Dense(12), layers.Dropout(0.2), layers.Dense(4), layers.Dense(20)),
        ]
    )


@case(OVER, 32, says="penalty")
def sparse_and_wide():
    rows = keras.Input((8,))
    code = layers.Dense(32, activation="relu", activity_regularizer=keras.regularizers.L1(1e-3))
    return keras.Model(rows, layers.Dense(8)(code(rows)))


@case(OVER, 40)
def wide_then_activated():
    return keras.Sequential(
        [
            keras.Input((10,)),
            *(layers.Dense(40), layers.BatchNormalization(), layers.ReLU()),
            *(layers.Dense(10), layers.Activation("sigmoid")),
        ]
    )


@case(OVER, 6, says="copies its input")
def identity():
    rows = keras.Input((6,))
    return keras.Model(rows, layers.Activation("linear")(rows))


@case(OVER, None, says="path bypasses")
def unet_with_a_skip():
    image = keras.Input((16, 16, 1))
    a = conv(8)(image)
    b = conv(8)(layers.MaxPooling2D(2)(a))
    c = layers.Dense(4)(layers.Flatten()(b))
    x = layers.Reshape((8, 8, 8))(layers.Dense(512)(c))
    x = layers.Concatenate()([layers.UpSampling2D(2)(x), a])
    return keras.Model(image, conv(1, "sigmoid")(x))


@case(OVER, None, says="not smaller")
def unet_with_a_skip_from_the_input():
    rows = keras.Input((16,))
    x = layers.Dense(16)(layers.Dense(2)(rows))
    return keras.Model(rows, layers.Dense(16)(layers.Concatenate()([x, rows])))


@case(OVER, None, says="directly")
def residual_around_everything():
    rows = keras.Input((16,))
    x = layers.Dense(16)(layers.Dense(2)(rows))
    return keras.Model(rows, layers.Add()([x, rows]))


@case(UNDER, 10, says="parallel paths")
def skip_that_still_narrows():
    rows = keras.Input((100,))
    a = layers.Dense(8, activation="relu")(rows)
    b = layers.Dense(2, activation="relu")(layers.Dense(50)(rows))
    x = layers.Concatenate()([layers.Dense(60)(a), layers.Dense(60)(b)])
    return keras.Model(rows, layers.Dense(100)(x))


@case(UNDER, 16)
def residual_blocks_inside():
    rows = keras.Input((64,))
    x = layers.Dense(16)(rows)
    x = layers.Add()([x, layers.Dense(16)(layers.Dense(8, activation="relu")(x))])
    return keras.Model(rows, layers.Dense(64)(x))


@case(UNDER, 5)
def nested_twice():
    inner = dense(30, 12, 5, last="linear", name="inner")
    rows = keras.Input((30,))
    encoder = keras.Model(rows, inner(layers.Dense(30)(rows)), name="encoder")
    decoder = dense(5, 12, 30, name="decoder")
    return keras.Sequential([keras.Input((30,)), encoder, decoder])


@case(UNDER, 3)
def same_layer_twice():
    shared = layers.Dense(12, activation="relu", name="shared")
    rows = keras.Input((12,))
    code = layers.Dense(3)(shared(shared(rows)))
    return keras.Model(rows, layers.Dense(12)(code))


@keras.saving.register_keras_serializable("zoo")
class Tied(layers.Layer):
    """A dense layer backwards, by the transposed kernel of another."""

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.of: Any = None

    def call(self, inputs):
        return ops.matmul(inputs, ops.transpose(self.of.kernel))

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.units)

    def get_config(self):
        return {**super().get_config(), "units": self.units}


@case(UNDER, 4)
def tied_weights():
    rows, encode, decode = keras.Input((20,)), layers.Dense(4), Tied(20)
    code = encode(rows)
    decode.of = encode
    return keras.Model(rows, decode(code))


@case(UNDER, 16)
def sequences_with_repeat_vector():
    return keras.Sequential(
        [
            keras.Input((10, 3)),
            *(layers.LSTM(16), layers.RepeatVector(10), layers.LSTM(16, return_sequences=True)),
            layers.TimeDistributed(layers.Dense(3)),
        ]
    )


@case(UNDER, 12)
def bidirectional_sequences():
    return keras.Sequential(
        [
            keras.Input((20, 2)),
            layers.Bidirectional(layers.GRU(6)),
            *(layers.RepeatVector(20), layers.GRU(8, return_sequences=True), layers.Dense(2)),
        ]
    )


@case(UNDER, 16)
def series_by_convolution():
    return keras.Sequential(
        [
            keras.Input((64, 1)),
            layers.Conv1D(8, 5, strides=4, padding="same", activation="relu"),
            layers.Conv1D(2, 5, strides=2, padding="same"),
            layers.Conv1DTranspose(8, 5, strides=2, padding="same", activation="relu"),
            layers.Conv1DTranspose(1, 5, strides=4, padding="same"),
        ]
    )


@case(UNDER, 24)
def pictures_by_valid_convolution():
    return keras.Sequential(
        [
            keras.Input((12, 12, 1)),
            *(layers.Conv2D(4, 3), layers.AveragePooling2D(2), layers.Flatten(), layers.Dense(24)),
            *(layers.Dense(100), layers.Reshape((5, 5, 4)), layers.ZeroPadding2D(1)),
            *(layers.UpSampling2D(2), layers.Conv2D(1, 3, activation="sigmoid")),
        ]
    )


@case(UNDER, None, says="one number for every 4 of the input")
def pictures_of_any_size():
    return keras.Sequential(
        [
            keras.Input((None, None, 1)),
            *(conv(4), layers.MaxPooling2D(2), conv(1), layers.UpSampling2D(2)),
            conv(1, "sigmoid"),
        ]
    )


@case(UNDER, 6)
def two_inputs_two_outputs():
    sound, picture = keras.Input((20,), name="sound"), keras.Input((30,), name="picture")
    x = layers.Concatenate()([layers.Dense(10)(sound), layers.Dense(10)(picture)])
    code = layers.Dense(6)(x)
    return keras.Model(
        [sound, picture], [layers.Dense(20, name="s")(code), layers.Dense(30, name="p")(code)]
    )


@case(UNDER, 3, says="bypasses the code")
def conditional_on_y():
    rows, y = keras.Input((12,), name="x"), keras.Input((4,), name="y")
    code = layers.Dense(3)(rows)
    return keras.Model([rows, y], layers.Dense(12)(layers.Concatenate()([code, y])))


@case(UNDER, 3, says="code depends on the input y")
def fed_x_and_y():
    rows, y = keras.Input((12,), name="x"), keras.Input((4,), name="y")
    code = layers.Dense(3)(layers.Concatenate()([rows, y]))
    return keras.Model([rows, y], layers.Dense(12)(code))


@case(UNDER, 8)
def words():
    tokens = keras.Input((10,), dtype="int32")
    code = layers.LSTM(8)(layers.Embedding(50, 6)(tokens))
    x = layers.LSTM(8, return_sequences=True)(layers.RepeatVector(10)(code))
    model = keras.Model(tokens, layers.Dense(50, activation="softmax")(x))
    model.compile("adam", loss="sparse_categorical_crossentropy")
    return model


@case(SUPERVISED, 4)
def autoencoder_and_regression():
    rows = keras.Input((20,))
    code = layers.Dense(4)(rows)
    outputs = {"back": layers.Dense(20)(code), "price": layers.Dense(1)(code)}
    model = keras.Model(rows, outputs)
    model.compile("adam", loss={"back": "mse", "price": "mae"})
    return model


@case(UNDER, 32)
def flat_pictures_of_square_ones():
    image = keras.Input((8, 8))
    return keras.Model(image, layers.Dense(64)(layers.Dense(32)(layers.Flatten()(image))))


@case(UNDER, 4)
def transformer():
    x = inputs = keras.Input((8, 16))
    x = layers.LayerNormalization()(layers.Add()([x, layers.MultiHeadAttention(2, 8)(x, x)]))
    code = layers.Dense(4)(layers.GlobalAveragePooling1D()(x))
    x = layers.Dense(16)(layers.RepeatVector(8)(code))
    return keras.Model(inputs, layers.Add()([x, layers.MultiHeadAttention(2, 8)(x, x)]))


@case(UNDER, 4)
def frozen_encoder():
    encoder = dense(20, 10, 4, name="encoder")
    encoder.trainable = False
    rows = keras.Input((20,))
    return keras.Model(rows, layers.Dense(20)(layers.BatchNormalization()(encoder(rows))))


@case(UNDER, 4, says="branches off before the code")
def classes_beside_the_code():
    rows = keras.Input((20,))
    x = layers.Dense(10)(rows)
    digit = layers.Dense(3, activation="softmax", name="digit")(x)
    return keras.Model(rows, [layers.Dense(20)(layers.Dense(4)(x)), digit])


@case(UNDER, 4, says="computed from the reconstruction")
def critic_of_the_reconstruction():
    rows = keras.Input((20,))
    back = layers.Dense(20)(layers.Dense(4)(rows))
    return keras.Model(rows, [back, layers.Dense(1, activation="sigmoid")(back)])


# ---------------------------------------------------------------- what is none


@not_one(CLASSIFIER)
def vgg_like():
    return keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            *(conv(8), conv(8), layers.MaxPooling2D(2)),
            *(conv(16), conv(16), layers.MaxPooling2D(2), layers.Flatten()),
            *(layers.Dense(64, activation="relu"), layers.Dropout(0.5)),
            layers.Dense(10, activation="softmax"),
        ]
    )


@not_one(CLASSIFIER)
def resnet_like():
    x = inputs = keras.Input((32, 32, 3))
    x = conv(8)(x)
    for width in (8, 16):
        short = layers.Conv2D(width, 1, strides=2)(x)
        x = layers.BatchNormalization()(conv(width, strides=2)(x))
        x = layers.ReLU()(layers.Add()([short, conv(width)(x)]))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(5, activation="softmax")(x))


@not_one(CLASSIFIER)
def mobilenet_like():
    x = inputs = keras.Input((32, 32, 3))
    for width in (8, 16):
        x = layers.DepthwiseConv2D(3, strides=2, padding="same")(conv(width)(x))
        x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    x = layers.Dense(10)(layers.GlobalAveragePooling2D()(x))
    return keras.Model(inputs, layers.Softmax()(x))


@not_one(CLASSIFIER)
def classifier_of_logits():
    model = keras.Sequential([keras.Input((20,)), layers.Dense(16), layers.Dense(4)])
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


@not_one(CLASSIFIER)
def classifier_as_wide_as_its_input():
    model = dense(10, 32, 10, last="softmax")
    model.compile("adam", loss="sparse_categorical_crossentropy")
    return model


@not_one(CLASSIFIER)
def encoder_and_classifier():
    encoder = dense(64, 16, 4, last="linear", name="encoder")
    rows = keras.Input((64,))
    code = encoder(rows)
    return keras.Model(rows, [code, layers.Dense(3, activation="softmax")(code)])


@not_one(CLASSIFIER)
def lstm_classifier():
    return keras.Sequential(
        [keras.Input((12, 5)), layers.LSTM(8), layers.Dense(1, activation="sigmoid")]
    )


@not_one(CLASSIFIER)
def siamese():
    tower = dense(16, 8, 4, last="linear", name="tower")
    a, b = keras.Input((16,)), keras.Input((16,))
    apart = layers.Subtract()([tower(a), tower(b)])
    return keras.Model([a, b], layers.Dense(1, activation="sigmoid")(apart))


@not_one(ENCODER)
def encoder_only():
    return dense(784, 128, 32, last="relu")


@not_one(ENCODER)
def encoder_with_two_heads():
    rows = keras.Input((20,))
    x = layers.Dense(10)(rows)
    return keras.Model(rows, [layers.Dense(2)(x), layers.Dense(2)(x)])


@not_one(DECODER)
def decoder_only():
    return dense(2, 32, 784)


@not_one(TRANSLATOR)
def translator_between_sizes():
    return dense(20, 8, 3, 8, 12, last="linear")


@not_one(TRANSLATOR)
def segmentation():
    x = image = keras.Input((16, 16, 3))
    x = conv(4)(layers.MaxPooling2D(2)(conv(8)(x)))
    return keras.Model(image, conv(1, "sigmoid")(layers.UpSampling2D(2)(x)))


@case(TRANSLATOR, 3, target="other", answer=False)
def translator_of_one_size():
    return dense(12, 6, 3, 6, 12, last="linear")


@case(TRANSLATOR, target="other", answer=False)
def translator_between_two_inputs():
    source, goal = keras.Input((7, 20), name="source"), keras.Input((9, 15), name="goal")
    _, h, c = layers.LSTM(6, return_state=True)(source)
    x = layers.LSTM(6, return_sequences=True)(goal, initial_state=[h, c])
    return keras.Model([source, goal], layers.Dense(15, activation="softmax")(x))


@case(TRANSLATOR, 3, target="other", answer=False)
def target_is_the_other_input():
    a, b = keras.Input((10,), name="a"), keras.Input((10,), name="b")
    back = layers.Dense(10)(layers.Dense(3)(a))
    return keras.Model([a, b], [back, layers.Dense(1, name="also")(b)])


@case(REGRESSOR, target="labels", answer=False)
def regressor_as_wide_as_its_input():
    return dense(6, 32, 6, last="linear")


@not_one(ENCODER, says="No loss reaches")
def loss_on_the_code_only():
    rows = keras.Input((20,))
    code = layers.Dense(4, name="code")(rows)
    model = keras.Model(rows, {"code": code, "back": layers.Dense(20)(code)})
    model.compile("adam", loss={"code": "mse"})
    return model


@not_one(CLASSIFIER, says="No loss reaches")
def loss_on_the_classes_only():
    rows = keras.Input((20,))
    code = layers.Dense(4, name="code")(rows)
    digit = layers.Dense(3, activation="softmax", name="digit")(code)
    model = keras.Model(rows, [layers.Dense(20, name="back")(code), digit])
    model.compile("adam", loss=[None, "categorical_crossentropy"])
    return model


@not_one(DECODER)
def output_from_noise_alone():
    return keras.Sequential(
        [
            keras.Input((4,)),
            *(layers.Dense(32, activation="relu"), layers.Reshape((4, 4, 2))),
            layers.Conv2DTranspose(1, 3, strides=2, padding="same"),
        ]
    )
