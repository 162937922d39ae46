"""Writes the files that ``tests/test_golden.py`` reads, and what they must give.

They stand for all files that users have: once written they are not written anew, unless a format
has grown, and then beside the old ones. It calls internals of the version that wrote them, so it
runs with the source of that version (commit 57e362b), not with today's::

    PYTHONPATH=src:tests python tests/golden/make.py tests/golden

The same version of isthmus on the same machine and libraries writes the same files. Models are
tiny and hardly trained: it matters that they come back, not that they are good. Coders that would
never be the smallest on such small data are called by themselves, so that each of them, each of
its layouts and each compressor is in some file.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import hashlib
import importlib.metadata
import io
import json
import shutil
import tempfile
import warnings
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
from isthmus.coding import (
    catalogue,
    lattice,
    lossy_fitting,
    lossy_training,
    matrices,
    pixel_training,
    plain,
    strands,
)
from isthmus.coding.learned import LEARNED, Lossy, Model, Pixels
from isthmus.coding.lossy import LossyModel
from isthmus.coding.lossy_points import Point
from isthmus.coding.pixels import PixelModel
from isthmus.coding.strands import Strands
from isthmus.coding.tables import Tables
from isthmus.tasks._codec_promise import Promise
from isthmus.tasks._codec_writing import write
from pyarrow import feather

import isthmus as ist
import test_golden as reading
from isthmus.cli.__main__ import main as isthmus_command
from isthmus.persistence import _KINDS
from isthmus.training import checkpoint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from isthmus.coding.block import Block
    from isthmus.coding.cursor import Cursor

TINY = {"epochs": 1, "hidden": (8,), "verbose": 0, "random_state": 0}
FEW_GRIDS = ((2, 2), (4, 1))
KEPT = ("history_", "latent_dim_", "loss_")
"""What all autoencoders say of themselves."""


# --- data -----------------------------------------------------------------------------------------


def table(rows: int, seed: int) -> pd.DataFrame:
    """Return a table of numbers, categories, truth values and dates with missing cells."""
    generator = np.random.default_rng(seed)
    found = pd.DataFrame(
        {
            "width": generator.normal(50, 9, rows).round(3),
            "count": generator.integers(0, 9, rows),
            "open": generator.random(rows) > 0.5,
            "kind": pd.Categorical(np.array(["a", "b", "größe"])[generator.integers(0, 3, rows)]),
            "place": np.array(["north", "south"])[generator.integers(0, 2, rows)],
            "day": pd.Timestamp("2020-02-29")
            + pd.to_timedelta(generator.integers(0, 99, rows), "D"),
        }
    )
    found["width"] += 3 * found["count"]
    found.loc[3, "width"] = np.nan
    found.loc[5, "kind"] = None
    found.loc[2, "day"] = pd.NaT
    return found


def numbers(rows: int, seed: int) -> np.ndarray:
    """Return rows of six numbers that hang together, (n, 6)."""
    generator = np.random.default_rng(seed)
    hidden = generator.normal(size=(rows, 2))
    mixing = np.random.default_rng(99).normal(size=(2, 6))
    return (hidden @ mixing + 0.1 * generator.normal(size=(rows, 6))).round(4)


def pictures(rows: int, seed: int, size: int = 8) -> np.ndarray:
    """Return pictures of one spot each, in sixteenths from 0 to 1, (n, size, size)."""
    generator = np.random.default_rng(seed)
    places = np.arange(size)
    row, column = generator.uniform(1, size - 1, (2, rows, 1, 1))
    apart = (places[:, None] - row) ** 2 + (places - column) ** 2
    return np.rint(16 * np.exp(-apart / 4)) / 16


def grey(rows: int, seed: int, size: int = 6) -> np.ndarray:
    """Return such pictures as bytes."""
    return np.rint(255 * pictures(rows, seed, size)).astype(np.uint8)


def waves(rows: int, seed: int) -> np.ndarray:
    """Return short series of two sensors, (n, 12, 2)."""
    start = np.random.default_rng(seed).uniform(0, 6, (rows, 1))
    angle = start + np.arange(12) / 2
    return np.stack([np.sin(angle), np.cos(2 * angle)], axis=2).round(3)


def measured(rows: int, seed: int) -> np.ndarray:
    """Return one long series of three sensors, (rows, 3)."""
    generator = np.random.default_rng(seed)
    angle = np.arange(rows) / 5
    whole = np.column_stack([np.sin(angle), np.cos(angle), np.sin(2 * angle)])
    return (whole + 0.05 * generator.normal(size=whole.shape)).round(4)


def walk(rows: int, columns: int = 3) -> np.ndarray:
    """Return whole numbers that change by a little from row to row."""
    steps = np.random.default_rng(0).normal(size=(rows, columns)) * 2.0 ** np.arange(columns)
    return np.cumsum(np.rint(steps), axis=0).astype(np.int64)


def frame() -> pd.DataFrame:
    """Return a table with columns of many types, some with gaps."""
    generator = np.random.default_rng(0)
    rows = 60
    texts = np.array(["setosa", "virginica", "ä"])[generator.integers(0, 3, rows)]
    found = pd.DataFrame(
        {
            "length": generator.normal(5, 1, rows).round(1),
            "fine": generator.normal(size=rows),
            "single": generator.normal(size=rows).astype(np.float32),
            4: generator.integers(-5, 5, rows).astype(np.int16),
            "text": texts,
            "class": pd.Categorical(texts),
            "wild": generator.random(rows) > 0.5,
            "whole": pd.array(generator.integers(0, 99, rows), "Int64"),
            "seen": pd.Timestamp("2020-01-01") + pd.to_timedelta(np.arange(rows), "h"),
            "took": pd.to_timedelta(generator.integers(0, 9999, rows), "s"),
        }
    )
    found.loc[3, ["length", "text"]] = None
    found.loc[7, ["whole", "seen"]] = None
    return found


# --- writing --------------------------------------------------------------------------------------


@dataclass
class Collection:
    """The files of a folder, and the manifest that says what they are.

    Parameters
    ----------
    folder : Path
        Where they go.
    """

    folder: Path
    inputs: dict[str, np.ndarray] = field(default_factory=dict)
    decoded: dict[str, np.ndarray] = field(default_factory=dict)
    archives: list[dict[str, Any]] = field(default_factory=list)
    blobs: list[dict[str, Any]] = field(default_factory=list)
    checkpoints: list[dict[str, Any]] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    """What the compressed files hold: coders, compressors, ways to make integers."""

    def __post_init__(self) -> None:
        for name in ("archives", "blobs", "checkpoints", "expected", "tables"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
            (self.folder / name).mkdir(parents=True)
        reading.FOLDER = self.folder
        reading.given = self.given

    def given(self, name: str) -> Any:
        """Return rows by their name, as the test will read them."""
        if name in self.inputs:
            return self.inputs[name]
        return pd.read_parquet(self.folder / "tables" / f"{name}.parquet")

    def table(self, name: str, content: Any) -> None:
        """Keep a table of pandas, polars or Arrow as Arrow's own files do, which lose nothing."""
        if isinstance(content, pd.DataFrame):
            named = content.set_axis([str(column) for column in content], axis=1)
            content = pa.Table.from_pandas(named, preserve_index=False)
        elif isinstance(content, pl.DataFrame):
            content = content.to_arrow()
        feather.write_feather(content, self.folder / "tables" / f"{name}.arrow", "zstd")

    def archive(
        self,
        name: str,
        model: Any,
        *calls: tuple[Any, ...],
        kept: tuple[str, ...] = (),
        rtol: float = reading.RTOL,
    ) -> str:
        """Save a fitted model, and what its methods give.

        Parameters
        ----------
        name : str
            Of the files.
        model : isthmus estimator or task
        calls : tuple
            A method, the names of rows, and perhaps a dict of settings.
        kept : tuple of str
            Attributes that must come back to the bit.
        rtol : float
            How far floats may be off, relative to the largest.
        """
        file = f"archives/{name}.isthmus"
        model.save(self.folder / file)
        listed = [
            {
                "method": call[0],
                "rows": [each for each in call[1:] if isinstance(each, str)],
                "settings": call[-1] if isinstance(call[-1], dict) else {},
            }
            for call in calls
        ]
        learns = hasattr(getattr(model, "autoencoder_", model), "network_")
        kept = (KEPT + kept) if hasattr(model, "network_") else kept
        found = {f"kept.{k}": a for k, a in reading.stored(model, list(kept)).items()}
        found |= {f"out.{k}": a for k, a in reading.outputs(model, listed).items()}
        expected = f"expected/{name}.npz"
        np.savez_compressed(self.folder / expected, **found)
        self.archives.append(
            {
                "name": name,
                "class": type(model).__name__,
                "file": file,
                "sha256": self._digest(file),
                "params": reading.plain_params(ist.load(self.folder / file)),
                "weights": reading.weights_digest(model) if learns else None,
                "kept": list(kept),
                "calls": listed,
                "expected": expected,
                "rtol": rtol,
            }
        )
        return file

    def blob(
        self,
        name: str,
        content: bytes,
        wanted: str,
        *,
        codec: str | None = None,
        exact: bool = True,
    ) -> None:
        """Keep a compressed file; what it holds is kept as `wanted`, unless it is there already.

        Parameters
        ----------
        name : str
            Of the file.
        content : bytes
            The file.
        wanted : str
            By what name the rows are kept that must come of it.
        codec : str, optional
            The archive of the codec that it needs.
        exact : bool
            Whether these rows must come back to the bit.
        """
        file = f"blobs/{name}.isz"
        path = self.folder / file
        path.write_bytes(content)
        opened = ist.load(self.folder / codec) if codec else ist.Codec()
        rows, summary = opened.decompress(content), opened.describe(path)
        container = type(rows).__module__.partition(".")[0]
        container = {"numpy": "array", "pyarrow": "arrow"}.get(container, container)
        if container != "array":
            self.table(wanted, rows)
        elif wanted in self.decoded:
            reading.assert_same_bits(rows, self.decoded[wanted])
        else:
            self.decoded[wanted] = rows
        self.seen |= set(summary.coders)
        self.blobs.append(
            {
                "name": name,
                "file": file,
                "sha256": self._digest(file),
                "codec": codec,
                "container": container,
                "columns": list(rows.columns) if container == "pandas" else None,
                "decoded": wanted,
                "exact": exact,
                "chunks": sum(Counter(summary.coders).values()),
                "coders": dict(summary.coders),
            }
        )

    def close(self) -> None:
        """Write what all files share, and the manifest."""
        np.savez_compressed(self.folder / "inputs.npz", **self.inputs)
        np.savez_compressed(self.folder / "decoded.npz", **self.decoded)
        names = ("numpy", "jax", "keras", "scikit-learn", "pandas", "pyarrow")
        manifest = {
            "versions": {"isthmus": ist.__version__}
            | {name: importlib.metadata.version(name) for name in names},
            "archives": self.archives,
            "blobs": self.blobs,
            "checkpoints": self.checkpoints,
        }
        text = json.dumps(manifest, indent=1, ensure_ascii=False)
        (self.folder / "manifest.json").write_text(text + "\n", "utf-8")

    def _digest(self, file: str) -> str:
        return hashlib.sha256((self.folder / file).read_bytes()).hexdigest()


