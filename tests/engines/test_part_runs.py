"""``isthmus detect FOLDER --engine``: processes, a missing engine, and the command's options."""

import shutil
import sys
from concurrent.futures import BrokenExecutor, Future
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from isthmus.cli.__main__ import main
from isthmus.engines import part_runs
from isthmus.engines.part_runs import ENGINES
from isthmus.engines.parts import PartFile, PartJob, PartResult


def run(*arguments: str | Path | int) -> int:
    return main(["detect", *map(str, arguments)])


def test_processes_give_the_rows_of_one_process_and_a_second_run_skips_them(
    models: Path,
    lake: Path,
    expected: pa.Table,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out, folder = tmp_path / "out", tmp_path / "lake"
    shutil.copytree(lake, folder)
    arguments = (models / "d.isthmus", folder, "-o", out, "--engine", "processes", "--workers", 2)
    assert run(*arguments) == 1
    said = capsys.readouterr()
    alarms = sum(expected["alarm"].to_pylist())
    assert said.out == (
        f"Wrote 201 rows in 3 files to {out}\n"
        f"{alarms} alarms on 201 rows ({alarms / 2.01:.1f} %).\n"
    )
    head, *rest = said.err.splitlines()
    assert head.startswith("note: day=1/part.parquet and ")
    assert rest[0] == "3 tables could not be processed:"
    assert [line.split(":")[0] for line in rest[1:4]] == [
        *("  cut.parquet", "  empty.parquet", "  other.parquet")
    ]
    files = sorted(out.rglob("*.parquet"))
    table = pa.concat_tables(pq.read_table(path) for path in files)
    assert table.drop_columns(["row"]).equals(expected)
    before = [path.stat().st_mtime_ns for path in files]
    for name in ("cut", "empty", "other"):
        (folder / f"{name}.parquet").unlink()
    assert run(*arguments) == 0
    assert capsys.readouterr().out.splitlines()[0] == "Skipped 3 tables, finished earlier."
    assert [path.stat().st_mtime_ns for path in files] == before


@pytest.mark.parametrize("engine", ["ray", "dask"])
def test_a_missing_engine_is_named_with_its_extra(
    engine: str,
    models: Path,
    lake: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, {"dask": "distributed"}.get(engine, engine), None)
    assert run(models / "d.isthmus", lake, "-o", tmp_path / "out", "--engine", engine) == 1
    assert f"Try: pip install 'isthmus[{engine}]', or use --engine processes" in (
        capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--engine", "rya"), "expected one of 'dask', 'processes', 'ray', received 'rya'"),
        (("--engine", "ray", "--fdr", 0.1), "--fdr: expected none with --engine"),
        (("--engine", "ray", "--image-size", "8x8"), "--image-size: expected none with --engine"),
        (("--workers", 2), "--workers: expected an --engine to use them"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    options: tuple[str | float, ...],
    message: str,
    models: Path,
    lake: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(models / "d.isthmus", lake, "-o", tmp_path / "out", *options) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_output_must_be_a_folder(
    models: Path, lake: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").write_text("")
    arguments = (models / "d.isthmus", lake, "-o", tmp_path / "out", "--engine", "processes")
    assert run(*arguments) == 1
    assert "expected a folder, because of --engine, received a file" in capsys.readouterr().err


class DyingPool:
    """A pool whose process dies of the part ``bad``, and that cannot be used after that."""

    def __init__(self, *_: object, **__: object) -> None:
        self.broken = False

    def submit(self, _: object, part: PartFile, job: object) -> Future[PartResult]:
        if self.broken:
            raise BrokenExecutor("no use")
        future: Future[PartResult] = Future()
        self.broken = part.name == "bad"
        if self.broken:
            future.set_exception(BrokenExecutor("a process was killed"))
        else:
            future.set_result(PartResult(part.name))
        return future

    def shutdown(self, **_: object) -> None: ...


@pytest.mark.parametrize("names", [["bad"], ["a", "bad", "b", "c"], ["a", "bad"], ["bad", "bad"]])
def test_parts_after_one_whose_worker_died_are_done(
    names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(part_runs, "ProcessPoolExecutor", DyingPool)
    parts = [PartFile(name, f"/{name}", f"/out/{name}") for name in names]
    results = list(ENGINES["processes"](parts, PartJob("m", "0", "detect"), 1))
    assert [result.name for result in results] == names
    for result in results:
        assert result.fault.startswith("bad: the worker died") == (result.name == "bad")
