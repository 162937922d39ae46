"""All models in service, by name; a file that changes replaces its model once it has loaded."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from threadpoolctl import threadpool_limits

from isthmus.core.catalogue import nearest
from isthmus.core.errors import InvalidParameter, IsthmusError
from isthmus.serve.failures import RequestRefused
from isthmus.serve.served_model import ServedModel
from isthmus.serve.service_log import log

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from isthmus.serve.limits import Limits
    from isthmus.serve.metrics import Metrics

_SECONDS_BETWEEN_LOOKS = 2.0
_SECONDS_BETWEEN_TESTS = 60.0


class ServedModels:
    """The models of a service.

    Parameters
    ----------
    paths : sequence of path
        Their files. A model's name is that of its file without the ending.
    limits : Limits
    metrics : Metrics

    Raises
    ------
    InvalidArchive, InvalidParameter
        A file is no model that can be served, or two have the same name.
    """

    def __init__(self, paths: Sequence[Path], limits: Limits, metrics: Metrics) -> None:
        self._limits, self._metrics = limits, metrics
        self._models: dict[str, ServedModel] = {}
        self._seen: dict[str, Any] = {}
        self._replacing = asyncio.Lock()
        # Loading and tests for drift are rare and long; they run beside the models, one by one.
        self._background = ThreadPoolExecutor(1, "background", threadpool_limits, (1,))
        for path in paths:
            name = path.name.removesuffix(".isthmus")
            if name in self._models:
                raise InvalidParameter(
                    "MODEL",
                    expected="files of different names",
                    received=f"two named {name!r}",
                    remedy="rename one of them",
                )
            self._seen[name] = _signature(path)
            self._models[name] = self._loaded(name, path)

    def __iter__(self) -> Iterator[ServedModel]:
        return iter(self._models.values())

    def __getitem__(self, name: str) -> ServedModel:
        """Return the model of this name.

        Raises
        ------
        RequestRefused
            There is none.
        """
        if name in self._models:
            return self._models[name]
        known = sorted(self._models)
        raise RequestRefused(
            "the model",
            expected=f"one of {', '.join(known)}",
            received=name[:100],
            remedy=nearest(name[:100], known) or "see /v1/models",
            status=404,
        )

    @property
    def are_ready(self) -> bool:
        """Whether all models can answer."""
        return all(model.thread.is_alive for model in self)

    async def reload(self) -> None:
        """Load all files again, and replace each model whose file loads."""
        async with self._replacing:
            for name in list(self._models):
                await self._replace(name)

    async def watch(self) -> None:
        """Replace models whose files change; runs until it is cancelled."""
        while True:
            await asyncio.sleep(_SECONDS_BETWEEN_LOOKS)
            async with self._replacing:
                for name, model in list(self._models.items()):
                    if _signature(model.path) != self._seen[name]:
                        await self._replace(name)

    async def test_for_drift(self) -> None:
        """Compare recent rows with held-out ones every minute; runs until it is cancelled."""
        while True:
            await asyncio.sleep(_SECONDS_BETWEEN_TESTS)
            for model in list(self):
                rows = model.recent_rows()
                if rows is None:
                    continue
                try:
                    found = await self._in_background(model.drift, rows)
                except Exception:
                    log.exception("drift", extra={"model": model.name})
                else:
                    self._metrics.saw_drift(model.name, found)

    def close(self) -> None:
        """End the threads of all models."""
        self._background.shutdown(wait=False, cancel_futures=True)
        for model in self:
            model.retire()

    async def _replace(self, name: str) -> None:
        """Load a file beside the model in service; one that cannot be loaded changes nothing."""
        old = self._models[name]
        # Taken before the file is read: if it changes while it is read, it will be read again.
        self._seen[name] = _signature(old.path)
        try:
            new = await self._in_background(self._loaded, name, old.path)
        except Exception as error:
            reason = str(error) if isinstance(error, IsthmusError) else repr(error)
            log.error("reload failed", extra={"model": name, "error": reason})
            return
        self._models[name] = new
        old.retire()
        log.info("reloaded", extra={"model": name, "sha256": new.digest})

    def _loaded(self, name: str, path: Path) -> ServedModel:
        result = "failed"
        try:
            model = ServedModel(name, path, self._limits, self._metrics)
            result = "loaded"
        finally:
            self._metrics.loads.labels(name, result).inc()
        return model

    async def _in_background(self, function: Callable[..., Any], *arguments: Any) -> Any:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._background, function, *arguments)


def _signature(path: Path) -> Any:
    """Return what changes when a file is written or replaced; None if it is missing."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
