"""Files that earlier versions wrote load to the same bits, and give the same numbers.

``golden/manifest.json`` lists what there is and what it must give; ``golden/make.py`` wrote
it. Stored arrays must come back bit for bit. What XLA computes from them may differ in its last
digits from one processor to another.
"""

import dataclasses
import hashlib
import inspect
import json
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import safetensors.numpy
from pyarrow import feather

import isthmus as ist
from isthmus.core.errors import InvalidParameter

FOLDER = Path(__file__).resolve().parent / "golden"
RTOL = 1e-5
SETTINGS = {"hidden": (8,), "epochs": 2, "verbose": 0, "random_state": 0}
"""Of the run whose checkpoints are kept: a checkpoint is only taken by the same settings."""

ADDED_FIELDS = {"unit"}
"""Fields of results that the versions which wrote the files did not have."""


@cache
def manifest() -> dict[str, Any]:
    """Return what there is; nothing before `make.py` has run."""
    path = FOLDER / "manifest.json"
    return json.loads(path.read_text("utf-8")) if path.exists() else {}


def each(section: str) -> Any:
    """Return a decorator: run for each entry of a part of the manifest."""
    entries = manifest().get(section, [])
    return pytest.mark.parametrize("entry", entries, ids=[entry["name"] for entry in entries])


@cache
def arrays(file: str) -> dict[str, np.ndarray]:
    """Return the arrays of an .npz file."""
    with np.load(FOLDER / file, allow_pickle=False) as stored:
        return dict(stored)


def given(name: str) -> Any:
    """Return rows by their name: an array, or a table."""
    found = arrays("inputs.npz").get(name)
    return found if found is not None else pd.read_parquet(FOLDER / "tables" / f"{name}.parquet")


def flat(value: Any, name: str) -> dict[str, np.ndarray]:
    """Return an output as arrays that .npz files can hold, by names that begin with `name`."""
    if isinstance(value, pd.DataFrame):
        parts = {str(column): value[column] for column in value}
        return flat({"dtypes": [str(t) for t in value.dtypes], **parts}, name)
    if isinstance(value, dict):
        parts = value
    elif dataclasses.is_dataclass(value):
        fields = [field for field in dataclasses.fields(value) if field.name not in ADDED_FIELDS]
        parts = {field.name: getattr(value, field.name) for field in fields}
    elif isinstance(value, list | tuple) and not all(np.isscalar(each) for each in value):
        parts = dict(zip(getattr(value, "_fields", range(len(value))), value, strict=True))
    else:
        array = np.asarray(value)
        if array.dtype == object:
            array = np.where(pd.isna(array), "(missing)", array).astype(str)
        return {name: array}
    return {key: a for part, v in parts.items() for key, a in flat(v, f"{name}.{part}").items()}


