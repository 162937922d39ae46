"""Fixtures shared by the tests of several file formats."""

import gzip

import pytest


@pytest.fixture
def put_csv(tmp_path):
    """Write the bytes of a CSV file, compressed if the name ends in .gz, and return its path."""

    def write(content, name="a.csv"):
        path = tmp_path / name
        path.write_bytes(gzip.compress(content, mtime=0) if name.endswith("gz") else content)
        return path

    return write
