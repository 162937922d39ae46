"""Models as tutorials, books and forum answers write them, each with its kind.

The architectures are those of well-known texts; the code is ours. A class of an author does what
authors do: it has a `get_config` only where Keras needs one to save the model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import layers, ops
from models import (
    CLASSIFIER,
    DECODER,
    DENOISING,
    ENCODER,
    OVER,
    REGRESSOR,
    SUPERVISED,
    TRANSLATOR,
    UNDER,
    VARIATIONAL,
)

if TYPE_CHECKING:
    from collections.abc import Callable

FORMS = ("live", "keras", "h5")
L = layers


@dataclass(frozen=True)
class Tutorial:
    build: Callable[[], keras.Model]
    kind: str
    target: str = "input"
    """What the loss compares the output with."""
    code: int | None = None
    forms: tuple[str, ...] = FORMS
    """The forms that Keras can give the model."""

    @property
    def answer(self) -> bool:
        return self.kind in (UNDER, OVER, DENOISING, VARIATIONAL, SUPERVISED)


TUTORIALS: dict[str, Tutorial] = {}


def tutorial(kind: str, code: int | None = None, **rest: Any) -> Callable[[Any], Any]:
    def add(build: Callable[[], keras.Model]) -> Callable[[], keras.Model]:
        TUTORIALS[build.__name__] = Tutorial(build, kind, code=code, **rest)
        return build

    return add


LIVE_ONLY = ("live",)


def compiled(model: keras.Model, loss: Any, optimizer: str = "adam") -> keras.Model:
    model.compile(optimizer=optimizer, loss=loss)
    return model


def called(model: keras.Model, *shape: int) -> keras.Model:
    """Call a model on a batch, as `fit` does."""
    model(np.zeros((2, *shape), "float32"))
    return model


# ---------------------------------------------------------------- the Keras blog


@tutorial(UNDER, 32)
def blog_simple():
    img = keras.Input(shape=(784,))
    encoded = L.Dense(32, activation="relu")(img)
    decoded = L.Dense(784, activation="sigmoid")(encoded)
    return compiled(keras.Model(img, decoded), "binary_crossentropy")


@tutorial(UNDER, 32)
def blog_sparse():
    img = keras.Input(shape=(784,))
    penalty = keras.regularizers.l1(10e-5)
    encoded = L.Dense(32, activation="relu", activity_regularizer=penalty)(img)
    return compiled(
        keras.Model(img, L.Dense(784, activation="sigmoid")(encoded)), "binary_crossentropy"
    )


@tutorial(UNDER, 32)
def blog_deep():
    x = img = keras.Input(shape=(784,))
    for units in (128, 64, 32, 64, 128):
        x = L.Dense(units, activation="relu")(x)
    x = L.Dense(784, activation="sigmoid")(x)
    return compiled(keras.Model(img, x), "binary_crossentropy")


def conv(filters: int, activation: str = "relu", **rest: Any) -> layers.Layer:
    return L.Conv2D(filters, (3, 3), activation=activation, **{"padding": "same", **rest})


def pool() -> layers.Layer:
    return L.MaxPooling2D((2, 2), padding="same")


@tutorial(UNDER, 128)
def blog_convolutional():
    x = img = keras.Input(shape=(28, 28, 1))
    for filters in (16, 8, 8):
        x = pool()(conv(filters)(x))
    for layer in (conv(8), conv(8), conv(16, padding="valid")):
        x = L.UpSampling2D((2, 2))(layer(x))
    return compiled(keras.Model(img, conv(1, "sigmoid")(x)), "binary_crossentropy")


@tutorial(OVER, 1568)
def blog_denoising():
    x = img = keras.Input(shape=(28, 28, 1))
    for _ in range(2):
        x = pool()(conv(32)(x))
    for _ in range(2):
        x = L.UpSampling2D((2, 2))(conv(32)(x))
    return compiled(keras.Model(img, conv(1, "sigmoid")(x)), "binary_crossentropy")


@tutorial(UNDER, 16)
def blog_sequences():
    inputs = keras.Input(shape=(20, 5))
    encoded = L.LSTM(16)(inputs)
    decoded = L.LSTM(5, return_sequences=True)(L.RepeatVector(20)(encoded))
    return compiled(keras.Model(inputs, decoded), "mse")


def draw(args: Any) -> Any:
    mean, log_sigma = args
    noise = keras.random.normal(ops.shape(mean), seed=0)
    return mean + ops.exp(log_sigma) * noise


@tutorial(VARIATIONAL, 2)
def blog_variational():
    inputs = keras.Input(shape=(784,))
    h = L.Dense(64, activation="relu")(inputs)
    mean, log_sigma = L.Dense(2)(h), L.Dense(2)(h)
    z = L.Lambda(draw)([mean, log_sigma])
    encoder = keras.Model(inputs, [mean, log_sigma, z], name="encoder")
    codes = keras.Input(shape=(2,), name="z_sampling")
    x = L.Dense(784, activation="sigmoid")(L.Dense(64, activation="relu")(codes))
    decoder = keras.Model(codes, x, name="decoder")
    return keras.Model(inputs, decoder(encoder(inputs)[2]), name="vae_mlp")


# ---------------------------------------------------------------- TensorFlow's tutorials


@tutorial(UNDER, 64)
def tf_basic():
    class Autoencoder(keras.Model):
        def __init__(self, latent_dim, shape):
            super().__init__()
            self.latent_dim = latent_dim
            self.shape = shape
            self.encoder = keras.Sequential([L.Flatten(), L.Dense(latent_dim, activation="relu")])
            self.decoder = keras.Sequential(
                [L.Dense(int(np.prod(shape)), activation="sigmoid"), L.Reshape(shape)]
            )

        def call(self, x):
            return self.decoder(self.encoder(x))

        def get_config(self):
            return {"latent_dim": self.latent_dim, "shape": self.shape}

    return called(compiled(Autoencoder(64, (28, 28)), keras.losses.MeanSquaredError()), 28, 28)


@tutorial(UNDER, 392)
def tf_denoising():
    class Denoise(keras.Model):
        def __init__(self):
            super().__init__()
            self.encoder = keras.Sequential(
                [keras.Input((28, 28, 1)), conv(16, strides=2), conv(8, strides=2)]
            )
            self.decoder = keras.Sequential(
                [
                    *(
                        L.Conv2DTranspose(
                            n, kernel_size=3, strides=2, activation="relu", padding="same"
                        )
                        for n in (8, 16)
                    ),
                    L.Conv2D(1, kernel_size=(3, 3), activation="sigmoid", padding="same"),
                ]
            )

        def call(self, x):
            return self.decoder(self.encoder(x))

    return called(compiled(Denoise(), keras.losses.MeanSquaredError()), 28, 28, 1)


@tutorial(UNDER, 8)
def tf_anomalies():
    class AnomalyDetector(keras.Model):
        def __init__(self):
            super().__init__()
            self.encoder = keras.Sequential([L.Dense(n, activation="relu") for n in (32, 16, 8)])
            self.decoder = keras.Sequential(
                [*(L.Dense(n, activation="relu") for n in (16, 32)), L.Dense(140, "sigmoid")]
            )

        def call(self, x):
            return self.decoder(self.encoder(x))

    return called(compiled(AnomalyDetector(), "mae"), 140)


@tutorial(VARIATIONAL, 2)
def tf_cvae():
    class CVAE(keras.Model):
        def __init__(self, latent_dim):
            super().__init__()
            self.latent_dim = latent_dim
            self.encoder = keras.Sequential(
                [
                    keras.Input((28, 28, 1)),
                    L.Conv2D(32, 3, strides=(2, 2), activation="relu"),
                    L.Conv2D(64, 3, strides=(2, 2), activation="relu"),
                    *(L.Flatten(), L.Dense(latent_dim + latent_dim)),
                ]
            )
            self.decoder = keras.Sequential(
                [
                    keras.Input((latent_dim,)),
                    *(L.Dense(7 * 7 * 32, activation="relu"), L.Reshape((7, 7, 32))),
                    L.Conv2DTranspose(64, 3, strides=2, padding="same", activation="relu"),
                    L.Conv2DTranspose(32, 3, strides=2, padding="same", activation="relu"),
                    L.Conv2DTranspose(1, 3, strides=1, padding="same"),
                ]
            )

        def call(self, x):
            mean, _ = ops.split(self.encoder(x), 2, axis=1)
            return self.decoder(mean)

        def get_config(self):
            return {"latent_dim": self.latent_dim}

    return called(CVAE(2), 28, 28, 1)


# ---------------------------------------------------------------- keras.io


class Sampling(layers.Layer):
    """Uses (z_mean, z_log_var) to sample z."""

    def call(self, inputs):
        z_mean, z_log_var = inputs
        noise = keras.random.normal(ops.shape(z_mean), seed=0)
        return z_mean + ops.exp(0.5 * z_log_var) * noise


def image_decoder(latent: int) -> keras.Model:
    latent_inputs = keras.Input(shape=(latent,))
    x = L.Dense(7 * 7 * 64, activation="relu")(latent_inputs)
    x = L.Reshape((7, 7, 64))(x)
    x = L.Conv2DTranspose(64, 3, activation="relu", strides=2, padding="same")(x)
    x = L.Conv2DTranspose(32, 3, activation="relu", strides=2, padding="same")(x)
    x = L.Conv2DTranspose(1, 3, activation="sigmoid", padding="same")(x)
    return keras.Model(latent_inputs, x, name="decoder")


def image_features(image: Any) -> Any:
    x = L.Conv2D(32, 3, activation="relu", strides=2, padding="same")(image)
    x = L.Conv2D(64, 3, activation="relu", strides=2, padding="same")(x)
    return L.Dense(16, activation="relu")(L.Flatten()(x))


@tutorial(VARIATIONAL, 2, forms=LIVE_ONLY)
def keras_io_variational():
    image = keras.Input(shape=(28, 28, 1))
    x = image_features(image)
    z_mean, z_log_var = L.Dense(2, name="z_mean")(x), L.Dense(2, name="z_log_var")(x)
    encoder = keras.Model(image, [z_mean, z_log_var, Sampling()([z_mean, z_log_var])])

    class VAE(keras.Model):
        def __init__(self, encoder, decoder, **kwargs):
            super().__init__(**kwargs)
            self.encoder, self.decoder = encoder, decoder
            self.total_loss_tracker = keras.metrics.Mean(name="total_loss")

        def train_step(self, data):
            return {}

    model = VAE(encoder, image_decoder(2))
    model.compile(optimizer=keras.optimizers.Adam())
    return model


@tutorial(OVER, 1152)
def keras_io_timeseries():
    model = keras.Sequential(
        [
            L.Input(shape=(288, 1)),
            L.Conv1D(32, 7, padding="same", strides=2, activation="relu"),
            L.Dropout(rate=0.2),
            L.Conv1D(16, 7, padding="same", strides=2, activation="relu"),
            L.Conv1DTranspose(16, 7, padding="same", strides=2, activation="relu"),
            L.Dropout(rate=0.2),
            L.Conv1DTranspose(32, 7, padding="same", strides=2, activation="relu"),
            L.Conv1DTranspose(1, 7, padding="same"),
        ]
    )
    return compiled(model, "mse")


@tutorial(OVER, 1568)
def keras_io_denoising():
    x = image = L.Input(shape=(28, 28, 1))
    for _ in range(2):
        x = L.MaxPooling2D((2, 2), padding="same")(conv(32)(x))
    for _ in range(2):
        x = L.Conv2DTranspose(32, (3, 3), strides=2, activation="relu", padding="same")(x)
    return compiled(keras.Model(image, conv(1, "sigmoid")(x)), "binary_crossentropy")


class VectorQuantizer(layers.Layer):
    def __init__(self, num_embeddings, embedding_dim, beta=0.25, **kwargs):
        super().__init__(**kwargs)
        self.embedding_dim, self.num_embeddings, self.beta = embedding_dim, num_embeddings, beta
        self.embeddings = self.add_weight(shape=(embedding_dim, num_embeddings), name="vqvae")

    def call(self, x):
        flat = ops.reshape(x, (-1, self.embedding_dim))
        nearest = ops.argmax(ops.matmul(flat, self.embeddings), axis=1)
        quantized = ops.take(ops.transpose(self.embeddings), nearest, axis=0)
        quantized = ops.reshape(quantized, ops.shape(x))
        self.add_loss(ops.mean((quantized - x) ** 2) * self.beta)
        return x + ops.stop_gradient(quantized - x)


@tutorial(OVER, 784)
def keras_io_vqvae():
    image = keras.Input(shape=(28, 28, 1))
    x = L.Conv2D(32, 3, activation="relu", strides=2, padding="same")(image)
    x = L.Conv2D(64, 3, activation="relu", strides=2, padding="same")(x)
    encoder = keras.Model(image, L.Conv2D(16, 1, padding="same")(x), name="encoder")
    codes = keras.Input(shape=encoder.output_shape[1:])
    x = L.Conv2DTranspose(64, 3, activation="relu", strides=2, padding="same")(codes)
    x = L.Conv2DTranspose(32, 3, activation="relu", strides=2, padding="same")(x)
    decoder = keras.Model(codes, L.Conv2DTranspose(1, 3, padding="same")(x), name="decoder")
    image = keras.Input(shape=(28, 28, 1))
    quantized = VectorQuantizer(64, 16, name="vector_quantizer")(encoder(image))
    return keras.Model(image, decoder(quantized), name="vq_vae")


@tutorial(VARIATIONAL, 32)
def keras_guide_subclassing():
    class Encoder(layers.Layer):
        def __init__(self, latent_dim=32, intermediate_dim=64, name="encoder", **kwargs):
            super().__init__(name=name, **kwargs)
            self.dense_proj = L.Dense(intermediate_dim, activation="relu")
            self.dense_mean = L.Dense(latent_dim)
            self.dense_log_var = L.Dense(latent_dim)
            self.sampling = Sampling()

        def call(self, inputs):
            x = self.dense_proj(inputs)
            z_mean, z_log_var = self.dense_mean(x), self.dense_log_var(x)
            return z_mean, z_log_var, self.sampling((z_mean, z_log_var))

    class Decoder(layers.Layer):
        def __init__(self, original_dim, intermediate_dim=64, name="decoder", **kwargs):
            super().__init__(name=name, **kwargs)
            self.dense_proj = L.Dense(intermediate_dim, activation="relu")
            self.dense_output = L.Dense(original_dim, activation="sigmoid")

        def call(self, inputs):
            return self.dense_output(self.dense_proj(inputs))

    class VariationalAutoEncoder(keras.Model):
        def __init__(self, original_dim, intermediate_dim=64, latent_dim=32, **kwargs):
            super().__init__(**kwargs)
            self.original_dim = original_dim
            self.encoder = Encoder(latent_dim=latent_dim, intermediate_dim=intermediate_dim)
            self.decoder = Decoder(original_dim, intermediate_dim=intermediate_dim)

        def call(self, inputs):
            z_mean, z_log_var, z = self.encoder(inputs)
            kl_loss = -0.5 * ops.mean(z_log_var - ops.square(z_mean) - ops.exp(z_log_var) + 1)
            self.add_loss(kl_loss)
            return self.decoder(z)

        def get_config(self):
            return {"original_dim": self.original_dim}

    return called(compiled(VariationalAutoEncoder(784, 64, 32), "mse"), 784)


@tutorial(VARIATIONAL, 16)
def keras_example_deconvolution():
    inputs = keras.Input((28, 28, 1), name="encoder_input")
    x = inputs
    for filters in (32, 64):
        x = conv(filters, strides=2)(x)
    x = L.Dense(16, activation="relu")(L.Flatten()(x))
    z_mean, z_log_var = L.Dense(16, name="z_mean")(x), L.Dense(16, name="z_log_var")(x)
    z = L.Lambda(draw, output_shape=(16,), name="z")([z_mean, z_log_var])
    encoder = keras.Model(inputs, [z_mean, z_log_var, z], name="encoder")
    codes = keras.Input((16,), name="z_sampling")
    x = L.Reshape((7, 7, 64))(L.Dense(7 * 7 * 64, activation="relu")(codes))
    for filters in (64, 32):
        x = L.Conv2DTranspose(filters, 3, strides=2, activation="relu", padding="same")(x)
    x = L.Conv2DTranspose(1, 3, activation="sigmoid", padding="same", name="decoder_output")(x)
    decoder = keras.Model(codes, x, name="decoder")
    return compiled(keras.Model(inputs, decoder(encoder(inputs)[2]), name="vae"), None)


@tutorial(UNDER, 16)
def keras_example_denoising():
    inputs = x = keras.Input((28, 28, 1), name="encoder_input")
    for filters in (32, 64):
        x = L.Conv2D(filters, 3, strides=2, activation="relu", padding="same")(x)
    encoder = keras.Model(inputs, L.Dense(16, name="latent_vector")(L.Flatten()(x)), name="encoder")
    codes = keras.Input((16,), name="decoder_input")
    x = L.Reshape((7, 7, 64))(L.Dense(7 * 7 * 64)(codes))
    for filters in (64, 32):
        x = L.Conv2DTranspose(filters, 3, strides=2, activation="relu", padding="same")(x)
    x = L.Conv2DTranspose(1, 3, padding="same")(x)
    decoder = keras.Model(codes, L.Activation("sigmoid")(x), name="decoder")
    return compiled(keras.Model(inputs, decoder(encoder(inputs)), name="autoencoder"), "mse")


class RelationalConvolution(layers.Layer):
    def __init__(self, units=32, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape):
        bonds, features = input_shape[0][1], input_shape[1][2]
        self.kernel = self.add_weight(shape=(bonds, features, self.units), name="W")

    def call(self, inputs):
        adjacency, features = inputs
        x = ops.matmul(adjacency, ops.expand_dims(features, 1))
        return ops.relu(ops.sum(ops.matmul(x, self.kernel), axis=1))


@tutorial(VARIATIONAL)
def keras_io_molecules():
    adjacency, features = keras.Input((4, 12, 12)), keras.Input((12, 6))
    x = RelationalConvolution(9)([adjacency, features])
    x = L.Dense(32, activation="relu")(L.GlobalAveragePooling1D()(x))
    z_mean, log_var = L.Dense(8, name="z_mean")(x), L.Dense(8, name="log_var")(x)
    z = Sampling()([z_mean, log_var])
    x = L.Dense(32, activation="tanh")(z)
    a = L.Softmax(axis=1)(L.Reshape((4, 12, 12))(L.Dense(4 * 12 * 12)(x)))
    f = L.Softmax(axis=2)(L.Reshape((12, 6))(L.Dense(12 * 6)(x)))
    return keras.Model([adjacency, features], [a, f], name="molecules")


@tutorial(DENOISING, forms=LIVE_ONLY)
def keras_io_masked():
    width = 16

    class Patches(layers.Layer):
        def call(self, images):
            return ops.reshape(images, (-1, 16, 64 * 3))

    class PatchEncoder(layers.Layer):
        def call(self, patches):
            return patches[:, :4, :width]

    def transformer(x, ends):
        a = L.LayerNormalization()(x)
        x = L.Add()([x, L.MultiHeadAttention(2, width)(a, a)])
        x = L.LayerNormalization()(L.Dense(width)(x))
        return ends(x)

    class MaskedAutoencoder(keras.Model):
        def __init__(self, encoder, decoder, **kwargs):
            super().__init__(**kwargs)
            self.patch_layer, self.patch_encoder = Patches(), PatchEncoder()
            self.encoder, self.decoder = encoder, decoder

        def train_step(self, data):
            return {}

    shown, every = keras.Input((None, width)), keras.Input((16, width))
    encoder = keras.Model(shown, transformer(shown, lambda x: x), name="mae_encoder")
    image = transformer(
        every, lambda x: L.Reshape((32, 32, 3))(L.Dense(32 * 32 * 3)(L.Flatten()(x)))
    )
    return MaskedAutoencoder(encoder, keras.Model(every, image, name="mae_decoder"))


# ---------------------------------------------------------------- books


class CustomVariationalLayer(layers.Layer):
    """The loss of a variational autoencoder, as the last layer."""

    def call(self, inputs):
        x, z_decoded, z_mean, z_log_var = inputs
        x, z_decoded = ops.reshape(x, (-1,)), ops.reshape(z_decoded, (-1,))
        kl = -5e-4 * ops.mean(1 + z_log_var - ops.square(z_mean) - ops.exp(z_log_var))
        self.add_loss(ops.mean(ops.square(x - z_decoded)) + kl)
        return inputs[0]


@tutorial(VARIATIONAL, 2)
def book_lambda_variational():
    image = keras.Input(shape=(28, 28, 1))
    x = conv(32)(image)
    x = conv(64)(conv(64, strides=(2, 2))(x))
    x = L.Dense(32, activation="relu")(L.Flatten()(x))
    z_mean, z_log_var = L.Dense(2)(x), L.Dense(2)(x)
    z = L.Lambda(draw, output_shape=(2,))([z_mean, z_log_var])
    codes = keras.Input((2,))
    x = L.Reshape((14, 14, 64))(L.Dense(14 * 14 * 64, activation="relu")(codes))
    x = L.Conv2DTranspose(32, 3, padding="same", activation="relu", strides=(2, 2))(x)
    decoder = keras.Model(codes, conv(1, "sigmoid")(x))
    return compiled(keras.Model(image, decoder(z)), "binary_crossentropy", "rmsprop")


@tutorial(VARIATIONAL, 2)
def book_variational_with_a_loss_layer():
    image = keras.Input(shape=(28, 28, 1))
    x = L.Dense(32, activation="relu")(L.Flatten()(conv(32, strides=2)(image)))
    z_mean, z_log_var = L.Dense(2)(x), L.Dense(2)(x)
    z = L.Lambda(draw)([z_mean, z_log_var])
    codes = keras.Input((2,))
    x = L.Reshape((14, 14, 4))(L.Dense(14 * 14 * 4, activation="relu")(codes))
    x = L.Conv2DTranspose(32, 3, padding="same", activation="relu", strides=(2, 2))(x)
    z_decoded = keras.Model(codes, conv(1, "sigmoid")(x))(z)
    y = CustomVariationalLayer()([image, z_decoded, z_mean, z_log_var])
    return compiled(keras.Model(image, y), None, "rmsprop")


@tutorial(VARIATIONAL, 2, forms=LIVE_ONLY)
def book_variational_with_a_sampler():
    image = keras.Input(shape=(28, 28, 1))
    x = image_features(image)
    heads = [L.Dense(2, name="z_mean")(x), L.Dense(2, name="z_log_var")(x)]

    class Sampler(layers.Layer):
        def call(self, z_mean, z_log_var):
            return z_mean + ops.exp(0.5 * z_log_var)

    class VAE(keras.Model):
        def __init__(self, encoder, decoder, **kwargs):
            super().__init__(**kwargs)
            self.encoder, self.decoder, self.sampler = encoder, decoder, Sampler()

        def call(self, inputs):
            return self.encoder(inputs)

        def train_step(self, data):
            return {}

    return VAE(keras.Model(image, heads, name="encoder"), image_decoder(2))


@tutorial(UNDER, 30)
def book_stacked():
    encoder = keras.Sequential(
        [L.Flatten(), L.Dense(100, activation="relu"), L.Dense(30, activation="relu")]
    )
    decoder = keras.Sequential(
        [L.Dense(100, activation="relu"), L.Dense(28 * 28), L.Reshape([28, 28])]
    )
    return called(compiled(keras.Sequential([encoder, decoder]), "mse", "nadam"), 28, 28)


class DenseTranspose(layers.Layer):
    """A dense layer with the transposed kernel of another."""

    def __init__(self, dense, activation=None, **kwargs):
        super().__init__(**kwargs)
        self.dense, self.activation = dense, keras.activations.get(activation)

    def build(self, batch_input_shape):
        self.biases = self.add_weight(
            name="bias", shape=(self.dense.kernel.shape[0],), initializer="zeros"
        )

    def call(self, inputs):
        return self.activation(ops.matmul(inputs, ops.transpose(self.dense.kernel)) + self.biases)


@tutorial(UNDER, 30, forms=LIVE_ONLY)
def book_tied():
    dense_1, dense_2 = L.Dense(100, activation="relu"), L.Dense(30, activation="relu")
    encoder = keras.Sequential([L.Flatten(), dense_1, dense_2])
    encoder.build((None, 28, 28))
    decoder = keras.Sequential(
        [DenseTranspose(dense_2, "relu"), DenseTranspose(dense_1), L.Reshape([28, 28])]
    )
    return called(compiled(keras.Sequential([encoder, decoder]), "mse"), 28, 28)


@tutorial(UNDER, 30)
def book_convolutional():
    encoder = keras.Sequential(
        [
            *(L.Reshape([28, 28, 1]), conv(16), L.MaxPool2D(pool_size=2)),
            *(conv(32), L.MaxPool2D(pool_size=2), conv(64), L.MaxPool2D(pool_size=2)),
            *(conv(30), L.GlobalAvgPool2D()),
        ]
    )
    decoder = keras.Sequential(
        [
            *(L.Dense(3 * 3 * 16), L.Reshape((3, 3, 16))),
            L.Conv2DTranspose(32, 3, strides=2, activation="relu"),
            L.Conv2DTranspose(16, 3, strides=2, padding="same", activation="relu"),
            *(L.Conv2DTranspose(1, 3, strides=2, padding="same"), L.Reshape([28, 28])),
        ]
    )
    return called(compiled(keras.Sequential([encoder, decoder]), "mse", "nadam"), 28, 28)


@tutorial(UNDER, 30)
def book_recurrent():
    encoder = keras.Sequential(
        [keras.Input((28, 28)), L.LSTM(100, return_sequences=True), L.LSTM(30)]
    )
    decoder = keras.Sequential(
        [
            *(keras.Input((30,)), L.RepeatVector(28), L.LSTM(100, return_sequences=True)),
            L.TimeDistributed(L.Dense(28, activation="sigmoid")),
        ]
    )
    return compiled(keras.Sequential([keras.Input((28, 28)), encoder, decoder]), "mse")


@tutorial(DENOISING, 30)
def book_denoising():
    encoder = keras.Sequential([L.Flatten(), L.Dropout(0.5), L.Dense(100), L.Dense(30)])
    decoder = keras.Sequential([L.Dense(100), L.Dense(28 * 28), L.Reshape([28, 28])])
    return called(compiled(keras.Sequential([encoder, decoder]), "mse"), 28, 28)


@tutorial(UNDER, 100)  # by our definition: the narrowest cut
def book_sparse():
    encoder = keras.Sequential(
        [
            *(L.Flatten(), L.Dense(100, activation="relu"), L.Dense(300, activation="sigmoid")),
            L.ActivityRegularization(l1=1e-4),
        ]
    )
    decoder = keras.Sequential([L.Dense(100), L.Dense(28 * 28), L.Reshape([28, 28])])
    return called(compiled(keras.Sequential([encoder, decoder]), "mse"), 28, 28)


class KLDivergenceRegularizer(keras.regularizers.Regularizer):
    def __init__(self, weight, target):
        self.weight, self.target = weight, target

    def __call__(self, inputs):
        return self.weight * ops.mean((ops.mean(inputs, axis=0) - self.target) ** 2)

    def get_config(self):
        return {"weight": self.weight, "target": self.target}


@tutorial(UNDER, 100)  # by our definition: the narrowest cut
def book_sparse_by_divergence():
    penalty = KLDivergenceRegularizer(weight=5e-3, target=0.1)
    encoder = keras.Sequential(
        [L.Flatten(), L.Dense(100), L.Dense(300, "sigmoid", activity_regularizer=penalty)]
    )
    decoder = keras.Sequential([L.Dense(100), L.Dense(28 * 28), L.Reshape([28, 28])])
    return called(compiled(keras.Sequential([encoder, decoder]), "mse"), 28, 28)


@tutorial(VARIATIONAL, 10)
def book_variational_fashion():
    inputs = L.Input(shape=[28, 28])
    z = L.Flatten()(inputs)
    for units in (150, 100):
        z = L.Dense(units, activation="relu")(z)
    codings_mean, codings_log_var = L.Dense(10)(z), L.Dense(10)(z)
    codings = Sampling()([codings_mean, codings_log_var])
    encoder = keras.Model(inputs=[inputs], outputs=[codings_mean, codings_log_var, codings])
    decoder_inputs = L.Input(shape=[10])
    x = decoder_inputs
    for units in (100, 150, 28 * 28):
        x = L.Dense(units, activation="relu")(x)
    decoder = keras.Model(inputs=[decoder_inputs], outputs=[L.Reshape([28, 28])(x)])
    _, _, codings = encoder(inputs)
    return compiled(keras.Model(inputs=[inputs], outputs=[decoder(codings)]), "mse", "nadam")


@tutorial(UNDER, 16)
def book_hashing():
    encoder = keras.Sequential(
        [L.Flatten(), L.Dense(100), L.GaussianNoise(0.5), L.Dense(16, activation="sigmoid")]
    )
    decoder = keras.Sequential([L.Dense(100), L.Dense(28 * 28), L.Reshape([28, 28])])
    return called(compiled(keras.Sequential([encoder, decoder]), "mse"), 28, 28)


@tutorial(UNDER, 2)
def book_principal_components():
    encoder = keras.Sequential([keras.Input((3,)), L.Dense(2)])
    decoder = keras.Sequential([keras.Input((2,)), L.Dense(3)])
    return compiled(keras.Sequential([keras.Input((3,)), encoder, decoder]), "mse", "sgd")


# ---------------------------------------------------------------- blogs and forums


@tutorial(OVER)
def unet_that_denoises():
    image = keras.Input((64, 64, 1))
    a = conv(16)(image)
    b = conv(32)(L.MaxPooling2D()(a))
    c = conv(64)(L.MaxPooling2D()(b))
    x = conv(32)(L.Concatenate()([L.UpSampling2D()(c), b]))
    x = conv(16)(L.Concatenate()([L.UpSampling2D()(x), a]))
    return compiled(keras.Model(image, L.Conv2D(1, 1, activation="sigmoid")(x)), "mse")


class DenseTied(layers.Layer):
    """Written with a configuration, so that it can be saved."""

    def __init__(self, units, tied_to=None, **kwargs):
        super().__init__(**kwargs)
        self.units, self.tied_to = units, tied_to

    def build(self, input_shape):
        self.bias = self.add_weight(shape=(self.units,), initializer="zeros", name="bias")

    def call(self, inputs):
        return ops.matmul(inputs, ops.transpose(self.tied_to.kernel)) + self.bias

    def get_config(self):
        return {**super().get_config(), "units": self.units}


@tutorial(UNDER, 16)
def tied_decoder():
    first, second = L.Dense(64, activation="relu"), L.Dense(16, activation="relu")
    rows = keras.Input((200,))
    x = DenseTied(64, tied_to=second)(second(first(rows)))
    return compiled(keras.Model(rows, DenseTied(200, tied_to=first)(x)), "mse")


@tutorial(UNDER, 16)
def tied_decoder_in_a_sequence():
    first, second = L.Dense(64, activation="relu"), L.Dense(16, activation="relu")
    model = keras.Sequential(
        [
            *(keras.Input((200,)), first, second),
            *(DenseTied(64, tied_to=second), DenseTied(200, tied_to=first)),
        ]
    )
    return compiled(model, "mse")


class ReconstructionLoss(layers.Layer):
    def call(self, inputs):
        truth, guess = inputs
        self.add_loss(ops.mean(ops.square(truth - guess)))
        return guess


@tutorial(UNDER, 8)
def endpoint_layer():
    rows = keras.Input((60,))
    x = L.Dense(60)(L.Dense(8, activation="relu")(rows))
    return compiled(keras.Model(rows, ReconstructionLoss()([rows, x])), None)


class Endpoint(layers.Layer):
    """Takes the tensors as separate arguments."""

    def call(self, targets, outputs):
        self.add_loss(ops.mean(ops.abs(targets - outputs)))
        return outputs


@tutorial(UNDER, 98)
def endpoint_layer_of_images():
    image = keras.Input((28, 28, 1))
    x = L.Conv2D(2, 3, strides=2, padding="same")(conv(8, strides=2)(image))
    for filters in (8, 1):
        x = L.Conv2DTranspose(filters, 3, strides=2, padding="same")(x)
    return compiled(keras.Model(image, Endpoint(name="endpoint")(image, x)), None)


def contractive_loss(y_true, y_pred):
    return ops.mean(ops.square(y_true - y_pred), axis=-1)


@tutorial(UNDER, 32)
def contractive():
    rows = keras.Input((784,))
    code = L.Dense(32, activation="sigmoid", name="encoded")(rows)
    model = keras.Model(rows, L.Dense(784, activation="linear")(code))
    return compiled(model, contractive_loss)


class KSparse(layers.Layer):
    def __init__(self, k=10, **kwargs):
        super().__init__(**kwargs)
        self.k = k

    def call(self, inputs):
        least = ops.min(ops.top_k(inputs, self.k)[0], axis=-1, keepdims=True)
        return ops.where(inputs >= least, inputs, 0.0)


@tutorial(UNDER, 100)
def k_sparse():
    rows = keras.Input((784,))
    code = KSparse(k=10)(L.Dense(100)(rows))
    return compiled(keras.Model(rows, L.Dense(784, activation="sigmoid")(code)), "mse")


@tutorial(UNDER, 100)
def winner_takes_all():
    rows = keras.Input((784,))
    winners = L.Lambda(lambda t: ops.where(t >= ops.max(t, axis=0), t, 0.0))
    return compiled(keras.Model(rows, L.Dense(784)(winners(L.Dense(100)(rows)))), "mse")


@tutorial(UNDER, 12)
def multimodal():
    audio, video = keras.Input((40,), name="audio"), keras.Input((60,), name="video")
    both = L.concatenate([L.Dense(20)(audio), L.Dense(20)(video)])
    shared = L.Dense(12, activation="relu", name="shared")(both)
    outputs = [
        L.Dense(40, name="audio_out")(L.Dense(20)(shared)),
        L.Dense(60, name="video_out")(L.Dense(20)(shared)),
    ]
    return compiled(keras.Model([audio, video], outputs), "mse")


@tutorial(VARIATIONAL, 3)
def variational_of_rows():
    rows = keras.Input((30,))
    h = L.Dense(16, activation="relu")(rows)
    mu, sigma = L.Dense(3, name="mu")(h), L.Dense(3, name="sigma")(h)
    z = L.Lambda(draw, name="z")([mu, sigma])
    x = L.Dense(30)(L.Dense(16, activation="relu")(z))
    return compiled(keras.Model(rows, x), "mse")


@tutorial(VARIATIONAL, 5)
def variational_with_an_unnamed_layer():
    class Latent(layers.Layer):
        def call(self, inputs):
            return draw(inputs)

    rows = keras.Input((50,))
    h = L.Dense(20, activation="relu")(rows)
    z = Latent()([L.Dense(5)(h), L.Dense(5)(h)])
    x = L.Dense(50, activation="sigmoid")(L.Dense(20, activation="relu")(z))
    return compiled(keras.Model(rows, x), "binary_crossentropy")


@tutorial(VARIATIONAL, 4)
def variational_of_operations():
    rows = keras.Input((40,))
    h = L.Dense(20, activation="relu")(rows)
    mean, log_var = L.Dense(4)(h), L.Dense(4)(h)
    noise = L.Lambda(lambda m: keras.random.normal(ops.shape(m), seed=0))(mean)
    z = mean + ops.exp(0.5 * log_var) * noise
    return compiled(keras.Model(rows, L.Dense(40)(L.Dense(20)(z))), "mse")


class KLDivergenceLayer(layers.Layer):
    """Adds the divergence to the loss and passes its inputs on."""

    def call(self, inputs):
        mu, log_var = inputs
        self.add_loss(-0.5 * ops.mean(1 + log_var - ops.square(mu) - ops.exp(log_var)))
        return inputs


@tutorial(VARIATIONAL, 2)
def variational_with_a_divergence_layer():
    x, eps = keras.Input((784,)), keras.Input((2,), name="eps")
    h = L.Dense(64, activation="relu")(x)
    z_mu, z_log_var = KLDivergenceLayer()([L.Dense(2)(h), L.Dense(2)(h)])
    z_sigma = L.Lambda(lambda t: ops.exp(0.5 * t))(z_log_var)
    z = L.Add()([z_mu, L.Multiply()([z_sigma, eps])])
    decoder = keras.Sequential(
        [keras.Input((2,)), L.Dense(64, activation="relu"), L.Dense(784, activation="sigmoid")]
    )
    return compiled(keras.Model([x, eps], decoder(z)), "binary_crossentropy", "rmsprop")


@tutorial(VARIATIONAL, 8)
def beta_variational():
    class BetaVAE(keras.Model):
        """A functional model with its own training step."""

        def train_step(self, data):
            return {}

    image = keras.Input((32, 32, 3))
    x = image
    for filters in (8, 16):
        x = conv(filters, strides=2)(x)
    x = L.Flatten()(x)
    z_mean, z_log_var = L.Dense(8)(x), L.Dense(8)(x)
    z = Sampling(name="reparameterize")([z_mean, z_log_var])
    x = L.Reshape((8, 8, 16))(L.Dense(8 * 8 * 16, activation="relu")(z))
    for filters in (8, 3):
        x = L.Conv2DTranspose(filters, 3, strides=2, padding="same")(x)
    return BetaVAE(image, x)


@tutorial(VARIATIONAL, 2)
def conditional_variational():
    x, label = keras.Input((784,), name="x"), keras.Input((10,), name="label")
    h = L.Dense(64, activation="relu")(L.concatenate([x, label]))
    z = L.Lambda(draw, output_shape=(2,))([L.Dense(2)(h), L.Dense(2)(h)])
    h = L.Dense(64, activation="relu")(L.concatenate([z, label]))
    out = L.Dense(784, activation="sigmoid")(h)
    return compiled(keras.Model([x, label], out), "binary_crossentropy")


@tutorial(VARIATIONAL, 8)
def variational_of_sequences():
    x = keras.Input((20, 6))
    h = L.LSTM(16)(x)
    z = L.Lambda(draw)([L.Dense(8)(h), L.Dense(8)(h)])
    h = L.LSTM(16, return_sequences=True)(L.RepeatVector(20)(z))
    return compiled(keras.Model(x, L.TimeDistributed(L.Dense(6))(h)), "mse")


@tutorial(SUPERVISED, 16)
def reconstruction_and_classes():
    img = keras.Input((784,))
    code = L.Dense(16, activation="relu")(L.Dense(128, activation="relu")(img))
    decoded = L.Dense(784, activation="sigmoid", name="decoded")(L.Dense(128)(code))
    classes = L.Dense(10, activation="softmax", name="classes")(code)
    losses = {"decoded": "mse", "classes": "categorical_crossentropy"}
    return compiled(keras.Model(img, [decoded, classes]), losses)


@tutorial(UNDER, 50)
def recommender_of_ratings():
    ratings = keras.Input((300,), name="UserRating")
    x = L.Dense(100, activation="selu", name="EncLayer0")(ratings)
    x = L.Dropout(0.8)(L.Dense(50, activation="selu", name="LatentSpace")(x))
    x = L.Dense(100, activation="selu", name="DecLayer0")(x)
    return compiled(keras.Model(ratings, L.Dense(300, name="UserScorePred")(x)), "mse")


@tutorial(UNDER, 7)
def card_fraud():
    rows = keras.Input(shape=(29,))
    x = L.Dense(14, activation="tanh", activity_regularizer=keras.regularizers.l1(10e-5))(rows)
    x = L.Dense(7, activation="relu")(x)
    x = L.Dense(29, activation="relu")(L.Dense(7, activation="tanh")(x))
    return compiled(keras.Model(rows, x), "mean_squared_error")


@tutorial(UNDER, 24)
def sentences():
    words = keras.Input((15,), dtype="int32")
    code = L.LSTM(24)(L.Embedding(200, 16, mask_zero=False)(words))
    x = L.LSTM(24, return_sequences=True)(L.RepeatVector(15)(code))
    x = L.TimeDistributed(L.Dense(200, activation="softmax"))(x)
    return compiled(keras.Model(words, x), "sparse_categorical_crossentropy")


@tutorial(OVER)
def stock_anomalies():
    model = keras.Sequential()
    model.add(keras.Input((30, 1)))
    model.add(L.LSTM(64))
    model.add(L.Dropout(rate=0.2))
    model.add(L.RepeatVector(n=30))
    model.add(L.LSTM(64, return_sequences=True))
    model.add(L.Dropout(rate=0.2))
    model.add(L.TimeDistributed(L.Dense(units=1)))
    return compiled(model, "mae")


@tutorial(UNDER)
def video_anomalies():
    model = keras.Sequential(
        [
            keras.Input((8, 64, 64, 1)),
            L.TimeDistributed(L.Conv2D(16, 11, strides=4, padding="same")),
            L.TimeDistributed(L.Conv2D(8, 5, strides=2, padding="same")),
            L.ConvLSTM2D(8, 3, padding="same", return_sequences=True),
            L.ConvLSTM2D(4, 3, padding="same", return_sequences=True),
            L.ConvLSTM2D(8, 3, padding="same", return_sequences=True),
            L.TimeDistributed(L.Conv2DTranspose(8, 5, strides=2, padding="same")),
            L.TimeDistributed(L.Conv2DTranspose(16, 11, strides=4, padding="same")),
            L.TimeDistributed(L.Conv2D(1, 11, padding="same", activation="sigmoid")),
        ]
    )
    return compiled(model, "mse")


@tutorial(UNDER)
def heartbeats():
    x = series = keras.Input((128, 1))
    for filters in (16, 8, 1):
        x = L.MaxPooling1D(2)(L.Conv1D(filters, 5, padding="same", activation="relu")(x))
    for filters in (8, 16):
        x = L.UpSampling1D(2)(L.Conv1D(filters, 5, padding="same", activation="relu")(x))
    x = L.Conv1D(1, 5, padding="same")(L.UpSampling1D(2)(x))
    return compiled(keras.Model(series, x), "mse")


@tutorial(UNDER, 10)
def embedded_clustering():
    dims = (784, 50, 50, 200, 10)
    x = rows = keras.Input((dims[0],), name="input")
    for i, units in enumerate(dims[1:]):
        x = L.Dense(units, activation="relu" if i < 3 else None, name=f"encoder_{i}")(x)
    for i, units in reversed(list(enumerate(dims[:-1]))):
        x = L.Dense(units, activation="relu" if i else None, name=f"decoder_{i}")(x)
    return compiled(keras.Model(rows, x, name="AE"), "mse")


@tutorial(UNDER, 32)
def single_layers_as_parts():
    class AE(keras.Model):
        def __init__(self):
            super().__init__()
            self.encoder = L.Dense(32, activation="relu")
            self.decoder = L.Dense(784, activation="sigmoid")

        def call(self, x):
            return self.decoder(self.encoder(x))

    return called(compiled(AE(), "mse"), 784)


@tutorial(UNDER, 16)
def parts_in_a_saved_configuration():
    @keras.saving.register_keras_serializable("tutorials")
    class Packed(keras.Model):
        def __init__(self, encoder, decoder, **kwargs):
            super().__init__(**kwargs)
            self.encoder, self.decoder = encoder, decoder

        def call(self, x):
            return self.decoder(self.encoder(x))

        def get_config(self):
            parts = {"encoder": self.encoder, "decoder": self.decoder}
            return {k: keras.saving.serialize_keras_object(v) for k, v in parts.items()}

    encoder = keras.Sequential([keras.Input((100,)), L.Dense(40, "relu"), L.Dense(16)])
    decoder = keras.Sequential([keras.Input((16,)), L.Dense(40, "relu"), L.Dense(100)])
    return called(compiled(Packed(encoder, decoder), "mse"), 100)


@tutorial(UNDER, 8)
def pictures_in_colour():
    encoder = keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            *(conv(8, strides=2), L.BatchNormalization(), L.LeakyReLU()),
            *(conv(16, strides=2), L.BatchNormalization(), L.LeakyReLU()),
            *(L.Flatten(), L.Dense(8, name="latent")),
        ],
        name="encoder",
    )
    decoder = keras.Sequential(
        [
            *(keras.Input((8,)), L.Dense(8 * 8 * 16), L.Reshape((8, 8, 16))),
            *(L.Conv2DTranspose(16, 3, strides=2, padding="same"), L.BatchNormalization()),
            *(L.Conv2DTranspose(3, 3, strides=2, padding="same"), L.Activation("sigmoid")),
        ],
        name="decoder",
    )
    image = keras.Input((32, 32, 3))
    return compiled(keras.Model(image, decoder(encoder(image)), name="autoencoder"), "mse")


# ---------------------------------------------------------------- no autoencoders


@tutorial(CLASSIFIER, target="labels")
def mnist_convnet():
    model = keras.Sequential(
        [
            *(keras.Input((28, 28, 1)), conv(32), L.MaxPooling2D(), conv(64), L.MaxPooling2D()),
            *(L.Flatten(), L.Dropout(0.5), L.Dense(10, activation="softmax")),
        ]
    )
    return compiled(model, "categorical_crossentropy")


@tutorial(CLASSIFIER, target="labels")
def small_resnet():
    x = image = keras.Input((32, 32, 3))
    x = conv(16)(x)
    for width in (16, 32):
        y = L.BatchNormalization()(L.Conv2D(width, 3, strides=2, padding="same")(x))
        short = L.Conv2D(width, 1, strides=2)(x)
        x = L.Activation("relu")(L.Add()([L.Conv2D(width, 3, padding="same")(y), short]))
    x = L.Dense(10, activation="softmax")(L.GlobalAveragePooling2D()(x))
    return compiled(keras.Model(image, x), "sparse_categorical_crossentropy")


@tutorial(CLASSIFIER, target="labels")
def reviews():
    words = keras.Input(shape=(None,), dtype="int32")
    x = L.Embedding(2000, 16)(words)
    x = L.Bidirectional(L.LSTM(8, return_sequences=True))(x)
    x = L.Dense(1, activation="sigmoid")(L.Bidirectional(L.LSTM(8))(x))
    return compiled(keras.Model(words, x), "binary_crossentropy")


class TransformerBlock(layers.Layer):
    def __init__(self, width, **kwargs):
        super().__init__(**kwargs)
        self.width = width
        self.attention, self.dense = L.MultiHeadAttention(2, width), L.Dense(width)

    def call(self, inputs):
        return self.dense(inputs + self.attention(inputs, inputs))


@tutorial(CLASSIFIER, target="labels")
def transformer_of_text():
    words = keras.Input((40,), dtype="int32")
    x = TransformerBlock(16)(L.Embedding(500, 16)(words))
    x = L.Dense(2, activation="softmax")(L.GlobalAveragePooling1D()(x))
    return compiled(keras.Model(words, x), "sparse_categorical_crossentropy")


@tutorial(DECODER, target="other")
def gan_generator():
    return keras.Sequential(
        [
            *(keras.Input((100,)), L.Dense(7 * 7 * 32), L.BatchNormalization(), L.LeakyReLU()),
            *(L.Reshape((7, 7, 32)), L.Conv2DTranspose(16, 5, strides=2, padding="same")),
            L.Conv2DTranspose(1, 5, strides=2, padding="same", activation="tanh"),
        ]
    )


@tutorial(CLASSIFIER, target="labels")
def gan_discriminator():
    model = keras.Sequential(
        [
            *(keras.Input((28, 28, 1)), L.Conv2D(64, 5, strides=2, padding="same")),
            *(L.LeakyReLU(), L.Dropout(0.3), L.Flatten(), L.Dense(1, activation="sigmoid")),
        ]
    )
    return compiled(model, "binary_crossentropy")


@tutorial(TRANSLATOR, target="other")
def translation_by_letters():
    encoder_inputs, decoder_inputs = keras.Input((None, 70)), keras.Input((None, 90))
    _, h, c = L.LSTM(32, return_state=True)(encoder_inputs)
    x, _, _ = L.LSTM(32, return_sequences=True, return_state=True)(
        decoder_inputs, initial_state=[h, c]
    )
    x = L.Dense(90, activation="softmax")(x)
    model = keras.Model([encoder_inputs, decoder_inputs], x)
    return compiled(model, "categorical_crossentropy", "rmsprop")


@tutorial(TRANSLATOR, target="other")
def segmentation():
    image = keras.Input((64, 64, 3))
    a = conv(16)(image)
    b = conv(32)(L.MaxPooling2D()(a))
    x = conv(16)(L.Concatenate()([L.UpSampling2D()(b), a]))
    x = L.Conv2D(3, 1, activation="softmax")(x)
    return compiled(keras.Model(image, x), "sparse_categorical_crossentropy")


@tutorial(TRANSLATOR, target="other")
def masks_of_pictures():
    x = image = keras.Input((64, 64, 3))
    for filters in (16, 32):
        x = L.MaxPooling2D()(conv(filters)(x))
    for filters in (32, 16):
        x = L.Conv2DTranspose(filters, 2, strides=2)(x)
    model = keras.Model(image, L.Conv2D(1, 1, activation="sigmoid")(x))
    return compiled(model, "binary_crossentropy")


@tutorial(TRANSLATOR, target="other")
def pictures_to_pictures():
    image = keras.Input((64, 64, 3))
    a = L.Conv2D(16, 4, strides=2, padding="same")(image)
    b = L.Conv2D(32, 4, strides=2, padding="same")(L.LeakyReLU()(a))
    x = L.Conv2DTranspose(16, 4, strides=2, padding="same")(L.ReLU()(b))
    x = L.Concatenate()([x, a])
    x = L.Conv2DTranspose(3, 4, strides=2, padding="same", activation="tanh")(x)
    return compiled(keras.Model(image, x), "mae")


@tutorial(TRANSLATOR, target="other")
def super_resolution():
    x = image = keras.Input((33, 33, 1))
    x = L.Conv2D(32, 9, activation="relu", padding="same")(x)
    x = L.Conv2D(16, 1, activation="relu", padding="same")(x)
    return compiled(keras.Model(image, L.Conv2D(1, 5, padding="same")(x)), "mse")


@tutorial(REGRESSOR, target="labels")
def house_prices():
    rows = keras.Input((13,))
    x = L.Dense(64, activation="relu")(L.Dense(64, activation="relu")(rows))
    return compiled(keras.Model(rows, L.Dense(1)(x)), "mse")


@tutorial(REGRESSOR, target="labels")
def weather_forecast():
    x = series = keras.Input((120, 7))
    return compiled(keras.Model(series, L.Dense(1)(L.LSTM(32)(x))), "mse")


@tutorial(REGRESSOR, target="labels")
def films_and_users():
    user, film = keras.Input((1,), name="user"), keras.Input((1,), name="film")
    u, f = L.Flatten()(L.Embedding(100, 8)(user)), L.Flatten()(L.Embedding(200, 8)(film))
    return compiled(keras.Model([user, film], L.Dot(axes=1)([u, f])), "mse")


@tutorial(CLASSIFIER, target="labels")
def pairs_of_pictures():
    tower = keras.Sequential([keras.Input((28, 28)), L.Flatten(), L.Dense(64), L.Dense(16)])
    a, b = keras.Input((28, 28)), keras.Input((28, 28))
    apart = L.Lambda(lambda t: ops.abs(t[0] - t[1]), output_shape=(16,))([tower(a), tower(b)])
    model = keras.Model([a, b], L.Dense(1, activation="sigmoid")(apart))
    return compiled(model, "binary_crossentropy")


@tutorial(ENCODER, target="other")
def contrastive_encoder():
    image = keras.Input((32, 32, 3))
    x = conv(32, strides=2)(conv(16, strides=2)(image))
    return keras.Model(image, L.Dense(32)(L.Dense(64)(L.GlobalAveragePooling2D()(x))))
