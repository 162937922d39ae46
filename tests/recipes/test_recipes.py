"""What every recipe owes, and what each is known for."""

import math
import re

import keras
import numpy as np
import pytest

import isthmus as ist
from isthmus.core.errors import InvalidParameter
from isthmus.recipes import custom_loss, sources
from isthmus.recipes.catalogue import RECIPES
from isthmus.recipes.figure_types import ImageStrips, Lines, Mosaic, Scatter, Table
from isthmus.recipes.plan import RecipePlan
from isthmus.report.recipe_page import picture_file, write_recipe_report

SOURCES = [text for name, text in vars(sources).items() if name.isupper()]


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_is_described_runs_and_reports(name, result_of, few, tmp_path):
    recipe = RECIPES[name]
    assert recipe.name == name
    assert recipe.claim.endswith(".")
    assert any(source in recipe.source for source in SOURCES)

    if name == "reduce-then-map":
        pytest.importorskip("openTSNE")
    result = result_of(name)
    assert result.epochs == 1
    assert (result.data == str(few)) is (few.notes[0] in result.notes)
    assert result.data
    assert all(math.isfinite(figure.value) and figure.text for figure in result.figures)
    assert all(figure.holds is None or figure.claim for figure in result.figures)
    assert all(note.endswith(".") for note in result.notes)

    assert result.pictures
    for shown in result.pictures:
        made = picture_file(shown)
        if isinstance(shown, Table):
            assert made is None
            assert all(len(row) == len(shown.headers) for row in shown.rows)
        else:
            ending, content = made
            assert content.startswith({".png": b"\x89PNG", ".svg": b"<svg "}[ending])
            assert len(content) < 200_000

    page = write_recipe_report(recipe, result, tmp_path / "page.html").read_text("utf-8")
    assert not re.search(r"url\(|@import|src=\"(?!data:)|<script", page)
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    for figure in result.figures:
        assert figure.text in page


@pytest.mark.parametrize("name", [n for n in RECIPES if RECIPES[n].system is not None])
def test_a_system_is_the_same_again_for_the_same_seed_alone(name):
    system = RECIPES[name].system
    weights = [
        [w for model in system.pair(seed) for w in model.get_weights()] for seed in (1, 1, 2)
    ]
    for first, again in zip(*weights[:2], strict=True):
        np.testing.assert_array_equal(first, again)
    assert any((a != b).any() for a, b in zip(weights[0], weights[2], strict=True))


# Counted by hand from the tutorials: weights and biases of encoder and decoder.
COUNTED = {
    "dense-32": 784 * 32 + 32 + 32 * 784 + 784,
    "deep-tanh-2": 2 * (784 * 500 + 500 * 300 + 300 * 100 + 100 * 2) + 2 * 900 + 2 + 784,
    "dense-100-20": 161_804,
    "conv-upsampling": 320 + 4624 + 2320 + 4640 + 289,
    "conv-transpose": 320 + 4624 + 784 * 785 + 2320 + 4640 + 289,
    "dense-128-64-32": 2 * (784 * 128 + 128 * 64 + 64 * 32) + 2 * 192 + 32 + 784,
    "linear-2": 784 * 2 + 2 + 2 * 784 + 784,
    "dense-25-elu": 784 * 25 + 25 + 25 * 784 + 784,
    # Mean and log variance, 2 * (16 * 2 + 2), are added by the estimator.
    "variational": 320 + 18_496 + 3136 * 16 + 16 + 3 * 3136 + 36_928 + 18_464 + 289,
}


@pytest.mark.parametrize(("name", "count"), COUNTED.items())
def test_the_layers_hold_as_many_parameters_as_the_document_has(name, count):
    assert sum(model.count_params() for model in RECIPES[name].system.pair(0)) == count


def test_a_recipe_is_trained_as_plain_keras_trains_it(few):
    """Of one batch an epoch, so that the order of rows makes no difference."""
    system = RECIPES["dense-32"].system
    train, test = few.shaped(system.shape)
    encoder, decoder = system.pair(0)
    model = keras.Sequential([encoder, decoder])
    model.compile(optimizer=system.optimizer(), loss="binary_crossentropy")
    model.fit(train, train, batch_size=len(train), epochs=5, shuffle=False, verbose=0)
    ours, _ = system.train(few, RecipePlan(5, 0), batch_size=len(train))
    np.testing.assert_allclose(
        ours.reconstruct(test), model.predict(test, verbose=0), rtol=1e-4, atol=1e-5
    )


def test_a_loss_of_the_users_own_trains_as_the_built_in_one(result_of, tmp_path):
    result = result_of("custom-loss")
    (apart,) = (f.value for f in result.figures if "built-in" in f.name)
    assert apart < 1e-5
    model = result.estimators["own loss"]
    assert model.loss_ == f"custom:{custom_loss.custom_loss.__name__}"
    model.save(tmp_path / "m.isthmus")
    rows = np.zeros((2, 784), np.float32)
    loaded = ist.load(tmp_path / "m.isthmus")
    np.testing.assert_array_equal(loaded.transform(rows), model.transform(rows))


def test_the_parameters_are_counted_as_in_the_document(result_of):
    result = result_of("dense-100-20")
    (total,) = (f for f in result.figures if f.name == "parameters")
    assert total.text == "161,804"
    assert total.holds
    table = result.pictures[0]
    assert [row[-1] for row in table.rows] == ["78,500", "2,020", "2,100", "79,184", "161,804"]


@pytest.mark.parametrize("name", ["conv-upsampling", "conv-transpose"])
def test_codes_that_are_no_smaller_than_the_input_are_called_that(name, result_of):
    assert any("no smaller than the input" in note for note in result_of(name).notes)


@pytest.mark.parametrize("name", ["dense-32", "deep-tanh-2", "dense-128-64-32"])
def test_smaller_codes_are_not(name, result_of):
    assert not any("no smaller" in note for note in result_of(name).notes)


@pytest.mark.parametrize(
    ("name", "kind", "rows"),
    [
        ("dense-32", ImageStrips, ["original", "code", "rebuilt", "difference"]),
        ("denoising", ImageStrips, ["noisy", "denoised", "clean"]),
        ("dense-25-elu", ImageStrips, ["rebuilt", "original", "difference"]),
        ("variational", Mosaic, None),
        ("deep-tanh-2", Scatter, None),
        ("linear-2", Scatter, None),
    ],
)
def test_the_first_picture_is_what_the_recipe_is_known_for(name, kind, rows, result_of):
    first = result_of(name).pictures[0]
    assert isinstance(first, kind)
    if rows:
        assert [strip.name for strip in first.strips] == rows
        assert all(len(strip.images) == 10 for strip in first.strips)


def test_the_full_listing_has_its_curves_and_a_sweep_with_a_knee(result_of):
    curves, sweep = (p for p in result_of("dense-25-elu").pictures if isinstance(p, Lines))
    assert set(curves.curves) == {"loss", "val_loss"}
    assert sweep.mark in sweep.curves["test rows"][0]


def test_every_verdict_is_right(result_of):
    figures = {f.name: f.value for f in result_of("verdict").figures}
    assert figures["verdicts that are right"] == 1


@pytest.mark.parametrize("epochs", [0, -1, True, 1.5])
def test_epochs_are_at_least_one(epochs, few):
    with pytest.raises(InvalidParameter, match="epochs"):
        RECIPES["dense-32"].run(few, epochs=epochs)


def test_a_name_that_is_misspelt_is_answered_with_the_nearest():
    with pytest.raises(InvalidParameter, match="did you mean 'dense-32'"):
        RECIPES["dense32"]