# --- archives -------------------------------------------------------------------------------------


def own_pair() -> dict[str, Any]:
    """Return an encoder and a decoder as a user may bring them."""
    from keras import Input, Model, Sequential, layers

    encoder = Sequential([Input((8, 8)), layers.Flatten(), layers.Dropout(0.1), layers.Dense(3)])
    code = Input((3,))
    hidden = layers.Dense(16, activation="tanh")(code)
    both = layers.Add()([hidden, layers.BatchNormalization()(hidden)])
    decoder = Model(code, layers.Reshape((8, 8))(layers.Dense(64)(both)))
    return {"encoder": encoder, "decoder": decoder}


def there_and_back(rows: str) -> tuple[tuple[str, str], ...]:
    """Return the calls that every autoencoder answers."""
    return tuple((m, rows) for m in ("transform", "reconstruct", "reconstruction_error"))


def estimators(to: Collection) -> None:
    """Each kind of estimator, each architecture, and most losses."""
    shown = there_and_back("pictures")
    make = ist.Autoencoder
    to.archive(
        "autoencoder-table", make(2, l1=0.1, normalization="layer", **TINY).fit(table(60, 0)),
        *there_and_back("table"),
    )  # fmt: skip
    to.archive(
        "autoencoder-numbers-penalties",
        make(2, l1=0.01, contraction=0.1, loss="huber", activation="tanh", **TINY).fit(
            numbers(60, 0)
        ),
        *there_and_back("numbers"),
    )
    plain = {key: value for key, value in TINY.items() if key != "hidden"}
    to.archive(
        "autoencoder-linear",
        make(3, architecture="linear", loss="mae", **plain).fit(numbers(60, 0)),
        *there_and_back("numbers"),
    )
    to.archive("autoencoder-images-dense", make(2, **TINY).fit(pictures(40, 0)), *shown)
    for name, loss in (("convolutional", "bce"), ("strided", "mse")):
        made = make(3, architecture=name, loss=loss, **{**TINY, "hidden": (4, 6)})
        to.archive(f"autoencoder-images-{name}", made.fit(pictures(40, 0)), *shown)
    for name, hidden in (("convolutional-1d", (4, 6)), ("recurrent", (6,)), ("gru", (6,))):
        made = make(3, architecture=name, **{**TINY, "hidden": hidden})
        to.archive(f"autoencoder-series-{name}", made.fit(waves(40, 0)), *there_and_back("waves"))
    to.archive("autoencoder-own-pair", make(**own_pair(), **plain).fit(pictures(40, 0)), *shown)
    half = make(2, precision="bfloat16", **TINY).fit(numbers(60, 0))
    to.archive("autoencoder-bfloat16", half, *there_and_back("numbers"), rtol=0.05)


