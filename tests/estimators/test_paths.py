"""`fit` and all that follows it take the path of a file, read as the command line reads it."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from sklearn.frozen import FrozenEstimator

import isthmus as ist
from isthmus.core.errors import InvalidData, SchemaMismatch, UnreadableFile
from isthmus.data.reading import read

QUICK = {"hidden": (8,), "epochs": 2, "random_state": 0, "verbose": 0}
RANDOM = np.random.default_rng(0)
CARS = pd.DataFrame(
    {
        "length": RANDOM.normal(4, 0.5, 80).round(2),
        "doors": RANDOM.integers(2, 6, 80),
        "fuel": RANDOM.choice(["petrol", "diesel", "electric"], 80),
        "built": pd.Timestamp("2020-02-29") + pd.to_timedelta(RANDOM.integers(0, 99, 80), "D"),
    }
)
CARS.loc[3, "length"] = np.nan
ROWS = RANDOM.normal(size=(80, 4))


@pytest.fixture
def cars(tmp_path):
    """The path of a CSV file, as text."""
    CARS.to_csv(tmp_path / "cars.csv", index=False)
    return str(tmp_path / "cars.csv")


@pytest.fixture
def array(tmp_path):
    """The path of an .npy file."""
    np.save(tmp_path / "rows.npy", ROWS)
    return tmp_path / "rows.npy"


def same(first, second):
    assert type(first) is type(second)
    if isinstance(first, pa.Table):
        assert first.equals(second)
    else:
        np.testing.assert_array_equal(first, second)


def test_public_use(cars):
    model = ist.Autoencoder(2, **QUICK).fit(cars)
    assert list(model.feature_names_in_) == ["length", "doors", "fuel", "built"]
    assert model.transform(cars).shape == (80, 2)
    assert model.reconstruct(cars).column_names == ["length", "doors", "fuel", "built"]
    assert model.score(cars) < 0


def test_it_is_what_the_reader_gives(cars):
    model, other = (ist.Autoencoder(2, **QUICK).fit(rows) for rows in (cars, read(cars).X))
    table = read(cars, text=model.schema_.text_options).X
    same(model.transform(cars), other.transform(table))
    same(model.reconstruct(cars), other.reconstruct(table))
    same(model.reconstruction_error(Path(cars)), other.reconstruction_error(table))


def test_columns_have_the_types_that_fit_saw(tmp_path):
    frame = pd.DataFrame({"code": ["1", "x"] * 20, "n": [*range(20)] * 2})
    frame.to_csv(tmp_path / "a.csv", index=False)
    model = ist.Autoencoder(2, **QUICK).fit(tmp_path / "a.csv")
    # By itself, the first column of this file would be numbers, and the second text.
    (tmp_path / "b.csv").write_text("code,n\n1,2.5\n1,\n")
    assert model.transform(tmp_path / "b.csv").shape == (2, 2)


@pytest.mark.parametrize("form", ["npy", "npz", "parquet", "tsv", "csv.gz"])
def test_every_format(form, tmp_path):
    path = tmp_path / f"rows.{form}"
    frame = pd.DataFrame(ROWS, columns=list("abcd"))
    if form == "npy":
        np.save(path, ROWS)
    elif form == "npz":
        np.savez(path, ROWS)
    elif form == "parquet":
        pq.write_table(pa.Table.from_pandas(frame), path)
    else:
        frame.to_csv(path, index=False, sep="\t" if form == "tsv" else ",")
    model, other = (ist.Autoencoder(2, **QUICK).fit(rows) for rows in (path, read(path).X))
    same(model.transform(path), other.transform(read(path).X))
    same(model.reconstruct(path), other.reconstruct(read(path).X))


def test_a_folder_of_pictures(tmp_path):
    for label in ("cat", "dog"):
        (tmp_path / label).mkdir()
        for i in range(10):
            pixels = RANDOM.integers(0, 256, (6, 5), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / label / f"{i}.png")
    model = ist.Autoencoder(2, **QUICK).fit(tmp_path)
    assert model.reconstruct(str(tmp_path)).shape == (20, 6, 5)


def test_test_rows_of_a_file_are_not_used(tmp_path):
    parts = {"x_train": ROWS[:50], "y_train": np.arange(50), "x_test": ROWS[50:]}
    np.savez(tmp_path / "a.npz", **parts, y_test=np.arange(30))
    model = ist.Autoencoder(2, **QUICK).fit(tmp_path / "a.npz")
    assert model.n_samples_ == 50
    same(model.transform(tmp_path / "a.npz"), model.transform(ROWS[:50]))


@pytest.mark.parametrize("kind", [ist.DenoisingAutoencoder, ist.VariationalAutoencoder])
def test_other_estimators(kind, array):
    model, other = (kind(2, **QUICK).fit(rows) for rows in (array, ROWS))
    same(model.transform(array), other.transform(ROWS))
    same(model.fit_transform(array), other.transform(ROWS))
    assert model.score(array) == other.score(ROWS)


def test_methods_of_one_estimator(array, tmp_path):
    y = (ROWS[:, 0] > 0).astype(int)
    supervised = ist.SupervisedAutoencoder(2, **QUICK).fit(array, y)
    same(supervised.predict(array), supervised.predict(ROWS))
    same(supervised.predict_proba(array), supervised.predict_proba(ROWS))
    assert supervised.score(array, y) == supervised.score(ROWS, y)
    denoising = ist.DenoisingAutoencoder(2, **QUICK).fit(array)
    same(denoising.denoise(array), denoising.denoise(ROWS))
    variational = ist.VariationalAutoencoder(2, **QUICK).fit(array)
    same(
        variational.log_likelihood(array, 3, random_state=0),
        variational.log_likelihood(ROWS, 3, random_state=0),
    )
    np.save(tmp_path / "one.npy", ROWS[:1])
    same(
        variational.interpolate(tmp_path / "one.npy", ROWS[1]),
        variational.interpolate(ROWS[0], ROWS[1]),
    )


@pytest.mark.parametrize("autoencoder", [None, ist.Autoencoder(2, **QUICK)])
def test_the_detector(cars, autoencoder):
    table = read(cars).X
    detector, other = (
        ist.AnomalyDetector(autoencoder, false_alarm_rate=0.1, random_state=0).fit(rows)
        for rows in (cars, table)
    )
    table = read(cars, text=detector.schema_.text_options).X
    for method in ("predict", "score_samples", "p_values", "explain", "expected"):
        same(getattr(detector, method)(cars), getattr(other, method)(table))
    repaired, expected = detector.repair(Path(cars)), other.repair(table)
    same(repaired.X, expected.X)
    same(repaired.changed, expected.changed)
    same(detector.fit_predict(cars), other.fit_predict(read(cars).X))


def test_the_detector_for_a_series(tmp_path):
    series = pd.DataFrame(RANDOM.normal(size=(200, 2)), columns=["a", "b"])
    series.insert(0, "time", pd.date_range("2026-01-01", periods=200, freq="min"))
    series.to_csv(tmp_path / "s.csv", index=False)
    detector, other = (
        ist.AnomalyDetector(ist.Autoencoder(2, **QUICK), window=4, random_state=0).fit(rows)
        for rows in (tmp_path / "s.csv", series)
    )
    assert detector.sensors_ == ("a", "b")
    same(detector.anomaly_score(str(tmp_path / "s.csv")), other.anomaly_score(series))
    assert detector.explain(tmp_path / "s.csv").column_names == ["time", "a", "b"]


def test_tasks_pyod_and_the_referee(array, tmp_path):
    frozen = FrozenEstimator(ist.Autoencoder(2, **QUICK).fit(array))
    for given in (frozen, ist.Autoencoder(2, **QUICK)):
        index, other = (ist.SimilarityIndex(given).fit(rows) for rows in (array, ROWS))
        np.testing.assert_array_equal(index.kneighbors(array), other.kneighbors(ROWS))
    assert len(index.add(array).ids_) == 160
    places = [ist.LatentMap(frozen, random_state=0).fit_transform(rows) for rows in (array, ROWS)]
    same(*places)
    sampler = ist.LatentSampler(frozen, random_state=0).fit(array)
    assert sampler.score(array) == sampler.score(ROWS)
    detector = ist.AnomalyDetector(mode="outlier", false_alarm_rate=0.1, random_state=0)
    adapter = ist.PyODAdapter(detector, contamination=0.1).fit(array)
    same(adapter.predict(array), adapter.predict(ROWS))
    model = frozen.estimator
    judgements = [ist.referee(model, rows, X_train=rows) for rows in (array, ROWS)]
    assert judgements[0].contestants[0].error == judgements[1].contestants[0].error
    assert ist.write_report(model, array, tmp_path / "r.html", X_train=str(array)).exists()


def test_a_saved_model_takes_paths(cars, tmp_path):
    model = ist.Autoencoder(2, **QUICK).fit(cars)
    model.save(tmp_path / "m.isthmus")
    same(ist.load(tmp_path / "m.isthmus").transform(cars), model.transform(cars))


@pytest.mark.parametrize("output", ["pandas", "polars"])
def test_set_output(cars, output):
    codes = ist.Autoencoder(2, **QUICK).set_output(transform=output).fit_transform(cars)
    assert list(codes.columns) == ["autoencoder0", "autoencoder1"]


def test_a_missing_file_is_named(cars, tmp_path):
    model = ist.Autoencoder(2, **QUICK).fit(cars)
    detector = ist.AnomalyDetector(false_alarm_rate=0.1, random_state=0).fit(cars)
    for call in (ist.Autoencoder().fit, model.transform, model.score, detector.predict):
        with pytest.raises(UnreadableFile, match=r"car\.csv: .*did you mean 'cars\.csv'"):
            call(tmp_path / "car.csv")
    (tmp_path / "a.xyz").write_text("1")
    with pytest.raises(UnreadableFile, match="the ending"):
        model.transform(tmp_path / "a.xyz")
    (tmp_path / "empty.csv").touch()
    with pytest.raises(UnreadableFile, match="an empty file"):
        ist.Autoencoder().fit(tmp_path / "empty.csv")
    assert model.n_samples_ == 80


def test_a_file_of_other_columns(cars, tmp_path):
    model = ist.Autoencoder(2, **QUICK).fit(cars)
    CARS.rename(columns={"doors": "wheels"}).to_csv(tmp_path / "b.csv", index=False)
    with pytest.raises(SchemaMismatch, match="doors"):
        model.transform(tmp_path / "b.csv")


@pytest.mark.parametrize("X", [None, "", b"cars.csv"])
def test_what_is_no_path(X):
    with pytest.raises(InvalidData, match="a DataFrame, an Arrow table or a path"):
        ist.Autoencoder().fit(X)


def test_settings_are_checked_before_the_file_is_read(tmp_path):
    for model in (ist.Autoencoder(epochs=-1), ist.AnomalyDetector(false_alarm_rate=2)):
        with pytest.raises(ist.InvalidParameter):
            model.fit(tmp_path / "absent.csv")
