"""Forges archives: changes their settings or arrays, and makes the checksums right again.

Each case is determined by a seed and a number. `Forger.case` returns what was done and the bytes
of the forged file, which `artifact.from_bytes` accepts as an archive of other content.
"""

from __future__ import annotations

import copy
import hashlib
import inspect
import json
import math
import random
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

import isthmus as ist
from isthmus.persistence import artifact
from isthmus.persistence.artifact import Artifact
from isthmus.persistence.loading import KINDS

_NUMBERS = [
    *(0, 1, -1, 2, 3, 7, 64, 255, 1000, 10**6, 2**24, 2**31 - 1, 2**31, 2**53, 2**63, 2**64),
    *(2**100, -(2**100), 10**400, 0.5, -0.5, 1.0, 1e-320, 1e308, -1e308, 40.0),
    *(float("nan"), float("inf"), -float("inf")),
]
_VALUES = [
    *(None, True, False, "", "a", "auto", "\x00", "\ud800", "x" * 100_000, "custom:f", "../../x"),
    *([], {}, [[]], [None], [0], [1], [2, 2], [-1], [1.5], [2**31], [10**6, 10**6], [1] * 1000),
    *({"a": 1}, {"kind": "array"}),
]
_WORDS = [
    *("mse", "mae", "huber", "bce", "mixture", "gaussian", "bernoulli", "binarized", "masking"),
    *("dense", "linear", "convolutional", "strided", "convolutional-1d", "recurrent", "gru"),
    *("batch", "layer", "none", "relu", "tanh", "float32", "bfloat16", "mixed_bfloat16", "range"),
    *("robust", "warn", "error", "classification", "regression", "novelty", "outlier", "tsne"),
    *("umap", "exact", "approximate", "euclidean", "cosine", "real", "unit", "array", "table"),
    *("number", "boolean", "category", "constant", "identifier", "empty", "int64", "timestamp[ns]"),
    *("pixels", "lossy", "float64", "string", "double", "dictionary<values=string, indices=int8>"),
    *(kind for kind in KINDS),
]
_TEXTUAL = 0.05
"""Fraction of the cases that change the text of the JSON."""


@dataclass(frozen=True)
class Forgery:
    """A forged archive."""

    of: str
    done: list[str]
    """What was done, for messages."""
    blob: bytes
    extreme: bool = field(default=False)
    """Whether numbers of a network were made so large that its outputs may overflow."""


@cache
def all_settings() -> dict[str, Any]:
    """Return all constructor parameters of all kinds of models, with their defaults."""
    classes = [getattr(ist, target.partition(":")[2]) for target in KINDS.values()]
    return {
        each.name: each.default
        for cls in classes
        for each in inspect.signature(cls).parameters.values()
    }


class Forger:
    """Forges some archives.

    Parameters
    ----------
    blobs : dict of str to bytes
        True archives by name.
    """

    def __init__(self, blobs: dict[str, bytes]) -> None:
        self.blobs = blobs
        self._names = sorted(blobs)

    def case(self, seed: int, number: int) -> Forgery:
        """Return a case; the archives take turns."""
        chance = random.Random(f"{seed}/{number}")
        name = self._names[number % len(self._names)]
        stored = artifact.from_bytes(self.blobs[name])
        content, arrays = copy.deepcopy(stored.manifest), dict(stored.arrays)
        done: list[str] = []
        extreme = False
        for _ in range(chance.choice([1, 1, 1, 2, 3])):
            how = chance.random()
            if how < 0.2:
                done.append(_change_slightly(chance, content))
            elif how < 0.4:
                done.append(_change_setting(chance, content))
            elif how < 0.6 or not arrays:
                done.append(_change_content(chance, content))
            else:
                words, large = _change_array(chance, arrays)
                done.append(words)
                extreme |= large
        blob = _written(stored, content, arrays)
        if chance.random() < _TEXTUAL:
            words, blob = _change_text(chance, blob)
            done.append(words)
        return Forgery(name, done, blob, extreme)


def _written(stored: Artifact, content: Any, arrays: dict[str, np.ndarray]) -> bytes:
    """Return an archive whose content may be such as `artifact.write` would refuse."""
    blob = artifact.to_bytes(Artifact(stored.kind, {}, arrays, stored.versions))
    size = int.from_bytes(blob[:8], "little")
    head = json.loads(blob[8 : 8 + size])
    manifest = json.loads(head["__metadata__"]["isthmus"]) | {"content": _marked(content)}
    return _sealed(head, json.dumps(manifest), blob[8 + size :])


