"""Dask's workers give the rows of one process, bit for bit."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from isthmus.cli.__main__ import main

pytest.importorskip("dask.dataframe", reason="needs isthmus[dask]")
pytest.importorskip("distributed", reason="needs isthmus[dask]")
pytestmark = pytest.mark.filterwarnings("ignore")  # Dask's own


@pytest.fixture(scope="module")
def names(run_recipe: Any) -> Any:
    """What the recipe leaves behind, with the cluster that it starts."""
    names = run_recipe("Dask")
    yield names
    names["client"].close()
    names["client"].cluster.close()


def test_the_recipe(names: dict[str, Any], expected: pa.Table) -> None:
    alarms = pa.Table.from_pandas(names["alarms"], preserve_index=False)
    assert alarms.replace_schema_metadata().cast(expected.schema).equals(expected)


def test_the_command(
    names: dict[str, Any],
    models: Path,
    lake: Path,
    expected: pa.Table,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    arguments = ("detect", models / "d.isthmus", lake, "-o", out, "--engine", "dask")
    assert main([str(each) for each in arguments]) == 1
    err = capsys.readouterr().err
    assert all(f"  {name}.parquet: " in err for name in ("cut", "empty", "other"))
    table = pa.concat_tables(pq.read_table(path) for path in sorted(out.rglob("*.parquet")))
    assert table.drop_columns(["row"]).equals(expected)
    assert names["client"].status == "running"  # the command leaves a cluster that was there
