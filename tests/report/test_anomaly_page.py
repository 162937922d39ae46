"""The page on anomalies stands alone, says what the detector says, and runs nothing of the data."""

import base64
import hashlib
import json
import re

import numpy as np
import pandas as pd
import pytest
from test_page import HOSTILE, page_of

import isthmus as ist
from isthmus.core.errors import CannotWrite, InvalidData
from isthmus.evaluation import alarm_evaluation
from isthmus.report.page import write_report
from isthmus.report.template import inlined
from isthmus.report.timeline import timeline_chart
from isthmus.report.timeline_views import TIMELINE_SCRIPTS

COMMON = {"verdict", "scores", "promise", "network", "load", "histogram-t", "p-values-t"}
ROWS = COMMON | {"top", "blind-spots", "drift"}


def small():
    return ist.Autoencoder(2, hidden=(16,), epochs=4, random_state=0, verbose=0)


@pytest.fixture(scope="module")
def table():
    """A detector of a table, new rows of which the last ten are odd, and their labels."""
    random = np.random.default_rng(0)
    size = random.normal(size=400)
    frame = pd.DataFrame(
        {
            HOSTILE: size,
            "weight": size * 2 + random.normal(size=400) / 5,
            "town": np.where(size > 0, "Bern", "<b>Lima</b>"),
        }
    )
    detector = ist.AnomalyDetector(small(), false_alarm_rate=0.05, random_state=0)
    detector.fit(frame[:300])
    new = frame[300:].reset_index(drop=True)
    new.loc[90:, "weight"] += 20
    return detector, new, np.arange(100) >= 90


@pytest.fixture(scope="module")
def series():
    """A detector of a series with times, a new series with a fault, and its labels."""
    random = np.random.default_rng(0)
    t = np.arange(600)
    values = {f"s{i}": np.sin(t / 7 + i) + random.normal(size=600) / 20 for i in range(2)}
    times = pd.Timestamp("2026-01-01 10:00") + pd.to_timedelta(t, "min")
    frame = pd.DataFrame(values, index=times)
    detector = ist.AnomalyDetector(small(), window=10, random_state=0).fit(frame[:400])
    new = frame[400:].copy()
    new.iloc[100:130, 1] += 4
    return detector, new, (np.arange(200) >= 100) & (np.arange(200) < 130)


def test_a_table_with_labels(table, tmp_path):
    detector, new, labels = table
    path = tmp_path / "page.html"
    assert write_report(detector, new, path, y=labels, title="Wine & co") == path
    page = page_of(path)
    assert set(page.ids) >= ROWS | {"curves", "roc-t", "precision-recall-t", "findings"}
    assert not {"timeline", "pictures"} & set(page.ids)
    assert "Wine & co" in page.text
    seen = alarm_evaluation.look(detector, new, y=labels)
    found = alarm_evaluation.found(seen)
    for sentence in alarm_evaluation.sentences(found)[:3]:
        assert sentence in page.text
    assert alarm_evaluation.promise_kept(seen, found)[1] in page.text
    assert found.hits == 10
    assert found.roc_auc == pytest.approx(1)
    assert HOSTILE in page.text
    assert HOSTILE not in page.html
    assert "<b>Lima</b>" not in page.html
    first = page.html.index('<table class="reasons">')
    assert 'class="cell text name">weight<' in page.html[first : first + 1500]
    for finding in detector.blind_spots().findings:
        assert finding in page.text


def test_a_table_without_labels(table, tmp_path):
    detector, new, _ = table
    page = page_of(write_report(detector, new[:90], tmp_path / "calm.html"))
    assert set(page.ids) >= ROWS
    assert "curves" not in page.ids
    calm = alarm_evaluation.look(detector, new[:90])
    assert alarm_evaluation.against_promise(calm)[1] in page.text
    page = page_of(write_report(detector, new[80:], tmp_path / "odd.html"))
    assert "some rows are not normal" in page.text
    assert "differ from the training rows" in page.text


def test_false_discoveries(table):
    detector, new, labels = table
    found = alarm_evaluation.scored(detector, new)
    seen, scores = alarm_evaluation.seen_from(detector, *found, y=labels, fdr=0.2), found.scores
    assert (seen.raised == (detector.predict(new, fdr=0.2) == -1)).all()
    assert seen.threshold == scores[seen.raised].min()
    assert alarm_evaluation.told(seen)[0].startswith("10 of 10 anomalies found")
    kept, text = alarm_evaluation.against_promise(seen)
    assert kept
    assert "20.0 % of them are expected to be false" in text


def test_pictures(digits, tmp_path):
    images = digits.images[:, 2:6, 2:6]
    detector = ist.AnomalyDetector(small(), false_alarm_rate=0.1, random_state=0).fit(images[:150])
    page = page_of(write_report(detector, images[150:200], tmp_path / "page.html"))
    assert set(page.ids) >= ROWS
    assert len(page.images) == 3 * 10 + 12  # the latter are blind spots by place
    for words in ("Picture 1", "Expected picture 10", "Contribution 3"):
        assert any(image["alt"] == words for image in page.images)


