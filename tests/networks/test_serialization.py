import copy
import json
import warnings

import jax
import keras
import numpy as np
import pytest
from keras import layers

from isthmus.core.errors import InvalidArchive, InvalidParameter
from isthmus.networks.layers import TableOutput
from isthmus.networks.serialization import (
    assign_weights,
    build_with,
    model_from_config,
    model_to_config,
    weights_of,
)

SHAPES = {"vector": (6,), "series": (6, 4), "image": (6, 6, 4), "volume": (4, 4, 4, 2)}
SAVED = {
    "vector": [
        lambda: layers.Dense(3, activation="gelu", kernel_initializer="orthogonal"),
        lambda: layers.Dense(3, kernel_regularizer="l2", kernel_constraint="non_neg"),
        lambda: layers.Dense(3, bias_initializer=keras.initializers.Constant(0.5)),
        lambda: layers.Dense(3, activation=layers.LeakyReLU(0.2)),
        lambda: layers.Dense(3, dtype="mixed_bfloat16"),
        lambda: layers.Dense(3, dtype="bfloat16"),
        lambda: layers.Embedding(5, 2),
        lambda: layers.Activation("silu"),
        layers.ReLU,
        layers.PReLU,
        layers.ELU,
        layers.Softmax,
        layers.Identity,
        layers.BatchNormalization,
        layers.LayerNormalization,
        layers.UnitNormalization,
        layers.RMSNormalization,
        lambda: layers.Dropout(0.3),
        lambda: layers.AlphaDropout(0.3, seed=3),
        lambda: layers.GaussianNoise(0.3),
        lambda: layers.GaussianDropout(0.3),
        lambda: layers.ActivityRegularization(l1=0.1),
        lambda: layers.Rescaling(0.5, offset=1.0),
        lambda: layers.Reshape((2, -1)),
        lambda: layers.RepeatVector(3),
        lambda: TableOutput([("numeric", 0, 2), ("binary", 2, 3), ("categorical", 3, 6)]),
    ],
    "series": [
        lambda: layers.Conv1D(3, 3, padding="causal"),
        lambda: layers.Conv1DTranspose(3, 2, strides=2),
        lambda: layers.SeparableConv1D(3, 2),
        lambda: layers.DepthwiseConv1D(2),
        layers.MaxPooling1D,
        layers.GlobalAveragePooling1D,
        layers.UpSampling1D,
        layers.ZeroPadding1D,
        layers.Cropping1D,
        lambda: layers.SpatialDropout1D(0.1),
        lambda: layers.LSTM(3, return_sequences=True, dropout=0.1),
        lambda: layers.GRU(3),
        lambda: layers.SimpleRNN(3),
        lambda: layers.Bidirectional(layers.LSTM(2)),
        lambda: layers.TimeDistributed(layers.Dense(2)),
        lambda: layers.Masking(),
        lambda: layers.Permute((2, 1)),
        layers.Flatten,
    ],
    "image": [
        lambda: layers.Conv2D(3, 3, strides=2, padding="same", activation="relu"),
        lambda: layers.Conv2DTranspose(2, 3, strides=2),
        lambda: layers.SeparableConv2D(2, 3),
        lambda: layers.DepthwiseConv2D(3),
        layers.MaxPooling2D,
        lambda: layers.AveragePooling2D(2),
        layers.GlobalMaxPooling2D,
        lambda: layers.UpSampling2D(interpolation="bilinear"),
        layers.ZeroPadding2D,
        layers.Cropping2D,
        lambda: layers.GroupNormalization(2),
        lambda: layers.SpatialDropout2D(0.1),
    ],
    "volume": [
        lambda: layers.Conv3D(2, 2),
        lambda: layers.Conv3DTranspose(2, 2),
        layers.MaxPooling3D,
        layers.UpSampling3D,
    ],
}
CASES = [(shape, make) for shape, makers in SAVED.items() for make in makers]


