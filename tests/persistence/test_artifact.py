import gzip
import hashlib
import json
import math
import os
import pickle
import stat
import zipfile

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from isthmus.core.errors import CannotWrite, InvalidArchive, InvalidParameter
from isthmus.persistence import artifact
from isthmus.persistence.artifact import Artifact

KEPT = [
    *("float64", "float32", "float16", "bool", "int64", "int32", "int16", "int8"),
    *("uint64", "uint32", "uint16", "uint8"),
]
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=10,
)


@pytest.fixture
def model():
    arrays = {"kernel": np.arange(6, dtype=np.float32).reshape(2, 3), "bias": np.zeros(3)}
    return Artifact("autoencoder", {"latent_dim": 2, "columns": ["a", "größe"]}, arrays)


@pytest.fixture
def blob(model):
    return artifact.to_bytes(model)


def forged(blob, change):
    """Change the manifest in place and update its checksum."""
    length = int.from_bytes(blob[:8], "little")
    header = json.loads(blob[8 : 8 + length])
    manifest = json.loads(header["__metadata__"]["isthmus"])
    manifest = change(manifest) or manifest
    text = json.dumps(manifest)
    return rebuilt(blob, header, text)


def rebuilt(blob, header, text):
    length = int.from_bytes(blob[:8], "little")
    digest = hashlib.sha256(text.encode()).hexdigest()
    header["__metadata__"] = {"isthmus": text, "sha256": digest}
    raw = json.dumps(header).encode()
    raw += b" " * (-len(raw) % 8)
    return len(raw).to_bytes(8, "little") + raw + blob[8 + length :]


def same(one, other):
    """Whether values are equal, types and NaN included."""
    return repr(one) == repr(other)


# --- what goes in comes out -------------------------------------------------------------------


@given(
    st.dictionaries(
        TEXT.filter(lambda name: name != "__metadata__"),
        st.sampled_from(KEPT).flatmap(
            lambda kind: hnp.arrays(kind, hnp.array_shapes(min_dims=0, min_side=0, max_side=4))
        ),
        max_size=4,
    ),
    st.dictionaries(TEXT, JSON, max_size=4),
)
def test_arrays_and_manifest_come_back_bit_for_bit(arrays, manifest):
    back = artifact.from_bytes(artifact.to_bytes(Artifact("thing", manifest, arrays)))
    assert back.kind == "thing"
    assert same(back.manifest, manifest)
    assert set(back.arrays) == set(arrays)
    for name, array in arrays.items():
        assert back.arrays[name].dtype == array.dtype
        assert back.arrays[name].shape == array.shape
        assert back.arrays[name].tobytes() == array.tobytes()


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6.0).reshape(2, 3).T,
        np.arange(10)[::-2],
        np.arange(3, dtype=">f8"),
        np.array(5, dtype=np.int8),
        np.array([1, 2, 3], dtype=ml_dtypes.bfloat16),
        np.broadcast_to(np.float32(1), (3, 2)),
    ],
)
def test_layout_and_byte_order_do_not_matter(array):
    back = artifact.from_bytes(artifact.to_bytes(Artifact("thing", {}, {"a": array}))).arrays["a"]
    assert back.dtype == array.dtype.newbyteorder("=")
    assert np.array_equal(back, array)


def test_numpy_scalars_tuples_and_non_finite_numbers_are_said_in_json():
    manifest = {"a": np.float32(0.5), "b": (1, np.int64(2)), "c": [math.nan, -math.inf, math.inf]}
    back = artifact.from_bytes(artifact.to_bytes(Artifact("thing", manifest, {}))).manifest
    assert same(back, {"a": 0.5, "b": [1, 2], "c": [math.nan, -math.inf, math.inf]})


@pytest.mark.parametrize("key", ["$float", "$$float", "$", "$$", "$x"])
def test_a_column_may_have_the_name_of_our_mark(key):
    manifest = {key: "nan", "b": {key: math.nan}}
    assert same(
        artifact.from_bytes(artifact.to_bytes(Artifact("t", manifest, {}))).manifest, manifest
    )


