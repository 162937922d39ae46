"""What rows passed to a live model may show, and that they change nothing."""

from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
from keras import layers
from models import (
    CLASSIFIER,
    DENOISING,
    TRANSLATOR,
    UNDER,
    VARIATIONAL,
    ZOO,
    Sampler,
    without_drawing,
)
from sklearn.decomposition import PCA

import isthmus as ist
from isthmus.core.errors import InvalidData, InvalidParameter


@pytest.fixture(autouse=True)
def _quickly(monkeypatch):
    without_drawing(monkeypatch)


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    return (rng.normal(size=(80, 3)) @ rng.normal(size=(3, 12))).astype("float32")


@pytest.fixture
def projection(rows):
    """A linear autoencoder that holds what PCA found, as if it had been trained."""
    inputs = keras.Input((12,))
    model = keras.Model(inputs, layers.Dense(12)(layers.Dense(3)(inputs)))
    components = PCA(3).fit(rows).components_
    model.layers[1].kernel.assign(components.T)
    model.layers[2].kernel.assign(components)
    return model


def test_a_bottleneck_that_gives_rows_back_is_an_autoencoder(projection, rows):
    verdict = ist.inspect(projection, X=rows)
    assert (verdict.is_autoencoder, verdict.kind, verdict.code_size) == (True, UNDER, 3)
    assert any("explains" in reason for reason in verdict.reasons)


def test_giving_rows_back_without_a_bottleneck_shows_nothing(rows):
    inputs = keras.Input((12,))
    model = keras.Model(inputs, layers.Activation("linear")(inputs))
    assert ist.inspect(model, X=rows).is_autoencoder is None


def test_an_untrained_one_is_not_decided(rows):
    verdict = ist.inspect(
        keras.Sequential([keras.Input((12,)), *map(layers.Dense, (3, 12))]), X=rows
    )
    assert verdict.is_autoencoder is None
    assert any("no closer to your rows than their mean" in reason for reason in verdict.reasons)


@pytest.mark.parametrize(
    ("noise", "kind", "answer"),
    [
        (lambda X, rng: X, UNDER, True),
        (lambda X, rng: X + rng.normal(size=X.shape), DENOISING, True),
        (lambda X, rng: X * (rng.random(X.shape) < 0.6), DENOISING, True),
        (lambda X, rng: rng.normal(size=X.shape), TRANSLATOR, False),
        (lambda X, rng: -X, TRANSLATOR, False),
    ],
    ids=["same", "noisy", "masked", "unrelated", "negative"],
)
def test_the_target_tells_what_it_is(projection, rows, noise, kind, answer):
    X = noise(rows, np.random.default_rng(1))
    verdict = ist.inspect(projection, X=X, y=rows)
    assert (verdict.kind, verdict.is_autoencoder) == (kind, answer)


def test_what_was_said_goes_before_what_was_seen(projection, rows):
    assert ist.inspect(projection, target="other", X=rows, y=rows).is_autoencoder is False


@pytest.mark.parametrize(("name", "changes"), [("conditional_on_y", False), ("fed_x_and_y", True)])
def test_whether_the_code_depends_on_y(name, changes, rows):
    model = ZOO[name].build()
    rng = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign(rng.normal(size=variable.shape))
    verdict = ist.inspect(model, target="input", X=rows, y=rows[:, :4])
    said = "changes the code" if changes else "does not change the code"
    assert any(f"input y {said}, and changes the output" in reason for reason in verdict.reasons)
    assert verdict == ist.inspect(model, target="input", X=[rows, rows[:, :4]])


def test_a_gradient_that_is_stopped_is_seen(rows):
    inputs = keras.Input((12,))
    code = layers.Dense(3)(inputs)
    model = keras.Model(inputs, layers.Dense(12)(keras.ops.stop_gradient(code)))
    for variable in model.trainable_variables:
        variable.assign(np.ones(variable.shape))
    verdict = ist.inspect(model, target="input", X=rows)
    assert any("no gradient" in reason for reason in verdict.reasons)


