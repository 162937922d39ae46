"""Ray's workers give the rows of one process, bit for bit."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from isthmus.cli.__main__ import main

pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's own


@pytest.fixture(scope="module")
def ray() -> Any:
    """The module, with a cluster of this machine that it uses."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_AUTH_MODE", "token")  # read when Ray is imported
        ray = pytest.importorskip("ray", reason="needs isthmus[ray]")
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
        yield ray
        ray.shutdown()


def test_the_recipe(ray: Any, run_recipe: Any, expected: pa.Table) -> None:
    ray.data.DataContext.get_current().enable_progress_bars = False
    run_recipe("Ray Data")
    assert pq.read_table("out").cast(expected.schema).sort_by("id").equals(expected)


def test_the_command(
    ray: Any,
    models: Path,
    lake: Path,
    expected: pa.Table,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    arguments = ("detect", models / "d.isthmus", lake, "-o", out, "--engine", "ray")
    assert main([str(each) for each in arguments]) == 1
    err = capsys.readouterr().err
    assert all(f"  {name}.parquet: " in err for name in ("cut", "empty", "other"))
    table = pa.concat_tables(pq.read_table(path) for path in sorted(out.rglob("*.parquet")))
    assert table.drop_columns(["row"]).equals(expected)
    assert ray.is_initialized()  # the command leaves a cluster that was there
