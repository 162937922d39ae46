import copy
import os
import pickle
import subprocess
import sys
import textwrap
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest

import isthmus as ist
from isthmus.core.errors import CannotWrite, InvalidArchive, InvalidParameter, TrainingWarning
from isthmus.persistence import artifact

FUZZER = Path(__file__).resolve().parents[1] / "scripts" / "fuzz_archives.py"
KINDS = ("images", "linear", "own", "table")
SETTINGS = {"epochs": 2, "verbose": 0, "random_state": 0}


def table(n=60):
    generator = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "width": generator.normal(50, 9, n),
            "count": generator.integers(0, 9, n),
            "open": generator.random(n) > 0.5,
            "kind": pd.Categorical(np.array(["a", "b", "größe"])[generator.integers(0, 3, n)]),
            "day": pd.Timestamp("2020-02-29") + pd.to_timedelta(generator.integers(0, 99, n), "D"),
        }
    )
    frame.loc[3, "width"] = np.nan
    frame.loc[5, "kind"] = None
    return frame


def own_pair():
    from keras import Input, Model, Sequential, layers

    encoder = Sequential([Input((8, 8)), layers.Flatten(), layers.Dropout(0.1), layers.Dense(3)])
    code = Input((3,))
    hidden = layers.Dense(64, activation="tanh")(code)
    both = layers.Add()([hidden, layers.BatchNormalization()(hidden)])
    decoder = Model(code, layers.Reshape((8, 8))(layers.Dense(64)(both)))
    return {"encoder": encoder, "decoder": decoder}


def case(name, images):
    rows = images.reshape(len(images), -1)[:, 10:30]
    if name == "images":
        return ist.Autoencoder(2, hidden=(8,), **SETTINGS), images
    if name == "linear":
        return ist.Autoencoder(3, architecture="linear", loss="mae", **SETTINGS), rows
    if name == "own":
        return ist.Autoencoder(**own_pair(), **SETTINGS), images
    return ist.Autoencoder(2, hidden=(6, 4), l1=0.1, normalization="layer", **SETTINGS), table()


@pytest.fixture(scope="module")
def models(digits):
    cases = {name: case(name, digits.images[:80]) for name in KINDS}
    return {name: (model.fit(X), X) for name, (model, X) in cases.items()}


@pytest.fixture(params=KINDS)
def fitted(request, models):
    return models[request.param]


def frozen(value):
    """Return the bits of an output."""
    return value.tobytes() if isinstance(value, np.ndarray) else pickle.dumps(value.to_dict())


def assert_same(one, other, X):
    for method in ("transform", "reconstruct", "reconstruction_error"):
        assert frozen(getattr(one, method)(X)) == frozen(getattr(other, method)(X))
    Z = one.transform(X)
    assert frozen(one.inverse_transform(Z)) == frozen(other.inverse_transform(Z))
    for name in ("history_", "latent_dim_", "loss_", "best_epoch_", "stop_reason_", "n_samples_"):
        assert getattr(one, name) == getattr(other, name)
    assert one.n_features_in_ == other.n_features_in_
    assert list(getattr(one, "feature_names_in_", [])) == list(
        getattr(other, "feature_names_in_", [])
    )
    assert list(one.get_feature_names_out()) == list(other.get_feature_names_out())


def test_what_is_loaded_is_what_was_saved(fitted, tmp_path):
    model, X = fitted
    model.save(tmp_path / "m.isthmus")
    loaded = ist.load(tmp_path / "m.isthmus")
    assert type(loaded) is type(model)
    assert_same(model, loaded, X)
    plain = {k: v for k, v in model.get_params(deep=False).items() if k not in own_pair()}
    assert {k: v for k, v in loaded.get_params(deep=False).items() if k not in own_pair()} == plain