def test_nothing_of_the_model_is_changed_by_threads_that_probe_it(rows):
    model = keras.Sequential(
        [keras.Input((12,)), layers.GaussianNoise(0.1), layers.Dense(3), layers.Dense(12)]
    )
    model.compile("adam", loss="mse")
    before = [np.array(variable.value) for variable in model.variables]
    nodes = [len(layer._inbound_nodes) for layer in model.layers]
    with ThreadPoolExecutor(4) as pool:
        verdicts = list(pool.map(lambda _: ist.inspect(model, X=rows, y=rows), range(8)))
    assert len(set(map(str, verdicts))) == 1
    assert verdicts[0].kind == DENOISING
    for old, variable in zip(before, model.variables, strict=True):
        np.testing.assert_array_equal(old, np.array(variable.value))
    assert nodes == [len(layer._inbound_nodes) for layer in model.layers]
    assert model.compiled


@pytest.mark.parametrize(
    "X", [np.zeros((5, 11)), np.full((5, 12), np.nan), [["a"] * 12] * 5, np.zeros((1, 12)), 3]
)
def test_rows_that_do_not_fit_are_refused(projection, X):
    with pytest.raises(InvalidData, match=r"X for the input"):
        ist.inspect(projection, X=X)


def test_a_file_cannot_be_probed(projection, rows, tmp_path):
    projection.save(tmp_path / "m.keras")
    with pytest.raises(InvalidParameter, match="live"):
        ist.inspect(tmp_path / "m.keras", X=rows)


def test_a_loss_may_be_told():
    model = keras.Sequential([keras.Input((12,)), *map(layers.Dense, (5, 12))])
    verdict = ist.inspect(model, loss="sparse_categorical_crossentropy")
    assert (verdict.is_autoencoder, verdict.kind) == (False, CLASSIFIER)
    assert ist.inspect(model, loss=keras.losses.MeanSquaredError()).is_autoencoder is None


class Own(keras.Model):
    """Computes by code of its own."""

    def __init__(self):
        super().__init__()
        self.small, self.large = layers.Dense(3), layers.Dense(12)

    def call(self, rows):
        return self.large(self.small(rows))


def test_of_a_subclassed_model_only_the_parameters_are_told(rows):
    model = Own()
    assert ist.inspect(model).parameters is None
    model(rows)
    verdict = ist.inspect(model, target="input")
    assert verdict.is_autoencoder is None
    assert verdict.parameters.total == 12 * 3 + 3 + 3 * 12 + 12
    assert any("custom code" in reason for reason in verdict.reasons)


class WithStep(keras.Model):
    """A functional model with a training step of its own."""

    def train_step(self, *_):
        return {}


def test_a_functional_model_may_be_a_subclass():
    rows = keras.Input((12,))
    model = WithStep(rows, layers.Dense(12)(layers.Dense(2)(rows)))
    assert ist.inspect(model, target="input").code_size == 2


class Trained(keras.Model):
    """As the Keras guide writes a variational autoencoder: a training step, and no call."""

    def __init__(self, encoder, decoder):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder


def test_of_a_subclassed_model_encoder_and_decoder_are_joined():
    rows = keras.Input((12,))
    x = layers.Dense(8)(rows)
    mean, log_variance = layers.Dense(2, name="z_mean")(x), layers.Dense(2, name="z_log_var")(x)
    z = Sampler()([mean, log_variance])
    decoder = keras.Sequential([keras.Input((2,)), layers.Dense(12)])
    verdict = ist.inspect(Trained(keras.Model(rows, [mean, log_variance, z]), decoder))
    assert (verdict.is_autoencoder, verdict.code_size) == (None, 2)
    assert any("variational" in reason for reason in verdict.reasons)
    without_code = Trained(keras.Model(rows, [mean, log_variance]), decoder)
    assert ist.inspect(without_code, target="input").kind == VARIATIONAL
    with pytest.raises(InvalidParameter, match="live"):
        ist.inspect(without_code, X=np.zeros((4, 12)))
    of_one_size = keras.Model(rows, layers.Dense(5)(x))
    assert ist.inspect(Trained(of_one_size, decoder)).code_size is None


def test_keras_mobilenet_is_a_classifier():
    model = keras.applications.MobileNetV2(weights=None, input_shape=(32, 32, 3), classes=10)
    verdict = ist.inspect(model)
    assert (verdict.is_autoencoder, verdict.kind) == (False, CLASSIFIER)