def sequential(*parts, shape=(6,)):
    return keras.Sequential([keras.Input(shape), *parts])


def randomised(model):
    generator = np.random.default_rng(1)
    for variable in model.variables:
        if variable.dtype != "uint32":
            values = generator.normal(size=variable.shape).astype("float32")
            variable.assign(abs(values) if variable.name == "moving_variance" else values)
    return model


def restored(model):
    config = json.loads(json.dumps(model_to_config(model)))
    return model_from_config(config, weights_of(model))


def samples(model):
    return np.random.default_rng(2).random((3, *model.inputs[0].shape[1:]), dtype=np.float32)


def assert_same(one, other):
    assert [v.path.split("/")[-1] for v in one.variables] == [
        v.path.split("/")[-1] for v in other.variables
    ]
    X = samples(one)
    for a, b in zip(jax.tree.leaves(one(X)), jax.tree.leaves(other(X)), strict=True):
        assert np.array_equal(np.asarray(a), np.asarray(b), equal_nan=True)
    assert all(
        np.asarray(a).tobytes() == np.asarray(b).tobytes()
        for a, b in zip(one.variables, other.variables, strict=True)
    )


def functional_pair():
    """Shared layers, nested models, two branches of the same shape, two outputs."""
    inputs = keras.Input((6,), name="inputs")
    shared = layers.Dense(6, name="shared")
    inner = keras.Sequential([keras.Input((6,)), layers.Dense(6), layers.Dropout(0.1)], name="in")
    left = inner(shared(inputs))
    right = shared(inner(inputs), training=False)
    joined = layers.Concatenate()([layers.Add()([left, right]), layers.Subtract()([left, right])])
    return keras.Model(inputs, [layers.Dense(2)(joined), joined])


# --- what can be saved ------------------------------------------------------------------------


@pytest.mark.parametrize(("shape", "make"), CASES)
def test_every_layer_on_the_list_is_restored(shape, make):
    """Weights are bit-identical; saving itself compares the programs of the two models."""
    model = sequential(make(), shape=SHAPES[shape])
    copied = restored(model)
    assert model_to_config(copied) == model_to_config(model)
    for mine, theirs in zip(weights_of(model), weights_of(copied), strict=True):
        assert mine.dtype == theirs.dtype
        assert mine.tobytes() == theirs.tobytes()


@pytest.mark.parametrize(("shape", "make"), CASES)
@pytest.mark.nightly
def test_every_layer_on_the_list_runs_bit_for_bit(shape, make):
    model = randomised(sequential(make(), shape=SHAPES[shape]))
    assert_same(model, restored(model))


def test_pictures_run_bit_for_bit():
    parts = [layers.Conv2D(3, 3, strides=2), layers.BatchNormalization(), layers.Flatten()]
    model = randomised(sequential(*parts, layers.Dense(2, activation="gelu"), shape=(6, 6, 1)))
    assert_same(model, restored(model))


def test_functional_models_keep_their_wiring():
    model = randomised(functional_pair())
    assert_same(model, restored(model))


