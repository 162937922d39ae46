"""``isthmus fit --kind detector``, ``detect`` and ``explain``: from files to alarms and reasons."""

import functools
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import isthmus as ist
from isthmus.cli.__main__ import main
from isthmus.data import reading

RATE = 0.05
SMALL = ("--epochs", 5, "--hidden", 16, "--latent-dim", 3)


def run(*arguments: str | Path | float) -> int:
    return main([str(argument) for argument in arguments])


def rows(n: int, seed: int) -> pd.DataFrame:
    """Numbers that go together, a category and gaps."""
    random = np.random.default_rng(seed)
    size = random.normal(size=n)
    frame = pd.DataFrame(
        {
            "height": 170 + 8 * size + random.normal(size=n),
            "weight": 70 + 9 * size + random.normal(size=n),
            "span": 172 + 8 * size + random.normal(size=n),
            "pulse": 60 + 5 * random.normal(size=n),
            "town": np.where(random.random(n) < 0.5, "Bern", "Oslo"),
        }
    )
    frame.loc[::11, "pulse"] = np.nan
    return frame


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with normal rows, new ones of which eight are odd, and a fitted detector."""
    folder = tmp_path_factory.mktemp("detect")
    rows(240, 0).to_csv(folder / "normal.csv", index=False)
    new = rows(68, 1)
    new["fault"] = (np.arange(68) >= 60).astype(int)
    new.loc[60:, "weight"] += 60
    new.insert(0, "name", [f"person {i}" for i in range(68)])
    new.to_csv(folder / "new.csv", index=False)
    arguments = ("fit", folder / "normal.csv", "--kind", "detector", *SMALL)
    assert run(*arguments, "--false-alarm-rate", RATE, "-o", folder / "d.isthmus") == 0
    return folder


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a series, another with a fault in it, and a detector of windows."""
    folder = tmp_path_factory.mktemp("series")
    random = np.random.default_rng(0)
    t = np.arange(500)
    sensors = {f"s{i}": np.sin(t / 7 + i) + random.normal(size=500) / 20 for i in range(3)}
    times = pd.Timestamp("2026-01-01") + pd.to_timedelta(t, "min")
    frame = pd.DataFrame({"time": times, **sensors})
    frame[:300].to_csv(folder / "log.csv", index=False)
    later = frame[300:].reset_index(drop=True)
    later["fault"] = 0
    later.loc[100:130, "s1"] += 4
    later.loc[100:130, "fault"] = 1
    later.to_csv(folder / "later.csv", index=False)
    arguments = ("fit", folder / "log.csv", "--kind", "detector", "--window", 10, *SMALL)
    assert run(*arguments, "-o", folder / "s.isthmus", "--no-report") == 0
    return folder


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the interleaved series of units, others with a fault, and a detector."""
    folder = tmp_path_factory.mktemp("fleet")
    random = np.random.default_rng(0)
    units, t = np.arange(6), np.arange(260)
    own = 10 * random.normal(size=(6, 1, 2))
    swing = np.sin(t[None, :, None] / 7 + units[:, None, None] + np.arange(2))
    values = own + swing + random.normal(size=(6, 260, 2)) / 20
    frame = pd.DataFrame(values.reshape(-1, 2), columns=["s0", "s1"])
    frame.insert(0, "time", np.tile(pd.Timestamp("2026-01-01") + pd.to_timedelta(t, "min"), 6))
    frame.insert(0, "pump", np.repeat([f"pump {unit}" for unit in units], 260))
    early = frame["time"] < pd.Timestamp("2026-01-01 03:00")
    frame[early].sort_values("time").to_csv(folder / "log.csv", index=False)
    later = frame[~early].reset_index(drop=True).assign(fault=0)
    later.loc[later.index[later["pump"] == "pump 2"][30:50], ["s1", "fault"]] += [4, 1]
    later.sort_values("time", kind="stable").to_csv(folder / "later.csv", index=False)
    arguments = ("fit", folder / "log.csv", "--kind", "detector", "--window", 10, *SMALL)
    arguments = (*arguments, "--group", "pump", "-o", folder / "f.isthmus", "--no-report")
    assert run(*arguments) == 0
    return folder


def known(folder: Path) -> tuple[ist.AnomalyDetector, Any]:
    """Return the detector, and the rows it was given less what it does not know."""
    new = pd.read_csv(folder / "new.csv").drop(columns=["name", "fault"])
    return ist.load(folder / "d.isthmus"), new


def test_fit_says_what_the_promise_comes_to(
    files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("fit", files / "normal.csv", "--kind", "detector", "--mode", "outlier", *SMALL)
    out_path = tmp_path / "d.isthmus"
    assert run(*arguments, "--false-alarm-rate", RATE, "-o", out_path) == 0
    out, _ = capsys.readouterr()
    assert "normal.csv: 216 rows to fit on, 24 to evaluate on (chosen at random" in out
    assert re.search(r"on as many normal rows, 0 to \d are expected", out)
    assert "A spike of 3 standard deviations in one column raises an alarm in" in out
    *_, first, second = out.splitlines()
    assert first.startswith(f"Wrote {out_path}")
    assert second.startswith(f"Wrote {tmp_path / 'd-report.html'}")
    detector = ist.load(out_path)
    assert (detector.false_alarm_rate, detector.mode) == (RATE, "outlier")
    assert detector.autoencoder_.hidden == (16,)


def test_fit_judges_by_rows_labelled_as_anomalies(
    files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = rows(120, 2)
    frame["fault"] = np.arange(120) % 30 == 0
    frame.loc[frame["fault"], "weight"] += 60
    frame.to_csv(tmp_path / "data.csv", index=False)
    arguments = ("fit", tmp_path / "data.csv", "--kind", "detector", "--label", "fault", *SMALL)
    arguments = (*arguments, "--false-alarm-rate", 0.1, "--no-report")
    assert run(*arguments, "-o", tmp_path / "d.isthmus") == 0
    out = capsys.readouterr().out
    assert "105 rows to fit on, 15 to evaluate on" in out
    assert "4 labelled as anomalies" in out
    assert "4 of 4 anomalies found" in out


def test_detect_writes_what_the_library_says(
    files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alarms, page = tmp_path / "alarms.csv", tmp_path / "alarms.html"
    arguments = ("detect", files / "d.isthmus", files / "new.csv", "--label", "fault")
    assert run(*arguments, "-o", alarms, "--report", page) == 0
    out, err = capsys.readouterr()
    assert err == ("note: The detector was not fitted on 'name', 'fault'; passed on unchanged.\n")
    found, (detector, new) = pd.read_csv(alarms, keep_default_na=False), known(files)
    names = ["name", "fault", "row", "score", "p_value", "alarm", "top_columns"]
    assert list(found.columns) == names
    assert found["name"].tolist() == [f"person {i}" for i in range(68)]
    np.testing.assert_allclose(found["score"], detector.anomaly_score(new), rtol=1e-6)
    np.testing.assert_allclose(found["p_value"], detector.p_values(new))
    assert (found["alarm"] == (detector.predict(new) == -1)).all()
    assert ((found["top_columns"] != "") == found["alarm"]).all()
    assert found["alarm"][60:].all()
    assert (found["top_columns"][60:].str.split(", ").str[0] == "weight").all()
    assert f"Wrote 68 rows to {alarms}" in out
    assert "8 of 8 anomalies found (recall 100.0 %)." in out
    assert "ROC AUC" in out
    assert "8 of 8 anomalies found" in page.read_text("utf-8")


def test_detect_says_when_the_rate_is_not_guaranteed(
    files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alike, shifted = rows(300, 2), rows(300, 3)
    shifted[["height", "span"]] += 25
    for name, frame in (("alike", alike), ("shifted", shifted)):
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
        arguments = (
            files / "d.isthmus",
            tmp_path / f"{name}.csv",
            "-o",
            tmp_path / f"{name}.parquet",
        )
        assert run("detect", *arguments) == 0
    before, after = capsys.readouterr().out.split("shifted.parquet")
    assert "not guaranteed" not in before
    assert re.search(r"differ from the training rows .* most in '(height|span)'", after)
    assert "the false-alarm rate is not guaranteed for them" in after


def test_detect_controls_false_discoveries(files: Path, tmp_path: Path) -> None:
    out = tmp_path / "alarms.parquet"
    arguments = ("detect", files / "d.isthmus", files / "new.csv", "--fdr", 0.2, "-o", out)
    assert run(*arguments) == 0
    detector, new = known(files)
    expected = detector.predict(new, fdr=0.2) == -1
    assert expected.any()
    assert (pd.read_parquet(out)["alarm"] == expected).all()


def test_batches_change_nothing(
    files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("detect", files / "d.isthmus", files / "new.csv", "-o")
    assert run(*arguments, tmp_path / "whole.csv") == 0
    why = ("explain", files / "d.isthmus", files / "new.csv", "-o")
    assert run(*why, tmp_path / "why-whole.csv", "--top", 3) == 0
    monkeypatch.setattr(reading, "stream", functools.partial(reading.stream, rows=13))
    assert run(*arguments, tmp_path / "parts.csv") == 0
    assert run(*why, tmp_path / "why-parts.csv", "--top", 3) == 0
    for name in ("", "why-"):
        whole, parts = (pd.read_csv(tmp_path / f"{name}{i}.csv") for i in ("whole", "parts"))
        pd.testing.assert_frame_equal(whole, parts, rtol=1e-4)


def test_explain_shares_scores_out(
    files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, (detector, new) = tmp_path / "why.csv", known(files)
    arguments = ("explain", files / "d.isthmus", files / "new.csv", "-o", out, "--force")
    assert run(*arguments, "--rows", "61,2") == 0
    assert "Wrote the reasons of 2 rows" in capsys.readouterr().out
    found = pd.read_csv(out)
    assert list(found.columns) == ["row", "column", "value", "expected", "contribution", "share"]
    assert found["row"].drop_duplicates().tolist() == [61, 2]
    sums = found.groupby("row")[["contribution", "share"]].sum()
    np.testing.assert_allclose(sums["share"], 1)
    np.testing.assert_allclose(sums["contribution"], detector.anomaly_score(new)[[2, 61]])
    assert found["column"][0] == "weight"
    assert {"Bern", "Oslo"} & set(found["value"])
    assert float(found["expected"][0]) < float(found["value"][0]) - 30
    assert run(*arguments) == 0
    alarms = np.flatnonzero(detector.predict(new) == -1)
    assert pd.read_csv(out)["row"].drop_duplicates().tolist() == alarms.tolist()
    assert run(*arguments, "--top", 3) == 0
    highest = np.argsort(-detector.anomaly_score(new))[:3]
    assert pd.read_csv(out)["row"].drop_duplicates().tolist() == highest.tolist()


def test_no_alarms_leave_nothing_to_explain(
    files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    detector, new = known(files)
    calm = new[detector.predict(new) == 1][:5]
    calm.to_csv(tmp_path / "calm.csv", index=False)
    out = tmp_path / "why.csv"
    assert run("explain", files / "d.isthmus", tmp_path / "calm.csv", "-o", out) == 0
    assert "No row raises an alarm" in capsys.readouterr().out
    assert not out.exists()


def test_an_autoencoder_becomes_a_detector_by_normal_rows(
    files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, out = tmp_path / "m.isthmus", tmp_path / "alarms.csv"
    ist.Autoencoder(3, hidden=(16,), epochs=5, verbose=0, random_state=0).fit(rows(100, 3)).save(
        model
    )
    arguments = ("detect", model, files / "new.csv", "-o", out)
    assert run(*arguments) == 1
    err = capsys.readouterr().err
    assert "--kind detector" in err
    assert "--normal" in err
    assert run(*arguments, "--normal", files / "normal.csv") == 0
    assert pd.read_csv(out)["alarm"][60:].mean() > 0.5
    assert (
        run("detect", files / "d.isthmus", files / "new.csv", "-o", out, "--normal", "x", "--force")
        == 1
    )
    assert "leave --normal out" in capsys.readouterr().err


def test_rows_are_not_given_to_an_autoencoder_that_does_not_see_them_as_they_are(
    series: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in ("encode", "report"):
        out = tmp_path / "out.html" if command == "report" else tmp_path / "out.csv"
        assert run(command, series / "s.isthmus", series / "log.csv", "-o", out) == 1
        assert "isthmus detect" in capsys.readouterr().err
        assert not out.exists()
    assert run("inspect", series / "s.isthmus") == 0


def test_pictures(digits: Any, tmp_path: Path) -> None:
    images = digits.images[:, 2:6, 2:6]
    np.save(tmp_path / "digits.npy", images[:200])
    model, alarms = tmp_path / "d.isthmus", tmp_path / "alarms.csv"
    arguments = ("fit", tmp_path / "digits.npy", "--kind", "detector", *SMALL, "--no-report")
    assert run(*arguments, "--false-alarm-rate", 0.1, "-o", model) == 0
    odd = images[200:220].copy()
    odd[:3] = np.indices((4, 4)).sum(axis=0) % 2 * 16
    np.save(tmp_path / "odd.npy", odd)
    assert run("detect", model, tmp_path / "odd.npy", "-o", alarms) == 0
    found = pd.read_csv(alarms)
    assert list(found.columns) == ["row", "score", "p_value", "alarm", "top_columns"]
    assert found["alarm"][:3].all()


def test_a_series_has_intervals(
    series: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alarms, intervals, page = (tmp_path / name for name in ("a.csv", "i.csv", "p.html"))
    arguments = ("detect", series / "s.isthmus", series / "later.csv", "--label", "fault")
    assert run(*arguments, "-o", alarms, "--intervals", intervals, "--report", page) == 0
    out = capsys.readouterr().out
    assert f"Wrote 200 rows to {alarms}" in out
    assert "in the long run" not in out
    assert "1 of 1 anomaly found, median delay 0 s." in out
    for words in (
        "alarms are false",
        "events ",
        "ranges ",
        "points ",
        "VUS-PR",
        "The guarantee of",
    ):
        assert words in out
    found = pd.read_csv(alarms, keep_default_na=False)
    names = ["time", "fault", "row", "score", "p_value", "alarm", "top_columns"]
    assert list(found.columns) == names
    assert found["alarm"][105:125].all()
    assert (found["top_columns"][105:125].str.split(", ").str[0] == "s1").all()
    spans = pd.read_csv(intervals, parse_dates=["start", "end"])
    names = ["start", "end", "peak", "score", "sensors", "first_row", "last_row"]
    assert list(spans.columns) == names
    middle = spans[(spans["first_row"] <= 115) & (spans["last_row"] >= 115)].iloc[0]
    assert "s1" in middle["sensors"]
    assert middle["start"] == pd.to_datetime(found["time"][middle["first_row"]])
    assert "Scores over time" in page.read_text("utf-8")
    why = tmp_path / "why.csv"
    assert run("explain", series / "s.isthmus", series / "later.csv", "--rows", 115, "-o", why) == 0
    assert pd.read_csv(why)["column"].tolist()[0] == "s1"


def test_a_log_may_be_irregular(
    series: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = pd.read_csv(series / "log.csv").assign(state=["on", "off", "on"] * 100)
    gappy = frame[(frame.index % 50 < 40) | (frame.index % 2 == 0)]
    gappy.sample(frac=1, random_state=0).to_csv(tmp_path / "log.csv", index=False)
    trained = ("--epochs", 60, *SMALL[2:])
    arguments = ("fit", tmp_path / "log.csv", "--kind", "detector", "--window", 10, *trained)
    options = ("--longest-gap", 2, "-o", tmp_path / "s.isthmus", "--no-report")
    assert run(*arguments, *options) == 0
    err = capsys.readouterr().err
    assert "'state'" in err
    assert "not in order of time" in err
    assert ist.load(tmp_path / "s.isthmus").longest_gap_ == 2
    later = pd.read_csv(series / "later.csv").sample(frac=1, random_state=0)
    later.to_csv(tmp_path / "later.csv", index=False)
    alarms, spans = tmp_path / "alarms.csv", tmp_path / "intervals.csv"
    arguments = ("detect", tmp_path / "s.isthmus", tmp_path / "later.csv", "-o", alarms)
    assert run(*arguments, "--intervals", spans) == 0
    found = pd.read_csv(alarms, parse_dates=["time"])
    assert found["time"].astype(str).tolist() == later["time"].tolist()
    assert found["score"].notna().all()
    faulty = found["time"].between(found["time"].min() + pd.Timedelta("100min"), "2026-01-01 07:10")
    assert found.loc[faulty, "alarm"].mean() > 0.5 > found.loc[~faulty, "alarm"].mean()
    assert len(pd.read_csv(spans)) >= 1


def test_a_series_is_evaluated_by_its_labels_in_fit_too(
    series: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("fit", series / "log.csv", "--kind", "detector", "--window", 10, *SMALL)
    log = pd.read_csv(series / "log.csv").assign(fault=0)
    log.to_csv(tmp_path / "log.csv", index=False)
    arguments = ("fit", tmp_path / "log.csv", *arguments[2:], "--test", series / "later.csv")
    assert run(*arguments, "--label", "fault", "--no-report", "-o", tmp_path / "d.isthmus") == 0
    assert "1 of 1 anomaly found" in capsys.readouterr().out


def test_false_discoveries_in_a_series(
    series: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("detect", series / "s.isthmus", series / "later.csv", "--label", "fault")
    alarms = tmp_path / "a.csv"
    assert run(*arguments, "--fdr", 0.1, "-o", alarms) == 0
    found = pd.read_csv(alarms)
    result = ist.evaluate_alarms(
        found["fault"], found["score"], found["alarm"], times=pd.to_datetime(found["time"])
    )
    assert str(result) in capsys.readouterr().out


def test_alarms_of_a_fleet_say_the_unit(
    fleet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alarms, intervals, page = (tmp_path / name for name in ("a.csv", "i.csv", "p.html"))
    arguments = ("detect", fleet / "f.isthmus", fleet / "later.csv", "--label", "fault")
    assert run(*arguments, "-o", alarms, "--intervals", intervals, "--report", page) == 0
    out = capsys.readouterr().out
    assert "1 of 1 anomaly found" in out
    assert "events" in out
    assert re.search(r"pump 2 +1 +1", out)
    found = pd.read_csv(alarms, keep_default_na=False)
    names = ["pump", "time", "fault", "row", "score", "p_value", "alarm", "top_columns"]
    assert list(found.columns) == names
    assert found["pump"].tolist() == pd.read_csv(fleet / "later.csv")["pump"].tolist()
    faulty = found[found["fault"] == 1]
    assert faulty["alarm"][5:15].all()
    spans = pd.read_csv(intervals)
    assert list(spans.columns)[:3] == ["unit", "start", "end"]
    assert "pump 2" in set(spans["unit"])
    assert "pump 2" in page.read_text("utf-8")
    assert "unit after unit" in page.read_text("utf-8")
    why = tmp_path / "why.csv"
    assert run("explain", fleet / "f.isthmus", fleet / "later.csv", "--top", 1, "-o", why) == 0
    assert pd.read_csv(why)[["unit", "column"]].iloc[0].tolist() == ["pump 2", "s1"]
    assert run("explain", fleet / "f.isthmus", fleet / "later.csv", "-o", why, "--force") == 0
    raised = found[found["alarm"]]
    assert set(pd.read_csv(why)["row"]) == set(raised["row"])
    assert (raised["top_columns"] != "").all()


def test_the_end_of_each_unit_is_held_out(
    fleet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("fit", fleet / "log.csv", "--kind", "detector", "--window", 10, *SMALL)
    arguments = (*arguments, "--group", "pump", "--report", tmp_path / "r.html")
    assert run(*arguments, "-o", tmp_path / "d.isthmus") == 0
    out = capsys.readouterr().out
    assert "960 rows to fit on, 120 to evaluate on (the end of each unit)" in out
    assert "detector for the series of 6 units" in (tmp_path / "r.html").read_text("utf-8")


def test_times_may_be_seconds(series: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(series / "later.csv", parse_dates=["time"])
    frame["time"] = frame["time"].astype("datetime64[s]").astype("int64")
    frame.to_csv(tmp_path / "seconds.csv", index=False)
    results = []
    for name, data, more in (
        ("dates", series / "later.csv", ()),
        ("seconds", tmp_path / "seconds.csv", ("--time", "time")),
    ):
        out = tmp_path / f"{name}-out.csv"
        assert run("detect", series / "s.isthmus", data, "-o", out, *more) == 0
        results.append(pd.read_csv(out, parse_dates=["time"]))
    pd.testing.assert_frame_equal(*results, check_dtype=False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("detect", "MODEL", "DATA", "-o", "a.npy"), "a.csv"),
        (("detect", "MODEL", "DATA", "-o", "a.csv", "--report", "r.txt"), "r.html"),
        (("detect", "MODEL", "DATA", "-o", "a.csv", "--report", "a.csv"), ".html"),
        (("detect", "MODEL", "DATA", "-o", "a.csv", "--fdr", "2"), "below 1"),
        (("detect", "MODEL", "DATA", "-o", "a.csv", "--label", "x"), "'name', 'height'"),
        (("detect", "MODEL", "DATA", "-o", "a.csv", "--label", "town"), "1 for an anomaly"),
        (("detect", "MODEL", "DATA", "-o", "a.csv", "--intervals", "i.csv"), "--window"),
        (("detect", "MODEL", "DATA", "-o", "a.csv", "--time", "name"), "--window"),
        (("fit", "DATA", "--kind", "detector", "--group", "town", "-o", "a.isthmus"), "set window"),
        (("detect", "MODEL", "none.csv", "-o", "a.csv"), "none.csv"),
        (("detect", "MODEL", "OTHER", "-o", "a.csv"), "weight"),
        (("explain", "MODEL", "DATA", "-o", "w.csv", "--rows", "68"), "0 to 67"),
        (("explain", "MODEL", "DATA", "-o", "w.png"), "w.csv"),
    ],
)
@pytest.mark.usefixtures("in_empty_folder")
def test_what_cannot_be_done_is_said_in_one_line(
    arguments: tuple[str, ...],
    message: str,
    files: Path,
    tmp_path_factory: pytest.TempPathFactory,
    capsys: pytest.CaptureFixture[str],
) -> None:
    other = tmp_path_factory.mktemp("other") / "other.csv"
    rows(5, 0).drop(columns="weight").to_csv(other, index=False)
    places = {"MODEL": files / "d.isthmus", "DATA": files / "new.csv", "OTHER": other}
    assert run(*(places.get(argument, argument) for argument in arguments)) == 1
    err = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("note: ")]
    assert len(err) == 1
    assert message in err[0]
    assert "internal error" not in err[0]
    assert not list(Path().iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("fit", "x.csv", "--window", "5"), "does not apply to --kind autoencoder"),
        (("fit", "x.csv", "--time", "t"), "does not apply to --kind autoencoder"),
        (("fit", "x.csv", "--kind", "detector", "--checkpoint", "c"), "--kind detector"),
        (("explain", "m", "x.csv", "-o", "w.csv", "--rows", "1", "--top", "1"), "exclude"),
        (("explain", "m", "x.csv", "-o", "w.csv", "--rows", "one"), "3,17"),
    ],
)
@pytest.mark.usefixtures("in_empty_folder")
def test_options_that_do_not_fit(
    arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savetxt("x.csv", np.eye(3), delimiter=",", header="a,b,c", comments="")
    assert run(*arguments) == 2
    assert message in capsys.readouterr().err


def test_heat_maps_of_alarms(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, heat = tmp_path / "pictures", tmp_path / "heat"
    folder.mkdir()
    pictures = 128 + 5 * np.random.default_rng(0).normal(size=(60, 12, 12, 3))
    ist.AnomalyDetector(false_alarm_rate=0.1, random_state=0).fit(
        pictures[:40].astype(np.uint8)
    ).save(tmp_path / "d.isthmus")
    pictures[41, 4:8, 5:8] = 20
    for number, each in enumerate(pictures[40:44]):
        Image.fromarray(each.astype(np.uint8)).save(folder / f"part-{number}.png")
    arguments = ("detect", tmp_path / "d.isthmus", folder, "-o", tmp_path / "a.csv")
    assert run(*arguments, "--maps", heat, "--report", tmp_path / "p.html") == 0
    found = pd.read_csv(tmp_path / "a.csv")
    alarms = {f"part-{row}.png" for row in found["row"][found["alarm"]]}
    assert "part-1.png" in alarms
    assert {path.name for path in heat.iterdir()} == alarms
    with Image.open(heat / "part-1.png") as drawn:
        assert drawn.size == (12, 12)
    assert "heat map" in capsys.readouterr().out