def outputs(model: Any, calls: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    """Return what methods of a model give, as `flat` names it."""
    found: dict[str, np.ndarray] = {}
    for call in calls:
        rows = [given(name) for name in call["rows"]]
        value = getattr(model, call["method"])(*rows, **call["settings"])
        found |= flat(value, call["method"])
    return found


def stored(model: Any, names: list[str]) -> dict[str, np.ndarray]:
    """Return what a model says of itself, as `flat` names it."""
    return {key: array for name in names for key, array in flat(getattr(model, name), name).items()}


def plain_params(model: Any) -> dict[str, Any]:
    """Return those settings of a model that JSON can say."""
    found = {}
    for name, value in model.get_params(deep=False).items():
        try:
            found[name] = json.loads(json.dumps(value))
        except TypeError:
            continue
    return found


def new_defaults(kind: type, known: dict[str, Any]) -> dict[str, Any]:
    """Return the defaults of the parameters that the version which wrote the file did not have."""
    parameters = inspect.signature(kind).parameters.values()
    added = {
        *("unknown", "group", "longest_gap", "warm_start", "augmentation", "levels"),
        "importance_samples",
    }
    new = added - set(known)
    return {p.name: p.default for p in parameters if p.name in new}


def weights_digest(model: Any) -> str:
    """Return a hash of all weights of a model's network, or of its autoencoder's."""
    model = getattr(model, "autoencoder_", model)
    digest = hashlib.sha256()
    for array in model.network_.full.get_weights():
        digest.update(f"{array.dtype.name}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def archive_arrays(path: Path) -> list[tuple[str, tuple[int, ...], bytes]]:
    """Return the arrays of an archive, whatever they are called."""
    found = safetensors.numpy.load_file(path).values()
    return sorted((array.dtype.name, array.shape, array.tobytes()) for array in found)


def assert_near(found: dict[str, np.ndarray], wanted: dict[str, np.ndarray], rtol: float) -> None:
    """Floats and times may differ a little, relative to the largest; all else is the same."""
    assert set(found) == set(wanted)
    for name, array in wanted.items():
        actual = found[name]
        assert (actual.dtype.kind, actual.shape) == (array.dtype.kind, array.shape), name
        if array.dtype.kind == "M":
            missing = np.isnat(array)
            np.testing.assert_array_equal(np.isnat(actual), missing, err_msg=name)
            apart = np.abs(actual[~missing] - array[~missing])
            assert (apart <= np.timedelta64(1, "s")).all(), name
        elif array.dtype.kind == "f":
            finite = np.abs(array[np.isfinite(array)])
            atol = rtol * float(finite.max(initial=0))
            np.testing.assert_allclose(actual, array, rtol, atol, err_msg=name)
        else:
            np.testing.assert_array_equal(actual, array, err_msg=name)


def assert_same_bits(actual: Any, wanted: Any) -> None:
    """Arrays have the same type, shape and bits; tables are of the same kind, and equal."""
    assert type(actual) is type(wanted)
    if isinstance(wanted, pd.DataFrame):
        pd.testing.assert_frame_equal(actual, wanted)
    elif isinstance(wanted, np.ndarray):
        assert (actual.dtype.str, actual.shape) == (wanted.dtype.str, wanted.shape)
        assert actual.tobytes() == wanted.tobytes()
    elif isinstance(wanted, pl.DataFrame):
        assert actual.equals(wanted)
        assert actual.schema == wanted.schema
    else:
        assert actual.schema.equals(wanted.schema)
        # Here NaN is equal to NaN, as in no comparison of Arrow's.
        assert repr(actual.to_pydict()) == repr(wanted.to_pydict())


def decoded(entry: dict[str, Any]) -> Any:
    """Return what a compressed file must hold."""
    if entry["container"] == "array":
        return arrays("decoded.npz")[entry["decoded"]]
    table = feather.read_table(FOLDER / "tables" / f"{entry['decoded']}.arrow")
    if entry["container"] == "polars":
        return pl.from_arrow(table)
    if entry["container"] == "arrow":
        return table.replace_schema_metadata(None)
    return table.to_pandas().set_axis(entry["columns"], axis=1)


def opener(entry: dict[str, Any]) -> Any:
    """Return a codec that can read a compressed file."""
    return ist.load(FOLDER / entry["codec"]) if entry["codec"] else ist.Codec()


def test_there_are_files() -> None:
    assert set(manifest()) == {"versions", "archives", "blobs", "checkpoints"}
    listed = {entry["file"] for part in ("archives", "blobs", "checkpoints")
              for entry in manifest()[part]}  # fmt: skip
    folders = ("archives", "blobs", "checkpoints")
    there = {f"{name}/{path.name}" for name in folders for path in (FOLDER / name).iterdir()}
    assert listed == there


@each("archives")
def test_archives(entry: dict[str, Any], tmp_path: Path) -> None:
    path = FOLDER / entry["file"]
    assert hashlib.sha256(path.read_bytes()).hexdigest() == entry["sha256"]
    model = ist.load(path)
    assert type(model).__name__ == entry["class"]
    settings = plain_params(model)
    assert settings == {**new_defaults(type(model), entry["params"]), **entry["params"]}
    if entry["weights"]:
        assert weights_digest(model) == entry["weights"]
    wanted = arrays(entry["expected"])
    kept = {name.removeprefix("kept."): a for name, a in wanted.items() if name[:5] == "kept."}
    assert_near(stored(model, entry["kept"]), kept, rtol=0)
    given_ = {name.removeprefix("out."): a for name, a in wanted.items() if name[:4] == "out."}
    assert_near(outputs(model, entry["calls"]), given_, entry["rtol"])
    model.save(tmp_path / "again")
    assert archive_arrays(tmp_path / "again") == archive_arrays(path)


@each("blobs")
def test_blobs(entry: dict[str, Any]) -> None:
    path, wanted = FOLDER / entry["file"], decoded(entry)
    blob = path.read_bytes()
    assert hashlib.sha256(blob).hexdigest() == entry["sha256"]
    codec = opener(entry)
    whole, parts = codec.decompress(blob), list(codec.decompress_from(path))
    assert len(parts) == max(entry["chunks"], 1)
    if entry["exact"]:
        assert_same_bits(whole, wanted)
        for number, part in enumerate(parts[: entry["chunks"]]):
            assert_same_bits(codec.read_chunk(path, number), part)
        if isinstance(wanted, np.ndarray):
            assert b"".join(part.tobytes() for part in parts) == wanted.tobytes()
        return
    assert (whole.dtype.str, whole.shape) == (wanted.dtype.str, wanted.shape)
    if wanted.dtype == np.uint8:
        assert np.abs(whole.astype(int) - wanted).max() <= 1
    else:
        assert_near({"": whole}, {"": wanted}, RTOL)
    assert np.array_equal(np.concatenate(parts), whole)


@each("checkpoints")
def test_checkpoints(entry: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "run.checkpoint"
    shutil.copy(FOLDER / entry["file"], path)
    unfitted, X = ist.Autoencoder(2, checkpoint=path, **SETTINGS), given(entry["rows"])
    if manifest()["versions"]["isthmus"] != ist.__version__:
        with pytest.raises(InvalidParameter, match="received another version of isthmus"):
            unfitted.fit(X)
        return
    model = unfitted.fit(X)
    wanted = arrays(entry["expected"])
    if entry["finished"]:
        assert weights_digest(model) == entry["weights"]
    found = {str(i): a for i, a in enumerate(model.network_.full.get_weights())}
    assert_near(found, wanted, 0 if entry["finished"] else 1e-3)
    assert len(model.history_["loss"]) == SETTINGS["epochs"]