def test_a_restored_model_trains_and_is_restored_again():
    inputs = randomised(sequential(layers.Dense(4, activation="elu"), layers.Dropout(0.5)))
    model = restored(inputs)
    model.compile("sgd", "mse")
    X = samples(model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # from Keras's own trainer
        model.fit(X, np.zeros((3, 4)), verbose=0)
    assert_same(model, restored(model))


def test_states_of_random_layers_are_kept():
    model = sequential(layers.Dropout(0.5), shape=(50,))
    model(samples(model), training=True)
    copied = restored(model)
    X = samples(model)
    assert np.array_equal(model(X, training=True), copied(X, training=True))


def test_saving_does_not_change_the_model():
    model = sequential(layers.Dropout(0.5))
    before = [a.copy() for a in weights_of(model)]
    model_to_config(model)
    assert all(np.array_equal(a, b) for a, b in zip(before, weights_of(model), strict=True))


def test_frozen_layers_stay_frozen():
    model = sequential(layers.Dense(3, name="frozen", trainable=False), layers.Dense(2))
    assert [layer.trainable for layer in restored(model).layers] == [False, True]


# --- what cannot, and says so at save time ----------------------------------------------------


class Custom(layers.Layer):
    def call(self, x):
        return x


class Subclassed(keras.Model):
    def call(self, x):
        return x


def relu(x):
    return 2 * x


def swished(x):
    return x


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.Lambda(lambda x: x, name="mine"), r"layer mine \(Lambda\)"),
        (lambda: Custom(name="mine"), r"layer mine \(Custom\): .*not on the list"),
        (lambda: layers.Dense(2, activation=lambda x: x, name="mine"), r"layer mine \(Dense\)"),
        (lambda: layers.Dense(2, activation=swished, name="mine"), r"layer mine \(Dense\)"),
        (lambda: layers.Dense(2, activation=relu), "has the name of one of them"),
        (lambda: layers.Dense(2, kernel_regularizer=relu, name="mine"), r"layer mine \(Dense\)"),
        (lambda: layers.Rescaling(np.ones(6), name="mine"), r"layer mine \(Rescaling\)"),
        (lambda: layers.SpectralNormalization(layers.Dense(2)), "SpectralNormalization"),
    ],
)
def test_refused_layers_are_named_with_what_can_be_saved(make, message):
    with pytest.raises(InvalidParameter, match=message) as caught:
        model_to_config(sequential(make()))
    assert "built-in layers" in caught.value.remedy


def test_unrolled_recurrent_layer_is_told_its_equal():
    with pytest.raises(InvalidParameter, match="unroll=False gives the same results"):
        model_to_config(sequential(layers.GRU(2, unroll=True), shape=(6, 4)))


def test_operations_outside_layers_are_refused():
    inputs = keras.Input((3,))
    with pytest.raises(InvalidParameter, match=r"layer add.* \(Add\).*keras\.src\.ops"):
        model_to_config(keras.Model(inputs, inputs + 1))


def test_models_of_other_kinds_are_refused():
    subclassed = Subclassed()
    subclassed(np.ones((1, 2)))
    with pytest.raises(InvalidParameter, match="received Subclassed, which is neither"):
        model_to_config(subclassed)
    with pytest.raises(InvalidParameter, match="a model that is not built"):
        model_to_config(keras.Sequential([layers.Dense(2)]))
    with pytest.raises(InvalidParameter, match="received int"):
        model_to_config(3)


# --- strangers' configurations ----------------------------------------------------------------


@pytest.fixture(scope="module")
def plain():
    model = sequential(layers.Dense(3, name="code", activation="relu"), layers.Dropout(0.1))
    return model_to_config(model), weights_of(model)


def dense(config):
    return config["keras"]["config"]["layers"][1]


def settings(config):
    return dense(config)["config"]


