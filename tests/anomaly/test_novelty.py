import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import isthmus as ist
from isthmus.anomaly.novelty import CellEvents, Novelty, raised
from isthmus.core.types import ObservedRows, Segment

pytestmark = pytest.mark.filterwarnings("ignore:Values that fit did not see")


def frame(n=300, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "a": rng.normal(size=n),
            "b": rng.normal(size=n),
            "c": rng.choice(["x", "y", "z"], n),
            "kind": pd.Categorical(rng.choice(["u", "v"], n), categories=["u", "v", "never"]),
            "status": 0,
            "running": True,
            "site": "north",
            "built": pd.Timestamp("2020-01-01"),
            "half": np.where(rng.random(n) < 0.5, np.nan, rng.normal(size=n)),
        }
    )


@pytest.fixture(scope="module")
def fitted():
    return ist.AnomalyDetector(random_state=0).fit(frame())


NEW = frame(20, seed=1)
CHANGES = {
    "a constant number": {"status": 9},
    "a tiny change of a constant": {"status": 1e-9},
    "a constant boolean": {"running": False},
    "a constant text": {"site": "south"},
    "a constant date": {"built": pd.Timestamp("2021-01-01")},
    "another category": {"c": "q"},
    "a declared category": {"kind": pd.Categorical(["never"] * 20)},
    "a missing number": {"a": np.nan},
    "a missing category": {"c": None},
    "a missing constant": {"status": None},
}


@pytest.mark.parametrize("changed", CHANGES.values(), ids=CHANGES)
def test_what_fit_never_saw_raises_an_alarm_and_is_named(fitted, changed):
    rows = NEW.assign(**changed)
    assert (fitted.predict(rows) == -1).all()
    parts = fitted.explain(rows)
    assert (parts.to_numpy().argmax(axis=1) == list(rows.columns).index(*changed)).all()
    np.testing.assert_allclose(parts.sum(axis=1), fitted.anomaly_score(rows))
    before, after = fitted.anomaly_score(NEW), fitted.anomaly_score(rows)
    assert (after > before).all()


def test_rows_without_such_cells_score_as_before(fitted):
    alone = fitted.anomaly_score(NEW)
    among = fitted.anomaly_score(pd.concat([NEW, NEW.assign(status=1)]))
    np.testing.assert_allclose(among[:20], alone, rtol=1e-6)


def test_cells_that_are_often_missing_are_no_evidence(fitted):
    rows = NEW.assign(half=np.nan)
    assert (fitted.predict(rows) == 1).mean() > 0.9


@pytest.mark.parametrize("rows", [1, 2])
def test_empty_rows_raise_an_alarm(fitted, rows):
    empty = pd.DataFrame([[None] * NEW.shape[1]] * rows, columns=NEW.columns)
    assert (fitted.predict(empty) == -1).all()
    assert np.isfinite(fitted.explain(empty).to_numpy()).all()


def test_a_row_with_more_empty_cells_than_any_other_is_improbable():
    rng = np.random.default_rng(0)
    X = np.where(rng.random((1000, 8)) < 0.2, np.nan, rng.normal(size=(1000, 8)))
    detector = ist.AnomalyDetector(random_state=0).fit(X)
    assert detector.predict(np.full((1, 8), np.nan)) == [-1]
    assert detector.predict(X).mean() > 0.9


def test_arrays_have_constants_too():
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.normal(size=(300, 3)), np.full(300, 5.0)])
    detector = ist.AnomalyDetector(random_state=0).fit(X)
    odd = X[:10].copy()
    odd[:, 3] = 5.001
    assert (detector.predict(odd) == -1).all()
    assert (detector.explain(odd).argmax(axis=1) == 3).all()


@pytest.mark.parametrize("container", [pl.from_pandas, lambda f: f.convert_dtypes()])
def test_every_container_of_tables(fitted, container):
    rows = container(NEW.assign(status=9))
    assert (fitted.predict(rows) == -1).all()


def test_an_archive_keeps_it(fitted, tmp_path):
    rows = NEW.assign(status=9, c="q")
    fitted.save(tmp_path / "d.isthmus")
    again = ist.load(tmp_path / "d.isthmus")
    np.testing.assert_array_equal(again.anomaly_score(rows), fitted.anomaly_score(rows))


def test_unknown_values_can_be_refused(tmp_path):
    strict = ist.AnomalyDetector(unknown="error", random_state=0).fit(frame())
    strict.save(tmp_path / "d.isthmus")
    for detector in (strict, ist.load(tmp_path / "d.isthmus")):
        with pytest.raises(ist.SchemaMismatch, match="'q'"):
            detector.predict(NEW.assign(c="q"))


def test_one_warning_has_columns_and_counts(fitted):
    with pytest.warns(ist.DataWarning) as record:
        fitted.predict(NEW.assign(status=9, c=["q"] * 3 + ["x"] * 17))
    assert len(record) == 1
    assert "'c' in 3 rows (such as 'q'), 'status' in 20 rows" in str(record[0].message)


