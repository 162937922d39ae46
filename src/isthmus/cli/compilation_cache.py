"""XLA's cache of compiled programs: on for the command line, never changed by the library.

With it, the second run of a command starts in a fraction of the time. Entries are native code that
is loaded and run, so the folder is private to the user, and there is one for each version of JAX
and each kind of processor. JAX's own size limit needs a lock file and one more dependency; deleting
old entries when a command starts is enough.
"""

import hashlib
import os
import platform
import stat
from importlib.metadata import version
from pathlib import Path

OFF_SWITCH = "ISTHMUS_COMPILATION_CACHE"
MAX_BYTES = 512 * 2**20


def enable() -> None:
    """Make JAX, which must not be imported yet, store the programs that it compiles.

    Does nothing if ``ISTHMUS_COMPILATION_CACHE`` is ``0`` or ``off``, if the user chose a folder
    with ``JAX_COMPILATION_CACHE_DIR``, or if there is no private folder: commands work without the
    cache, but start more slowly.
    """
    if os.environ.get(OFF_SWITCH, "").lower() in {"0", "off", "false", "no"}:
        return
    if "JAX_COMPILATION_CACHE_DIR" in os.environ:
        return
    try:
        root = _private(_cache_home() / "isthmus" / "xla")
        folder = _private(root / _machine())
        _sweep(root, MAX_BYTES)
    except (OSError, RuntimeError):  # RuntimeError: there is no home folder
        return
    os.environ["JAX_COMPILATION_CACHE_DIR"] = str(folder)
    # By default JAX stores only programs that took a second to compile, which are few here.
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")


def _cache_home() -> Path:
    chosen = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return chosen if chosen.is_absolute() else Path.home() / ".cache"


def _private(folder: Path) -> Path:
    """Make a private folder; refuse an existing one that other users own or may write to.

    Raises
    ------
    OSError
        It cannot be made, or it is not private.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise NotADirectoryError(folder)
    if hasattr(os, "getuid") and (
        found.st_uid != os.getuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    ):
        raise PermissionError(f"{folder} is not private")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(f"{folder} cannot be written to")
    return folder


def _machine() -> str:
    """Return the folder name for this machine: JAX's version and a hash of processor features."""
    try:
        processor = next(
            line
            for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
            if line.startswith(("flags", "Features"))
        )
    except (OSError, StopIteration):
        processor = platform.processor()
    features = " ".join([platform.system(), platform.machine(), processor])
    digest = hashlib.sha256(features.encode()).hexdigest()[:12]
    return f"jaxlib-{version('jaxlib')}-{digest}"


def _sweep(root: Path, max_bytes: int) -> None:
    """If the entries exceed `max_bytes`, delete the oldest until half of that is left."""
    found = []
    for path in root.glob("*/*"):
        try:
            status = path.stat()
        except FileNotFoundError:  # another process deleted it
            continue
        found.append((status.st_mtime, status.st_size, path))
    total = sum(size for _, size, _ in found)
    if total <= max_bytes:
        return
    for _, size, path in sorted(found):
        path.unlink(missing_ok=True)
        total -= size
        if total <= max_bytes // 2:
            return