LAMBDA = {"class_name": "__lambda__", "config": {"value": ["AA==", None, None]}}
FOREIGN = [
    {"module": "builtins", "class_name": "eval", "config": {}, "registered_name": None},
    {"module": "os", "class_name": "system", "config": {}, "registered_name": None},
    {"module": "subprocess", "class_name": "Popen", "config": {"args": "id"}},
    {"module": "keras.utils", "class_name": "get_file", "config": {"origin": "http://x"}},
    {"module": "keras.config", "class_name": "enable_unsafe_deserialization", "config": {}},
    {"module": "keras.saving", "class_name": "load_model", "config": {"filepath": "x"}},
    {"module": "keras.layers", "class_name": "Lambda", "config": {"function": LAMBDA}},
    {"module": "keras.layers", "class_name": "TFSMLayer", "config": {"filepath": "x"}},
    {"module": "keras.layers", "class_name": "TorchModuleWrapper", "config": {"module": "x"}},
    {"module": "keras.layers", "class_name": "JaxLayer", "config": {"call_fn": LAMBDA}},
    {"module": "keras.layers", "class_name": "StringLookup", "config": {"vocabulary": "/x"}},
    {"module": "keras.src.layers", "class_name": "Dense", "config": {"units": 3}},
    {"module": None, "class_name": "Dense", "config": {"units": 3}, "registered_name": "evil>D"},
    {"module": "keras.layers", "class_name": "Dense", "config": {}, "registered_name": "evil>D"},
    {"module": "builtins", "class_name": "function", "config": "eval", "registered_name": "eval"},
    {"module": "isthmus.networks.layers", "class_name": "keras", "config": {}},
    {"module": "isthmus.networks.layers", "class_name": "TableOutput", "config": {}},
    {"module": ["keras.layers"], "class_name": "Dense", "config": {}},
    {"module": "keras.layers", "class_name": {"a": 1}, "config": {}},
    {"class_name": "__tensor__", "config": {"value": 1, "dtype": "float32"}},
    {"class_name": "__numpy__", "config": {"value": [1], "dtype": "object"}},
    {"class_name": "__typespec__", "config": [], "module": "os", "registered_name": None},
    LAMBDA,
]


@pytest.mark.parametrize("place", ["layer", "activation", "kernel_initializer", "dtype", "input"])
@pytest.mark.parametrize("foreign", FOREIGN)
def test_nothing_that_is_not_on_the_list_is_ever_built(plain, foreign, place, monkeypatch):
    config, arrays = copy.deepcopy(plain)
    if place == "layer":
        config["keras"]["config"]["layers"][1] = foreign
    elif place == "input":
        dense(config)["inbound_nodes"] = [{"args": [foreign], "kwargs": {}}]
    else:
        settings(config)[place] = foreign
    monkeypatch.setattr(keras.saving, "deserialize_keras_object", _never)
    with pytest.raises(InvalidArchive, match="describes a model that is not allowed"):
        model_from_config(config, arrays)


def _never(*args, **kwargs):
    pytest.fail("Keras was given a configuration that was not vetted")


@pytest.mark.parametrize(
    "change",
    [
        lambda c: settings(c).update(units=2**40),
        lambda c: settings(c).update(units=float("nan")),
        lambda c: settings(c).update(name="x" * 1000),
        lambda c: settings(c).update(quantization_config={"mode": "int8"}),
        lambda c: settings(c).update(lora_rank=4),
        lambda c: settings(c).update(units=[1] * 20_000),
        lambda c: settings(c).update(units={"a": 1}),
        lambda c: settings(c)["dtype"]["config"].update(name="int8_from_float32"),
        lambda c: settings(c)["dtype"]["config"].update(name=["float32"]),
        lambda c: dense(c).update(build_config={"input_shape": [None, 10**9]}),
        lambda c: dense(c).update(shared_object_id=1),
        lambda c: dense(c).update(inbound_nodes=[{}] * 5000),
        lambda c: dense(c).update(inbound_nodes={"a": 1}),
        lambda c: dense(c).update(config=None),
        lambda c: dense(c).update(config="relu"),
        lambda c: c.update(keras=None),
        lambda c: c.update(keras=c["keras"]["config"]),
        lambda c: c.update(keras=settings(c)["dtype"]),
    ],
)
def test_sizes_and_settings_are_bounded_before_anything_is_built(plain, change, monkeypatch):
    config, arrays = copy.deepcopy(plain)
    change(config)
    monkeypatch.setattr(keras.saving, "deserialize_keras_object", _never)
    with pytest.raises(InvalidArchive):
        model_from_config(config, arrays)


