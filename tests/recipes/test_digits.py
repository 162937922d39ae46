"""Digits from a file, or the ones that come along."""

import numpy as np
import pytest

from isthmus.core.errors import InvalidData, UnreadableFile
from isthmus.recipes.digits import bundled, from_file

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (20, 28, 28), dtype=np.uint8)
LABELS = np.arange(20) % 10


def test_those_that_come_along_are_pictures_of_mnists_size(digits):
    held = bundled()
    assert held.x_train.shape[1:] == held.x_test.shape[1:] == (28, 28)
    assert len(held.x_train) + len(held.x_test) == 1797
    assert held.x_train.min() == 0
    assert held.x_train.max() == 1
    assert held.x_train.dtype == np.float32
    # Each pixel became nine, and none was lost.
    assert held.x_test[0].sum() == pytest.approx(9 * digits.images[0].sum() / 16)
    assert not held.x_test[:, :2].any()
    assert set(held.y_test[held.examples()]) == set(range(10))
    assert "8 × 8" in held.notes[0]


def test_a_file_with_test_rows_keeps_them(tmp_path):
    path = tmp_path / "d.npz"
    np.savez(path, x_train=PIXELS, y_train=LABELS, x_test=PIXELS[:5], y_test=LABELS[:5])
    held = from_file(path)
    np.testing.assert_allclose(held.x_train, PIXELS / np.float32(255))
    np.testing.assert_array_equal(held.y_test, LABELS[:5])
    assert held.notes == ()
    assert str(held) == "d: 20 training, 5 test images"


def test_a_file_without_gives_a_tenth_and_shares_stay_as_they_are(tmp_path):
    path = tmp_path / "d.npz"
    np.savez(path, X=(PIXELS / 255).reshape(20, 784).astype(np.float32), y=LABELS)
    held = from_file(path)
    assert held.x_train.shape == (18, 28, 28)
    assert held.x_test.shape == (2, 28, 28)
    assert held.x_train.max() <= 1


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"X": PIXELS}, "labels for the images"),
        ({"x_train": PIXELS, "y_train": LABELS, "x_test": PIXELS}, "labels for the images"),
        ({"X": PIXELS[:, :14], "y": LABELS}, "28 × 28"),
        ({"X": PIXELS.astype(float) - 200, "y": LABELS}, "0 to 255"),
        ({"X": np.where(PIXELS > 250, np.nan, PIXELS), "y": LABELS}, "0 to 255"),
    ],
)
def test_other_files_are_refused(arrays, said, tmp_path):
    np.savez(tmp_path / "d.npz", **arrays)
    with pytest.raises(InvalidData, match=said):
        from_file(tmp_path / "d.npz")


def test_tables_and_what_is_not_there_are_refused(tmp_path):
    (tmp_path / "d.csv").write_text("a,b\n1,2\n3,4\n")
    with pytest.raises(InvalidData, match="a table"):
        from_file(tmp_path / "d.csv")
    with pytest.raises(UnreadableFile):
        from_file(tmp_path / "none.npz")