def _marked(value: Any) -> Any:
    """Return a value with infinities and NaN as the manifest has them."""
    if isinstance(value, dict):
        return {key: _marked(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_marked(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return {"$float": str(value)}
    return value


def _sealed(head: dict[str, Any], text: str, data: bytes) -> bytes:
    """Return the file with the text of a manifest under its checksum."""
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    head["__metadata__"] = {"isthmus": text, "sha256": digest}
    raw = json.dumps(head).encode()
    return len(raw).to_bytes(8, "little") + raw + data


def _value(chance: random.Random, now: Any) -> Any:
    """Return another value: of the same type or of any."""
    how = chance.random()
    if isinstance(now, (int, float)) and not isinstance(now, bool) and how < 0.4:
        return chance.choice([now + 1, now - 1, now * 2, -now, now * 1000])
    if isinstance(now, list) and how < 0.4:
        return chance.choice(
            [now[::-1], now[:-1], now * 2, now * 99, [*now, 1], sorted(map(str, now))]
        )
    if isinstance(now, bool) and how < 0.6:
        return not now
    if how < 0.6:
        return chance.choice(_NUMBERS)
    if how < 0.8:
        return chance.choice(_WORDS)
    if how < 0.85:
        deep: Any = now
        for _ in range(chance.choice([5, 40, 60])):
            deep = [deep] if chance.random() < 0.5 else {"a": deep}
        return deep
    return copy.deepcopy(chance.choice(_VALUES))


def _change_setting(chance: random.Random, content: dict[str, Any]) -> str:
    """Change, remove, add or exchange constructor parameters."""
    groups = [content["params"]] if isinstance(content.get("params"), dict) else []
    nested = content.get("autoencoder")
    if isinstance(nested, dict) and isinstance(nested.get("content"), dict):
        groups += [nested["content"].get("params")]
    groups = [group for group in groups if isinstance(group, dict)]
    if not groups:
        return _change_content(chance, content)
    params = chance.choice(groups)
    known = all_settings()
    name = chance.choice(sorted(params)) if params and chance.random() < 0.85 else None
    action = chance.random()
    if name is None:
        name = chance.choice(sorted(known))
        params[name] = _value(chance, known[name])
        return f"setting {name} = {params[name]!r:.60}"
    if action < 0.1:
        del params[name]
        return f"without setting {name}"
    if action < 0.2:
        other = chance.choice(sorted(params))
        params[name], params[other] = params[other], params[name]
        return f"settings {name} and {other} exchanged"
    params[name] = _value(chance, params[name])
    return f"setting {name} = {params[name]!r:.60}"


def _places(tree: Any, start: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = []
    for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
        found.append((*start, key))
        if isinstance(value, (dict, list)):
            found += _places(value, (*start, key))
    return found


def _change_content(chance: random.Random, content: dict[str, Any]) -> str:
    """Change, remove, add or exchange values anywhere."""
    places = _places(content)
    if not places:
        content["params"] = {}
        return "params = {}"
    place = chance.choice(places)
    if chance.random() < 0.4:
        place = place[: chance.randint(1, len(place))]
    parent = _at(content, place[:-1])
    shown, key = "/".join(map(str, place)), place[-1]
    action = chance.random()
    if action < 0.1:
        del parent[key]
        return f"without {shown}"
    if action < 0.15 and isinstance(parent, dict):
        parent[chance.choice([*_WORDS, *map(str, parent)]) + chance.choice(["", "_"])] = 1
        return f"one more beside {shown}"
    if action < 0.25:
        other = chance.choice(places)
        value = copy.deepcopy(_at(content, other))
        if len(str(value)) < 100_000:
            parent[key] = value
        return f"{shown} = {'/'.join(map(str, other))}"
    parent[key] = _value(chance, parent[key])
    return f"{shown} = {parent[key]!r:.60}"


def _change_slightly(chance: random.Random, content: dict[str, Any]) -> str:
    """Change one number, flag or word to another that may be valid."""
    places = [
        place
        for place in _places(content)
        if isinstance(_at(content, place), (bool, int, float, str))
    ]
    if not places:
        return _change_content(chance, content)
    # Often a place with a name of its own, and not one of many numbers in a list.
    named = [place for place in places if isinstance(place[-1], str)]
    place = chance.choice(named if named and chance.random() < 0.7 else places)
    parent, key = _at(content, place[:-1]), place[-1]
    now = parent[key]
    if isinstance(now, bool):
        parent[key] = not now
    elif isinstance(now, str):
        parent[key] = chance.choice(_WORDS)
    else:
        parent[key] = chance.choice([now + 1, now - 1, now * 2, now * 1000, 0, 1])
    return f"{'/'.join(map(str, place))} = {parent[key]!r:.60}"


def _at(tree: Any, place: tuple[Any, ...]) -> Any:
    for key in place:
        tree = tree[key]
    return tree


def _change_array(chance: random.Random, arrays: dict[str, np.ndarray]) -> tuple[str, bool]:
    """Change, remove, add or exchange arrays; also tell whether numbers may now overflow."""
    name, other = (chance.choice(sorted(arrays)) for _ in range(2))
    array = np.array(arrays[name])
    action = chance.choice(sorted(_ARRAYS))
    if action == "removed":
        del arrays[name]
    elif action == "renamed":
        arrays[chance.choice([f"{name}_", "weights/999", "../x", "learned/x", "events/rows"])] = (
            arrays.pop(name)
        )
    elif action == "exchanged":
        arrays[name], arrays[other] = arrays[other], arrays[name]
        return f"arrays {name} and {other} exchanged", False
    else:
        arrays[name] = np.ascontiguousarray(_ARRAYS[action](chance, array))
    return f"array {name} {action}", action in ("huge", "one number") and array.dtype.kind == "f"


def _one_number(chance: random.Random, array: np.ndarray) -> np.ndarray:
    changed = array.copy()
    if changed.size:
        least, most = _limits(array)
        values = [0, 1, -1, 2, 5, 100, 1000, 10**6, least, most]
        values = [value for value in values if least <= value <= most]
        changed.flat[chance.randrange(changed.size)] = chance.choice(values)
    return changed


def _limits(array: np.ndarray) -> tuple[Any, Any]:
    if array.dtype.kind == "b":
        return 0, 1
    if array.dtype.kind in "iu":
        return np.iinfo(array.dtype).min, np.iinfo(array.dtype).max
    most = 3e38 if array.dtype.itemsize > 2 else 6e4
    return -most, most


def _filled(chance: random.Random, array: np.ndarray, value: Any) -> np.ndarray:
    changed = array.copy()
    if array.dtype.kind not in "iub" or np.isfinite(value):
        with np.errstate(all="ignore"):
            if chance.random() < 0.5 or not changed.size:
                changed[...] = value
            else:
                changed.flat[chance.randrange(changed.size)] = value
    return changed


_ARRAYS: dict[str, Any] = {
    "removed": None,
    "renamed": None,
    "exchanged": None,
    "flat": lambda _, a: a.reshape(-1),
    "transposed": lambda _, a: a.T,
    "with an axis": lambda _, a: a[..., None],
    "of float64": lambda _, a: a.astype(np.float64),
    "of int64": lambda _, a: np.nan_to_num(a.astype(np.float64)).clip(-1e9, 1e9).astype(np.int64),
    "of bool": lambda _, a: a.astype(bool),
    "of float16": lambda _, a: a.astype(np.float64).clip(-6e4, 6e4).astype(np.float16),
    "with NaN": lambda chance, a: _filled(chance, a, np.nan),
    "with infinity": lambda chance, a: _filled(chance, a, np.inf),
    "zero": lambda chance, a: _filled(chance, a, 0),
    "one": lambda chance, a: _filled(chance, a, 1),
    "negative": lambda chance, a: a if a.dtype.kind in "bu" else -a,
    "huge": lambda chance, a: _filled(chance, a, _limits(a)[1]),
    "one number": _one_number,
    "truncated": lambda chance, a: a[: chance.randrange(len(a) + 1)] if a.ndim else a,
    "empty": lambda _, a: a[:0] if a.ndim else a,
    "twice": lambda _, a: np.concatenate([a, a]) if a.ndim else a,
    "long": lambda _, a: np.concatenate([a] * 50) if a.ndim and a.nbytes < 10**5 else a,
    "reversed": lambda _, a: a[::-1] if a.ndim else a,
    "permuted": lambda chance, a: a[chance.sample(range(len(a)), len(a))] if a.ndim else a,
}


def _change_text(chance: random.Random, blob: bytes) -> tuple[str, bytes]:
    """Change the text of the manifest: repeated keys, deep nesting, numbers that are not JSON."""
    size = int.from_bytes(blob[:8], "little")
    head = json.loads(blob[8 : 8 + size])
    text: str = head["__metadata__"]["isthmus"]
    deep = 10 ** chance.randint(2, 5)
    words, old, new = chance.choice(
        [
            ("content twice", '"content":{', '"content":{},"content":{'),
            ("format twice", '"format":1', '"format":1,"format":1'),
            ("params twice", '"params":{', '"params":{},"params":{'),
            ("nested deeply", '"params":{', f'"params":{"[" * deep}{"]" * deep},"p":{{'),
            ("NaN in the text", '"content":{', '"content":{"x":NaN,'),
            ("1e999 in the text", '"content":{', '"content":{"x":1e999,'),
            ("many digits", '"content":{', f'"content":{{"x":{"9" * 5000},'),
            ("many values", '"content":{', f'"content":{{"x":[{"0," * 5_000_000}0],'),
            ("another kind", '"kind":"', '"kind":"latent '),
        ]
    )
    text = text.replace(old, new, 1)
    return words, _sealed(head, text, blob[8 + size :])