def kinds_of_estimators(to: Collection) -> None:
    """Those estimators that do more than code and rebuild."""
    denoising = ist.DenoisingAutoencoder(2, **TINY)
    to.archive(
        "denoising-images", denoising.fit(pictures(40, 0)),
        *there_and_back("pictures"), ("denoise", "pictures"),
    )  # fmt: skip
    masking = ist.DenoisingAutoencoder(2, noise="masking", noise_level=0.2, **TINY)
    to.archive("denoising-table", masking.fit(table(60, 0)), *there_and_back("table"))

    figures = ("kl_", "noise_variance_")
    seeded = {"random_state": 0}
    more = (("sample", {"n": 3, **seeded}), ("latent_plane", {"steps": 2}))
    made = ist.VariationalAutoencoder(2, likelihood="binarized", **TINY).fit(pictures(40, 0))
    odds = ("log_likelihood", "pictures", {"samples": 4, **seeded})
    to.archive(
        "variational-binarized", made, *there_and_back("pictures"), *more, odds, kept=figures
    )
    made = ist.VariationalAutoencoder(2, beta=0.5, warmup=0.5, free_bits=0.1, **TINY)
    odds = ("log_likelihood", "numbers", {"samples": 4, **seeded})
    to.archive(
        "variational-gaussian", made.fit(numbers(60, 0)),
        *there_and_back("numbers"), *more, odds, kept=figures,
    )  # fmt: skip
    made = ist.VariationalAutoencoder(2, **TINY).fit(table(60, 0))
    to.archive("variational-table", made, *there_and_back("table"), *more, kept=figures)

    X = numbers(60, 0)
    labels = np.array(["low", "middle", "high"])[np.digitize(X[:, 0], [-0.5, 0.5])]
    made = ist.SupervisedAutoencoder(2, head_hidden=(6,), head_dropout=0.1, **TINY).fit(X, labels)
    told = (("predict", "numbers"), ("predict_proba", "numbers"))
    to.archive("supervised-classes", made, *there_and_back("numbers"), *told, kept=("classes_",))
    made = ist.SupervisedAutoencoder(2, task="regression", head_hidden=(), **TINY)
    made.fit(X, X[:, :2] @ [1, 2] + 3)
    to.archive("supervised-targets", made, *there_and_back("numbers"), ("predict", "numbers"))


