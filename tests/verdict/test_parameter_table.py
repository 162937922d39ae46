"""The parameter table counts every number once, whatever the model is made of."""

import keras
import numpy as np
import pytest

import isthmus as ist
from isthmus.core.errors import InvalidParameter
from isthmus.verdict.parameter_table import parameter_table

layers = keras.layers


def test_the_documented_model_totals_161804():
    model = keras.Sequential(
        [
            keras.Input((784,)),
            *(layers.Dense(units) for units in (100, 20, 100, 784)),
        ]
    )
    table = parameter_table(model)
    assert [row.total for row in table.rows] == [78_500, 2_020, 2_100, 79_184]
    assert [(row.weights, row.biases) for row in table.rows] == [
        (78_400, 100),
        (2_000, 20),
        (2_000, 100),
        (78_400, 784),
    ]
    assert table.total == table.trainable == 161_804
    assert table.compression is None
    lines = [line.replace(",", "").split() for line in str(table).splitlines()]
    shown = {line[0]: line[-1] for line in lines}
    assert {row.name: int(shown[row.name]) for row in table.rows} == {
        row.name: row.total for row in table.rows
    }
    assert int(shown["total"]) == table.total


def test_nested_models_are_opened_and_normalisation_is_apart():
    encoder = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(4, 3),
            layers.BatchNormalization(),
            layers.Flatten(),
        ],
        name="enc",
    )
    inputs = keras.Input((8, 8, 1))
    model = keras.Model(inputs, layers.Dense(2)(encoder(inputs)))
    table = parameter_table(model)
    assert [row.kind for row in table.rows] == ["Conv2D", "BatchNormalization", "Flatten", "Dense"]
    assert [row.part for row in table.rows] == ["enc", "enc", "enc", ""]
    assert (table.rows[1].other, table.frozen) == (16, 8)
    assert table.rows[0].shape_text == "6 × 6 × 4"
    assert table.total == model.count_params()


def test_a_layer_used_twice_is_counted_once():
    inputs = keras.Input((4,))
    shared = layers.Dense(4)
    model = keras.Model(inputs, shared(shared(inputs)))
    assert parameter_table(model).total == model.count_params() == 20


def test_variables_of_a_subclassed_model_are_counted():
    class Tied(keras.Model):
        def __init__(self):
            super().__init__()
            self.inner = layers.Dense(3)

        def build(self, shape):
            self.inner.build(shape)
            self.b = self.add_weight(shape=(shape[-1],), name="b")

        def call(self, x):
            return keras.ops.matmul(self.inner(x), keras.ops.transpose(self.inner.kernel)) + self.b

    model = Tied()
    model(np.zeros((1, 5), np.float32))
    table = parameter_table(model)
    assert table.total == model.count_params() == 5 * 3 + 3 + 5
    assert table.rows[-1].biases == 5


@pytest.mark.parametrize(
    "model", [keras.Sequential([layers.Dense(2)]), ist.Autoencoder(), "a model"]
)
def test_what_has_no_parameters_yet_is_refused(model):
    with pytest.raises(InvalidParameter, match="Try: "):
        parameter_table(model)


def test_an_estimator_says_how_far_it_compresses(small_model):
    model, _ = small_model
    table = parameter_table(model)
    assert (table.input_cells, table.code_cells, table.compression) == (6, 2, 3.0)
    assert not table.code_not_smaller
    assert table.total == model.encoder_.count_params() + model.decoder_.count_params()
    assert {row.part.split("/")[0] for row in table.rows} == {"encoder", "decoder"}
    assert table.to_dict()["compression"] == 3.0
    assert str(table).endswith("6 input cells to 2 code cells: 3 to 1")
