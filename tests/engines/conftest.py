"""Saved models of a table with gaps, a category and a row name, and a folder of such tables."""

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import isthmus as ist

PAGE = Path(__file__).resolve().parents[2] / "docs" / "engines.md"
SIZES = (70, 1, 130)


def _rows(n: int, seed: int) -> pa.Table:
    random = np.random.default_rng(seed)
    size = random.normal(size=n)
    town = np.where(random.random(n) < 0.5, "Bern", "Oslo")
    frame = pd.DataFrame(
        {
            "id": np.arange(n) + 1000 * seed,
            "height": 170 + 8 * size + random.normal(size=n),
            "weight": 70 + 9 * size + random.normal(size=n),
            "span": np.round(172 + 8 * size + random.normal(size=n)),
            "town": town,
        }
    )
    frame.loc[::11, "height"] = np.nan
    frame.loc[::17, "town"] = None
    frame.loc[5:6, "weight"] += 80  # an anomaly
    return pa.Table.from_pandas(frame, preserve_index=False)


@pytest.fixture(scope="session")
def make_rows() -> Callable[[int, int], pa.Table]:
    """A function of a number of rows and a seed."""
    return _rows


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an autoencoder and a detector that has one of the same kind."""
    folder = tmp_path_factory.mktemp("models")
    normal = _rows(260, 0).drop_columns(["id"]).slice(7)
    autoencoder = ist.Autoencoder(2, hidden=(16,), epochs=3, random_state=0, verbose=0)
    autoencoder.fit(normal).save(folder / "a.isthmus")
    detector = ist.AnomalyDetector(autoencoder, false_alarm_rate=0.05, random_state=0)
    detector.fit(normal).save(folder / "d.isthmus")
    return folder


@pytest.fixture(scope="session")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of three good tables, and of one each that is cut, of other columns and empty."""
    folder = tmp_path_factory.mktemp("lake")
    for day, n in enumerate(SIZES, 1):
        (folder / f"day={day}").mkdir()
        pq.write_table(_rows(n, day), folder / f"day={day}" / "part.parquet")
    whole = (folder / "day=1" / "part.parquet").read_bytes()
    (folder / "cut.parquet").write_bytes(whole[: len(whole) // 2])
    pq.write_table(_rows(9, 9).drop_columns(["span"]), folder / "other.parquet")
    (folder / "empty.parquet").write_bytes(b"")
    (folder / "_SUCCESS").write_bytes(b"")
    return folder


@pytest.fixture(scope="session")
def whole(lake: Path) -> pa.Table:
    """The rows of all good tables of the lake."""
    return pa.concat_tables(pq.read_table(path) for path in sorted(lake.glob("*/part.parquet")))


@pytest.fixture(scope="session")
def detect(models: Path) -> ist.ArrowFunction:
    """The detector as a function that keeps the column id."""
    return ist.arrow_function(models / "d.isthmus", "detect", keep={"id": pa.int64()})


@pytest.fixture(scope="session")
def expected(detect: ist.ArrowFunction, whole: pa.Table) -> pa.Table:
    """What one process says about all rows at once."""
    return detect(whole)


@pytest.fixture(scope="module")
def run_recipe(
    lake: Path, detect: ist.ArrowFunction, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], dict[str, Any]]]:
    """A function that runs a recipe of docs/engines.md, by its heading, and returns its names.

    The present folder then has the good tables in ``lake``.
    """
    folder = tmp_path_factory.mktemp("recipe")
    (folder / "lake").mkdir()
    for path in lake.glob("*/part.parquet"):
        shutil.copy(path, folder / "lake" / f"{path.parent.name}.parquet")
    text = PAGE.read_text(encoding="utf-8")

    def run(heading: str) -> dict[str, Any]:
        (block,) = re.findall(rf"### {heading}\n\n```py\n(.*?)```", text, flags=re.DOTALL)
        names: dict[str, Any] = {"ist": ist, "pa": pa, "Path": Path, "detect": detect}
        exec(compile(block, heading, "exec"), names)
        return names

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield run
