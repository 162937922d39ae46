"""Codec: every promise kept, everything that was there back again, and damage named."""

import bz2
import functools
import hashlib
import io
import lzma
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError

import isthmus as ist
from isthmus.compression.container import ContainerWriter
from isthmus.compression.lossy.model import LossyModel
from isthmus.compression.pixels.model import PixelModel
from isthmus.core.errors import DataWarning, InvalidArchive, InvalidData, InvalidParameter

DTYPES = ("?", "u1", "<u2", ">u4", "<u8", "i1", ">i2", "<i4", ">i8", "<f2", ">f4", "<f4", "<f8")
SHAPES = hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=12)


@st.composite
def arrays(draw: st.DrawFn) -> np.ndarray:
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    shape = draw(SHAPES)
    if dtype.kind == "f" and draw(st.booleans()):
        # Any bits, NaN with payloads among them.
        bits = draw(hnp.arrays(f"u{dtype.itemsize}", shape))
        return bits.view(dtype.newbyteorder("=")).astype(dtype)
    return draw(hnp.arrays(dtype, shape))


def few(examples: int) -> settings:
    return settings(
        max_examples=examples, deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )


def same(a: np.ndarray, b: np.ndarray) -> bool:
    return (a.dtype.str, a.shape, a.tobytes()) == (b.dtype.str, b.shape, b.tobytes())


@few(40)
@given(arrays())
def test_every_bit_comes_back(X: np.ndarray) -> None:
    if X.dtype == np.uint8:
        X = X.reshape(-1)  # images of bytes train a network
    codec = ist.Codec().fit(X)
    assert same(codec.decompress(codec.compress(X)), X)


@few(40)
@given(arrays(), st.floats(1e-6, 1e3), st.booleans())
@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
def test_no_value_moves_beyond_the_bound(X: np.ndarray, bound: float, relative: bool) -> None:
    codec = ist.Codec(max_error=bound, relative=relative).fit(X)
    back = codec.decompress(codec.compress(X))
    assert (back.dtype.str, back.shape) == (X.dtype.str, X.shape)
    if X.dtype.kind == "b":
        assert same(back, X)
        return
    finite = np.isfinite(X)
    assert same(back[~finite], X[~finite])
    apart = np.abs(np.where(finite, back, 0).astype(object) - np.where(finite, X, 0).astype(object))
    limits = bound * (np.array(codec.ranges_) if relative else np.ones(1))
    limits = np.broadcast_to(limits, X.shape[1:] if X.ndim == 2 else (1,))
    assert (apart <= (limits if X.ndim == 2 else limits[0])).all()


@pytest.mark.parametrize("shape", [(0, 4), (1, 4), (5, 0), (3, 2, 2), (1_000_000, 1)])
@pytest.mark.parametrize("max_error", [0, 0.01])
def test_shapes(shape: tuple[int, ...], max_error: float) -> None:
    X = np.cumsum(np.random.default_rng(0).normal(size=shape).astype("f4"), axis=0).round(2)
    codec = ist.Codec(max_error=max_error).fit(X)
    blob = codec.compress(X)
    back = codec.decompress(blob)
    assert back.shape == X.shape
    assert np.abs(back - X).max(initial=0) <= max_error
    assert len(blob) < X.nbytes or X.size < 100


def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    iris = load_iris(as_frame=True).data
    iris.columns = ["length", "width", "b", 4]
    iris["species"] = np.array(["setosa", "virginica", "ä"])[rng.integers(0, 3, len(iris))]
    iris["class"] = iris["species"].astype("category")
    iris["wild"] = rng.random(len(iris)) > 0.5
    iris["count"] = rng.integers(-5, 5, len(iris))
    iris["seen"] = pd.Timestamp("2020-01-01") + pd.to_timedelta(np.arange(len(iris)), "h")
    iris.loc[3, ["length", "species"]] = None
    return iris


