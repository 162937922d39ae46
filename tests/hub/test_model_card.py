"""What the card of a model says, as the hub would read it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

import isthmus as ist
from isthmus.hub.model_card import configuration, is_own, model_card


def front_matter(card: str) -> Any:
    _, front, _ = card.split("---\n", 2)
    return yaml.safe_load(front)


def test_front_matter(detector: Any, autoencoder: Any) -> None:
    assert front_matter(model_card(detector, "me/parts", license="apache-2.0")) == {
        "library_name": "isthmus",
        "tags": ["isthmus", "autoencoder", "anomaly detector"],
        "license": "apache-2.0",
    }
    assert "license" not in front_matter(model_card(autoencoder, "me/parts"))


def test_columns_and_figures_of_a_table(table: pd.DataFrame, autoencoder: Any) -> None:
    card = model_card(autoencoder, "me/parts")
    assert "\n# parts\n" in card
    assert "| `length\\|mm` | number (double) |" in card
    assert "| `kind` | category, 2 values |" in card
    assert "| rows | 120 |" in card
    best = autoencoder.history_["epoch"].index(autoencoder.best_epoch_)
    assert f"| {autoencoder.history_['val_loss'][best]:#.4g} |" in card
    assert 'ist.from_hub("me/parts")' in card
    assert is_own(card)
    assert not is_own(card.rpartition("<!--")[0])


def test_a_detector_says_what_its_file_contains(detector: Any) -> None:
    card = model_card(detector, "me/parts")
    assert "The file contains rows that it was fitted to" in card
    assert f"| false-alarm rate it was set to | {detector.false_alarm_rate:.1%} |" in card.replace(
        " %", "%"
    )
    assert f"| rows behind the threshold | {len(detector.calibration_scores_)} |" in card


def test_an_evaluation_is_quoted(autoencoder: Any, table: pd.DataFrame) -> None:
    judgement = ist.referee(autoencoder, table)
    assert str(judgement) in model_card(autoencoder, "me/parts", evaluation=judgement)


def test_names_cannot_break_out_of_the_card() -> None:
    name = "a`|\n\n# Evil <script>alert(1)</script>"
    frame = pd.DataFrame({name: np.arange(20.0), "b": np.arange(20.0) ** 2})
    model = ist.Autoencoder(1, hidden=(), epochs=1, verbose=0).fit(frame)
    card = model_card(model, "me/x")
    assert "| `a'\\| # Evil <script>alert(1)</script>` | number (double) |" in card
    assert configuration(model)["columns"] == [name, "b"]


def test_images(saved: Callable[[str], Any]) -> None:
    model = saved("autoencoder-images-dense")
    shape = model.schema_.sample_shape
    card = model_card(model, "me/x")
    assert f"Images of {shape[0]} × {shape[1]} numbers" in card
    assert configuration(model)["sample_shape"] == list(shape)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("index-euclidean", "distances, ids = model.kneighbors(X)"),
        ("detector-series", "rows of which are one window: `"),
        ("detector-fleet", "rows of which are one window: `"),
        ("codec-table", "model.decompress(blob)"),
        ("sampler-table", "rows = model.sample(10)"),
        ("map-umap", "The file contains the codes of the rows"),
        ("supervised-classes", "codes = model.transform(X)"),
    ],
)
def test_other_kinds(name: str, text: str, saved: Callable[[str], Any]) -> None:
    model = saved(name)
    card = model_card(model, "me/x")
    assert text in card
    assert f" {model.kind} by isthmus" in card
    assert configuration(model)["kind"] == model.kind
