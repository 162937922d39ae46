"""Arrays in Zarr stores, through the real libraries."""

import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import numcodecs
import numpy as np
import pytest
import xarray as xr
import zarr

from isthmus.compression.array_stores.numcodecs_codec import NumcodecsCodec
from isthmus.compression.array_stores.zarr_codec import ZarrCodec
from isthmus.core.errors import InvalidArchive, InvalidData, InvalidParameter


def heights(rows: int = 20, columns: int = 24) -> np.ndarray:
    y, x = np.mgrid[:rows, :columns]
    return (30 * np.sin(y / 7) * np.cos(x / 9)).astype(np.float32)


@pytest.mark.parametrize(
    ("zarr_format", "dtype"), [(2, ">f8"), (2, "bool"), (3, "f4"), (3, "i2"), (3, ">f8")]
)
def test_arrays_come_back_from_zarr(tmp_path: Path, zarr_format: int, dtype: str) -> None:
    values = (heights() * 4).astype(dtype)
    bound = 0.5 if values.dtype.kind == "f" else 0
    how = (
        {"serializer": ZarrCodec(max_error=bound), "compressors": None}
        if zarr_format == 3
        else {"compressors": NumcodecsCodec(max_error=bound)}
    )
    zarr.create_array(
        tmp_path / "a.zarr", data=values, chunks=(12, 24), zarr_format=zarr_format, **how
    )
    back = zarr.open_array(tmp_path / "a.zarr", mode="r")[:]
    # Zarr 3 does not keep the byte order.
    assert back.dtype == (values.dtype if zarr_format == 2 else values.dtype.newbyteorder("="))
    assert np.abs(back.astype(float) - values.astype(float)).max() <= bound


def test_single_values_and_empty_parts(tmp_path: Path) -> None:
    alone = zarr.create_array(
        tmp_path / "one.zarr", data=np.array(2.5), serializer=ZarrCodec(), compressors=None
    )
    assert alone[()] == 2.5
    sparse = zarr.create_array(
        tmp_path / "b.zarr",
        shape=(10, 10),
        chunks=(4, 4),
        dtype="f8",
        fill_value=np.nan,
        serializer=ZarrCodec(),
        compressors=None,
    )
    sparse[5, 5] = 1.5
    assert np.nansum(sparse[:]) == 1.5


def test_xarray_opens_a_store_with_eight_threads(tmp_path: Path) -> None:
    cube = np.stack([heights() + day for day in range(8)])
    data = xr.Dataset({"height": (("day", "y", "x"), cube)})
    encoding = {"serializer": ZarrCodec(max_error=0.01), "compressors": None, "chunks": (1, 20, 24)}
    data.to_zarr(
        tmp_path / "c.zarr", encoding={"height": encoding}, zarr_format=3, consolidated=False
    )
    with zarr.config.set({"threading.max_workers": 8, "async.concurrency": 8}):
        back = xr.open_zarr(tmp_path / "c.zarr", chunks=None, consolidated=False)[
            "height"
        ].to_numpy()
    assert np.abs(back - cube).max() <= 0.01
    size = sum(path.stat().st_size for path in (tmp_path / "c.zarr").rglob("*") if path.is_file())
    assert size < cube.nbytes / 2


def test_another_process_opens_a_store_without_importing_isthmus(tmp_path: Path) -> None:
    for group in ("zarr.codecs", "numcodecs.codecs"):
        if not entry_points(group=group, name="isthmus"):
            pytest.skip("the installed isthmus has no entry points; install it again")
    path = tmp_path / "d.zarr"
    zarr.create_array(path, data=heights(), serializer=ZarrCodec(), compressors=None)
    program = f"import zarr; print(zarr.open_array({str(path)!r}, mode='r')[:].sum())"
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert float(found.stdout) == pytest.approx(float(heights().sum()), rel=1e-5)


def test_numcodecs_finds_the_codec_by_its_settings() -> None:
    codec = numcodecs.get_codec({"id": "isthmus", "max_error": 0.25})
    assert codec.get_config() == {"id": "isthmus", "max_error": 0.25}
    back = codec.decode(codec.encode(heights()))
    assert np.abs(back - heights()).max() <= 0.25
    out = np.empty_like(heights())
    codec.decode(codec.encode(heights()), out=out)
    np.testing.assert_array_equal(out, back)


def test_what_cannot_be_stored_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidData, match="complex"):
        zarr.create_array(
            tmp_path / "e.zarr", data=np.array([1j]), serializer=ZarrCodec(), compressors=None
        )
    for bad in (-1, np.nan, "a", True):
        with pytest.raises(InvalidParameter, match="max_error"):
            ZarrCodec(max_error=bad)


def test_damaged_chunks_are_refused(tmp_path: Path) -> None:
    zarr.create_array(
        tmp_path / "f.zarr", data=heights(), chunks=(20, 24), serializer=ZarrCodec(),
        compressors=None,
    )  # fmt: skip
    chunk = next(path for path in (tmp_path / "f.zarr" / "c").rglob("*") if path.is_file())
    content = bytearray(chunk.read_bytes())
    content[len(content) // 2] ^= 1
    chunk.write_bytes(content)
    with pytest.raises(InvalidArchive):
        zarr.open_array(tmp_path / "f.zarr", mode="r")[:]
    other = NumcodecsCodec().encode(np.arange(6))
    chunk.write_bytes(other)
    with pytest.raises(InvalidArchive, match="a chunk"):
        zarr.open_array(tmp_path / "f.zarr", mode="r")[:]