@pytest.mark.parametrize("container", ["pandas", "polars", "arrow"])
def test_tables_come_back_as_they_were(container: str) -> None:
    X = frame()
    if container != "pandas":
        table = pa.Table.from_pandas(X.rename(columns=str), preserve_index=False)
        X = table.replace_schema_metadata(None) if container == "arrow" else pl.from_arrow(table)
    codec = ist.Codec().fit(X)
    back = codec.decompress(codec.compress(X))
    assert type(back) is type(X)
    if container == "pandas":
        pd.testing.assert_frame_equal(back, X)
    else:
        assert back.equals(X)


def test_only_the_numbers_of_a_table_move() -> None:
    X = frame()
    codec = ist.Codec(max_error=0.05, relative=True).fit(X)
    back = codec.decompress(codec.compress(X))
    numbers = ["length", "width", "b", 4]
    apart = (back[numbers] - X[numbers]).abs().max()
    assert (apart <= 0.05 * (X[numbers].max() - X[numbers].min())).all()
    assert apart.max() > 0
    others = ["species", "class", "wild", "seen"]
    pd.testing.assert_frame_equal(back[others], X[others])
    assert set(codec.ranges_) == {"length", "width", "b", "4", "count"}


def test_a_smaller_promise_takes_fewer_bytes() -> None:
    X = np.cumsum(np.random.default_rng(0).normal(size=(700, 3)), axis=0).astype("f4")
    sizes = [
        len(ist.Codec(max_error=bound, relative=True).fit(X).compress(X))
        for bound in (0.0, 1e-3, 1e-2)
    ]
    assert sizes[0] > 2 * sizes[1] > 3 * sizes[2]
    assert sizes[2] < X.nbytes / 10


