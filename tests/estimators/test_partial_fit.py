"""partial_fit learns from rows as they come, and does not forget those of earlier calls."""

import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import isthmus as ist
from isthmus.core.errors import (
    DataWarning,
    InvalidData,
    InvalidParameter,
    SchemaMismatch,
    TrainingWarning,
)
from isthmus.data.sources import opening
from isthmus.estimators import incremental
from isthmus.estimators.fit_rows import FitRows

RNG = np.random.default_rng(0)
# Two groups of rows in different planes; the second comes after the first.
GROUPS = [
    (shift + RNG.normal(size=(80, 1)) @ RNG.normal(size=(1, 5))).astype(np.float32)
    for shift in (-2, 2)
]
X = np.concatenate(GROUPS)
LABELS = np.repeat(["low", "high"], 80)
QUICK = {"latent_dim": 2, "hidden": (8,), "random_state": 0, "verbose": 0, "epochs": 2}


def small(kind=ist.Autoencoder, **changed):
    return kind(**{**QUICK, **changed})


def in_turn(model):
    for chunk in GROUPS:
        model.partial_fit(chunk)
    return model


@pytest.fixture(scope="module")
def model():
    return in_turn(small())


def test_what_is_learned(model):
    assert model.n_samples_ == len(X)
    assert model.n_iter_ == 2
    assert model.stop_reason_ == "finished"
    assert set(model.history_) == {"epoch", "loss", "learning_rate", "seconds"}
    assert model.transform(X).shape == (160, 2)


def test_the_same_calls_give_the_same_bits(model):
    np.testing.assert_array_equal(in_turn(small()).transform(X), model.transform(X))
    assert (in_turn(small(random_state=1)).transform(X) != model.transform(X)).any()


def test_the_first_rows_are_not_forgotten():
    model = small(epochs=10).partial_fit(GROUPS[0])
    forgetful = small(epochs=10, warm_start=True, validation_fraction=0).fit(GROUPS[0])
    for _ in range(4):
        model.partial_fit(GROUPS[1])
        forgetful.fit(GROUPS[1])
    assert model.score(GROUPS[0]) > forgetful.score(GROUPS[0]) / 4


def test_the_optimizer_goes_on():
    first = small().partial_fit(X)
    other = pickle.loads(pickle.dumps(first)).set_params(optimizer="adamax").partial_fit(X)
    same = pickle.loads(pickle.dumps(first)).partial_fit(X)
    np.testing.assert_array_equal(first.partial_fit(X).transform(X), same.transform(X))
    assert (other.transform(X) != same.transform(X)).any()


def test_a_loaded_model_goes_on_with_a_warning(model, tmp_path):
    model.save(tmp_path / "m.isthmus")
    loaded = ist.load(tmp_path / "m.isthmus")
    np.testing.assert_array_equal(loaded.transform(X), model.transform(X))
    with pytest.warns(TrainingWarning, match="not kept"):
        loaded.partial_fit(X)
    assert loaded.n_samples_ == 2 * len(X)
    loaded.partial_fit(X[:9])  # no more warnings


def test_after_fit():
    model = small().fit(X)
    schema = model.schema_.to_config()
    with pytest.warns(TrainingWarning, match="not kept"):
        model.partial_fit(10 * X)
    assert model.schema_.to_config() == schema
    assert model.fit(X).n_samples_ == len(X)
    np.testing.assert_array_equal(small().fit(X).transform(X), model.transform(X))


@pytest.mark.parametrize("rows", [1, 17])
def test_few_rows_at_a_time(rows):
    model = small().partial_fit(X[:60]).partial_fit(X[60 : 60 + rows])
    assert model.n_samples_ == 60 + rows


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"latent_dim": 3}, "partial_fit: latent_dim: expected 2.*call fit to begin anew"),
        ({"activation": "relu"}, "partial_fit.*activation"),
        ({"checkpoint": "c"}, "checkpoint=None"),
    ],
)
def test_settings_that_cannot_change(change, message):
    model = small().partial_fit(X)
    before = model.transform(X)
    with pytest.raises(InvalidParameter, match=message):
        model.set_params(**change).partial_fit(X)
    np.testing.assert_array_equal(model.transform(X), before)


