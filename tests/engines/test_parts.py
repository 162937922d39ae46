"""Folders of tables: each good one is written once, each bad one is named, and runs resume."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
import pytest

import isthmus as ist
from isthmus.engines import parts as folders
from isthmus.engines.parts import PartFile, PartJob, find_parts, run_part, strays, unfinished


@pytest.fixture(scope="module")
def job(detect: ist.ArrowFunction) -> PartJob:
    return PartJob(detect.path, detect.checksum, "detect")


@pytest.fixture(autouse=True)
def keep_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts run in this process, which is no worker."""
    monkeypatch.setattr("isthmus.engines.worker_threads.limit", lambda: None)


def written(found: list[PartFile]) -> pa.Table:
    return pa.concat_tables(pq.read_table(part.target) for part in found)


def test_each_bad_table_is_named_and_no_row_is_lost_or_doubled(
    lake: Path, job: PartJob, expected: pa.Table, tmp_path: Path
) -> None:
    found = find_parts(lake, tmp_path / "out")
    assert [part.name for part in found] == [
        *("cut.parquet", "day=1/part.parquet", "day=2/part.parquet", "day=3/part.parquet"),
        *("empty.parquet", "other.parquet"),
    ]
    results = {part.name: run_part(part, job) for part in found}
    faults = {name: result.fault for name, result in results.items() if result.fault}
    assert sorted(faults) == ["cut.parquet", "empty.parquet", "other.parquet"]
    assert faults["cut.parquet"].startswith("cut.parquet: expected a complete .parquet file")
    assert faults["empty.parquet"] == (
        "empty.parquet: expected data, received an empty file. Try: save the file again."
    )
    assert "other.parquet: columns: expected all 4" in faults["other.parquet"]
    good = [part for part in found if not results[part.name].fault]
    table = written(good)
    assert table.drop_columns(["row"]).equals(expected)
    assert table.column("row").to_pylist() == [*range(70), 0, *range(130)]
    assert sum(result.rows for result in results.values()) == len(expected)
    assert sum(result.alarms for result in results.values()) == sum(expected["alarm"].to_pylist())
    assert results["day=1/part.parquet"].notes == [
        "The model was not trained on 'id'; passed on unchanged."
    ]
    files = {path for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert files == {Path(part.target) for part in good}  # and no temporary files


def test_finished_parts_are_skipped_until_the_file_or_the_model_changes(
    make_rows: Callable[[int, int], pa.Table], job: PartJob, models: Path, tmp_path: Path
) -> None:
    lake, out = tmp_path / "lake", tmp_path / "out"
    lake.mkdir()
    for name in ("a", "b"):
        pq.write_table(make_rows(5, 1), lake / f"{name}.parquet")
    found = find_parts(lake, out)
    assert unfinished(found, job) == found
    for part in found:
        assert not run_part(part, job).fault
    assert unfinished(found, job) == []
    pq.write_table(make_rows(6, 1), lake / "b.parquet")
    assert [part.name for part in unfinished(found, job)] == ["b.parquet"]
    assert run_part(found[1], job).rows == 6
    assert unfinished(found, PartJob(job.path, "0" * 64, "detect")) == found
    assert unfinished(found, PartJob(job.path, job.digest, "score")) == found
    assert unfinished(found, PartJob(job.path, job.digest, "detect", again=True)) == found
    Path(found[0].target).write_bytes(b"half")
    assert [part.name for part in unfinished(found, job)] == ["a.parquet"]
    shutil.copy(found[1].target, out / "c.parquet")
    assert strays(found, out) == ["c.parquet"]


def test_a_file_of_someone_else_is_kept(
    make_rows: Callable[[int, int], pa.Table], job: PartJob, tmp_path: Path
) -> None:
    lake, out = tmp_path / "lake", tmp_path / "out"
    lake.mkdir()
    out.mkdir()
    pq.write_table(make_rows(5, 1), lake / "a.parquet")
    pq.write_table(make_rows(3, 1), out / "a.parquet")
    (part,) = find_parts(lake, out)
    assert "was not written by this command" in run_part(part, job).fault
    assert pq.read_table(part.target).num_rows == 3
    assert run_part(part, PartJob(job.path, job.digest, "detect", again=True)).rows == 5


def test_a_table_that_changes_while_it_is_read_is_not_written(
    make_rows: Callable[[int, int], pa.Table],
    job: PartJob,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lake, out = tmp_path / "lake", tmp_path / "out"
    lake.mkdir()
    pq.write_table(make_rows(5, 1), lake / "a.parquet")
    (part,) = find_parts(lake, out)
    stream = folders.reading.stream

    def changed(path: str, **options: object) -> object:
        yield from stream(path, **options)
        os.utime(path, (1, 1))

    monkeypatch.setattr(folders.reading, "stream", changed)
    assert "received a changed one" in run_part(part, job).fault
    assert not Path(part.target).exists()


def test_text_is_read_with_the_types_of_fit_and_rows_are_numbered_across_batches(
    make_rows: Callable[[int, int], pa.Table],
    job: PartJob,
    detect: ist.ArrowFunction,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lake = tmp_path / "lake"
    lake.mkdir()
    rows = make_rows(30, 1)
    pc.write_csv(rows, lake / "a.csv")
    (part,) = find_parts(lake, tmp_path / "out")
    assert part.target.endswith("a.csv.parquet")
    stream = folders.reading.stream
    monkeypatch.setattr(
        folders.reading, "stream", lambda path, **given: stream(path, rows=7, **given)
    )
    assert run_part(part, job).rows == 30
    table = pq.read_table(part.target)
    assert table.column("row").to_pylist() == list(range(30))
    np.testing.assert_allclose(table["score"].to_numpy(), detect(rows)["score"].to_numpy())
    bad = rows.set_column(1, "height", pa.array([1.0] * 29 + [np.inf]))
    pq.write_table(bad, lake / "b.parquet")
    fault = run_part(find_parts(lake, tmp_path / "out")[1], job).fault
    assert "rows 28 to 29 of b.parquet, counted from 0: column 'height', row 1" in fault


def test_folders_that_cannot_be_used_are_refused(lake: Path, tmp_path: Path) -> None:
    with pytest.raises(ist.CannotWrite, match="a folder apart from that of the data"):
        find_parts(lake, lake / "out")
    with pytest.raises(ist.CannotWrite, match="a folder apart from that of the data"):
        find_parts(lake, lake.parent)
    with pytest.raises(ist.UnreadableFile, match="leave --engine out"):
        find_parts(lake / "cut.parquet", tmp_path / "out")
    (tmp_path / "in").mkdir()
    with pytest.raises(ist.UnreadableFile, match="a folder with files that end in"):
        find_parts(tmp_path / "in", tmp_path / "out")
    for name in ("a.csv", "a.csv.parquet"):
        (tmp_path / "in" / name).write_bytes(b"x")
    with pytest.raises(ist.CannotWrite, match="the results of two files"):
        find_parts(tmp_path / "in", tmp_path / "out")
