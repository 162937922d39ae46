"""A file is read, never run; and whatever it holds, the answer is a verdict or one clean error."""

import contextlib
import io
import json
import random
import zipfile
from pathlib import Path

import keras
import pytest
from keras import layers
from models import CLASSIFIER, UNDECIDED, ZOO, without_drawing

import isthmus as ist
from isthmus.core.errors import InvalidArchive, InvalidParameter
from isthmus.verdict.verdict import inspect

VICTIMS = ("document_supervised_2", "document_variational", "words", "unet_with_a_skip")


@pytest.fixture(scope="module")
def configs(tmp_path_factory):
    """The configurations of some models, by name."""
    folder = tmp_path_factory.mktemp("files")
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        without_drawing(patch)
        for name in VICTIMS:
            ZOO[name].build().save(folder / f"{name}.keras")
            with zipfile.ZipFile(folder / f"{name}.keras") as archive:
                found[name] = json.loads(archive.read("config.json"))
    return found


def write(folder: Path, config: object) -> Path:
    path = folder / "model.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", config if isinstance(config, str) else json.dumps(config))
    return path


def layer(kind: str, module: str | None = "keras.layers", **settings: object) -> dict:
    return {"module": module, "class_name": kind, "config": settings, "registered_name": None}


def sequence(*records: dict) -> dict:
    first = layer("InputLayer", batch_shape=[None, 8], name="rows")
    config = {"name": "seq", "layers": [first, *records]}
    return {"module": "keras", "class_name": "Sequential", "config": config}


def test_a_lambda_is_reported_and_stays_inert(tmp_path):
    mark = tmp_path / "ran"
    place = str(mark)
    touch = layers.Lambda(lambda x: (Path(place).touch(), x)[1])
    model = keras.Sequential([keras.Input((4,)), touch, layers.Dense(4)])
    mark.unlink(missing_ok=True)  # building the model here calls it
    model.save(tmp_path / "lambda.keras")
    mark.unlink(missing_ok=True)
    verdict = ist.inspect(tmp_path / "lambda.keras")
    assert not mark.exists()
    assert verdict.is_autoencoder is None
    assert any("contains Python code" in reason for reason in verdict.reasons)


GADGETS = (
    layer("system", "os", command="touch {mark}"),
    layer("get_file", "keras.utils", origin="file:///etc/passwd", name="get"),
    layer("TFSMLayer", filepath="{mark}", name="tfsm"),
    layer("Evil", None, name="evil") | {"registered_name": "Custom>Evil"},
    layer("Dense", units=4, name="d", activation=layer("eval", "builtins", source="1")),
    layer("Dense", units=4, name="d", kernel_initializer=layer("run", "subprocess", args="touch")),
    layer("Dense", units=4, name="d")
    | {"build_config": {"class_name": "function", "module": "os", "config": "system"}},
)


@pytest.mark.parametrize("gadget", GADGETS, ids=lambda gadget: gadget["class_name"])
def test_gadgets_are_reported_and_stay_inert(gadget, tmp_path, monkeypatch):
    mark = tmp_path / "ran"
    monkeypatch.setattr("importlib.import_module", lambda *_, **__: mark.touch())
    text = json.dumps(sequence(gadget)).replace("{mark}", str(mark))
    verdict = inspect(write(tmp_path, text))
    assert not mark.exists()
    assert any("neither imported nor run" in reason for reason in verdict.reasons)


def test_a_model_of_its_authors_class_is_not_decidable_from_its_file(tmp_path):
    record = {"module": "somewhere", "class_name": "Mine", "config": {"name": "mine"}}
    verdict = ist.inspect(write(tmp_path, record), target="input")
    assert (verdict.is_autoencoder, verdict.kind) == (None, UNDECIDED)
    assert any("Mine" in reason for reason in verdict.reasons)
    assert verdict.parameters is None


def test_names_cannot_write_to_the_terminal(tmp_path):
    record = sequence(layer("Dense", units=8, name="\x1b[2Jgone" + "x" * 500))
    text = str(ist.inspect(write(tmp_path, record)))
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) < 250


def nested(depth: int) -> dict:
    record = layer("Dense", units=4, name="d")
    for number in range(depth):
        config = {"name": f"m{number}", "layers": [record]}
        record = {"module": "keras", "class_name": "Sequential", "config": config}
    return record


def circle() -> dict:
    def wired(name: str, source: str) -> dict:
        wire = {"class_name": "__keras_tensor__", "config": {"keras_history": [source, 0, 0]}}
        record = layer("Dense", units=4, name=name)
        return {**record, "name": name, "inbound_nodes": [{"args": [wire], "kwargs": {}}]}

    config = {
        "name": "circle",
        "layers": [wired("a", "b"), wired("b", "a")],
        "input_layers": [],
        "output_layers": [["a", 0, 0]],
    }
    return {"module": "keras.src.models.functional", "class_name": "Functional", "config": config}


def nameless() -> dict:
    rows = layer("InputLayer", name="rows", batch_shape=[None, 3]) | {"name": "rows"}
    config = {
        "layers": [rows],
        "input_layers": [["rows", 0, 0]],
        "output_layers": {"a": ["rows", 0, 0], "b": []},
    }
    return {"module": "keras.src.models.functional", "class_name": "Functional", "config": config}