def tasks(to: Collection) -> None:
    """What works with the codes of an autoencoder."""
    small = ist.Autoencoder(2, **TINY)
    X = numbers(60, 0)
    for method in ("tsne", "umap"):
        made = ist.LatentMap(small, method=method, random_state=0).fit(X)
        to.archive(f"map-{method}", made, ("transform", "numbers"), kept=("codes_", "embedding_"))
    near = ("kneighbors", "numbers", {"n_neighbors": 3})
    made = ist.SimilarityIndex(small).fit(X)
    to.archive("index-euclidean", made, near, kept=("codes_", "ids_"))
    made = ist.SimilarityIndex(small, metric="cosine", method="approximate")
    made.fit(table(60, 0), ids=[f"row {i}" for i in range(60)])
    near = ("kneighbors", "table", {"n_neighbors": 3})
    to.archive("index-cosine-names", made, near, kept=("codes_", "ids_"))
    learned = ("weights_", "means_", "precisions_cholesky_")
    drawn = ("sample", {"n": 3, "random_state": 0})
    for name, rows, count in (("numbers", X, 2), ("table", table(60, 0), "auto")):
        made = ist.LatentSampler(small, n_components=count, random_state=0).fit(rows)
        to.archive(f"sampler-{name}", made, drawn, ("score_samples", name), kept=learned)


def detectors(to: Collection) -> None:
    """Detectors of abnormal rows, pictures and stretches of series."""
    rate = {"false_alarm_rate": 0.1, "random_state": 0}
    asked = ("anomaly_score", "p_values", "predict", "explain", "expected")
    kept = ("calibration_scores_",)

    def answers(rows: str, *more: tuple[Any, ...]) -> tuple[tuple[Any, ...], ...]:
        return (*((method, rows) for method in asked), *more)

    made = ist.AnomalyDetector(**rate).fit(numbers(80, 0))
    more = (("repair", "odd numbers", {"k": 2}), ("drift", "numbers"))
    to.archive("detector-numbers", made, *answers("odd numbers", *more), kept=kept)
    made = ist.AnomalyDetector(**rate).fit(table(80, 0))
    to.archive("detector-table", made, *answers("table", ("repair", "table")), kept=kept)
    made = ist.AnomalyDetector(**rate).fit(pictures(60, 0, 6))
    to.archive("detector-images", made, *answers("small pictures"), kept=kept)
    made = ist.AnomalyDetector(ist.Autoencoder(2, **TINY), mode="outlier", **rate)
    to.archive("detector-own", made.fit(numbers(80, 0)), *answers("odd numbers"), kept=kept)
    made = ist.AnomalyDetector(window=8, **rate).fit(measured(300, 0))
    more = (("intervals", "measured"),)
    to.archive("detector-series", made, *answers("measured", *more), kept=("sensors_",))


