"""The detector of rows and pictures."""

import copy
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_iris, load_wine, make_moons
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import roc_auc_score
from sklearn.utils.estimator_checks import parametrize_with_checks

import isthmus as ist
from isthmus.core.errors import (
    DataWarning,
    InvalidArchive,
    InvalidData,
    InvalidParameter,
    SchemaMismatch,
)
from isthmus.persistence import artifact

WINE = np.random.default_rng(0).permutation(load_wine().data)  # the file is sorted by class
CANCER = load_breast_cancer()
PASSED_ON = "ignore:The text of 'id' has too many distinct values:isthmus.core.errors.DataWarning"
QUICK = {"epochs": 2, "random_state": 0, "verbose": 0}


def small(**settings):
    network = ist.Autoencoder(2, hidden=(8,), **QUICK)
    return ist.AnomalyDetector(
        **{"autoencoder": network, "false_alarm_rate": 0.1, "random_state": 0, **settings}
    )


def mixed(rows=240, seed=0):
    rng = np.random.default_rng(seed)
    size = rng.normal(size=rows)
    frame = pd.DataFrame(
        {
            "id": [f"part {i}" for i in range(rows)],
            "weight": 10 * size + rng.normal(size=rows),
            "count": np.round(20 + 3 * size).astype(int),
            "colour": np.where(size > 0, "red", "blue"),
            "good": size > -1,
        },
        index=np.arange(rows) * 2 + 1,
    )
    frame.loc[frame.index[::17], "weight"] = np.nan
    return frame


@pytest.fixture(scope="module")
def fitted():
    return ist.AnomalyDetector(false_alarm_rate=0.1, random_state=0).fit(WINE[:170])


@pytest.fixture(scope="module")
def of_table():
    with pytest.warns(DataWarning, match="'id' has too many distinct values"):
        return small().fit(mixed())


@pytest.mark.filterwarnings("ignore:false_alarm_rate:isthmus.core.errors.DataWarning")
@pytest.mark.filterwarnings("ignore:The last fifth:isthmus.core.errors.DataWarning")
@parametrize_with_checks([small(), small(mode="outlier")])
def test_scikit_learn_contract(estimator, check):
    check(estimator)


def test_signs(fitted):
    scores = fitted.anomaly_score(WINE)
    assert scores.shape == (178,)
    assert scores.dtype == np.float64
    assert (scores > 0).all()
    np.testing.assert_array_equal(fitted.score_samples(WINE), -scores)
    np.testing.assert_array_equal(fitted.decision_function(WINE), -scores - fitted.offset_)
    alarms = fitted.predict(WINE) == -1
    np.testing.assert_array_equal(alarms, scores > fitted.threshold_)
    np.testing.assert_array_equal(alarms, fitted.p_values(WINE) <= 0.1)
    far = WINE[:3] + 20 * WINE.std(axis=0)
    assert (fitted.predict(far) == -1).all()
    assert (fitted.p_values(far) == 1 / (1 + len(fitted.calibration_scores_))).all()


def of_cancer():
    benign, malignant = CANCER.data[CANCER.target == 1], CANCER.data[CANCER.target == 0]
    return benign[:250], benign[250:], malignant


def of_iris():
    flowers = load_iris()
    versicolor = flowers.data[flowers.target == 1]
    return versicolor[:40], versicolor[40:], flowers.data[flowers.target != 1]