HOSTILE = {
    "names without outputs": nameless(),
    "no model": [1, 2],
    "no settings": {"class_name": "Sequential"},
    "nested": nested(15),
    "very nested": "[" * 100_000,
    "wrong types": {"module": "keras", "class_name": "Sequential", "config": {"layers": 7}},
    "circle": circle(),
    "long": sequence(*(layer("Dense", units=4, name=f"d{i}") for i in range(2_500))),
    "no JSON": "{'",
    "not a number": '{"class_name": NaN}',
    "same key twice": '{"a": 1, "a": 2}',
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_model_is_one_clean_error(name, tmp_path):
    with pytest.raises(InvalidArchive) as error:
        ist.inspect(write(tmp_path, HOSTILE[name]))
    named = ["model.keras" in part for part in (*error.value.context, error.value.subject)]
    assert named.count(True) == 1


@pytest.mark.parametrize("units", [10**30, -4, 2.5, True, "4", None, [4], {}])
def test_sizes_that_are_none_are_not_believed(units, tmp_path):
    verdict = ist.inspect(write(tmp_path, sequence(layer("Dense", units=units, name="d"))))
    assert verdict.is_autoencoder is None
    assert any("shapes" in reason for reason in verdict.reasons)


def test_shapes_that_a_file_states_are_checked_against_its_settings(configs, tmp_path):
    text = json.dumps(configs["document_supervised_2"]).replace("[null, 2]", "[null, 999]")
    verdict = ist.inspect(write(tmp_path, text), target="input")
    assert verdict.code_size == 2
    assert any("output shape that the file states" in reason for reason in verdict.reasons)


def test_a_zip_bomb_and_a_truncated_zip_are_refused(tmp_path):
    path = tmp_path / "bomb.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", b" " * (40 * 2**20))
    with pytest.raises(InvalidArchive, match="at most"):
        ist.inspect(path)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(InvalidArchive, match=r"bomb\.keras"):
        ist.inspect(path)


def test_other_files_are_refused_with_what_to_do(tmp_path):
    for name, content in {
        "old.h5": b"\x89HDF\r\n\x1a\n rest",
        "renamed.keras": b"\x89HDF\r\n\x1a\n rest",
        "empty.keras": b"",
        "text.isthmus": b"hello, world",
    }.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InvalidArchive, match=r"Try: "):
            ist.inspect(tmp_path / name)
    for name in ("none.keras", "none.isthmus"):
        with pytest.raises(InvalidArchive, match="no file of that name"):
            ist.inspect(tmp_path / name)
    with pytest.raises(InvalidArchive):
        ist.inspect(tmp_path)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("x.npy", b"")
    (tmp_path / "arrays.npz").write_bytes(buffer.getvalue())
    with pytest.raises(InvalidArchive, match=r"one config\.json"):
        ist.inspect(tmp_path / "arrays.npz")


def mutate(value: object, rng: random.Random) -> object:
    """Change one thing somewhere in a value."""
    junk = [None, -1, 10**12, 0.5, "x", "", [], {}, [[]], {"class_name": "Dense"}, True]
    if isinstance(value, dict) and value and rng.random() < 0.95:
        key = rng.choice(list(value))
        change = rng.random()
        if change < 0.04:
            return {k: v for k, v in value.items() if k != key}
        return {**value, key: mutate(value[key], rng)}
    if isinstance(value, list) and value and rng.random() < 0.95:
        place = rng.randrange(len(value))
        if rng.random() < 0.05:
            return value[:place] + value[place + 1 :]
        return [*value[:place], mutate(value[place], rng), *value[place + 1 :]]
    return rng.choice(junk)


@pytest.mark.parametrize("name", VICTIMS)
def test_mutated_files_give_a_verdict_or_an_error_of_ours(name, configs, tmp_path):
    rng = random.Random(0)
    for _ in range(150):
        config = configs[name]
        for _ in range(rng.randint(1, 3)):
            config = mutate(config, rng)
        path = write(tmp_path, config)
        with contextlib.suppress(InvalidArchive):
            str(ist.inspect(path, target=rng.choice(["input", "labels", None])))


@pytest.mark.parametrize("wrong", [7, None, layers.Dense(3)])
def test_what_is_no_model_at_all_is_refused(wrong):
    with pytest.raises(InvalidParameter, match=r"keras\.Model"):
        ist.inspect(wrong)


def test_an_unknown_target_is_refused():
    with pytest.raises(InvalidParameter, match="'input', 'labels', 'other'"):
        ist.inspect("model.keras", target="itself")


def test_a_file_of_keras_2_is_understood(tmp_path):
    def old(kind: str, name: str, *sources: str, **settings: object) -> dict:
        nodes = [[[source, 0, 0, {}] for source in sources]] if sources else []
        record = layer(kind, name=name, **settings)
        return {**record, "name": name, "inbound_nodes": nodes}

    config = {
        "name": "model",
        "layers": [
            old("InputLayer", "in", batch_input_shape=[None, 20]),
            old("Dense", "small", "in", units=4, activation="relu"),
            old("Dense", "out", "small", units=3, activation="softmax"),
        ],
        "input_layers": [["in", 0, 0]],
        "output_layers": [["out", 0, 0]],
    }
    record = {"module": "keras.src.engine.functional", "class_name": "Functional", "config": config}
    verdict = ist.inspect(write(tmp_path, record))
    assert (verdict.is_autoencoder, verdict.kind) == (False, CLASSIFIER)
    assert verdict.parameters.total == 20 * 4 + 4 + 4 * 3 + 3