def checkpoints(to: Collection) -> None:
    """A run after its first epoch, and after its last."""
    rows = "pictures to train on"
    to.inputs[rows] = pictures(32, 7)
    path = to.folder / "checkpoints" / "finished.checkpoint"
    whole = checkpoint.write

    def also_kept(place: Path, snapshot: Any, run: Any) -> None:
        whole(place, snapshot, run)
        if snapshot.epoch == 1:
            shutil.copy(place, path.with_name("begun.checkpoint"))

    with mock.patch.object(checkpoint, "write", also_kept):
        model = ist.Autoencoder(2, checkpoint=path, **reading.SETTINGS).fit(to.inputs[rows])
    weights = {str(i): array for i, array in enumerate(model.network_.full.get_weights())}
    np.savez_compressed(to.folder / "expected" / "run.npz", **weights)
    for name in ("begun", "finished"):
        to.checkpoints.append(
            {
                "name": name,
                "file": f"checkpoints/{name}.checkpoint",
                "rows": rows,
                "finished": name == "finished",
                "weights": reading.weights_digest(model),
                "expected": "expected/run.npz",
            }
        )


# --- compressed files -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Only:
    """One coder without a contest.

    Parameters
    ----------
    coder : coder
        One of those that compete otherwise.
    """

    coder: Any

    def encode(self, block: Block) -> tuple[bytes, float]:
        """Return a block's bytes, and no error."""
        packed = self.coder.encode(block)
        if packed is None:
            raise ValueError(f"{self.coder.name} does not take such rows")
        return bytes([self.coder.number]) + packed, 0.0


