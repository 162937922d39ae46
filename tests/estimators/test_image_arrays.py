"""Images that are no bytes of one or three channels: floats in [-1, 1], and up to 16 bands."""

import numpy as np
import pytest

import isthmus as ist
from isthmus.data import reading, writing

RNG = np.random.default_rng(0)


def images(n, channels):
    """Waves of a random phase in [-1, 1], each band with a phase of its own."""
    rows = np.arange(8)[None, :, None, None] / 2
    bands = np.arange(channels)[None, None, None, :] / 3
    waves = np.sin(rows + bands + RNG.uniform(0, 6, (n, 1, 1, 1))) * np.ones((1, 1, 6, 1))
    return np.clip(waves + RNG.normal(0, 0.05, waves.shape), -1, 1).astype(np.float32)


@pytest.mark.parametrize("channels", [2, 5, 16])
@pytest.mark.parametrize("architecture", ["dense", "convolutional"])
def test_an_autoencoder(channels, architecture, tmp_path):
    X = images(150, channels)
    model = ist.Autoencoder(
        3, architecture=architecture, epochs=3, random_state=0, verbose=0, hidden=(16,)
    ).fit(X[:100])
    rebuilt = model.reconstruct(X[100:])
    assert rebuilt.shape == X[100:].shape
    assert rebuilt.dtype == np.float32
    assert rebuilt.min() < -0.1
    assert rebuilt.max() > 0.1
    assert np.isfinite(model.reconstruction_error(X[100:])).all()
    np.save(tmp_path / "x.npy", X[100:])
    np.testing.assert_allclose(model.reconstruct(tmp_path / "x.npy"), rebuilt, atol=1e-5)
    model.save(tmp_path / "m.isthmus")
    np.testing.assert_array_equal(ist.load(tmp_path / "m.isthmus").reconstruct(X[100:]), rebuilt)
    page = ist.write_report(model, X[100:], tmp_path / "report.html")
    assert "Originals and reconstructions" in page.read_text("utf-8")
    with pytest.raises(ist.InvalidData, match=r"values from 0 to 255"):
        writing.write(tmp_path / "out", rebuilt)


def test_a_detector(tmp_path):
    X = images(260, 5)
    X[250:, 2:5, 1:4, 3] = 1.0
    settings = {"epochs": 2, "hidden": (16,), "verbose": 0, "random_state": 0}
    detector = ist.AnomalyDetector(
        ist.Autoencoder(3, **settings), false_alarm_rate=0.05, random_state=0
    ).fit(X[:200])
    parts = np.asarray(detector.explain(X[200:]))
    assert parts.shape == (60, 8, 6, 5)
    assert parts[50:, 2:5, 1:4, 3].mean() > parts[50:].mean()
    assert "row 0 column 0 channel 0" in detector.drift(X[200:]).columns
    page = ist.write_report(detector, X[200:], tmp_path / "report.html").read_text("utf-8")
    assert "Detected faults by place" in page


@pytest.mark.parametrize("dtype", ["float32", "uint16"])
def test_bands_of_tiff_files(tmp_path, dtype):
    X = images(40, 6)
    X = X if dtype == "float32" else ((X + 1) * 30000).astype(np.uint16)
    folder = writing.write(tmp_path / "in", X, pixels=dtype)
    model = ist.Autoencoder(2, hidden=(8,), epochs=1, verbose=0, random_state=0).fit(folder)
    rebuilt = model.reconstruct(folder)
    out = writing.write(tmp_path / "out", rebuilt, pixels=model.schema_.pixel_type)
    found = reading.read(out).X
    assert found.dtype == dtype
    np.testing.assert_allclose(found, rebuilt, atol=0 if dtype == "float32" else 0.51)


def test_a_conversion_is_saved_with_the_model(tmp_path):
    folder = writing.write(tmp_path / "in", RNG.integers(0, 256, (30, 9, 7, 3), dtype=np.uint8))
    other = writing.write(tmp_path / "other", RNG.integers(0, 65536, (4, 5, 5), dtype=np.uint16))
    data = ist.read_images(folder, size=(4, 3), mode="grey")
    model = ist.Autoencoder(2, hidden=(8,), epochs=1, verbose=0, random_state=0).fit(data.X)
    model.save(tmp_path / "m.isthmus")
    again = ist.load(tmp_path / "m.isthmus")
    same = again.transform(ist.read_images(other, size=(4, 3), mode="grey").X)
    np.testing.assert_array_equal(again.transform(other), same)
    with pytest.raises(ist.SchemaMismatch, match="--image-size 4x3 --image-mode grey"):
        again.transform(reading.read(other).X)