def test_rows_that_do_not_fit(model, monkeypatch):
    before = model.n_samples_
    with pytest.raises(SchemaMismatch, match="expecting 5 features"):
        model.partial_fit(X[:, :4])
    with pytest.raises(InvalidData, match="infinity"):
        model.partial_fit(np.full((2, 5), np.inf))
    monkeypatch.setattr(opening, "MOST_BYTES_IN_MEMORY", 10)
    with pytest.raises(InvalidData, match="more rows than fit in memory"):
        model.partial_fit(lambda: iter([X]))
    assert model.n_samples_ == before


def test_ranges_of_tables_grow():
    table = pd.DataFrame({"a": X[:, 0], "whole": np.arange(160) // 2 * 2.0, "kind": LABELS})
    model = small(epochs=1).partial_fit(table[60:100])
    with pytest.warns(DataWarning, match="other"):
        model.partial_fit(table.assign(kind=["other", *LABELS[1:]]))
    domain = model.schema_.fields[1].domain
    assert (domain.low, domain.high) == (0, 158)


# --- other kinds ------------------------------------------------------------------------------


def test_classes_may_come_later():
    model = small(ist.SupervisedAutoencoder, epochs=20, learning_rate=0.02)
    y = LABELS.astype(object)
    y[::3] = None
    model.partial_fit(X[:80], y[:80], classes=["low", "high"])
    assert list(model.classes_) == ["high", "low"]
    model.partial_fit(X[80:], y[80:])
    assert model.score(X, LABELS) > 0.9
    assert 0.6 < model.labelled_share_ < 0.7
    with pytest.raises(InvalidData, match="classes of the earlier fit"):
        model.partial_fit(X[:2], ["low", "new"])
    with pytest.raises(InvalidData, match="classes of the earlier fit"):
        model.partial_fit(X[:2], ["low", "low"], classes=["low", "new"])
    unlabelled = small(ist.SupervisedAutoencoder)
    with pytest.raises(InvalidData, match="a label for at least one row so far"):
        unlabelled.partial_fit(X, [None] * 160, classes=["a", "b"])


def test_targets():
    model = small(ist.SupervisedAutoencoder, task="regression").partial_fit(X, X[:, 0])
    assert model.predict(X).shape == (160,)
    with pytest.raises(InvalidParameter, match="classes: expected None"):
        model.partial_fit(X, X[:, 0], classes=[1, 2])


def test_pairs_of_samples():
    noisy = X + RNG.normal(size=X.shape).astype(np.float32)
    model = small(ist.DenoisingAutoencoder).partial_fit(noisy[:80], X[:80])
    assert model.partial_fit(noisy[80:], X[80:]).n_samples_ == 160
    with pytest.raises(InvalidData, match="expected pairs, as before, received samples alone"):
        model.partial_fit(X)
    with pytest.raises(InvalidParameter, match="noise_level"):
        small(ist.DenoisingAutoencoder, noise="blind_spot").partial_fit(X)


@pytest.mark.filterwarnings("ignore:.*collapsed")
def test_a_variational_autoencoder():
    model = in_turn(small(ist.VariationalAutoencoder))
    assert model.sample(3, random_state=0).shape == (3, 5)
    with pytest.raises(InvalidParameter, match="warmup=0"):
        small(ist.VariationalAutoencoder, warmup=0.5).partial_fit(X)


# --- the sample -------------------------------------------------------------------------------


@given(st.lists(st.integers(1, 40), min_size=1, max_size=8), st.integers(1, 60))
@settings(max_examples=50, deadline=None)
def test_the_sample_depends_on_the_rows_only(sizes, most):
    rows = np.arange(sum(sizes), dtype=np.float32)[:, None]
    schema = None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(incremental, "_MOST_KEPT", most)
        kept = whole = incremental.EarlierRows.none(FitRows(schema, rows))
        for chunk in np.split(rows, np.cumsum(sizes)[:-1]):
            kept = kept.with_rows(FitRows(schema, chunk, labels=chunk[:, 0], inputs=-chunk))
        whole = whole.with_rows(FitRows(schema, rows))
    assert len(kept.matrix) == min(most, len(rows))
    np.testing.assert_array_equal(kept.matrix, whole.matrix)
    np.testing.assert_array_equal(kept.matrix[:, 0], kept.numbers)
    assert kept.total == len(rows)


def test_the_sample_is_uniform():
    rows = np.arange(100_000, dtype=np.float32)[:, None]
    kept = incremental.EarlierRows.none(FitRows(None, rows[:0])).with_rows(FitRows(None, rows))
    assert len(kept.matrix) == 1 << 14
    tenths = np.bincount(kept.numbers // 10_000)
    assert abs(tenths - 1638.4).max() < 5 * np.sqrt(1638.4)
