"""Outputs are checked before the work, and nothing that stands is lost."""

import os
from pathlib import Path

import pytest

from isthmus.cli import output_checks
from isthmus.core.errors import CannotWrite, InvalidParameter


def test_a_new_name_in_a_folder_is_fine(tmp_path: Path) -> None:
    output_checks.check([tmp_path / "a.csv", tmp_path / "b.csv"], force=False)


def test_what_stands_there_needs_force(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("x")
    with pytest.raises(CannotWrite, match="add --force"):
        output_checks.check([path], force=False)
    output_checks.check([path], force=True)
    assert path.read_text() == "x"


def test_a_dangling_link_stands_there_too(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.symlink_to(tmp_path / "nowhere")
    with pytest.raises(CannotWrite, match="add --force"):
        output_checks.check([path], force=False)


def test_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(CannotWrite, match="create the folder first"):
        output_checks.check([tmp_path / "no" / "a.csv"], force=True)


def test_a_folder_in_the_place_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.csv").mkdir()
    with pytest.raises(CannotWrite, match="received a folder"):
        output_checks.check([tmp_path / "a.csv"], force=True)


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    output_checks.make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()
    (tmp_path / "file").touch()
    with pytest.raises(CannotWrite, match="choose another folder"):
        output_checks.make_folder(tmp_path / "file" / "b")


def test_two_outputs_with_one_path(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    with pytest.raises(CannotWrite, match="two outputs"):
        output_checks.check([tmp_path / "a", tmp_path / "sub" / ".." / "a"], force=True)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_closed_folder(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(CannotWrite, match="may write to"):
        output_checks.check([tmp_path / "a"], force=True)


def test_a_wrong_ending_suggests_the_right_one() -> None:
    with pytest.raises(InvalidParameter, match=r"name it 'model\.isthmus'"):
        output_checks.require_ending(Path("model.keras"), [".isthmus"], "a model file")
    output_checks.require_ending(Path("R.HTML"), [".html"], "a report")


def test_sizes_read_well(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(bytes(12_345))
    assert output_checks.path_and_size(path) == f"{path} (12 kB)"