def test_a_fresh_process_gives_the_same_bits(models, tmp_path):
    for name, (model, X) in models.items():
        model.save(tmp_path / f"{name}.isthmus")
        (tmp_path / f"{name}.rows").write_bytes(pickle.dumps(X))
    script = textwrap.dedent("""
        import pickle, sys
        from pathlib import Path
        import isthmus as ist
        for path in Path(sys.argv[1]).glob("*.isthmus"):
            X = pickle.loads(path.with_suffix(".rows").read_bytes())
            model = ist.load(path)
            answers = [model.transform(X), model.reconstruct(X), model.reconstruction_error(X)]
            path.with_suffix(".answers").write_bytes(pickle.dumps(answers))
    """)
    subprocess.run([sys.executable, "-c", script, tmp_path], check=True)
    for name, (model, X) in models.items():
        answers = pickle.loads((tmp_path / f"{name}.answers").read_bytes())
        expected = [model.transform(X), model.reconstruct(X), model.reconstruction_error(X)]
        assert [frozen(a) for a in answers] == [frozen(e) for e in expected]


def test_saving_twice_and_saving_what_was_loaded_give_the_same_bytes(fitted, tmp_path):
    model, _ = fitted
    for name in ("a", "b"):
        model.save(tmp_path / name)
    loaded = ist.load(tmp_path / "a")
    loaded.save(tmp_path / "c")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert (tmp_path / "a").read_bytes() == (tmp_path / "c").read_bytes()


def test_pickle_joblib_and_deepcopy(fitted, tmp_path):
    model, X = fitted
    joblib.dump(model, tmp_path / "m.joblib")
    copies = [
        pickle.loads(pickle.dumps(model)),
        copy.deepcopy(model),
        joblib.load(tmp_path / "m.joblib"),
    ]
    for copied in copies:
        assert_same(model, copied, X)


def test_a_loaded_model_can_be_fitted_again(fitted, tmp_path):
    model, X = fitted
    model.save(tmp_path / "m.isthmus")
    loaded = ist.load(tmp_path / "m.isthmus").fit(X)
    assert len(loaded.history_["loss"]) == 2


# --- saving that fails ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small(digits):
    X = digits.data[:40, 18:24]
    return ist.Autoencoder(2, hidden=(4,), **SETTINGS).fit(X), X


def test_layers_that_cannot_be_saved_are_named_and_the_old_file_stays(small, tmp_path):
    from keras import Input, Sequential, layers

    class Twice(layers.Layer):
        def call(self, x):
            return 2 * x

    model, X = small
    path = tmp_path / "m.isthmus"
    model.save(path)
    before = path.read_bytes()
    encoder = Sequential([Input((6,)), Twice(name="mine")])
    decoder = Sequential([Input((6,)), layers.Dense(6)])
    other = ist.Autoencoder(encoder=encoder, decoder=decoder, **SETTINGS)
    with pytest.warns(TrainingWarning, match=r"save will refuse .*layer mine \(Twice\)"):
        other.fit(X)
    with pytest.raises(InvalidParameter, match=r"layer mine \(Twice\)"):
        other.save(path)
    assert path.read_bytes() == before


def test_places_that_cannot_be_written(small, tmp_path):
    model, _ = small
    with pytest.raises(CannotWrite):
        model.save(tmp_path)
    with pytest.raises(CannotWrite):
        model.save(tmp_path / "absent" / "m.isthmus")
    with pytest.raises(ValueError, match="not fitted"):
        ist.Autoencoder().save(tmp_path / "m.isthmus")
    assert not list(tmp_path.iterdir())


# --- files that are not what they should be ---------------------------------------------------