@pytest.mark.parametrize(
    "change",
    [
        lambda c: settings(c).update(units=-3),
        lambda c: settings(c).update(units="3"),
        lambda c: settings(c).update(units=None),
        lambda c: settings(c).update(activation="no such activation"),
        lambda c: settings(c).update(activation=7),
        lambda c: settings(c).update(unknown=1),
        lambda c: settings(c).update(units=4),
        lambda c: settings(c).update(use_bias=False),
        lambda c: settings(c).update(name="other"),
        lambda c: settings(c).pop("units"),
        lambda c: settings(c)["dtype"]["config"].update(name="bfloat16"),
        lambda c: settings(c)["kernel_initializer"].update(config={"wrong": 1}),
        lambda c: c["keras"]["config"]["layers"].clear(),
        lambda c: c["keras"]["config"]["layers"].pop(),
        lambda c: c["keras"]["config"].pop("name"),
        lambda c: c["keras"]["config"]["layers"].append(copy.deepcopy(dense(c))),
        lambda c: c["keras"]["config"]["layers"][0]["config"].update(batch_shape=[None, 10**9]),
        lambda c: c["keras"]["config"]["layers"][0]["config"].update(batch_shape="none"),
        lambda c: c.update(weights=c["weights"][::-1]),
        lambda c: c.update(weights=None),
        lambda c: c.update(more=1),
        lambda c: c.clear(),
    ],
)
def test_what_does_not_fit_is_an_invalid_archive(plain, change):
    config, arrays = copy.deepcopy(plain)
    change(config)
    with pytest.raises(InvalidArchive):
        model_from_config(config, arrays)


@pytest.mark.parametrize("config", [None, 3, [], "x", {"keras": 1, "weights": []}])
def test_what_is_no_configuration_is_refused(config):
    with pytest.raises(InvalidArchive):
        model_from_config(config, [])


def test_deeply_nested_models_are_refused():
    model = sequential(layers.Dense(6))
    for _ in range(8):
        model = sequential(model)
    with pytest.raises(InvalidParameter, match="nested more than"):
        model_to_config(model)


def test_doubling_of_calls_is_counted_before_it_is_traced(plain):
    """A model that calls a model twice, which calls a model twice...: small file, long run time."""
    config, arrays = copy.deepcopy(plain)
    described = config["keras"]
    for _ in range(5):
        node = {"args": [], "kwargs": {}}
        described = {
            "module": "keras.src.models.functional",
            "class_name": "Functional",
            "registered_name": "Functional",
            "config": {"name": "m", "layers": [{**described, "inbound_nodes": [node] * 6}]},
        }
    with pytest.raises(InvalidArchive, match="layer calls, beyond the limit"):
        model_from_config({"keras": described, "weights": []}, arrays)


def test_huge_layers_cost_nothing_until_their_arrays_are_there(plain, peak_memory):
    config, arrays = copy.deepcopy(plain)
    settings(config)["units"] = 500_000_000
    expected = (
        r"array 0 .*code/kernel.*expected float32 \(6, 500000000\), received float32 \(6, 3\)"
    )
    before = peak_memory()
    with pytest.raises(InvalidArchive, match=expected):
        model_from_config(config, arrays)
    assert peak_memory() - before < 2**28


@pytest.mark.parametrize(
    "foreign",
    [
        {"module": "keras.layers", "class_name": "Dense", "config": {"units": 500_000_000}},
        {"module": "keras.layers", "class_name": "PReLU", "config": {}},
        {"module": "keras.initializers", "class_name": "Ones", "config": {}},
    ],
)
def test_an_activation_brings_no_weights_of_its_own(plain, foreign):
    """Keras would create them when the activation is first called, after all checks of sizes."""
    config, arrays = copy.deepcopy(plain)
    settings(config)["activation"] = foreign
    with pytest.raises(InvalidArchive, match="not on the list"):
        model_from_config(config, arrays)


