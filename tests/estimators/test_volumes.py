"""Volumes (n, depth, height, width, channels): everything that images can do and fits them."""

import jax
import numpy as np
import pytest

import isthmus as ist
from isthmus.cli.__main__ import main
from isthmus.core.errors import InvalidParameter
from isthmus.data.augmentation import augmentation
from isthmus.data.cell_names import cell_names, cell_places
from isthmus.data.schema import infer_schema, schema_from_config

QUICK = {"epochs": 1, "random_state": 0, "verbose": 0}


def blobs(n):
    rng = np.random.default_rng(0)
    z, y, x = np.mgrid[:8, :9, :8] / 8
    made = [
        np.exp(-((z - a) ** 2 + (y - b) ** 2 + (x - c) ** 2) / 0.05)
        for a, b, c in rng.uniform(0.2, 0.8, (n, 3))
    ]
    return np.stack(made)[..., None].astype(np.float32)


VOLUMES = blobs(40)


@pytest.fixture(scope="module")
def fitted():
    holes = VOLUMES.copy()
    holes[:, 0, 0] = np.nan
    holes[3, 4:6] = np.nan
    return holes, ist.Autoencoder(3, **QUICK).fit(holes)


def test_they_are_learned_by_convolutions_in_three_dimensions(fitted, tmp_path):
    holes, model = fitted
    assert model._architecture.name == "convolutional-3d"
    assert model.loss_ == "mse"
    rebuilt = model.reconstruct(holes)
    absent = np.broadcast_to(np.isnan(holes).all(axis=0), holes.shape)
    np.testing.assert_array_equal(np.isnan(rebuilt), absent)
    assert -model.score(holes) < np.nanvar(holes)
    model.save(tmp_path / "m.isthmus")
    again = ist.load(tmp_path / "m.isthmus")
    np.testing.assert_array_equal(again.transform(holes), model.transform(holes))
    np.testing.assert_array_equal(again.reconstruct(holes), rebuilt)


def test_channels_have_ranges_of_their_own():
    two = np.concatenate([VOLUMES, 100 * VOLUMES - 50], axis=-1)
    schema = infer_schema(two)
    matrix = schema.to_matrix(two)
    assert matrix.min() >= 0
    assert matrix.max() <= 1
    np.testing.assert_allclose(schema.from_matrix(matrix), two, atol=1e-4)
    restored = schema_from_config(schema.to_config())
    np.testing.assert_array_equal(restored.to_matrix(two), matrix)
    assert (restored.channels, restored.is_image, restored.is_volume) == (2, False, True)


def test_voxels_are_named_by_plane():
    names = cell_names((2, 2, 3, 2))
    assert names[0] == "plane 0 row 0 column 0 channel 0"
    assert len(set(names)) == len(names) == 24
    places = cell_places((2, 2, 3, 2))
    assert (places["plane"][-1], places["channel"][-1]) == (1, 1)


def test_a_report_shows_the_middle_planes(tmp_path, capsys):
    np.save(tmp_path / "v.npy", VOLUMES)
    model = str(tmp_path / "m.isthmus")
    given = ["fit", str(tmp_path / "v.npy"), "-o", model, "--latent-dim", "2", "--epochs", "1"]
    given += ["--hidden", "4"]  # dense, which compiles faster
    assert main(given) == 0
    page = (tmp_path / "m-report.html").read_text(encoding="utf-8")
    assert "Of each volume, the middle one of 8 planes is shown." in page
    rebuilt = str(tmp_path / "r.npy")
    assert main(["reconstruct", model, str(tmp_path / "v.npy"), "-o", rebuilt]) == 0
    assert np.load(rebuilt).shape == VOLUMES.shape


def test_a_detector_takes_them_as_rows():
    settings = {"architecture": "dense", "hidden": (4,), **QUICK}
    strange = 1 - VOLUMES[:5]
    detector = ist.AnomalyDetector(
        ist.Autoencoder(2, **settings), false_alarm_rate=0.1, random_state=0
    ).fit(VOLUMES)
    assert detector.score_samples(strange).max() < detector.score_samples(VOLUMES).min()


def test_the_planes_of_a_volume_change_alike():
    same = np.repeat(VOLUMES[:, :1, :8], 8, axis=1)
    schema = infer_schema(same)
    change = augmentation("flip+quarter_turns+crop+brightness", schema, same)
    after = np.asarray(change(jax.random.key(0), same))
    np.testing.assert_array_equal(after, np.repeat(after[:, :1], 8, axis=1))
    assert (after != same).any()


@pytest.mark.parametrize(
    ("estimator", "said"),
    [
        (ist.DenoisingAutoencoder(2, noise="blind_spot", **QUICK), "expected pictures"),
        (ist.Autoencoder(2, architecture="convolutional", **QUICK), "leave architecture='auto'"),
        (ist.Autoencoder(2, loss="ssim", **QUICK), "loss 'ssim': expected images"),
    ],
)
def test_what_is_for_images_alone_is_refused(estimator, said):
    with pytest.raises(InvalidParameter, match=said):
        estimator.fit(VOLUMES)
