"""Beside what is proven: what is likely, with the evidence."""

import json
import zipfile

import h5py
import keras
import numpy as np
import pytest
from keras import layers
from models import CLASSIFIER, DENOISING, OVER, UNDER, VARIATIONAL, dense, without_drawing
from tutorial_models import TUTORIALS

import isthmus as ist
from isthmus.core.errors import InvalidArchive
from isthmus.verdict.weight_layout import parts_of


@pytest.fixture(autouse=True)
def _quickly(monkeypatch):
    without_drawing(monkeypatch)


def compiled(model, loss):
    model.compile("adam", loss=loss)
    return model


def test_the_report_says_what_is_likely_with_its_evidence():
    model = compiled(dense(784, 32, 784, name="net"), "binary_crossentropy")
    verdict = ist.inspect(model)
    assert (verdict.is_autoencoder, verdict.likely) == (None, UNDER)
    assert verdict.evidence == (
        "the output has the shape of the input (784)",
        "the compiled loss is binary_crossentropy",
        "the code has 32 numbers where the input has 784",
    )
    first, second = str(verdict).splitlines()[:2]
    assert first == "autoencoder?  not decidable from this"
    assert second.startswith("likely        an undercomplete autoencoder: the output has the shape")


@pytest.mark.parametrize("target", ["input", "labels", "other"])
def test_nothing_is_likely_if_it_is_decided(target):
    verdict = ist.inspect(compiled(dense(20, 4, 20), "mse"), target=target)
    assert (verdict.likely, verdict.evidence) == (None, ())
    assert "likely" not in str(verdict)


@pytest.mark.parametrize(
    ("sizes", "last", "loss", "name", "likely"),
    [
        ((20, 4, 20), "linear", None, "net", None),
        ((20, 4, 20), "linear", "mse", "net", UNDER),
        ((20, 4, 20), "linear", None, "my_autoencoder", UNDER),
        ((20, 8, 4, 8, 20), "linear", None, "net", UNDER),
        ((20, 40, 20), "linear", "mse", "net", None),
        ((20, 40, 20), "linear", "mse", "autoencoder", OVER),
        ((20, 40, 20), "softmax", "categorical_crossentropy", "net", CLASSIFIER),
        ((20, 4, 20), "softmax", "categorical_crossentropy", "net", CLASSIFIER),
        ((20, 4, 20), "softmax", "mse", "net", None),
        ((20, 4, 20), "linear", "categorical_crossentropy", "net", None),
    ],
)
def test_more_than_one_sign_is_needed(sizes, last, loss, name, likely):
    model = dense(*sizes, last=last, name=name)
    assert ist.inspect(compiled(model, loss) if loss else model).likely == likely


def test_a_loss_that_is_told_is_a_sign():
    assert ist.inspect(dense(20, 4, 20, name="net"), loss="mae").likely == UNDER


def test_an_output_of_unknown_shape_is_supposed_to_have_the_shape_of_the_input(tmp_path):
    TUTORIALS["tied_decoder"].build().save(tmp_path / "model.h5")
    verdict = ist.inspect(tmp_path / "model.h5")
    assert verdict.likely == UNDER
    assert verdict.evidence[0].startswith("the shape of the output is not known, but if")


# ---------------------------------------------------------------- the layout of weights


PLAIN = {
    "encoder/layers/dense/vars/0": (20, 8),
    "encoder/layers/dense/vars/1": (8,),
    "encoder/layers/dense_1/vars/0": (8, 3),
    "decoder/layers/dense/vars/0": (3, 8),
    "decoder/layers/dense_1/vars/0": (8, 20),
}


