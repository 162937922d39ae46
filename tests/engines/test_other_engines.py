"""Spark, DuckDB and polars give the rows of one process, bit for bit."""

import os
import shutil
import sys
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest


@pytest.mark.filterwarnings("ignore")  # Spark's own
def test_spark(run_recipe: Any, expected: pa.Table) -> None:
    sql = pytest.importorskip("pyspark.sql", reason="needs pyspark")
    if shutil.which("java") is None:
        pytest.skip("needs a Java runtime: apt-get install default-jre-headless")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
        session = (
            sql.SparkSession.builder.master("local[2]")
            .config("spark.ui.enabled", "false")
            .config("spark.driver.bindAddress", "127.0.0.1")
            .config("spark.driver.host", "127.0.0.1")
            .config("spark.pyspark.python", sys.executable)
            .config("spark.sql.execution.arrow.maxRecordsPerBatch", "64")
            .getOrCreate()
        )
        gateway = session.sparkContext._gateway
        try:
            run_recipe("Spark")
        finally:
            session.stop()
            gateway.shutdown()  # Spark leaves its Java process to the end of Python
            gateway.proc.stdin.close()
            gateway.proc.wait(60)
    assert pq.read_table("out").cast(expected.schema).sort_by("id").equals(expected)


def test_duckdb(run_recipe: Any, expected: pa.Table) -> None:
    pytest.importorskip("duckdb", reason="needs duckdb")
    assert run_recipe("DuckDB")["alarms"].cast(expected.schema).equals(expected)


def test_polars(run_recipe: Any, expected: pa.Table) -> None:
    alarms = run_recipe("polars")["alarms"].to_arrow()
    assert alarms.cast(expected.schema).sort_by("id").equals(expected)
