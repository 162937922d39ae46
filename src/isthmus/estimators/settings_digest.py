"""Digests of settings that can be compared between processes: equal only for equal settings."""

from __future__ import annotations

import hashlib
from types import CodeType, FunctionType
from typing import Any

import keras
import numpy as np

from isthmus.networks.serialization import program_text, weights_of


def digest(value: Any) -> str:
    """Return a short digest of a setting, an array or a description of them."""
    return hashlib.sha256(_bytes(value)).hexdigest()[:32]


def _bytes(value: Any) -> bytes:
    if isinstance(value, np.ndarray):
        content = hashlib.sha256(np.ascontiguousarray(value).reshape(-1).view(np.uint8).data)
        return f"{value.dtype}{value.shape}{content.hexdigest()}".encode()
    if isinstance(value, keras.Model):
        # The computation, not the names of layers.
        parts = [program_text(value).encode(), *map(_bytes, weights_of(value))]
        return b"|".join(parts)
    if isinstance(value, FunctionType):
        cells = [cell.cell_contents for cell in value.__closure__ or ()]
        plain = [value.__defaults__, value.__kwdefaults__, *cells]
        return b"|".join([_code(value.__code__), *map(_bytes, plain)])
    if isinstance(value, (np.random.RandomState, np.random.Generator)):
        return type(value).__name__.encode()  # it only draws the seed, which a checkpoint stores
    if hasattr(value, "get_config"):
        # Keras leaves some settings out of the configuration, such as Huber's delta.
        attributes = {name: item for name, item in vars(value).items() if _is_plain(item)}
        settings = {**value.get_config(), **attributes, "name": None, "_name": None}
        return f"{type(value).__qualname__}{sorted(map(str, settings.items()))}".encode()
    if callable(value):
        return f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', '')}".encode()
    return repr(value).encode()


def _is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_is_plain, value.values()))
    return value is None or isinstance(value, (bool, int, float, str))


def _code(code: CodeType) -> bytes:
    constants = [
        _code(constant) if isinstance(constant, CodeType) else repr(constant).encode()
        for constant in code.co_consts
    ]
    return b"|".join([code.co_code, repr(code.co_names).encode(), *constants])
