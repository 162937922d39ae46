import multiprocessing
import os
import signal
import stat
import subprocess
import sys
import textwrap
import time

import pytest

from isthmus.core.atomic_files import atomic_write
from isthmus.core.errors import CannotWrite

posix = pytest.mark.skipif(os.name != "posix", reason="needs the file system of Unix")


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "file.bin"
    path.write_bytes(b"old")
    return path


def alone(path):
    """Whether the file is the only one left in its folder."""
    return list(path.parent.iterdir()) == [path]


def test_bytes_and_functions_write_alike(path):
    atomic_write(path, b"new")
    assert path.read_bytes() == b"new"
    atomic_write(str(path), lambda file: [file.write(b"a"), file.write(b"b")])
    assert path.read_bytes() == b"ab"
    assert alone(path)


def test_new_file(tmp_path):
    atomic_write(tmp_path / "new.bin", b"x")
    assert alone(tmp_path / "new.bin")


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, MemoryError])
def test_interrupted_writer_leaves_the_old_file(path, error):
    def write(file):
        file.write(b"part")
        raise error

    with pytest.raises(error):
        atomic_write(path, write)
    assert path.read_bytes() == b"old"
    assert alone(path)


def test_others_see_the_old_file_until_the_new_one_is_whole(path):
    def write(file):
        file.write(b"part")
        file.flush()
        assert path.read_bytes() == b"old"

    atomic_write(path, write)
    assert path.read_bytes() == b"part"


@posix
def test_permissions_are_kept(path):
    path.chmod(0o640)
    atomic_write(path, b"new")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@posix
def test_links_are_followed(path, tmp_path):
    (tmp_path / "folder").mkdir()
    link = tmp_path / "folder" / "link"
    link.symlink_to(path)
    atomic_write(link, b"new")
    assert link.is_symlink()
    assert path.read_bytes() == b"new"


@posix
@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may write anywhere")
def test_folder_and_file_that_may_not_be_written(path):
    path.parent.chmod(0o500)
    try:
        with pytest.raises(CannotWrite, match="choose a folder that you may write to"):
            atomic_write(path, b"new")
    finally:
        path.parent.chmod(0o700)
    path.chmod(0o400)
    with pytest.raises(CannotWrite, match="read-only file"):
        atomic_write(path, b"new")
    assert path.read_bytes() == b"old"


def test_what_is_no_place_for_a_file(tmp_path, path):
    with pytest.raises(CannotWrite, match="received a folder"):
        atomic_write(tmp_path, b"x")
    with pytest.raises(CannotWrite, match="create the folder first"):
        atomic_write(tmp_path / "absent" / "file", b"x")
    with pytest.raises(CannotWrite):
        atomic_write(path / "below a file", b"x")
    with pytest.raises(CannotWrite):
        atomic_write(tmp_path / ("n" * 300), b"x")
    with pytest.raises(CannotWrite):
        atomic_write("with\0nothing", b"x")
    assert alone(path)


@posix
def test_device_is_not_replaced():
    with pytest.raises(CannotWrite, match="not a regular file"):
        atomic_write("/dev/null", b"x")


@posix
def test_link_in_a_ring(tmp_path):
    (tmp_path / "ring").symlink_to(tmp_path / "ring")
    with pytest.raises(CannotWrite):
        atomic_write(tmp_path / "ring", b"x")


def test_long_names_leave_room_for_the_temporary_one(tmp_path):
    atomic_write(tmp_path / ("n" * 255), b"x")
    assert (tmp_path / ("n" * 255)).read_bytes() == b"x"


@posix
def test_full_disk_leaves_the_old_file(path):
    """Simulate a full disk with a limit on file sizes."""
    script = textwrap.dedent("""
        import resource, sys
        from isthmus.core.errors import CannotWrite
        from isthmus.core.atomic_files import atomic_write
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        try:
            atomic_write(sys.argv[1], bytes(10_000_000))
        except CannotWrite as error:
            print(error)
    """)
    run = subprocess.run(
        [sys.executable, "-c", script, path], capture_output=True, text=True, check=True
    )
    assert "nothing there was changed" in run.stdout
    assert "Try: " in run.stdout
    assert path.read_bytes() == b"old"
    assert alone(path)


@posix
def test_errors_of_the_disk_become_cannot_write(path):
    def write(file):
        raise OSError(28, "No space left on device")

    with pytest.raises(CannotWrite, match=r"No space left on device.*free some space"):
        atomic_write(path, write)
    assert alone(path)


def _write_often(path, letter):
    for _ in range(100):
        atomic_write(path, letter * 50_000)


@posix
def test_two_processes_write_the_same_file(path):
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write_often, args=(path, c)) for c in (b"a", b"b")]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        content = path.read_bytes()
        assert content in (b"old", b"a" * 50_000, b"b" * 50_000)
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert alone(path)


def test_what_a_killed_process_left_is_removed_by_a_later_write(path):
    leftover = path.with_name(".isthmus-0123456789abcdef.part")
    for age, is_kept in ((0, True), (3600, False)):
        leftover.write_bytes(b"half")
        os.utime(leftover, (time.time() - age,) * 2)
        atomic_write(path, b"new")
        assert leftover.exists() == is_kept


@posix
def test_the_file_of_a_slow_writer_is_kept(path, tmp_path):
    def write_and_let_another_write(file):
        (own,) = tmp_path.glob(".isthmus-*.part")
        os.utime(own, (time.time() - 3600,) * 2)
        atomic_write(tmp_path / "other", b"other")
        assert own.exists()
        file.write(b"new")

    atomic_write(path, write_and_let_another_write)
    assert path.read_bytes() == b"new"


@posix
def test_killed_process_leaves_a_whole_file(path):
    script = (
        "import sys\nfrom isthmus.core.atomic_files import atomic_write\n"
        "while True:\n  atomic_write(sys.argv[1], b'new' * 100_000); print('x', flush=True)"
    )
    with subprocess.Popen([sys.executable, "-c", script, path], stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    assert path.read_bytes() == b"new" * 100_000