def custom(folder, arrays, shape=(None, 20), loss="mse", *, compress=False, change=None):
    """Write a file of a model of a custom class, with weights of these shapes."""
    with h5py.File(folder / "weights.h5", "w") as file:
        for path, size in arrays.items():
            file.create_dataset(path, size, dtype="float32")
        if change is not None:
            change(file)
    record = {
        "module": "mine",
        "class_name": "Mine",
        "config": {"name": "mine"},
        "build_config": {"input_shape": shape},
        "compile_config": {"loss": loss},
    }
    path = folder / "model.keras"
    kind = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
    with zipfile.ZipFile(path, "w", kind) as archive:
        archive.writestr("config.json", json.dumps(record))
        archive.write(folder / "weights.h5", "model.weights.h5")
    return path


def test_weights_named_encoder_and_decoder_that_fit_are_signs(tmp_path):
    verdict = ist.inspect(custom(tmp_path, PLAIN))
    assert (verdict.is_autoencoder, verdict.likely) == (None, UNDER)
    assert 'the model has parts named "encoder" and "decoder"' in verdict.evidence
    assert any("custom class Mine" in reason for reason in verdict.reasons)


def changed(**by_path):
    return {**PLAIN, **{path.replace("__", "/"): shape for path, shape in by_path.items()}}


IMAGES = {
    "encoder/layers/conv2d/vars/0": (3, 3, 1, 8),
    "encoder/layers/conv2d_1/vars/0": (3, 3, 8, 4),
    "decoder/layers/conv2d_transpose/vars/0": (3, 3, 8, 4),
    "decoder/layers/conv2d/vars/0": (3, 3, 8, 1),
}
SEQUENCES = {
    "encoder/layers/lstm/cell/vars/0": (5, 64),
    "encoder/layers/lstm/cell/vars/1": (16, 64),
    "decoder/layers/lstm/cell/vars/0": (16, 64),
    "decoder/layers/lstm/cell/vars/1": (16, 64),
    "decoder/layers/time_distributed/layer/vars/0": (16, 5),
}


@pytest.mark.parametrize(
    ("arrays", "shape", "likely"),
    [
        (PLAIN, (None, 4, 5), UNDER),
        (PLAIN, None, UNDER),
        (PLAIN, (None, 21), None),
        (changed(encoder__layers__dense_1__vars__0=(8, 4)), (None, 20), None),
        (changed(encoder__layers__dense_1__vars__0=(8, 6)), (None, 20), VARIATIONAL),
        (changed(encoder__other__vars__0=(8, 3)), (None, 20), VARIATIONAL),
        (changed(decoder__layers__dense_1__vars__0=(8, 19)), (None, 20), None),
        (changed(encoder__layers__odd__vars__0=(2, 3, 4)), (None, 20), None),
        (changed(encoder__layers__odd__vars__0=(0, 3)), (None, 20), None),
        ({k: v for k, v in PLAIN.items() if k[0] == "e"}, (None, 20), None),
        ({k.replace("coder", "x"): v for k, v in PLAIN.items()}, (None, 20), None),
        (IMAGES, (None, 8, 8, 1), OVER),
        (IMAGES | {"encoder/layers/conv2d_1/vars/0": (3, 3, 8, 2)}, (None, 8, 8, 1), None),
        (SEQUENCES, (None, 10, 5), UNDER),
        (SEQUENCES, (None, 2, 5), OVER),
        (SEQUENCES, (None, None, 5), None),
        ({}, (None, 20), None),
    ],
)
def test_the_shapes_of_weights(arrays, shape, likely, tmp_path):
    verdict = ist.inspect(custom(tmp_path, arrays, shape))
    assert (verdict.is_autoencoder, verdict.likely) == (None, likely), str(verdict)


@pytest.mark.parametrize("target", ["labels", "other"])
def test_a_target_that_is_not_the_input_is_believed(target, tmp_path):
    assert ist.inspect(custom(tmp_path, PLAIN), target=target).likely is None


def test_a_loss_on_classes_speaks_against_it(tmp_path):
    path = custom(tmp_path, PLAIN, loss="sparse_categorical_crossentropy")
    assert ist.inspect(path).likely is None


def far(file):
    file["far"] = h5py.ExternalLink("other.h5", "/")


