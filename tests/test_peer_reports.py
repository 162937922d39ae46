"""Public bug reports about other tools, recreated with small data: none of them is true here."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer

import isthmus as ist
from isthmus.data import reading

RNG = np.random.default_rng(0)
ROWS = 300


def vae(size=2):
    return ist.VariationalAutoencoder(size, epochs=8, random_state=0)


def test_samples_of_floats_are_not_rounded():
    """sdv-dev/SDV#1039 and #1166: standard normal columns were sampled as whole numbers."""
    frame = pd.DataFrame(RNG.normal(size=(ROWS, 2)), columns=["a", "b"])
    samples = vae().fit(frame).sample(100, random_state=0)
    assert (samples % 1 != 0).to_numpy().mean() > 0.9


def test_samples_keep_the_range_of_months_and_days():
    """sdv-dev/SDV#513 and CTGAN#162: month 14, day 37 and negative amounts were sampled."""
    frame = pd.DataFrame(
        {
            "month": RNG.integers(1, 13, ROWS),
            "day": RNG.integers(1, 32, ROWS),
            "amount": RNG.gamma(1.0, 10.0, ROWS),
        }
    )
    samples = vae().fit(frame).sample(2000, random_state=0)
    assert samples["month"].between(1, 12).all()
    assert samples["day"].between(1, 31).all()
    assert (samples["amount"] >= 0).all()


def test_samples_of_integer_categories_are_known_categories():
    """sdv-dev/SDV#1647: integers declared to be categories were sampled with new values."""
    frame = pd.DataFrame({"code": RNG.choice([3, 17, 40], ROWS), "x": RNG.normal(size=ROWS)})
    frame["code"] = frame["code"].astype("category")
    samples = vae().fit(frame).sample(500, random_state=0)
    assert set(samples["code"]) <= {3, 17, 40}


def test_a_model_of_rows_with_missing_cells_can_sample():
    """sdv-dev/CTGAN#413 and #21: fitted without a word, failed while sampling."""
    frame = pd.DataFrame({"x": RNG.normal(size=ROWS), "w": RNG.choice(["a", "b", None], ROWS)})
    frame.loc[::7, "x"] = np.nan
    assert len(vae().fit(frame).sample(50, random_state=0)) == 50


@pytest.mark.filterwarnings("ignore::isthmus.core.errors.TrainingWarning")
@pytest.mark.parametrize("columns", [["x"], ["w"], ["x", "y"], ["w", "v"]])
def test_one_column_and_columns_of_one_kind(columns):
    """sdv-dev/CTGAN#93 and SDV#284: one column, or numbers only, raised errors from below."""
    frame = pd.DataFrame(
        {
            "x": RNG.normal(size=ROWS),
            "y": RNG.normal(size=ROWS),
            "w": RNG.choice(list("ab"), ROWS),
            "v": RNG.choice(list("cde"), ROWS),
        }
    )[columns]
    model = vae(len(columns)).fit(frame)
    assert list(model.sample(5, random_state=0).columns) == columns
    assert list(model.reconstruct(frame).columns) == columns


def test_an_unknown_category_is_not_taken_for_a_known_one():
    """scikit-learn#34549 and #14934: it was decoded as a known category, without a warning."""
    frame = pd.DataFrame({"w": RNG.choice(list("ab"), ROWS), "x": RNG.normal(size=ROWS)})
    model = ist.Autoencoder(1, epochs=3, random_state=0).fit(frame)
    later = pd.DataFrame({"w": ["z", "a"], "x": [0.0, 0.0]})
    with pytest.warns(ist.DataWarning, match="'w' in 1 row .*'z'"):
        model.reconstruct(later)
    strict = model.set_params(unknown="error")
    with pytest.raises(ist.SchemaMismatch, match="received 'z'"):
        strict.fit(frame).transform(later)


def test_a_missing_word_is_not_an_unknown_category():
    """scikit-learn#12018: an empty cell was reported as an unknown category."""
    frame = pd.DataFrame({"w": RNG.choice(list("ab"), ROWS), "x": RNG.normal(size=ROWS)})
    model = ist.Autoencoder(1, epochs=3, random_state=0, unknown="error").fit(frame)
    later = pd.DataFrame({"w": [None, np.nan, "a"], "x": [0.0, 1.0, 2.0]})
    assert model.transform(later).shape == (3, 1)


def test_numbers_with_points_in_text_are_left_alone(tmp_path):
    """pandas#50270: separators of thousands were stripped from text."""
    path = tmp_path / "a.csv"
    path.write_text("a;b;c\n0000.7995;16.000;0\n3.03.001.00514;0;4.000\n4923.600.041;23.000;131\n")
    with pytest.warns(ist.DataWarning, match="can be read in two ways"):
        table = reading.read(path).X
    assert table["a"].to_pylist() == ["0000.7995", "3.03.001.00514", "4923.600.041"]


def test_a_stray_separator_does_not_make_a_number(tmp_path):
    """pandas#64655: "1 ," was read as the number 1."""
    path = tmp_path / "a.csv"
    path.write_text('a;b\n"1 ,";x\n"1,000";y\n')
    assert reading.read(path).X["a"].to_pylist() == ["1 ,", "1,000"]


@pytest.mark.parametrize("rate", [0.0, 1.0, 1.5, -0.1, float("nan"), "high"])
def test_an_impossible_rate_is_refused(rate):
    """yzhao062/pyod#752: contamination=0.9 was accepted by a detector and 90 % were outliers."""
    detector = ist.AnomalyDetector(false_alarm_rate=rate)
    with pytest.raises(ist.InvalidParameter, match="false_alarm_rate"):
        detector.fit(RNG.normal(size=(ROWS, 3)))


def test_one_row_gives_one_row():
    """keras#11657: predictions for a single row lost their dimension."""
    X = RNG.normal(size=(ROWS, 4))
    model = ist.Autoencoder(2, epochs=3, random_state=0).fit(X)
    detector = ist.AnomalyDetector(model, random_state=0).fit(X)
    assert model.transform(X[:1]).shape == (1, 2)
    assert model.reconstruct(X[:1]).shape == (1, 4)
    assert model.reconstruction_error(X[:1]).shape == (1,)
    assert detector.predict(X[:1]).shape == detector.anomaly_score(X[:1]).shape == (1,)


def test_the_threshold_is_one_number_that_predict_uses():
    """alibi-detect#809 and pygod#110: an array for a threshold; labels by another threshold."""
    X = load_breast_cancer().data
    detector = ist.AnomalyDetector(false_alarm_rate=0.05, random_state=0).fit(X[::2])
    assert type(detector.threshold_) is float
    alarms = detector.anomaly_score(X[1::2]) > detector.threshold_
    assert ((detector.predict(X[1::2]) == -1) == alarms).all()


@pytest.mark.parametrize("batch_size", [1, 7, 64, 1000])
def test_the_last_loss_is_that_of_all_rows(batch_size):
    """keras#13591, #13728 and #3184: the loss of the last batch; a loss that no rows have."""
    X = RNG.normal(size=(97, 3)) @ RNG.normal(size=(3, 6))
    settings = {"batch_size": batch_size, "learning_rate": 1e-12, "validation_fraction": 0}
    model = ist.Autoencoder(2, epochs=2, random_state=0, **settings).fit(X)
    error = model.reconstruction_error(X).mean()
    assert model.history_["loss"][-1] == pytest.approx(error, rel=1e-4)
