"""Codecs take files and sources, which are read in batches."""

from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest

import isthmus as ist
from isthmus.compression import row_batches
from isthmus.core.errors import InvalidData, UnreadableFile
from isthmus.data.sources import opening

FRAME = pd.DataFrame({"a": np.arange(600) / 4, "b": np.arange(600) % 7, "c": ["x", "yy"] * 300})
TABLE = pa.Table.from_pandas(FRAME)
ARRAY = np.random.default_rng(0).normal(size=(600, 3)).astype("f4")


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    folder = tmp_path / "lake"
    folder.mkdir()
    for i in range(3):
        pq.write_table(TABLE[i * 200 : (i + 1) * 200], folder / f"{i}.parquet")
    return folder


def frames():
    return (FRAME[start : start + 250] for start in (0, 250, 500))


class Batches:
    """Batches that can be read several times."""

    def __iter__(self):
        return iter([ARRAY[:100], ARRAY[100:]])


def test_files(lake: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", ARRAY)
    codec, path = ist.Codec().fit(lake), tmp_path / "x.isz"
    for given in (str(lake), lake, str(lake / "*.parquet"), pyarrow.dataset.dataset(lake)):
        assert codec.compress_to(given, path).rows == 600
        back = pa.concat_tables(codec.decompress_from(path))
        assert back.equals(TABLE.replace_schema_metadata(None))
    blob = codec.compress(str(tmp_path / "x.npy"))
    np.testing.assert_array_equal(codec.decompress(blob), ARRAY)


def test_objects(tmp_path: Path) -> None:
    codec, path = ist.Codec(max_error=0.01, relative=True), tmp_path / "x.isz"
    codec.fit(frames)
    assert codec.ranges_ == ist.Codec(max_error=0.01, relative=True).fit(FRAME).ranges_
    codec.compress_to(frames, path)
    back = pd.concat(codec.decompress_from(path), ignore_index=True)
    pd.testing.assert_frame_equal(back, FRAME, atol=2)
    assert back["c"].equals(FRAME["c"])
    lossless = ist.Codec().fit(Batches())
    np.testing.assert_array_equal(lossless.decompress(lossless.compress(Batches())), ARRAY)
    lazy = pl.from_arrow(TABLE).lazy()
    assert lossless.decompress(lossless.compress(lazy)).equals(lazy.collect())


def test_a_model_is_trained_on_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    class Trained(Exception):
        pass

    def fit(part, seed):
        raise Trained(part)

    def learned_from(X):
        with pytest.raises(Trained) as caught:
            ist.Codec(max_error=None, quality=20.0, random_state=0).fit(X)
        return caught.value.args[0]

    monkeypatch.setattr("isthmus.compression.error_bounds.LossyModelCoder.fit", fit)
    np.testing.assert_array_equal(learned_from(Batches()), ARRAY)
    monkeypatch.setattr(opening, "MOST_BYTES_IN_MEMORY", 2000)
    monkeypatch.setattr(row_batches, "_MOST_SAMPLED", 60)
    sample = learned_from(Batches())
    assert len(sample) == 60
    places = [int(np.flatnonzero((row == ARRAY).all(axis=1))[0]) for row in sample]
    assert len({place // 100 for place in places}) == 6  # from all parts of the source


def test_nothing_is_written_if_a_batch_is_bad(lake: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.isz"
    path.write_bytes(b"before")

    def changing():
        yield ARRAY
        yield ARRAY.astype("f8")

    def failing():
        yield ARRAY
        raise ZeroDivisionError

    codec = ist.Codec().fit(ARRAY)
    with pytest.raises(InvalidData, match="differ from those of the first batch"):
        codec.compress_to(changing, path)
    with pytest.raises(ZeroDivisionError):
        codec.compress_to(failing, path)
    with pytest.raises(InvalidData, match="a function that returned int"):
        codec.compress_to(lambda: 3, path)
    (lake / "1.parquet").write_bytes(b"PAR1")
    with pytest.raises(UnreadableFile, match=r"1\.parquet"):
        codec.compress_to(lake, path)
    with pytest.raises(UnreadableFile):
        codec.compress(str(tmp_path / "none.csv"))
    assert path.read_bytes() == b"before"
    assert {file.name for file in tmp_path.iterdir()} == {"lake", "x.isz"}
