"""Decoders in the page compute what Keras does."""

import json
from importlib import resources

import keras
import numpy as np
import pytest
from keras import layers

import isthmus as ist
from isthmus.anomaly.detector_codes import DetectorCodes
from isthmus.core.errors import InvalidParameter
from isthmus.explorer.decoder_program import OPERATORS, decoder_program
from isthmus.export.activations import ACTIVATIONS
from isthmus.export.network_nodes import network_nodes
from isthmus.networks.architecture_settings import ArchitectureSettings
from isthmus.networks.inference import Function
from isthmus.networks.layers import TableOutput
from isthmus.networks.residual import Residual


class KerasCodes:
    """The decoder of a Keras model; implements what `decoder_program` needs."""

    def __init__(self, model):
        self._model = model

    def decode(self, codes):
        return Function(self._model)(codes)

    def decoder_nodes(self, graph, code):
        (made,) = network_nodes(graph, self._model, [code])
        return made


def scripts():
    files = resources.files("isthmus.explorer")
    return "".join(
        files.joinpath(name).read_text("utf-8")
        for name in ("arrays.js", "tiles.js", "operators.js", "decoder.js")
    )


def decoded_in(browser, program, codes):
    """Run a program in a browser, for each code."""
    return np.array(
        browser.run(
            f"(() => {{ {scripts()}; const decoder = madeDecoder({json.dumps(program)});"
            f"return {json.dumps(codes.tolist())}.map("
            "code => [...decoder.decode({ code }).cells]); })()"
        )
    )


def some_codes(size):
    random = np.random.default_rng(0)
    return np.concatenate(
        [random.normal(size=(4, size)), 30 * random.normal(size=(2, size)), np.zeros((1, size))]
    ).astype(np.float32)


def with_random_weights(model):
    random = np.random.default_rng(1)
    for variable in model.variables:
        values = random.normal(size=variable.shape) / 3
        variable.assign(np.abs(values) if "variance" in variable.path else values)
    return model


def agrees(browser, model, size, cells):
    program = decoder_program(model, cells)
    codes = some_codes(size)
    expected = model.decode(codes).reshape(len(codes), -1)
    made = decoded_in(browser, json.loads(json.dumps(program)), codes)
    unit = np.maximum(1, np.abs(expected).max(axis=1, keepdims=True))
    return np.abs((made - expected) / unit).max() < 2e-5


def every_activation():
    code = keras.Input((3,))
    made = [layers.Dense(4, activation=name)(code) for name in ACTIVATIONS if name != "exponential"]
    return keras.Model(code, layers.Concatenate()(made))


def other_layers():
    code = keras.Input((3,))
    x = layers.Dense(24)(code)
    x = layers.LayerNormalization()(x)
    x = layers.PReLU()(layers.BatchNormalization()(x))
    grid = layers.Permute((2, 1, 3))(layers.Reshape((2, 3, 4))(x))
    grid = layers.ZeroPadding2D(((1, 2), (0, 1)))(grid)
    grid = layers.Conv2D(4, (3, 2), strides=2, padding="same", groups=2)(grid)
    grid = layers.DepthwiseConv2D((2, 2), padding="same")(layers.UpSampling2D((2, 3))(grid))
    grid = layers.Conv2DTranspose(2, (3, 2), strides=(2, 1), padding="valid")(grid)
    grid = layers.Conv2D(3, 3, dilation_rate=2, padding="same")(layers.Cropping2D(1)(grid))
    series = layers.RepeatVector(4)(layers.Dense(3)(code))
    series = layers.Conv1D(2, 3, padding="causal")(layers.Dense(3, use_bias=False)(series))
    series = layers.Conv1DTranspose(3, 4, strides=2, padding="same")(series)
    table = TableOutput([("numeric", 0, 2), ("binary", 2, 4), ("categorical", 4, 7)])
    return keras.Model(
        code,
        layers.Concatenate()(
            [layers.Flatten()(grid), layers.Flatten()(series), table(layers.Dense(7)(code))]
        ),
    )


@pytest.mark.parametrize("make", [every_activation, other_layers])
def test_layers(browser, make):
    assert agrees(browser, KerasCodes(with_random_weights(make())), 3, 1000)


def test_the_default_architecture_of_pictures(browser):
    shape = (16, 12, 3)
    settings = ArchitectureSettings(
        sample_shape=shape,
        values="real",
        hidden=None,
        activation="gelu",
        normalization="auto",
        linear_path=True,
        precision="float32",
    )
    decoder = with_random_weights(Residual.from_settings(settings).decoder(shape, 3))
    assert agrees(browser, KerasCodes(decoder), 3, 1000)


def test_a_detector_on_standardised_rows(browser, table, detector_page):
    default = ist.AnomalyDetector(random_state=0).fit(table[:200])
    for detector in (default, detector_page.model):
        codes = DetectorCodes(detector)
        size = codes.encode(table[:1]).shape[1]
        assert agrees(browser, codes, size, 20)


def test_a_decoder_that_the_page_cannot_run_is_refused():
    code = keras.Input((3,))
    recurrent = layers.LSTM(2)(layers.RepeatVector(3)(code))
    assert decoder_program(KerasCodes(keras.Model(code, recurrent)), 2) is None
    large = keras.Model(code, layers.Dense(600_000, kernel_initializer="zeros")(code))
    assert decoder_program(KerasCodes(large), 10) is None
    assert decoder_program(KerasCodes(keras.Model(code, layers.Dense(2)(code))), 10**6) is None

    class Unknown:
        def decoder_nodes(self, graph, code):
            raise InvalidParameter("a layer")

    assert decoder_program(Unknown(), 2) is None


def test_the_page_has_the_operators_that_programs_may_have(browser):
    assert set(browser.run(f"(() => {{ {scripts()}; return Object.keys(OPERATORS); }})()")) == set(
        OPERATORS
    )