def off_a_plane():
    """Each column of the anomalies is as usual; only that they belong together is not."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(400, 2)) @ rng.normal(size=(2, 6)) + 0.1 * rng.normal(size=(400, 6))
    return rows[:200], rows[200:300], rng.permuted(rows[300:], axis=0)


def between_moons():
    """Anomalies lie around two curved clusters and between them, where the mean is."""
    moons, _ = make_moons(400, noise=0.06, random_state=0)
    around = np.random.default_rng(0).uniform([-1.2, -0.7], [2.2, 1.2], size=(300, 2))
    away = np.linalg.norm(around[:, None] - moons, axis=2).min(axis=1)
    return moons[:300], moons[300:], around[away > 0.2]


def beside_a_dense_cluster():
    """Anomalies are near a dense cluster: closer than the rows of a wide one are to each other."""
    rng = np.random.default_rng(0)
    rows = np.concatenate([rng.normal(0, 0.2, (200, 4)), rng.normal(5, 2, (200, 4))])
    rows = rng.permutation(rows)
    beside = rng.normal(0, 0.2, (60, 4)) + 1.5 * rng.choice([-1, 1], (60, 4))
    return rows[:300], rows[300:], beside


def found_and_plain(seen, normal, anomalous):
    """The areas under the curve of a detector of `seen` and of the distance from its mean."""
    rows, truth = (
        np.concatenate([normal, anomalous]),
        np.repeat([0, 1], [len(normal), len(anomalous)]),
    )
    detector = ist.AnomalyDetector(false_alarm_rate=0.05, random_state=0).fit(seen)
    away = (rows - seen.mean(axis=0)) / np.maximum(seen.std(axis=0), 1e-9)
    plain = np.linalg.norm(away.reshape(len(rows), -1), axis=1)
    areas = [roc_auc_score(truth, score) for score in (detector.anomaly_score(rows), plain)]
    return detector, rows, truth == 1, *areas


@pytest.mark.parametrize(("of", "least"), [(of_cancer, 0.93), (of_iris, 0.95)])
def test_finds_anomalies_it_never_saw(of, least):
    _, _, _, found, plain = found_and_plain(*of())
    assert found > least
    assert found > plain - 0.05  # anomalies that are simply far away are no harder to find


@pytest.mark.parametrize("of", [off_a_plane, between_moons, beside_a_dense_cluster])
def test_finds_anomalies_that_are_not_far_from_the_mean(of):
    detector, rows, truth, found, plain = found_and_plain(*of())
    assert plain < 0.7  # so that the data show what they are meant to
    assert found > 0.97
    assert (detector.predict(rows) == -1)[truth].mean() > 0.9


@pytest.mark.parametrize("of", [of_cancer, off_a_plane, between_moons, beside_a_dense_cluster])
def test_few_of_the_rows_found_together_are_normal(of):
    detector, rows, truth, *_ = found_and_plain(*of())
    together = detector.predict(rows, fdr=0.1) == -1
    assert together[truth].mean() > 0.5
    assert together[~truth].sum() < 0.3 * together.sum()


def test_the_default_repeats_its_bits(fitted):
    again = clone(fitted).fit(WINE[:170])
    np.testing.assert_array_equal(again.anomaly_score(WINE), fitted.anomaly_score(WINE))
    other = clone(fitted).set_params(random_state=1).fit(WINE[:170])
    assert (other.anomaly_score(WINE) != fitted.anomaly_score(WINE)).any()


def test_a_row_is_not_its_own_neighbour(fitted):
    """Training rows score like new ones: about as many raise an alarm."""
    assert 0.02 < (fitted.predict(WINE[:170]) == -1).mean() < 0.25
    same = np.repeat(WINE[:1], 5, axis=0)
    scores = fitted.anomaly_score(same)
    assert (scores == scores[0]).all()


def test_contaminated_rows():
    rng = np.random.default_rng(0)
    normal = rng.normal(size=(300, 4)) @ rng.normal(size=(4, 6)) + 0.1 * rng.normal(size=(300, 6))
    rows = np.concatenate([normal, rng.normal(scale=8, size=(20, 6))])
    found = small(mode="outlier", false_alarm_rate=0.02).fit_predict(rows) == -1
    assert found[300:].mean() > 0.8
    assert found[:300].mean() < 0.08


@pytest.mark.parametrize(
    ("of", "least"), [(of_cancer, 0.85), (off_a_plane, 0.93), (between_moons, 0.95)]
)
def test_rows_of_which_a_twentieth_is_anomalous_can_be_learned_from(of, least):
    seen, normal, anomalous = of()
    normal = np.concatenate([seen, normal])
    few = np.random.default_rng(0).permutation(anomalous)[: len(normal) // 20]
    rows, truth = np.concatenate([normal, few]), np.repeat([0, 1], [len(normal), len(few)])
    detector = ist.AnomalyDetector(mode="outlier", false_alarm_rate=0.05, random_state=0).fit(rows)
    scores = detector.anomaly_score(rows)
    assert roc_auc_score(truth, scores) > least
    highest = np.argsort(-scores)[: len(few)]
    assert truth[highest].mean() > 3 * truth.mean()  # what a random choice would find


def test_tables_with_categories_and_missing_cells(of_table):
    frame = mixed()
    assert list(of_table.feature_names_in_) == list(frame.columns)
    assert np.isfinite(of_table.anomaly_score(frame)).all()
    wrong = frame.iloc[:4].copy()
    wrong["colour"] = np.where(wrong["colour"] == "red", "blue", "red")
    wrong["weight"] = [-90.0, 90.0, 80.0, -95.0]
    assert (of_table.anomaly_score(wrong) > of_table.anomaly_score(frame.iloc[:4])).all()
    shuffled = frame[list(frame.columns[::-1])]
    np.testing.assert_array_equal(of_table.anomaly_score(shuffled), of_table.anomaly_score(frame))
    np.testing.assert_array_equal(
        of_table.anomaly_score(pl.from_pandas(frame)), of_table.anomaly_score(frame)
    )
    with pytest.raises(SchemaMismatch):
        of_table.predict(frame.drop(columns="colour"))


@pytest.mark.filterwarnings(PASSED_ON)
def test_a_category_that_few_rows_have():
    frame = mixed()
    frame.loc[frame.index[5], "colour"] = "green"
    for seed in range(4):
        small(random_state=seed).fit(frame).predict(frame)
    ist.AnomalyDetector(false_alarm_rate=0.1, random_state=0).fit(frame).predict(frame)


def test_explanations_come_in_the_shape_of_the_rows(fitted, of_table):
    rows = WINE[:5].copy()
    rows[0, 3] += 15 * WINE[:, 3].std()
    parts = fitted.explain(rows)
    assert parts.shape == rows.shape
    np.testing.assert_allclose(parts.sum(axis=1), fitted.anomaly_score(rows))
    assert parts[0].argmax() == 3
    assert abs(fitted.expected(rows)[0, 3] - WINE[0, 3]) < 4 * WINE[:, 3].std()

    frame = mixed().iloc[:6]
    shares = of_table.explain(frame)
    assert list(shares.columns) == list(frame.columns)
    assert list(shares.index) == list(frame.index)
    np.testing.assert_allclose(shares.sum(axis=1), of_table.anomaly_score(frame))
    assert (shares["id"] == 0).all()
    expected = of_table.expected(frame)
    assert (expected.dtypes == frame.dtypes).all()
    assert isinstance(of_table.explain(pl.from_pandas(frame)), pl.DataFrame)


def test_repair_changes_few_cells(fitted, of_table):
    rows = WINE[:5].copy()
    rows[0, 3] += 15 * WINE[:, 3].std()
    repaired = fitted.repair(rows, 1)
    assert repaired.changed.shape == rows.shape
    assert repaired.changed[0].tolist() == [c == 3 for c in range(13)]
    assert repaired.after[0] < repaired.before[0]
    np.testing.assert_array_equal(repaired.X[~repaired.changed], rows[~repaired.changed])
    np.testing.assert_allclose(repaired.after, fitted.anomaly_score(repaired.X), rtol=1e-3)

    frame = mixed().iloc[:8].copy()
    frame["weight"] = 500.0
    mended = of_table.repair(frame, 2)
    assert (mended.X.dtypes == frame.dtypes).all()
    assert mended.changed["weight"].all()
    pd.testing.assert_frame_equal(mended.X[["id"]], frame[["id"]])


def test_blind_spots_and_drift_name_the_columns(of_table):
    found = of_table.blind_spots()
    assert {spot.column for spot in found.spots} >= {"weight", "count", "colour", "good"}
    assert all(0 <= spot.power <= 1 for spot in found.spots)
    moved = mixed(seed=1)
    moved["weight"] += 30
    found = of_table.drift(moved)
    assert found.p_value < 1e-6
    assert found.adjusted["weight"] < 1e-6
    assert found.adjusted["count"] > 1e-3


@pytest.mark.parametrize(
    ("shown", "other", "least"), [(1, 8, 0.9), (0, 6, 0.98), (3, 5, 0.9), (4, 9, 0.95)]
)
def test_pictures(digits, shown, other, least):
    images = digits.images[digits.target == shown] / 16
    others = digits.images[digits.target == other][:40] / 16
    detector, _, _, found, plain = found_and_plain(images[:130], images[130:], others)
    assert found > least
    assert found > plain - 0.01
    assert detector.explain(others[:2]).shape == (2, 8, 8)
    assert detector.expected(others[:2]).shape == (2, 8, 8)


def test_a_frozen_autoencoder_is_kept(tmp_path):
    network = ist.Autoencoder(2, hidden=(8,), **QUICK).fit(WINE[:60])
    detector = small(autoencoder=FrozenEstimator(network)).fit(WINE[60:])
    assert detector.autoencoder_ is network


@pytest.mark.parametrize("which", ["default", "own"])
def test_saved_and_loaded(fitted, of_table, tmp_path, which):
    detector, rows = (fitted, WINE) if which == "default" else (of_table, mixed())
    detector.save(tmp_path / "d.isthmus")
    loaded = ist.load(tmp_path / "d.isthmus")
    for again in (loaded, copy.deepcopy(detector), pickle.loads(pickle.dumps(detector))):
        np.testing.assert_array_equal(again.anomaly_score(rows), detector.anomaly_score(rows))
        np.testing.assert_array_equal(again.predict(rows), detector.predict(rows))
        np.testing.assert_array_equal(again.p_values(rows), detector.p_values(rows))
    np.testing.assert_array_equal(
        np.asarray(loaded.explain(rows)), np.asarray(detector.explain(rows))
    )
    loaded.save(tmp_path / "again.isthmus")
    one, other = (tmp_path / f"{name}.isthmus" for name in ("d", "again"))
    assert one.read_bytes() == other.read_bytes()


@pytest.mark.parametrize(
    "alter",
    [
        lambda a, c: a.update(center=a["center"][:-1]),
        lambda a, c: a.update(scale=0 * a["scale"]),
        lambda a, c: a.update(calibration=a["calibration"][::-1].copy()),
        lambda a, c: a.update(held_out=a["held_out"][:, 1:]),
        lambda a, c: a.update({"score/rows": a["score/rows"][:1]}),
        lambda a, c: a.update({"score/codes_root": a["score/codes_root"][1:]}),
        lambda a, c: a.update({"score/measures_scale": -a["score/measures_scale"]}),
        lambda a, c: a.update({"score/residuals_center": a["calibration"]}),
        lambda a, c: a.update({"cells/column_of": a["cells/column_of"] * 0 + 3}),
        lambda a, c: a.clear(),
        lambda a, c: c.update(schema=None),
        lambda a, c: c.update(schema={}),
        lambda a, c: c["params"].update(false_alarm_rate="1"),
        lambda a, c: c["params"].update(false_alarm_rate=2),
        lambda a, c: c["params"].update(window=7),
        lambda a, c: c["params"].update(window="x"),
        lambda a, c: c.update(autoencoder=None),
        lambda a, c: c.update(params=None),
    ],
)
def test_forged_files_are_refused(fitted, tmp_path, alter, request):
    stored = fitted._to_artifact()
    arrays, content = dict(stored.arrays), copy.deepcopy(stored.manifest)
    alter(arrays, content)
    artifact.write(tmp_path / "d.isthmus", artifact.Artifact(stored.kind, content, arrays))
    with pytest.raises(InvalidArchive):
        ist.load(tmp_path / "d.isthmus")


def test_what_cannot_be_asked():
    with pytest.raises(InvalidParameter, match="did you mean"):
        small(mode="novely").fit(WINE)
    for rate in (0, 1, "0.1", None, float("nan")):
        with pytest.raises(InvalidParameter, match="false_alarm_rate"):
            small(false_alarm_rate=rate).fit(WINE)
    with pytest.raises(InvalidParameter, match="an isthmus estimator or None"):
        small(autoencoder=5).fit(WINE)
    with pytest.raises(InvalidData, match="at least 3 rows"):
        small().fit(WINE[:2])
    with pytest.raises(InvalidData, match="different rows"):
        small().fit(np.ones((40, 3)))
    detector = small()
    with pytest.raises(ValueError, match="not fitted"):
        detector.predict(WINE)
    with pytest.raises(InvalidParameter, match="fdr"):
        small().fit(WINE).predict(WINE, fdr=2)
    assert not hasattr(detector, "update")
    assert not hasattr(detector, "intervals")


def test_a_failed_fit_leaves_what_was_learned(fitted):
    detector = copy.deepcopy(fitted)
    with pytest.raises(InvalidData):
        detector.fit(np.full((20, 13), np.inf))
    np.testing.assert_array_equal(detector.anomaly_score(WINE), fitted.anomaly_score(WINE))


def test_too_few_rows_for_the_rate_are_said():
    with pytest.warns(DataWarning, match="99 held-out rows"):
        detector = small(false_alarm_rate=0.01).fit(WINE[:60])
    assert detector.threshold_ > detector.calibration_scores_[-1]
    assert (detector.predict(WINE[:60]) == -1).mean() < 0.05
    assert (detector.predict(WINE[:2] + 1e4) == -1).all()
