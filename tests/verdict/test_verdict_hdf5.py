"""``.h5`` files of Keras 2 and 3 are read as data: no code, no arrays, nothing outside the file."""

import contextlib
import json
import random
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from keras import layers
from models import CLASSIFIER, UNDER, VARIATIONAL, ZOO, without_drawing

import isthmus as ist
from isthmus.core.errors import InvalidArchive
from isthmus.verdict.hdf5_files import read_outline


def record(kind, name, **settings):
    return {"class_name": kind, "config": {"name": name, **settings}}


def sequence(*layers_):
    first = record("InputLayer", "rows", batch_input_shape=[None, 20], dtype="float32")
    return {
        "class_name": "Sequential",
        "config": {"name": "seq", "layers": [first, *layers_], "build_input_shape": [None, 20]},
    }


def dense(name, units, **settings):
    glorot = {"class_name": "GlorotUniform", "config": {"seed": None}}
    return record("Dense", name, units=units, kernel_initializer=glorot, **settings)


PLAIN = sequence(dense("small", 3), dense("large", 20))


def write(folder, config, training=None, **more):
    path = folder / "model.h5"
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = "2.15.0"
        file.attrs["model_config"] = config if isinstance(config, str) else json.dumps(config)
        if training is not None:
            file.attrs["training_config"] = json.dumps(training)
        for name, value in more.items():
            file[name] = value
    return path


def test_a_file_of_keras_2_is_understood(tmp_path):
    training = {"loss": "sparse_categorical_crossentropy", "metrics": None}
    path = write(tmp_path, PLAIN, training, weights=np.zeros((3, 3)))
    verdict = ist.inspect(path, target="input")
    assert (verdict.kind, verdict.code_size, verdict.parameters.total) == (UNDER, 3, 143)
    assert not any("not part of Keras" in reason for reason in verdict.reasons)
    assert ist.inspect(path).kind == CLASSIFIER  # by the loss


def test_a_functional_model_of_keras_2_with_tensorflow_operations(tmp_path):
    def node(kind, name, *sources, inner=None, **settings):
        nodes = [[[source, 0, 0, inner or {}] for source in sources]] if sources else []
        return {**record(kind, name, **settings), "name": name, "inbound_nodes": nodes}

    def operation(name, function, source, **inner):
        named = node("TFOpLambda", name, source, inner=inner, function=function)
        return {**named, "inbound_nodes": [[source, 0, 0, inner]]}

    config = {
        "name": "vae",
        "layers": [
            node("InputLayer", "x", batch_input_shape=[None, 20]),
            node("Dense", "h", "x", units=8),
            node("Dense", "a", "h", units=2),
            node("Dense", "b", "h", units=2),
            operation("tf.math.exp", "math.exp", "b"),
            operation("tf.compat.v1.shape", "compat.v1.shape", "a"),
            operation("tf.random.normal", "random.normal", "tf.compat.v1.shape"),
            operation(
                "tf.math.multiply", "math.multiply", "tf.random.normal", y=["tf.math.exp", 0, 0]
            ),
            operation("add", "__operators__.add", "a", y=["tf.math.multiply", 0, 0]),
            node("Dense", "out", "add", units=20),
        ],
        "input_layers": [["x", 0, 0]],
        "output_layers": [["out", 0, 0]],
    }
    verdict = ist.inspect(
        write(tmp_path, {"class_name": "Functional", "config": config}), target="input"
    )
    assert (verdict.kind, verdict.code_size) == (VARIATIONAL, 2), str(verdict)


@pytest.mark.parametrize(
    "function", [{"function": ["4wEAAA==", None, None], "function_type": "lambda"}, None]
)
def test_code_in_a_file_is_reported_and_stays_inert(function, tmp_path):
    if function is None:
        mark = tmp_path / "ran"
        place = str(mark)
        touch = layers.Lambda(lambda x: (Path(place).touch(), x)[1])
        path = tmp_path / "model.h5"
        keras.Sequential([keras.Input((4,)), touch, layers.Dense(4)]).save(path)
        mark.unlink(missing_ok=True)
        verdict = ist.inspect(path)
        assert not mark.exists()
    else:
        config = sequence(record("Lambda", "l", **function), dense("d", 20))
        verdict = ist.inspect(write(tmp_path, config))
    assert any("contains Python code" in reason for reason in verdict.reasons)


def linked(path):
    with h5py.File(path, "a") as file:
        file["far"] = h5py.ExternalLink("other.h5", "/")


def softly_linked(path):
    with h5py.File(path, "a") as file:
        file["near"] = h5py.SoftLink("/nowhere")


def stored_elsewhere(path):
    with h5py.File(path, "a") as file:
        file.create_dataset("a/b", (10,), dtype="u1", external=[("/etc/hostname", 0, 10)])


def virtual(path):
    layout = h5py.VirtualLayout((4,), dtype="f4")
    layout[:] = h5py.VirtualSource("other.h5", "a", shape=(4,))
    with h5py.File(path, "a") as file:
        file.create_virtual_dataset("v", layout)


def deep(path):
    with h5py.File(path, "a") as file:
        file.create_group("/".join("g" * 50))


def circular(path):
    with h5py.File(path, "a") as file:
        group = file.create_group("g")
        for name in "abc":
            group[name] = group


def wide(path):
    with h5py.File(path, "a") as file:
        for i in range(20_001):
            file.create_group(f"g{i}")