@pytest.mark.parametrize(
    "part",
    [
        lambda: layers.RepeatVector(1_000_000_000),
        lambda: layers.Reshape((6, 1, 1)),
    ],
)
def test_few_weights_cannot_be_spread_over_all_memory(part):
    parts = [part()]
    if isinstance(parts[0], layers.Reshape):
        parts += [layers.UpSampling2D((30_000, 30_000)), layers.GlobalMaxPooling2D()]
    else:
        parts += [layers.GlobalMaxPooling1D()]
    with pytest.raises(InvalidParameter, match="at most 524288 cells a row in any layer"):
        model_to_config(sequential(*parts))


def test_few_weights_cannot_run_for_millions_of_steps():
    parts = [layers.RepeatVector(2**18), layers.GRU(2)]
    with pytest.raises(InvalidParameter, match=r"131072 recurrent steps, received .* 262144 steps"):
        model_to_config(sequential(*parts))


def test_stacked_recurrent_layers_of_long_series_can_be_saved():
    steps = 6_000
    many = [layers.GRU(2, return_sequences=True) for _ in range(4)]
    model = keras.Sequential([keras.Input((steps, 1)), *many, layers.GRU(2)])
    config = model_to_config(model)
    assert model_from_config(config, weights_of(model)).output_shape == (None, 2)


def test_an_input_of_any_declared_size_takes_no_memory(peak_memory):
    model = keras.Sequential(
        [keras.Input((10_000, 10_000)), layers.Cropping1D((0, 9_999)), layers.Flatten()]
    )
    before = peak_memory()
    model_from_config(model_to_config(model), [])
    assert peak_memory() - before < 200e6


@pytest.fixture
def peak_memory():
    resource = pytest.importorskip("resource", reason="peak memory is known on Unix only")
    return lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


# --- weights ----------------------------------------------------------------------------------


def test_a_negative_variance_is_refused():
    model = sequential(layers.BatchNormalization())
    arrays = weights_of(model)
    arrays[3] = -arrays[3]
    with pytest.raises(InvalidArchive, match=r"moving_variance.*a variance of at least 0"):
        assign_weights(model, arrays)


def test_weights_are_checked_all_before_any_is_assigned():
    model = sequential(layers.Dense(3, kernel_initializer="zeros"))
    with pytest.raises(InvalidArchive, match=r"array 1 .*bias.*float32 \(3,\), received .*\(4,\)"):
        assign_weights(model, [np.ones((6, 3), np.float32), np.ones(4, np.float32)])
    with pytest.raises(InvalidArchive, match=r"float32 \(6, 3\), received float64 \(6, 3\)"):
        assign_weights(model, [np.ones((6, 3)), np.ones(3, np.float32)])
    with pytest.raises(InvalidArchive, match="expected 2 arrays of weights, received 1"):
        assign_weights(model, [np.ones((6, 3), np.float32)])
    assert not weights_of(model)[0].any()


def test_build_with_reaches_a_model_inside_what_is_built():
    arrays = [np.full((6, 3), 2, np.float32), np.ones(3, np.float32)]
    built = build_with(
        lambda: {"model": sequential(layers.Dense(3))}, arrays, model_of=lambda b: b["model"]
    )
    assert np.array_equal(built["model"](np.ones((1, 6))), [[13, 13, 13]])


def test_build_with_turns_any_failure_into_an_invalid_archive():
    with pytest.raises(InvalidArchive, match="cannot be built: ZeroDivisionError"):
        build_with(lambda: 1 // 0, [])


def test_weights_given_may_be_read_only_and_are_not_shared():
    memory = np.zeros(6 * 3 + 16, np.float32)
    first = (-memory.ctypes.data % 64) // 4  # aligned, so that JAX could alias the memory
    array = memory[first : first + 18].reshape(6, 3)
    array.flags.writeable = False
    model = build_with(lambda: sequential(layers.Dense(3, use_bias=False)), [array])
    memory[:] = 5
    assert not weights_of(model)[0].any()


def test_weights_taken_are_copies():
    model = sequential(layers.Dense(3))
    weights_of(model)[0][:] = 7
    assert not np.array_equal(weights_of(model)[0], np.full((6, 3), 7))