def test_a_series(series, tmp_path):
    detector, new, labels = series
    page = page_of(write_report(detector, new, tmp_path / "page.html", y=labels))
    assert set(page.ids) >= COMMON | {"timeline", "evaluation", "curves", "scores-along-time-t"}
    assert not {"top", "blind-spots", "drift"} & set(page.ids)
    intervals = detector.intervals(new)
    assert page.html.count('<rect class="alarm"') == len(intervals) >= 1
    assert page.html.count('<rect class="truth"') == 1
    data, run = page.scripts
    assert data[0] == {"type": "application/json", "id": "timeline-data"}
    assert len(json.loads(data[1])["alarms"]) == len(intervals)
    # The only script that runs is the package's: the page gives its hash to the browser.
    assert run == ({}, inlined(*TIMELINE_SCRIPTS).text)
    digest = base64.b64encode(hashlib.sha256(run[1].encode()).digest()).decode()
    assert re.search("Content-Security-Policy.*script-src.*", page.html)[0].count(digest) == 1
    highest = max(intervals, key=lambda one: one.score)
    assert ", ".join(highest.sensors) in page.text
    assert str(pd.Timestamp(highest.start)) in page.text
    assert "runs of about a window" in page.text
    result = ist.evaluate_alarms(labels, detector.anomaly_score(new), intervals)
    for sentence in result.sentences():
        assert sentence in page.text
    for row in result.table()[1]:
        for text in row:
            assert f">{text}<" in page.html
    assert f"VUS-PR {result.vus_pr:.3f}, VUS-ROC {result.vus_roc:.3f}" in page.text


def test_a_series_without_labels_or_without_anomalies(series, tmp_path):
    detector, new, _ = series
    page = page_of(write_report(detector, new, tmp_path / "unknown.html"))
    assert {"timeline"} <= set(page.ids)
    assert not {"evaluation", "curves"} & set(page.ids)
    page = page_of(write_report(detector, new, tmp_path / "calm.html", y=np.zeros(200)))
    assert {"timeline", "evaluation"} <= set(page.ids)
    assert "No row is labelled as an anomaly." in page.text
    assert "VUS-PR –" not in page.text


def test_what_stands_there_and_wrong_labels(table, tmp_path):
    detector, new, labels = table
    (tmp_path / "page.html").write_text("precious")
    with pytest.raises(CannotWrite):
        write_report(detector, new, tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text() == "precious"
    for wrong in (labels[:5], np.where(labels, "odd", "normal"), np.arange(len(labels))):
        with pytest.raises(InvalidData, match="labels"):
            write_report(detector, new, tmp_path / "other.html", y=wrong)
    assert not (tmp_path / "other.html").exists()


@pytest.mark.parametrize(
    "labels", [np.array([0, 1, 0]), np.array([False, True, False]), np.array([1.0, -1.0, 1.0])]
)
def test_labels_are_read_in_each_convention(labels):
    assert alarm_evaluation.is_anomaly(labels, 3).tolist() == [False, True, False]


@pytest.mark.parametrize("step", ["s", "m", "D", None])
@pytest.mark.parametrize("n", [1, 2, 5000])
def test_timelines_stay_inside(step, n):
    random = np.random.default_rng(0)
    scores = np.exp(3 * random.normal(size=n))
    scores[1::7] = np.nan
    start = np.datetime64("2026-01-01")
    times = None if step is None else start + np.arange(n).astype(f"timedelta64[{step}]")
    chart = timeline_chart(
        scores,
        threshold=2.0,
        alarms=[(0, n - 1), (n // 2, n // 2)],
        truth=[(0, 0)],
        times=times,
        name="c",
        title="T",
        description="D",
        y_label="score",
    )
    assert "nan" not in chart
    assert "inf" not in chart


def test_a_fleet(tmp_path):
    random = np.random.default_rng(0)
    t = np.tile(np.arange(150), 3)
    units = np.repeat(["first", "second", "third"], 150)
    frame = pd.DataFrame({"s": np.sin(t / 7) + random.normal(size=450) / 20, "unit": units})
    detector = ist.AnomalyDetector(small(), window=10, group="unit", random_state=0).fit(frame)
    new = frame.sort_index(key=lambda rows: t[rows], kind="stable").reset_index(drop=True)
    odd = (new["unit"] == "second") & (np.arange(450) > 300)
    new.loc[odd, "s"] += 9
    page = page_of(write_report(detector, new, tmp_path / "page.html", y=odd.to_numpy()))
    for words in ("second", "unit after unit", "detector for the series of 3 units"):
        assert words in page.text
    assert "detector.update" not in page.text


def test_a_series_without_a_score_has_no_report(series, tmp_path):
    detector, new, _ = series
    with pytest.raises(InvalidData, match=r"at least 10 consecutive rows.*received 5 rows"):
        write_report(detector, new[:5], tmp_path / "page.html")
    assert not list(tmp_path.iterdir())


def test_pictures_have_heat_maps(tmp_path):
    pictures = 0.5 + 0.05 * np.random.default_rng(0).normal(size=(60, 12, 12, 3))
    detector = ist.AnomalyDetector(false_alarm_rate=0.1, random_state=0).fit(pictures[:40])
    page = page_of(write_report(detector, pictures[40:], tmp_path / "page.html"))
    for words in ("Picture 1", "Expected picture 10", "Heat map 3"):
        assert any(image["alt"] == words for image in page.images)
