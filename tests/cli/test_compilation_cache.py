"""The cache of compiled programs is private, small, and never in the way."""

import os
import stat
import time
from pathlib import Path

import pytest

from isthmus.cli import compilation_cache


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    # Set and taken away, so that what enable() leaves behind is taken away too.
    for name in (
        "JAX_COMPILATION_CACHE_DIR",
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES",
        "ISTHMUS_COMPILATION_CACHE",
    ):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


def chosen() -> str | None:
    compilation_cache.enable()
    return os.environ.get("JAX_COMPILATION_CACHE_DIR")


def test_the_folder_is_the_users_alone_and_apart_for_each_version(tmp_path: Path) -> None:
    folder = Path(chosen() or "")
    assert folder.parent == tmp_path / "isthmus" / "xla"
    assert "jaxlib-" in folder.name
    for private in (folder, folder.parent):
        assert stat.S_IMODE(private.stat().st_mode) == 0o700
    assert chosen() == str(folder)


@pytest.mark.parametrize("value", ["0", "off"])
def test_the_off_switch(value: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ISTHMUS_COMPILATION_CACHE", value)
    assert chosen() is None
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_the_users_own_choice_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "/mine")
    assert chosen() == "/mine"


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777])
def test_a_folder_that_others_can_write_to_is_refused(mode: int, tmp_path: Path) -> None:
    root = tmp_path / "isthmus" / "xla"
    root.mkdir(parents=True)
    root.chmod(mode)
    assert chosen() is None


def test_a_link_to_another_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (tmp_path / "isthmus").mkdir()
    (tmp_path / "isthmus" / "xla").symlink_to(tmp_path / "elsewhere")
    assert chosen() is None


def test_a_home_that_cannot_be_written_to_means_no_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert chosen() is None


def test_the_oldest_entries_go_when_there_are_too_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(chosen() or "")
    now = time.time()
    for age in range(10):
        entry = folder / f"{age}-cache"
        entry.write_bytes(bytes(100))
        os.utime(entry, (now - age, now - age))
    monkeypatch.setattr(compilation_cache, "MAX_BYTES", 900)
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR")
    chosen()
    assert sorted(path.name for path in folder.iterdir()) == [f"{age}-cache" for age in range(4)]