def test_files_larger_than_a_chunk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isthmus.compression.array_rows.CHUNK_BYTES", 4000)
    X = np.random.default_rng(0).integers(0, 50, (2500, 2), dtype="i4")
    codec, path = ist.Codec().fit(X), tmp_path / "x.isz"
    seen: list[int] = []
    summary = codec.compress_to(iter([X[:1500], X[1500:]]), path, progress=seen.append)
    assert (summary.rows, summary.raw_bytes) == (2500, X.nbytes)
    assert summary.packed_bytes == path.stat().st_size
    assert seen == sorted(seen)
    assert seen[-1] == 2500
    assert sum(summary.coders.values()) == codec.describe(path).coders.total() == 5
    parts = list(codec.decompress_from(path))
    assert [len(part) for part in parts] == [500] * 5
    assert same(np.concatenate(parts), X)
    assert same(codec.read_chunk(path, 3), X[1500:2000])
    assert same(codec.decompress(path.read_bytes()), X)
    with pytest.raises(InvalidParameter, match="5 chunks"):
        codec.read_chunk(path, 5)

    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(InvalidArchive, match=r"chunk 2 \(rows 1,000 to 1,499"):
        codec.decompress(bytes(damaged))
    with pytest.warns(DataWarning, match="chunk 2"):
        rest = np.concatenate(list(codec.decompress_from(path, skip_damaged=True)))
    assert same(rest, np.concatenate([X[:1000], X[1500:]]))
    assert same(codec.read_chunk(path, 4), X[2000:])

    path.write_bytes(damaged[: len(damaged) * 2 // 5])
    with pytest.raises(InvalidArchive, match="a file that ends within chunk"):
        list(codec.decompress_from(path))
    with pytest.warns(DataWarning, match="a file that ends within chunk"):
        rest = np.concatenate(list(codec.decompress_from(path, skip_damaged=True)))
    assert same(rest, X[: len(rest)])
    assert len(rest) >= 500


def test_other_processes_and_threads_get_the_same_bits(tmp_path: Path) -> None:
    X = load_iris().data
    codec, path = ist.Codec(max_error=0.01).fit(X), tmp_path / "x.isz"
    codec.compress_to(X, path)
    code = (
        "import sys, isthmus, hashlib\n"
        "X = isthmus.Codec().decompress(open(sys.argv[1], 'rb').read())\n"
        "print(hashlib.sha256(X.tobytes()).hexdigest())"
    )
    wanted = hashlib.sha256(codec.decompress(path.read_bytes()).tobytes()).hexdigest()
    for threads in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", code, str(path)],
            env={"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads, "PATH": ""},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == wanted


def test_images_of_bytes_have_a_model(
    digits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PixelModel, "fit", functools.partial(PixelModel.fit, epochs=2))
    X = digits.images[:100].astype(np.uint8)
    codec = ist.Codec(random_state=0).fit(X)
    for embed in (False, True):
        codec.compress_to(X, tmp_path / f"{embed}.isz", embed=embed)
    named, held = ((tmp_path / f"{embed}.isz").read_bytes() for embed in (False, True))
    assert same(codec.decompress(named), X)
    assert same(ist.Codec().decompress(held), X)
    assert len(codec.compress(X)) <= min(len(named), len(held))
    codec.save(tmp_path / "codec.isthmus")
    again = ist.load(tmp_path / "codec.isthmus")
    assert same(again.decompress(named), X)
    again.compress_to(X, tmp_path / "again.isz", embed=False)
    assert (tmp_path / "again.isz").read_bytes() == named
    with pytest.raises(InvalidArchive, match="the codec that wrote them"):
        ist.Codec().decompress(named)
    with pytest.raises(InvalidArchive, match="another model"):
        ist.Codec(random_state=1).fit(X[:50]).decompress(named)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LossyModel, "fit", functools.partial(LossyModel.fit, epochs=1))


def decibels(X: np.ndarray, back: np.ndarray) -> float:
    return float(-10 * np.log10((((back - X) / np.ptp(X, axis=0)) ** 2).mean()))


@pytest.mark.usefixtures("quick")
def test_a_quality_is_reached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isthmus.compression.array_rows.CHUNK_BYTES", 2000)
    X = load_iris().data.astype(">f8")
    codec = ist.Codec(max_error=None, quality=25, random_state=0).fit(X)
    blob = codec.compress(X)
    back = ist.Codec().decompress(blob)
    assert (back.dtype.str, back.shape) == (X.dtype.str, X.shape)
    assert decibels(X, back) >= 25
    named = codec.compress(X, embed=False)
    assert len(named) < len(blob)
    assert len(named) < X.nbytes / 5
    assert same(codec.decompress(named), back)
    with pytest.raises(InvalidArchive, match="the codec that wrote them"):
        ist.Codec().decompress(named)

    codec.save(tmp_path / "codec.isthmus")
    again = ist.load(tmp_path / "codec.isthmus")
    assert same(again.decompress(named), back)
    assert again.compress(X, embed=False) == named
    summary = again.compress_to(X, tmp_path / "x.isz")
    assert (tmp_path / "x.isz").read_bytes() == blob
    assert summary.packed_bytes == len(blob) > summary.model_bytes > len(blob) - 2 * len(named)
    assert summary.max_error == np.abs(back - X).max()
    described = ist.Codec().describe(tmp_path / "x.isz")
    assert {name.split()[0] for name in described.coders} == {"lossy"}
    assert described.rows == len(X)
    assert (described.packed_bytes, described.model_bytes) == (len(blob), summary.model_bytes)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("bits", [2.0, 4.0])
def test_bits_are_kept(bits: float) -> None:
    X = load_iris().data.astype("f4")
    codec = ist.Codec(max_error=None, bits=bits, random_state=0).fit(X)
    named = codec.compress(X, embed=False)
    assert len(named) <= bits * X.size / 8 + 200
    assert decibels(X, codec.decompress(named)) > 6 * bits


@pytest.mark.usefixtures("quick")
def test_rows_that_no_quality_can_be_promised_of() -> None:
    codec = ist.Codec(max_error=None, quality=20)
    for X in (frame(), np.ones((3, 2), int), np.array([[np.nan, 1]]), np.ones((0, 2)), iter(())):
        with pytest.raises(InvalidData):
            codec.fit(X)


@pytest.mark.parametrize("X", [load_iris().data, frame()], ids=["array", "table"])
def test_saved_codecs_promise_the_same(X, tmp_path: Path) -> None:
    codec = ist.Codec(max_error=0.01, relative=True).fit(X)
    codec.save(tmp_path / "codec.isthmus")
    assert ist.load(tmp_path / "codec.isthmus").compress(X) == codec.compress(X)


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"max_error": -1}, "max_error"),
        ({"max_error": float("nan")}, "max_error"),
        ({"max_error": True}, "max_error"),
        ({"max_error": 0, "bits": 2}, "bits"),
        ({"max_error": 0, "quality": 2}, "quality"),
        ({"max_error": None}, "bits and quality"),
        ({"max_error": None, "bits": 1, "quality": 20}, "bits and quality"),
        ({"max_error": None, "quality": 20, "relative": True}, "bits and quality"),
        ({"max_error": None, "bits": 0}, "bits"),
        ({"max_error": None, "quality": float("inf")}, "quality"),
    ],
)
def test_settings_that_cannot_work(settings: dict, match: str) -> None:
    with pytest.raises(InvalidParameter, match=match):
        ist.Codec(**settings).fit(np.ones((3, 2)))