def elsewhere(file):
    file.create_dataset("a", (10,), dtype="u1", external=[("/etc/hostname", 0, 10)])


@pytest.mark.parametrize("change", [far, elsewhere])
def test_hostile_weights_are_one_clean_error(change, tmp_path):
    path = custom(tmp_path, PLAIN, change=change)
    with pytest.raises(InvalidArchive, match=r"model\.weights\.h5 in .*model\.keras.*itself"):
        ist.inspect(path)


def test_weights_are_neither_unpacked_nor_believed_to_be_hdf5(tmp_path):
    with pytest.raises(InvalidArchive, match="uncompressed"):
        ist.inspect(custom(tmp_path, PLAIN, compress=True))
    record = {"module": "mine", "class_name": "Mine", "config": {}}
    for content in (b"", b"\x89HDF\r\n\x1a\n", b"PK" * 99):
        with zipfile.ZipFile(tmp_path / "other.keras", "w") as archive:
            archive.writestr("config.json", json.dumps(record))
            archive.writestr("model.weights.h5", content)
        with pytest.raises(InvalidArchive, match=r"other\.keras"):
            ist.inspect(tmp_path / "other.keras")


def test_layers_are_ordered_by_their_numbers():
    widths = (90, 80, 70, 60, 50, 40, 30, 20, 15, 10, 9, 8)
    names = [f"dense_{i}" if i else "dense" for i in range(len(widths) - 1)]
    arrays = {
        f"{part}/{name}/kernel": (a, b)
        for part, way in (("sequential", widths), ("sequential_1", widths[::-1]))
        for name, a, b in zip(names, way, way[1:], strict=False)
    }
    parts = parts_of(dict(sorted(arrays.items())))
    assert [unit.out for unit in parts.encoder] == list(widths[1:])
    assert [unit.into for unit in parts.decoder] == list(widths[:0:-1])


def test_parts_of_authors_layers_in_a_live_model():
    model = TUTORIALS["keras_guide_subclassing"].build()
    verdict = ist.inspect(model)
    assert (verdict.is_autoencoder, verdict.likely) == (None, VARIATIONAL)
    assert any("as a mean and a spread" in clause for clause in verdict.evidence)
    assert verdict.parameters.total == model.count_params()


def test_names_in_the_evidence_cannot_write_to_the_terminal(tmp_path):
    path = custom(tmp_path, PLAIN, loss="vae\x1b[2J" + "x" * 500)
    text = str(ist.inspect(path))
    assert "vae[2j" in text
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) < 250


@pytest.mark.parametrize(
    ("kind", "parts", "target", "likely"),
    [
        ("MaskedAutoencoder", True, None, DENOISING),
        ("ConvVAE", True, None, VARIATIONAL),
        ("ConvVAE", False, None, None),
        ("ConvVAE", False, "input", VARIATIONAL),
        ("ConvVAE", True, "other", None),
        ("Autoencoder", True, "input", None),  # of which kind?
        ("MaskedLanguageModel", True, "input", None),
    ],
)
def test_the_name_of_the_class_is_a_sign(kind, parts, target, likely, tmp_path):
    arrays = {"encoder/odd/vars/0": (2, 3, 4), "decoder/odd/vars/0": (4, 3, 2)} if parts else {}
    path = custom(tmp_path, arrays)
    with zipfile.ZipFile(path) as archive:
        record = json.loads(archive.read("config.json")) | {"class_name": kind}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps(record))
        archive.write(tmp_path / "weights.h5", "model.weights.h5")
    verdict = ist.inspect(path, target=target)
    assert (verdict.is_autoencoder, verdict.likely) == (None, likely)


def test_models_without_weights_have_no_parts():
    class Odd(keras.Model):
        def build(self, shape):
            self.encoder = layers.Dense(3)

        def call(self, rows):
            return rows

    model = Odd()
    model(np.zeros((2, 3), "float32"))
    assert ist.inspect(model).likely is None
