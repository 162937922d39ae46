"""Commands on data that are larger than memory."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import isthmus as ist
from isthmus.cli.__main__ import main
from isthmus.data import reading
from isthmus.data.sources import opening
from isthmus.training import row_stream

RNG = np.random.default_rng(0)
X = (RNG.normal(size=(3000, 2)) @ RNG.normal(size=(2, 5))).astype(np.float32)
TABLE = pa.table(
    {
        **{f"x{i}": X[:, i] for i in range(5)},
        "name": [f"row {i}" for i in range(3000)],
        "faulty": np.arange(3000) % 50 == 0,
        "code": np.arange(3000) % 3,
    }
)


@pytest.fixture
def lake(tmp_path, monkeypatch):
    monkeypatch.setattr(opening, "MOST_BYTES_IN_MEMORY", 1000)
    monkeypatch.setattr(row_stream, "CHUNK_CELLS", 6000)
    (tmp_path / "lake").mkdir()
    for i in range(3):
        pq.write_table(TABLE[i * 1000 : (i + 1) * 1000], tmp_path / "lake" / f"{i}.parquet")
    return tmp_path / "lake"


@pytest.fixture
def run(capsys):
    def command(*arguments, fails=False):
        code = main([str(argument) for argument in arguments])
        shown = "".join(capsys.readouterr())
        assert bool(code) == fails, shown
        return shown

    return command


def test_fit_and_encode_a_folder(lake, run):
    model, codes = lake.parent / "m.isthmus", lake.parent / "codes.parquet"
    fit = ["fit", lake, "-o", model, "--epochs", 2, "--latent-dim", 2, "--batch-size", 64]
    options = ["--drop", "faulty", "--id", "name", "--categorical", "code"]
    done = run(*fit, *options)
    assert "lake: 2,500 rows to train on, 500 to evaluate on" in done
    assert "PCA" in done
    assert (lake.parent / "m-report.html").exists()
    fitted = ist.load(model)
    assert fitted.n_samples_ == 2500
    kinds = {field.name: field.kind for field in fitted.schema_.fields}
    assert kinds["name"] == "identifier"
    assert kinds["code"] == "category"
    assert "faulty" not in kinds
    run("encode", model, lake, "-o", codes)
    written = reading.read(codes).X
    assert written.column_names == ["faulty", "code0", "code1"]
    assert written.num_rows == 3000


def test_labels_are_learned(lake, run):
    model = lake.parent / "m.isthmus"
    fit = ["fit", lake, "-o", model, "--kind", "supervised", "--epochs", 1, "--batch-size", 64]
    fit += ["--drop", "name", "--hidden", "8", "--no-report"]
    assert "--label" in run(*fit, fails=True)
    assert "'nothing'" in run(*fit, "--label", "nothing", fails=True)
    run(*fit, "--label", "code")
    fitted = ist.load(model)
    assert list(fitted.classes_) == [0, 1, 2]
    assert fitted.labelled_share_ == 1
    assert fitted.n_samples_ == 2500
    assert fitted.schema_.columns == ("x0", "x1", "x2", "x3", "x4", "faulty")


def test_a_label_is_not_learned(lake, run):
    model = lake.parent / "m.isthmus"
    run(
        "fit",
        f"{lake}/[01].parquet",
        "-o",
        model,
        "--epochs",
        1,
        "--label",
        "faulty",
        "--no-report",
    )
    assert "faulty" not in ist.load(model).schema_.columns
    failed = run("fit", lake, "-o", model, "--force", "--label", "fault", fails=True)
    assert "a column of lake" in failed


@pytest.mark.filterwarnings("ignore::isthmus.DataWarning")
def test_detector(lake, run):
    model, alarms = lake.parent / "d.isthmus", lake.parent / "alarms.csv"
    fit = ["fit", lake, "-o", model, "--kind", "detector", "--label", "faulty", "--no-report"]
    done = run(*fit, "--drop", "name")
    assert "fitting to a random sample of 3,000 of 3,000 rows" in done
    run("detect", model, lake, "-o", alarms)
    assert reading.read(alarms).X.num_rows == 3000
    with pytest.warns(ist.DataWarning, match="a random sample of 3,000 of 3,000 rows"):
        detector = ist.AnomalyDetector(random_state=0).fit(lambda: iter([X[:2000], X[2000:]]))
    assert detector.predict(lambda: iter([X[:2000], X[2000:]])).shape == (3000,)
    with pytest.raises(ist.InvalidData, match="a series that fits in memory"):
        ist.AnomalyDetector(window=8).fit(lambda: iter([X]))