def test_a_repair_puts_back_what_fit_saw(fitted):
    repaired = fitted.repair(NEW.assign(status=9))
    assert (repaired.X["status"] == 0).all()
    assert repaired.changed["status"].all()
    assert repaired.changed.to_numpy().sum() == len(NEW)
    assert (fitted.predict(repaired.X) == 1).mean() > 0.8


def test_categories_that_occur_once_are_expected():
    # Every tenth row has a town of its own: a new town is then no surprise at 1 %.
    rng = np.random.default_rng(0)
    towns = np.where(rng.random(400) < 0.1, [f"town {i}" for i in range(400)], "Bergen")
    X = pd.DataFrame({"a": rng.normal(size=400), "town": towns})
    detector = ist.AnomalyDetector(random_state=0).fit(X)
    assert (detector.predict(X.head(50).assign(town="Oslo")) == 1).mean() > 0.9


@pytest.mark.parametrize("seed", range(3))
def test_the_rate_of_false_alarms_is_kept_with_rare_events(seed):
    rng = np.random.default_rng(seed)
    n = 4000
    X = pd.DataFrame(rng.normal(size=(n, 4)), columns=list("abcd"))
    X["town"] = np.where(rng.random(n) < 0.03, [f"t{i}" for i in range(n)], "Bergen")
    X["rare"] = np.where(rng.random(n) < 0.02, np.nan, rng.normal(size=n))
    detector = ist.AnomalyDetector(false_alarm_rate=0.05, random_state=0).fit(X[:2000])
    assert 0.025 < (detector.predict(X[2000:]) == -1).mean() < 0.08


def test_cross_validation_with_categories_that_occur_once():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.normal(size=60), "c": ["x", "y"] * 30})
    X.loc[::7, "c"] = [f"only {i}" for i in range(0, 60, 7)]
    small = ist.Autoencoder(1, hidden=(), epochs=2, verbose=0, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ist.DataWarning)
        assert np.isfinite(cross_val_score(small, X, cv=3)).all()
        search = GridSearchCV(small, {"l1": [0.0, 0.1]}, cv=3).fit(X)
        plain = make_pipeline(FunctionTransformer(), small)
        assert np.isfinite(cross_val_score(plain, X, cv=3)).all()
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def slow_probability(rows, missing, unseen):
    """By the definition, from lists of the events of all training rows and of one new row."""
    n = len(rows)
    alone = [
        [[j for j, v in enumerate(r[1]) if v], [j for j, v in enumerate(r[0]) if v]] for r in rows
    ]

    def least(new_missing, new_unseen, others, total):
        rates = [1.0]
        rates += [(sum(j in other[1] for other in others) + 1) / total for j in new_missing]
        rates += [(sum(j in other[0] for other in others) + 1) / total for j in new_unseen]
        k = len(new_missing)
        if k:
            rates.append((sum(len(other[1]) >= k for other in others) + 1) / total)
        return min(rates)

    new = least(missing, unseen, alone, n + 1)
    each = [least(r[1], r[0], [o for o in alone if o is not r], n) for r in alone]
    if new == 1:
        return 1.0
    alike = sum(rate < 1 and rate <= new * (1 + 2 / n) for rate in each)
    return min(1.0, (alike + 1 / (n + 1)) / (n + 1))


@pytest.mark.parametrize("seed", range(5))
def test_the_probability_of_a_row_is_that_of_its_definition(seed):
    rng = np.random.default_rng(seed)
    n, columns = 30, 4
    codes = rng.choice(5, size=(n, columns), p=[0.5, 0.4, 0.04, 0.03, 0.03])
    missing = rng.random((n, columns)) < [0, 0.03, 0.2, 0.5]
    blocks, segments, single = [], [], np.zeros((n, columns), dtype=bool)
    for j in range(columns):
        one_hot = np.eye(5, dtype=np.float32)[codes[:, j]]
        one_hot[missing[:, j]] = np.nan
        counts = np.nansum(one_hot, axis=0)
        single[:, j] = ~missing[:, j] & (counts[codes[:, j]] == 1)
        blocks.append(one_hot)
        segments.append(Segment(str(j), "categorical", 5 * j, 5 * j + 5))
    observed = ObservedRows(np.hstack(blocks), missing, np.zeros_like(missing))
    novelty, events = Novelty.fit(observed, segments, range(columns), np.zeros(1))
    np.testing.assert_array_equal(events.unseen, single)
    rows = list(zip(missing.tolist(), single.tolist(), strict=True))
    for _ in range(10):
        gone, odd = rng.random((2, columns)) < 0.3
        new = CellEvents(gone[None], (odd & ~gone)[None])
        expected = slow_probability(rows, np.flatnonzero(gone), np.flatnonzero(odd & ~gone))
        np.testing.assert_allclose(novelty.probability(new), [expected])


def test_scores_are_raised_to_that_of_the_same_fraction_of_normal_rows():
    calibration = np.arange(1.0, 100.0)
    scores = raised(np.full(4, 50.0), np.array([1.0, 0.5, 0.1, 1e-4]), calibration)
    # Scores of 50 are the upper half of normal rows': half of the probability of the events.
    assert scores[0] == 50
    np.testing.assert_allclose(scores[1:3], [75, 95])
    assert scores[3] > 99