@dataclass(frozen=True)
class AtPoints:
    """A lossy coder at two of its compromises.

    Parameters
    ----------
    coder : Lossy
    name : str
        Of the coder within.
    fine, coarse : int
        Its points for the first half of the rows, and for the others.
    """

    coder: Lossy
    name: str
    fine: int
    coarse: int

    def encode(self, block: Block) -> tuple[bytes, float]:
        """Return a block's bytes, and no error."""
        samples, model = block.image(), self.coder.model
        cells = samples.reshape(len(samples), -1)
        wholes = [
            model._whole(cells, Point(self.name, point, 0, 0.0))
            for point in (self.coarse, self.fine)
        ]
        return bytes([self.coder.number]) + model._written(*wholes, len(samples) // 2), 0.0


@dataclass(frozen=True)
class By(Promise):
    """A promise kept by one coder alone."""

    way: Any = None

    def encoder(self, model: Model | None) -> Any:
        """Return that coder."""
        del model
        return self.way


def written(
    X: Any,
    way: Any,
    *,
    bound: float | None = 0.0,
    model: Model | None = None,
    embed: bool = True,
) -> bytes:
    """Return rows as `Codec.compress` would, were there but one way to code them."""
    sink = io.BytesIO()
    quality = 20.0 if bound is None else None
    write(X, sink, By(bound, None, quality, None, way), model, embed=embed)
    return sink.getvalue()


def compressor(number: int) -> Any:
    """Return a function that packs bytes with one compressor."""

    def choose(content: bytes, *, quick: bool = False) -> tuple[int, bytes]:
        del quick
        return number, plain.COMPRESSORS[number].encode(content)

    return choose


def plain_coders(to: Collection) -> None:
    """Each layout with each compressor, and all else that is packed with each compressor."""
    X = walk(40).astype(np.int32)
    for layout in (*matrices.LAYOUTS, *catalogue._AS_THEY_ARE):
        for number in range(len(plain.COMPRESSORS)):
            coder = catalogue.Plain(layout, compressor(number))
            to.blob(f"plain-{layout}-{number}", written(X, Only(coder)), "walk")
    # Differences of 64 bits and of none.
    wide = np.array([[2**62, 5], [-(2**62), 5], [7, 5]])
    for layout in matrices.LAYOUTS:
        coder = catalogue.Plain(layout, plain.smallest)
        to.blob(f"plain-{layout}-wide", written(wide, Only(coder)), "wide")
    codec = ist.Codec()
    for number, each in enumerate(plain.COMPRESSORS):
        with mock.patch.object(plain, "smallest", compressor(number)):
            to.blob(f"table-packed-{number}-{each.name}", codec.fit(frame()).compress(frame()),
                    "table of many types")  # fmt: skip


def coders_of_integers(to: Collection) -> None:
    """Context mixing and tables of odds, on numbers of several kinds."""
    generator = np.random.default_rng(0)
    hours = np.arange(400)
    codes = generator.integers(0, 4, (300, 2))
    noisy = np.where(generator.random(300) < 0.9, codes[:, 0], codes[:, 1])
    codes[:, 1] = np.array([75, 0, 25, 200])[noisy]
    long = np.cumsum(generator.random((12_000, 2)) < 0.02, axis=0).astype(np.int16)
    floats = np.cumsum(generator.normal(size=(150, 2)), axis=0).astype(np.float32)
    floats[4:7, 0] = np.nan, np.inf, -0.0
    cases = {
        "walk of three": walk(300),
        "walk of seven": walk(80, 7),
        "far": generator.integers(-(2**39), 2**39, (40, 2)),
        "periodic": np.rint(9 * np.sin(hours * np.pi / 12) + generator.normal(size=400))
        .astype(np.int64)[:, None],
        "codes": codes,
        "long": long,
        "single precision": floats,
        "one": np.array([[5]]),
    }  # fmt: skip
    for coder in (Strands(), Tables()):
        for name, X in cases.items():
            word = coder.name.replace(" ", "-")
            to.blob(f"{word}-{name.replace(' ', '-')}", written(X, Only(coder)), name)
        bounded = floats.astype(np.float64)
        for bound in (0.01, 0.5):
            packed = written(bounded, Only(coder), bound=bound)
            to.blob(f"{word}-within-{bound}", packed, f"within {bound}")


def contests(to: Collection) -> None:
    """Whatever wins: arrays of all types and several shapes, exactly and within bounds."""
    generator = np.random.default_rng(1)
    codec = ist.Codec()
    for kind in ("?", "i1", ">i2", "<i4", ">i8", "<u2", ">u4", "<u8", "<f2", ">f4", "<f4", "<f8"):
        dtype = np.dtype(kind)
        for count in (1, 3):
            # Any bits, NaN with payloads among them.
            raw = generator.integers(0, 256, (40, count, dtype.itemsize), np.uint8)
            raw = raw % 2 if dtype.kind == "b" else raw
            X = raw.view(dtype)[..., 0]
            if count == 1:
                X = np.sort(X[:, 0])
            name = f"{kind.strip('<>?') or 'b1'}{'-big' if kind[0] == '>' else ''}-{count}"
            to.blob(f"any-{name}", codec.fit(X).compress(X), f"any {name}")
    to.blob("bytes", codec.fit(X := np.arange(90, dtype=np.uint8) // 7).compress(X), "bytes")
    decimals = np.cumsum(generator.normal(size=(80, 3)), axis=0).round(2)
    for shape in ((0, 4), (1, 4), (5, 0), (80, 3), (8, 5, 6)):
        X = np.resize(decimals, shape).astype(np.float32)
        name = "x".join(map(str, shape))
        to.blob(f"decimals-{name}", codec.fit(X).compress(X), f"decimals {name}")
    for dtype in ("f8", "f4", "i4", ">f4"):
        X = (decimals * 100 if dtype == "i4" else decimals).astype(dtype)
        if dtype != "i4":
            X[3, 0], X[4, 1] = np.nan, -np.inf
        for bound, relative in ((0.05, False), (3.0, False), (0.01, True)):
            bounded = ist.Codec(max_error=bound, relative=relative).fit(X)
            name = f"{dtype.strip('>')}{'-big' if dtype[0] == '>' else ''}-{bound}"
            to.blob(f"bounded-{name}", bounded.compress(X), f"bounded {name}")
    first, second = walk(70)[:40], walk(70)[40:]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "parts.isz"
        codec.fit(first).compress_to(iter([first, second]), path)
        to.blob("several-chunks", path.read_bytes(), "several chunks")


def tables_of_all_kinds(to: Collection) -> None:
    """Tables of pandas, polars and Arrow, exactly and within a bound; and their codec's archive."""
    X = frame()
    pandas = ist.Codec().fit(X)
    to.blob("table-pandas", pandas.compress(X), "table of many types")
    named = pa.Table.from_pandas(X.rename(columns=str), preserve_index=False)
    arrow = named.replace_schema_metadata(None)
    small = pa.table(
        {
            "day": pa.array([1, None, 3], pa.date32()),
            "time": pa.array([1, 2, None], pa.time64("us")),
            "half": pa.array(np.array([1, 2, np.nan], np.float16)),
            "big": pa.array([2**64 - 1, 0, 1], pa.uint64()),
            "raw": pa.array([b"a", None, b""]),
            "listed": pa.array([[1], [], None]),
            "zoned": pa.array([1, 2, 3], pa.timestamp("ms", "UTC")),
        }
    )
    texts = pa.table({"text": ["a", None, "b"]})
    for name, rows in (("arrow", arrow), ("arrow-types", small), ("arrow-texts", texts)):
        to.blob(f"table-{name}", pandas.compress(rows), f"table {name}")
    to.blob("table-polars", pandas.compress(pl.from_arrow(named)), "table of polars")
    several = iter([arrow.slice(0, 20), arrow.slice(20)])
    with tempfile.TemporaryDirectory() as folder:
        pandas.compress_to(several, Path(folder) / "parts.isz")
        content = (Path(folder) / "parts.isz").read_bytes()
    to.blob("table-several-chunks", content, "table of several chunks")
    bounded = ist.Codec(max_error=0.05, relative=True).fit(X)
    file = to.archive("codec-table-relative", bounded, kept=("ranges_", "coder_"))
    to.blob("table-bounded", bounded.compress(X), "table within a bound", codec=file)
    exact = to.archive("codec-table", pandas, kept=("ranges_", "coder_"))
    to.blob("table-by-archive", pandas.compress(X), "table of many types", codec=exact)
    rows = numbers(60, 0)
    for name, relative in (("absolute", False), ("relative", True)):
        codec = ist.Codec(max_error=0.01, relative=relative).fit(rows)
        file = to.archive(f"codec-numbers-{name}", codec, kept=("ranges_", "coder_"))
        to.blob(f"numbers-{name}", codec.compress(rows), f"numbers {name}", codec=file)


def images(to: Collection) -> None:
    """Lossless images: one to four channels, few and many grey levels, smooth ones."""
    generator = np.random.default_rng(0)
    steps = generator.integers(-2, 4, (12, 16, 16, 3)).cumsum(1)
    smooth = (steps.cumsum(2) + generator.integers(0, 100, (12, 1, 1, 1))).astype(np.uint8)
    cases = {
        "grey": grey(20, 0),
        "two-levels": (grey(20, 0)[..., None] > 99).astype(np.uint8) * 255,
        "noise-2": generator.integers(0, 256, (4, 5, 7, 2), np.uint8),
        "smooth-3": smooth,
        "noise-4": generator.integers(0, 256, (3, 4, 3, 4), np.uint8) // 4 * 4,
    }
    centred = set()
    for name, X in cases.items():
        channels = X if X.ndim == 4 else X[..., None]
        pixels = PixelModel.fit(channels, seed=0, epochs=1)
        centred.add(pixels.neighbours.centred)
        model = Model("pixels", Pixels(pixels))
        to.blob(f"pixels-{name}", written(X, Only(model.coder), model=model), f"pixels {name}")
    if centred != {False, True}:
        raise RuntimeError("images coded by differences are wanted, and others")
    quick = mock.patch.object(PixelModel, "fit", functools.partial(PixelModel.fit, epochs=2))
    with quick:
        codec = ist.Codec(random_state=0).fit(grey(200, 1))
    file = to.archive("codec-images", codec, kept=("ranges_", "coder_"))
    for embed in (True, False):
        packed = written(grey(20, 0), Only(codec._model.coder), model=codec._model, embed=embed)
        name = "embedded" if embed else "named"
        to.blob(f"images-{name}", packed, "pixels grey", codec=None if embed else file)
    to.blob("images-contest", codec.compress(grey(20, 0)), "pixels grey", codec=file)


@contextlib.contextmanager
def quickly(grids: tuple[tuple[int, int], ...] = FEW_GRIDS) -> Iterator[None]:
    """Lossy models are hardly trained, and small."""
    fit = functools.partial(LossyModel.fit, epochs=0.5)
    with (
        mock.patch.object(LossyModel, "fit", fit),
        mock.patch.object(lossy_fitting, "GRIDS", grids),
        mock.patch.object(lossy_fitting, "_LINEAR_POINTS", 12),
        mock.patch.object(lossy_fitting, "_NETWORK_POINTS", slice(4, 8)),
        mock.patch.object(lossy_training, "_UNITS", (16, 32)),
        mock.patch.object(lossy_training, "_REFINER_UNITS", (16, 16)),
        mock.patch.object(pixel_training, "_UNITS", (16, 16)),
    ):
        yield


def lossy(to: Collection) -> None:
    """Each lossy coder at several of its points, and what `Codec` makes of a quality or bits."""
    generator = np.random.default_rng(0)
    colours = np.stack([grey(30, seed, 4) for seed in (1, 2, 3)], axis=3)
    cases = {
        "f4": numbers(60, 0).astype(np.float32),
        "f8": generator.normal(size=(40, 3, 2)) * [1e3, 1],
        "single": generator.normal(size=40),
        "grey": grey(40, 0),
        "colours": colours,
    }
    settings: dict[str, Any] = {"max_error": None, "random_state": 0}
    for name, X in cases.items():
        with quickly(lossy_fitting.GRIDS if name == "grey" else FEW_GRIDS):
            codec = ist.Codec(quality=15, **settings).fit(X)
        file = to.archive(f"codec-lossy-{name}", codec, kept=("ranges_", "coder_"))
        # A fitted one of images calls its model by another hash than its archive does.
        codec = ist.load(to.folder / file)
        packed = codec.compress(X[:20], embed=False)
        to.blob(f"lossy-{name}-quality", packed, f"lossy {name}", codec=file, exact=False)
        bits = codec.set_params(quality=None, bits=12.0).compress(X[:20], embed=False)
        to.blob(f"lossy-{name}-bits", bits, f"lossy {name} bits", codec=file, exact=False)
        model = codec._model
        for coder, inner in model.coder.model.coders.items():
            points = list(range(inner.points))
            chosen = points if coder == "levels" else points[:: max(1, len(points) // 5)]
            for coarse, fine in zip(chosen, [*chosen[1:], chosen[-1]], strict=True):
                way = AtPoints(model.coder, coder, fine, coarse)
                packed = written(X[:10], way, bound=None, model=model, embed=False)
                own = f"lossy {name} {coder} {fine} {coarse}"
                to.blob(own.replace(" ", "-"), packed, own, codec=file, exact=False)
            way = AtPoints(model.coder, coder, points[-1], points[0])
            if coder != "levels" or name != "grey":  # seven models of pixels are large
                packed = written(X[:10], way, bound=None, model=model)
                own = f"lossy {name} {coder} embedded"
                to.blob(own.replace(" ", "-"), packed, own, exact=False)


def command(to: Collection) -> None:
    """What ``isthmus compress`` writes."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        frame().to_csv(folder / "table.csv", index=False)
        np.save(folder / "numbers.npy", numbers(60, 0).astype(">f4"))
        table(40, 3).to_parquet(folder / "table.parquet")
        for source, more in (
            ("table.csv", ()),
            ("table.parquet", ("--max-error", "0.1")),
            ("numbers.npy", ("--max-error", "0.01", "--relative")),
            ("numbers.npy", ("--quality", "20")),
        ):
            output = folder / "out.isz"
            with quickly():
                arguments = ["compress", str(folder / source), str(output), "--force", *more]
                if isthmus_command(arguments):
                    raise RuntimeError(f"isthmus {' '.join(arguments)}")
            own = "-".join(["command", source.replace(".", "-"), *more]).replace("--", "")
            to.blob(own, output.read_bytes(), own, exact="--quality" not in more)


def check_nothing_is_missing(to: Collection) -> None:
    """Raise unless every coder and every kind of archive is in some file."""
    ways = {
        f"{each.name} ({layout})"
        for each in plain.COMPRESSORS
        for layout in (*matrices.LAYOUTS.values(), *catalogue._AS_THEY_ARE.values())
    }
    ways |= {each.name for each in catalogue._DECODERS.values() if each is not catalogue.Plain}
    ways |= {Pixels.name} | {f"{Lossy.name} ({name})" for name in ("linear", "network", "levels")}
    kinds = {_KINDS[name].partition(":")[2] for name in _KINDS}
    missing = ways - to.seen | kinds - {each["class"] for each in to.archives}
    missing |= set(LEARNED) - {"pixels", "lossy"}
    if missing:
        raise RuntimeError(f"in no file: {sorted(missing)}")


def noted_maps() -> tuple[Any, set[int], set[bool]]:
    """Return a patch that notes which maps to integers are read, and which kinds of foresight."""
    modes: set[int] = set()
    residuals: set[bool] = set()
    read_map = lattice.read_map

    def noting(cursor: Cursor, dtype: np.dtype[Any]) -> Any:
        found = read_map(cursor, dtype)
        modes.add(found.mode)
        return found

    read_foresight = strands.read_foresight

    def noting_foresight(*arguments: Any) -> Any:
        found = read_foresight(*arguments)
        residuals.add(found.residual)
        return found

    patches = contextlib.ExitStack()
    patches.enter_context(mock.patch.object(lattice, "read_map", noting))
    patches.enter_context(mock.patch.object(strands, "read_foresight", noting_foresight))
    return patches, modes, residuals


def main() -> None:
    """Write all files into a folder."""
    parser = argparse.ArgumentParser(description="Write the files of tests/golden.")
    parser.add_argument("folder", type=Path)
    to = Collection(parser.parse_args().folder.resolve())
    odd = numbers(10, 1)
    odd[2, 3], odd[6, 1] = 9.0, np.nan
    series = measured(60, 1)
    series[30:34, 1] += 2
    to.inputs |= {"numbers": numbers(6, 1), "odd numbers": odd, "pictures": pictures(4, 1)}
    to.inputs["small pictures"] = pictures(4, 1, 6)
    to.inputs |= {"waves": waves(4, 1), "measured": series}
    table(8, 1).to_parquet(to.folder / "tables" / "table.parquet", index=False)
    warnings.simplefilter("ignore")
    patches, modes, residuals = noted_maps()
    with patches:
        for part in (plain_coders, coders_of_integers, contests, tables_of_all_kinds):
            part(to)
    if modes != {0, 1, 2, 3} or residuals != {False, True}:
        raise RuntimeError(f"only the maps {modes} and residuals {residuals}")
    for part in (images, lossy, command):
        part(to)
    for part in (estimators, kinds_of_estimators, tasks, detectors, checkpoints):
        part(to)
    check_nothing_is_missing(to)
    to.close()


if __name__ == "__main__":
    main()