def test_versions_of_the_writer_are_kept(model, blob):
    assert {"isthmus", "python", "numpy", "keras", "jax"} <= set(model.versions)
    older = Artifact(model.kind, model.manifest, model.arrays, {"isthmus": "0.0.1"})
    assert artifact.from_bytes(artifact.to_bytes(older)).versions == {"isthmus": "0.0.1"}


def test_arrays_read_are_read_only(blob):
    with pytest.raises(ValueError, match="read-only"):
        artifact.from_bytes(blob).arrays["kernel"][0, 0] = 1


def test_any_safetensors_reader_can_take_the_arrays_out(blob, model):
    taken = safetensors.numpy.load(blob)
    assert np.array_equal(taken["kernel"], model.arrays["kernel"])


@pytest.mark.parametrize(
    ("manifest", "place"),
    [
        ({"loss": lambda: 0}, "the manifest.content.loss"),
        ({"a": [1, {"b": {1, 2}}]}, r"content\.a\[1\]\.b"),
        ({1: 2}, "keys that are strings"),
    ],
)
def test_what_json_cannot_say_is_refused_by_its_place(manifest, place):
    with pytest.raises(InvalidParameter, match=place):
        artifact.to_bytes(Artifact("thing", manifest, {}))


def test_endless_nesting_is_refused():
    manifest = {}
    manifest["itself"] = manifest
    with pytest.raises(InvalidParameter, match="levels of nesting"):
        artifact.to_bytes(Artifact("thing", manifest, {}))


@pytest.mark.parametrize("wrong", [np.array(["text"]), np.array([object()]), np.array([1j])])
def test_arrays_that_are_not_kept_are_refused_by_name(wrong):
    with pytest.raises(InvalidParameter, match="array 'weird' cannot be saved"):
        artifact.to_bytes(Artifact("thing", {}, {"weird": wrong}))


# --- files ------------------------------------------------------------------------------------


def test_file_holds_what_was_written_and_nothing_else_is_left(tmp_path, model):
    path = tmp_path / "m.isthmus"
    artifact.write(path, model)
    artifact.write(str(path), model)
    assert same(artifact.read(path).manifest, model.manifest)
    assert list(tmp_path.iterdir()) == [path]


def test_refused_model_leaves_the_old_file(tmp_path, model):
    path = tmp_path / "m.isthmus"
    artifact.write(path, model)
    with pytest.raises(InvalidParameter):
        artifact.write(path, Artifact("thing", {"a": object()}, {}))
    assert artifact.read(path).kind == "autoencoder"


def test_missing_folder_is_said(tmp_path, model):
    with pytest.raises(CannotWrite, match="create the folder first"):
        artifact.write(tmp_path / "absent" / "m.isthmus", model)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "an empty file"),
        (b"abc", "3 bytes, too few"),
        (b"just some text, nothing else", "a text file"),
        (b"\x89HDF\r\n\x1a\n" + bytes(50), "an HDF5 file"),
        (pickle.dumps(list(range(50)), protocol=2), "a Python pickle"),
        (pickle.dumps(list(range(50)), protocol=4), "a Python pickle"),
        (gzip.compress(os.urandom(2**20), mtime=0), "a gzip file"),
        (b"\x93NUMPY" + bytes(50), "a NumPy .npy file"),
        (bytes(100), "a file of another kind"),
        ((2**62).to_bytes(8, "little") + b"{}" * 50, "beyond the limit"),
        ((2**26 + 1).to_bytes(8, "little") + b"{}" * 50, "beyond the limit"),
        ((2**20).to_bytes(8, "little") + b"{}" * 50, "truncated"),
    ],
)
def test_other_files_are_called_by_their_name(tmp_path, content, message):
    path = tmp_path / "m.isthmus"
    path.write_bytes(content)
    with pytest.raises(InvalidArchive, match=message) as caught:
        artifact.read(path)
    assert caught.value.subject == repr(str(path))
    assert caught.value.remedy


