"""Services of archives, in a thread, on a free port."""

import asyncio
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import httpx
import pytest

from isthmus.serve.limits import Limits
from isthmus.serve.service import Place, Service

ARCHIVES = Path(__file__).parents[1] / "golden" / "archives"
ALL = (
    "detector-table",
    "autoencoder-table",
    "autoencoder-linear",
    "detector-pictures",
    "supervised-classes",
    "index-euclidean",
    "sampler-numbers",
    "detector-series",
)

Serving = Callable[..., AbstractContextManager[Service]]


@contextmanager
def _serving(
    paths: Sequence[Path], limits: Limits | None = None, token: str | None = None
) -> Iterator[Service]:
    service = Service(paths, Place(port=0, token=token), limits or Limits())
    thread = threading.Thread(target=lambda: asyncio.run(service.serve()))
    thread.start()
    try:
        while not service.started and thread.is_alive():
            time.sleep(0.01)
        yield service
    finally:
        service.should_exit = True
        thread.join()


@pytest.fixture(scope="session")
def serving() -> Serving:
    return _serving


@pytest.fixture(scope="session")
def archives() -> Path:
    return ARCHIVES


@pytest.fixture(scope="session")
def service() -> Iterator[Service]:
    """Models of all kinds, with the usual limits and without a token."""
    with _serving([ARCHIVES / f"{name}.isthmus" for name in ALL]) as running:
        yield running


@pytest.fixture(scope="session")
def client(service: Service) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://127.0.0.1:{service.port}", timeout=30) as opened:
        yield opened


@pytest.fixture
def copied(tmp_path: Path) -> Callable[[str], Path]:
    """Copy an archive to a folder that a test may change."""

    def copy(name: str, to: str = "model") -> Path:
        target = tmp_path / f"{to}.isthmus"
        shutil.copy(ARCHIVES / f"{name}.isthmus", tmp_path / "new")
        (tmp_path / "new").replace(target)
        return target

    return copy