@pytest.mark.parametrize(
    "X", [np.array([["a"]]), np.ones((2, 2), complex), np.float64(3), np.ones(3, "M8[s]")]
)
def test_data_that_cannot_be_compressed(X) -> None:
    with pytest.raises(InvalidData):
        ist.Codec().fit(X)


def test_columns_unlike_those_of_fit() -> None:
    codec = ist.Codec(max_error=0.1, relative=True).fit(np.eye(3))
    with pytest.raises(InvalidParameter, match="3 columns"):
        codec.compress(np.eye(4))
    with pytest.raises(NotFittedError):
        clone(codec).compress(np.eye(3))


def test_what_is_no_compressed_file(tmp_path: Path) -> None:
    for blob in (
        b"",
        b"ISZ",
        b"PK\3\4 something else",
        b"ISZ\1" + bytes(40),
        b"ISZ\2",
        b"ISZ\2" + bytes(40),
    ):
        with pytest.raises(InvalidArchive):
            ist.Codec().decompress(blob)
    with pytest.raises(InvalidArchive, match="upgrade"):
        ist.Codec().decompress(b"ISZ\3" + bytes(40))
    with pytest.raises(InvalidArchive, match="No such file"):
        next(ist.Codec().decompress_from(tmp_path / "none.isz"))


def test_a_flood_is_refused() -> None:
    sink = io.BytesIO()
    writer = ContainerWriter(sink, {"dtype": "<f8", "row": [1000]})
    for _ in range(300):
        writer.add(1000, b"\0\xff\0")
    writer.close()
    with pytest.raises(InvalidArchive, match="1 GiB"):
        ist.Codec().decompress(sink.getvalue())


@pytest.mark.parametrize("share", [1e-2, 1e-3])
def test_sensor_series_are_smaller_than_quantised_ones(shared: Path, share: float) -> None:
    for path in sorted((shared / "data" / "nab" / "realKnownCause").glob("r*.csv")):
        X = pd.read_csv(path)[["value"]].to_numpy("f4")
        codec = ist.Codec(max_error=share, relative=True).fit(X)
        blob = codec.compress(X)
        step = 2 * share * float(np.ptp(X))
        assert np.abs(codec.decompress(blob).astype(float) - X).max() <= step / 2
        q = np.rint((X - X.min()) / step).astype(np.uint16 if share < 1e-2 else np.uint8)
        steps = np.diff(q, axis=0, prepend=0)
        peers = [pack(a.tobytes()) for a in (q, steps) for pack in (lzma.compress, bz2.compress)]
        assert len(blob) < min(map(len, peers))