def test_zip_file_is_called_by_its_name(tmp_path):
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("../../escape", "x")
    with pytest.raises(InvalidArchive, match=r"a zip file, such as Keras's \.keras"):
        artifact.read(path)
    assert not (tmp_path.parent.parent / "escape").exists()


def test_safetensors_of_another_program(tmp_path):
    path = tmp_path / "m.safetensors"
    path.write_bytes(safetensors.numpy.save({"a": np.zeros(3)}))
    with pytest.raises(InvalidArchive, match="safetensors file of another program"):
        artifact.read(path)


def test_paths_that_are_no_files(tmp_path):
    with pytest.raises(InvalidArchive, match="no file of that name"):
        artifact.read(tmp_path / "absent.isthmus")
    with pytest.raises(InvalidArchive, match="received a folder"):
        artifact.read(tmp_path)
    with pytest.raises(InvalidArchive, match="cannot be read"):
        artifact.read(tmp_path / ("n" * 300))
    with pytest.raises(InvalidArchive, match="cannot be read"):
        artifact.read("with\0nothing")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are a thing of Unix")
def test_pipe_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InvalidArchive, match="not a regular file"):
        artifact.read(tmp_path / "pipe")


@pytest.mark.skipif(os.name != "posix", reason="sparse files of Unix")
def test_length_is_not_believed_before_it_is_checked(tmp_path, blob):
    """A sparse file that claims a terabyte must not cause an allocation of that size."""
    path = tmp_path / "m.isthmus"
    path.write_bytes(blob)
    os.truncate(path, 2**40)
    with pytest.raises(InvalidArchive, match="bytes too many at the end"):
        artifact.read(path)


# --- damage and malice ------------------------------------------------------------------------