@pytest.fixture
def saved(small, tmp_path):
    small[0].save(tmp_path / "m.isthmus")
    return tmp_path / "m.isthmus"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lambda blob: b"", "an empty file"),
        (lambda blob: blob[:-100], "truncated"),
        (lambda blob: blob + b"x", "1 bytes too many"),
        (lambda blob: blob[:-3] + b"abc", "checksum"),
        (lambda blob: b"# a text file\n" * 10, "a text file"),
        (lambda blob: b"PK\x03\x04" + blob, "a zip file"),
        (lambda blob: pickle.dumps(blob), "a Python pickle"),
    ],
)
def test_damaged_and_foreign_files(saved, content, message):
    saved.write_bytes(content(saved.read_bytes()))
    with pytest.raises(InvalidArchive, match=message) as caught:
        ist.load(saved)
    assert caught.value.subject == repr(str(saved))


def test_no_file(tmp_path):
    with pytest.raises(InvalidArchive, match="no file of that name"):
        ist.load(tmp_path / "absent.isthmus")


def test_other_kinds_are_named(saved):
    stored = artifact.read(saved)
    other = artifact.Artifact("checkpoint", stored.manifest, stored.arrays)
    artifact.write(saved, other)
    with pytest.raises(
        InvalidArchive, match=r"a saved model: one of autoencoder, .*received a checkpoint"
    ):
        ist.load(saved)


def change(saved, alter):
    stored = artifact.read(saved)
    content = copy.deepcopy(stored.manifest)
    alter(content)
    artifact.write(saved, artifact.Artifact(stored.kind, content, stored.arrays))


@pytest.mark.parametrize(
    "alter",
    [
        lambda c: c.clear(),
        lambda c: c.update(network=None),
        lambda c: c.update(network={"architecture": {"name": "os:system"}}),
        lambda c: c.update(schema=None),
        lambda c: c.update(schema=[]),
        lambda c: c.update(fitted=None),
        lambda c: c.update(params={"latent_dim": {}}),
        lambda c: c.update(params={"no_such_setting": 1}),
        lambda c: c["fitted"].update(latent_dim_=-1),
        lambda c: c["fitted"].update(latent_dim_=10**9),
        lambda c: c["fitted"].update(latent_dim_="2"),
        lambda c: c["fitted"].update(history_={"loss": "x"}),
    ],
)
def test_forged_files_are_refused_with_our_own_error(saved, alter):
    change(saved, alter)
    with pytest.raises(InvalidArchive, match=r"m\.isthmus"):
        ist.load(saved)


@pytest.mark.parametrize("error", [MemoryError, RecursionError, ZeroDivisionError, KeyError])
def test_any_failure_while_rebuilding_is_the_files_fault(saved, error, monkeypatch):
    def fail(stored):
        raise error("within a library")

    monkeypatch.setattr(ist.Autoencoder, "_from_artifact", fail)
    with pytest.raises(InvalidArchive, match=error.__name__):
        ist.load(saved)


# --- the fuzzer -------------------------------------------------------------------------------


def fuzz(count, seed):
    if not FUZZER.exists():
        pytest.skip("needs the scripts of a checkout")
    run = subprocess.run(
        [sys.executable, FUZZER, str(count), "--seed", str(seed)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-5000:] + run.stderr[-2000:]
    assert f"{count} mutants, 0 wrong" in run.stdout


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the limits are those of Linux")
def test_mutants_are_refused_or_load_to_the_same_bits():
    fuzz(60, seed=0)


@pytest.mark.nightly
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the limits are those of Linux")
def test_many_mutants_are_refused_or_load_to_the_same_bits():
    fuzz(500, seed=int.from_bytes(os.urandom(4), "little"))


def test_number_labels_are_no_feature_names_after_loading_either(tmp_path):
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(40, 3)))
    model = ist.Autoencoder(2, hidden=(4,), epochs=1, verbose=0, random_state=0).fit(frame)
    model.save(tmp_path / "m.isthmus")
    again = ist.load(tmp_path / "m.isthmus")
    for one in (model, again):
        assert not hasattr(one, "feature_names_in_")
        assert one.n_features_in_ == 3
    np.testing.assert_array_equal(again.transform(frame), model.transform(frame))