def numbers(path):
    with h5py.File(path, "a") as file:
        file.attrs["model_config"] = np.arange(4)


def several(path):
    with h5py.File(path, "a") as file:
        file.attrs["model_config"] = ["{}", "{}"]


def large(path):
    with h5py.File(path, "a") as file:
        file.attrs["model_config"] = b" " * (33 * 2**20)


def huge(path):
    with h5py.File(path, "a") as file:
        file.attrs["model_config"] = b" " * (70 * 2**20)


def weights_only(path):
    with h5py.File(path, "a") as file:
        del file.attrs["model_config"]


def no_json(path):
    with h5py.File(path, "a") as file:
        file.attrs["model_config"] = "{'"


def not_text(path):
    with h5py.File(path, "a") as file:
        file.attrs["model_config"] = b"\xff\xfe"


def no_model(path):
    with h5py.File(path, "a") as file:
        file.attrs["model_config"] = "[1]"


def truncated(path):
    path.write_bytes(path.read_bytes()[:-900])


def head_only(path):
    path.write_bytes(path.read_bytes()[:20])


HOSTILE = (
    *(linked, softly_linked, stored_elsewhere, virtual, deep, circular, wide, numbers, several),
    *(large, huge, weights_only, no_json, not_text, no_model, truncated, head_only),
)


@pytest.mark.parametrize("change", HOSTILE, ids=lambda change: change.__name__)
def test_a_hostile_file_is_one_clean_error(change, tmp_path):
    path = write(tmp_path, PLAIN, weights=np.zeros((3, 3)))
    change(path)
    with pytest.raises(InvalidArchive) as error:
        ist.inspect(path)
    assert str(error.value).count("model.h5") == 1


def test_damaged_files_give_a_verdict_or_an_error_of_ours(tmp_path):
    rng = random.Random(0)
    with pytest.MonkeyPatch.context() as patch:
        without_drawing(patch)
        ZOO["document_supervised_2"].build().save(tmp_path / "whole.h5")
    whole = (tmp_path / "whole.h5").read_bytes()
    # Most of the file is weights, which are not read.
    with h5py.File(tmp_path / "whole.h5") as file:
        description = file.attrs["model_config"]
    at = whole.index(description[:40].encode())
    for round_ in range(200):
        data = bytearray(whole)
        for _ in range(rng.randint(1, 4)):
            place = rng.randrange(2_000) if round_ % 2 else rng.randrange(at, at + 8_000)
            data[place] = rng.randrange(256)
        (tmp_path / "model.h5").write_bytes(data)
        with contextlib.suppress(InvalidArchive):
            str(ist.inspect(tmp_path / "model.h5"))


@pytest.mark.parametrize("libver", ["earliest", "latest", "v108"])
@pytest.mark.parametrize("many", [3, 100])
def test_the_layout_is_that_which_h5py_reads(libver, many, tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w", libver=libver) as file:
        file.attrs["short"], file.attrs["fixed"] = "text", np.bytes_(b"bytes")
        file.attrs["long"] = "long" * 30_000
        file.attrs["empty"] = ""
        file.attrs["unicode"] = "größe"
        for i in range(many):
            group = file.create_group(f"group {i}/inner")
            group[f"array {i}"] = np.zeros((i, 2, 3), "float32")
            group.attrs["other"] = np.arange(3)
        file["scalar"] = 3.0
        file.create_dataset("packed", (50, 4), dtype="f4", chunks=(10, 4), compression="gzip")
        expected: dict = {}
        file.visititems(
            lambda name, item: (
                expected.update({name: item.shape}) if isinstance(item, h5py.Dataset) else None
            )
        )
    names = ("short", "fixed", "long", "empty", "unicode", "none")
    if libver != "earliest" and many > 8:
        with pytest.raises(InvalidArchive, match="form that Keras does not use"):
            read_outline(path, names)
        return
    outline = read_outline(path, names)
    assert outline.arrays == expected
    wanted = {"short": "text", "fixed": "bytes", "long": "long" * 30_000}
    assert outline.attributes == {**wanted, "empty": "", "unicode": "größe"}


def test_files_on_which_the_hdf5_library_does_not_end(tmp_path):
    data = write(tmp_path, PLAIN).read_bytes()
    at = data.index(b"GCOL") + 16
    (tmp_path / "model.h5").write_bytes(data[:at] + bytes(16) + data[at + 16 :])
    with pytest.raises(InvalidArchive, match="a text is missing"):
        ist.inspect(tmp_path / "model.h5")


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    with pytest.raises(InvalidArchive, match="no file of that name"):
        ist.inspect(tmp_path / "none.h5")
    (tmp_path / "folder.h5").mkdir()
    with pytest.raises(InvalidArchive, match="cannot be read"):
        ist.inspect(tmp_path / "folder.h5")


def test_a_file_is_recognised_by_its_content(tmp_path):
    write(tmp_path, PLAIN).rename(tmp_path / "model.keras")
    assert ist.inspect(tmp_path / "model.keras", target="input").kind == UNDER
    keras.Sequential([keras.Input((20,)), layers.Dense(3), layers.Dense(20)]).save(
        tmp_path / "a.keras"
    )
    assert zipfile.is_zipfile(tmp_path / "a.keras")
    (tmp_path / "a.keras").rename(tmp_path / "a.h5")
    assert ist.inspect(tmp_path / "a.h5", target="input").kind == UNDER