@given(st.data())
def test_no_bit_may_flip(data):
    arrays = {"kernel": np.arange(6, dtype=np.float32), "bias": np.ones(3)}
    blob = bytearray(artifact.to_bytes(Artifact("autoencoder", {"latent_dim": 2}, arrays)))
    place = data.draw(st.integers(0, len(blob) * 8 - 1))
    blob[place // 8] ^= 1 << place % 8
    try:
        back = artifact.from_bytes(bytes(blob))
    except InvalidArchive:
        return
    # Only bits without a meaning may flip, such as those of the padding.
    assert back.manifest == {"latent_dim": 2}
    assert all(back.arrays[name].tobytes() == arrays[name].tobytes() for name in arrays)


def test_flipped_bit_in_an_array_is_laid_at_its_door(model):
    blob = bytearray(artifact.to_bytes(model))
    blob[-1] ^= 1
    with pytest.raises(InvalidArchive, match="the array 'kernel', whose bytes"):
        artifact.from_bytes(bytes(blob))


def test_every_truncation_is_seen(blob):
    for length in range(len(blob)):
        with pytest.raises(InvalidArchive):
            artifact.from_bytes(blob[:length])
    with pytest.raises(InvalidArchive, match="a truncated file: "):
        artifact.from_bytes(blob[:-1])


@pytest.mark.parametrize("extra", [b"\0", b"PK\x03\x04", bytes(5000)])
def test_nothing_may_follow(blob, extra):
    with pytest.raises(InvalidArchive, match="too many at the end"):
        artifact.from_bytes(blob + extra)


@given(st.binary(max_size=300))
def test_random_bytes_are_refused(content):
    with pytest.raises(InvalidArchive):
        artifact.from_bytes(content)


def test_newer_format_names_its_writer(blob):
    def newer(manifest):
        manifest.update(format=2, versions={"isthmus": "9.1"}, extra="unknown")

    with pytest.raises(InvalidArchive, match=r"format 2, written by isthmus 9\.1.*--upgrade"):
        artifact.from_bytes(forged(blob, newer))


def test_kind_is_checked(blob):
    assert artifact.from_bytes(blob, kind="autoencoder").kind == "autoencoder"
    with pytest.raises(InvalidArchive, match="a saved codec, received 'autoencoder'"):
        artifact.from_bytes(blob, kind="codec")


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.pop("content") and None,
        lambda m: m.update(content=[]),
        lambda m: m.update(versions={"isthmus": 1}),
        lambda m: m.update(versions=None),
        lambda m: m.update(entries={}),
        lambda m: m.update(entries=[]),
        lambda m: m.update(kind=None),
        lambda m: m.update(format="1"),
        lambda m: m.update(format=True),
        lambda m: m.update(format=-1),
        lambda m: m.update(more=1),
        lambda m: m["entries"].update(extra=m["entries"]["bias"]),
        lambda m: m["entries"].pop("bias") and None,
        lambda m: m["entries"]["bias"].update(sha256="0" * 64),
        lambda m: m["entries"]["bias"].update(shape=[3, 1]),
        lambda m: m["entries"]["bias"].update(dtype="float32"),
        lambda m: m["entries"]["bias"].update(dtype="bfloat16"),
        lambda m: m["entries"].update(bias=None),
        lambda m: [m],
        lambda m: "manifest",
    ],
)
def test_manifest_must_be_whole_even_under_a_right_checksum(blob, change):
    with pytest.raises(InvalidArchive):
        artifact.from_bytes(forged(blob, change))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"format":1,"format":1}', "a key appears twice"),
        ('{"format":NaN}', "NaN is not JSON"),
        ('{"format":1e999}', "too large"),
        ('{"format":' + "9" * 5000 + "}", "digits"),
        ("[" * 100_000 + "]" * 100_000, "nested too deeply"),
        ("[" * 100 + "]" * 100, "nested more than"),
        ('{"a":{"$float":"1"}}', "not nan, inf or -inf"),
        ('{"a":{"$float":["nan"]}}', "not nan, inf or -inf"),
        ('{"a":{"$float":"nan","b":1}}', "not nan, inf or -inf"),
        ("[" + "0," * 4_000_001 + "0]", "more than 4000000 values"),
        ("", "Expecting value"),
    ],
)
def test_manifest_is_strict_json(blob, text, reason):
    header = json.loads(blob[8 : 8 + int.from_bytes(blob[:8], "little")])
    with pytest.raises(InvalidArchive, match=reason):
        artifact.from_bytes(rebuilt(blob, header, text))


@pytest.mark.parametrize(
    "change",
    [
        lambda e: e.update(shape=[2**62, 2**62]),
        lambda e: e.update(shape=[-3]),
        lambda e: e.update(shape="3"),
        lambda e: e.update(dtype="F999"),
        lambda e: e.update(dtype="F8_E4M3"),
        lambda e: e.update(dtype="C64"),
        lambda e: e.update(data_offsets=[0, 2**70]),
        lambda e: e.update(data_offsets=[24, 0]),
        lambda e: e.update(data_offsets=[0]),
        lambda e: e.update(data_offsets=[False, True]),
        lambda e: e.update(data_offsets=None),
        lambda e: e.clear(),
    ],
)
def test_places_of_arrays_are_checked(blob, change):
    length = int.from_bytes(blob[:8], "little")
    header = json.loads(blob[8 : 8 + length])
    change(header["bias"])
    with pytest.raises(InvalidArchive):
        artifact.from_bytes(rebuilt(blob, header, header["__metadata__"]["isthmus"]))


def test_permissions_of_a_new_file_are_the_usual_ones(tmp_path, model):
    (tmp_path / "plain").touch()
    artifact.write(tmp_path / "m.isthmus", model)
    usual = stat.S_IMODE((tmp_path / "plain").stat().st_mode)
    assert stat.S_IMODE((tmp_path / "m.isthmus").stat().st_mode) == usual


def test_saving_twice_gives_the_same_bytes(tmp_path, model, blob):
    path = tmp_path / "m.isthmus"
    artifact.write(path, artifact.from_bytes(blob))
    assert path.read_bytes() == blob == artifact.to_bytes(model)
