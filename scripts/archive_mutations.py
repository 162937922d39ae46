"""Ways to damage or forge a saved model; `fuzz_archives` tries them."""

from __future__ import annotations

import copy
import gzip
import hashlib
import io
import json
import pickle
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

CANARY = "fuzz_canary"
"""A module that only mutants name."""


def mutate(chance: random.Random, blobs: dict[str, bytes]) -> tuple[str, str, bytes]:
    """Return the name of an archive, what was done to it, and the result."""
    name = chance.choice(sorted(blobs))
    how = chance.choices(
        [bits, pieces, length, header, manifest, plant, arrays, container],
        [15, 20, 5, 20, 20, 8, 8, 4],
    )[0]
    return name, how.__name__, how(chance, blobs[name], blobs)


def bits(chance, blob, _):
    """Flip a few bits, as often in the header as in the data."""
    content = bytearray(blob)
    start = 8 + int.from_bytes(blob[:8], "little")
    for _ in range(chance.choice([1, 1, 1, 2, 8])):
        place = chance.choice([chance.randrange(start), chance.randrange(len(blob))])
        content[place] ^= 1 << chance.randrange(8)
    return bytes(content)


def pieces(chance, blob, blobs):
    """Cut, repeat, insert, overwrite or exchange a piece."""
    a, b = sorted(chance.randrange(len(blob) + 1) for _ in range(2))
    if chance.random() < 0.5:
        b = min(b, a + chance.choice([1, 8, 100]))
    other = chance.choice(list(blobs.values()))
    noise = chance.randbytes(chance.choice([1, 8, 1000]))
    return chance.choice(
        [
            blob[:a],
            blob[b:],
            blob[:a] + blob[b:],
            blob[:b] + blob[a:],
            blob[:a] + noise + blob[b:],
            blob[:a] + bytes(b - a) + blob[b:],
            blob[:a] + other[a:],
            blob + noise,
            blob + other,
            noise + blob,
            noise,
        ]
    )


def length(chance, blob, _):
    """Say another length of the header."""
    stated = int.from_bytes(blob[:8], "little")
    new = chance.choice(
        [
            *(0, 1, 2, stated - 1, stated + 1, stated + 8, len(blob), len(blob) - 8),
            *(2**26, 2**26 + 1, 2**31, 2**32 + stated, 2**63, 2**64 - 1, chance.randrange(2**64)),
        ]
    )
    return new.to_bytes(8, "little") + blob[8:]


def header(chance, blob, _):
    """Change a value in the header, without making checksums right."""
    size = int.from_bytes(blob[:8], "little")
    tree = json.loads(blob[8 : 8 + size])
    text = json.dumps(changed(chance, tree)).encode()
    if chance.random() < 0.1:
        text = text.replace(b'"dtype"', b'"dtype":"F64","dtype"', 1)
    return len(text).to_bytes(8, "little") + text + blob[8 + size :]


def manifest(chance, blob, _):
    """Change values in the manifest, and make its checksum right."""

    def change(tree):
        for _ in range(chance.choice([1, 1, 1, 2, 3])):
            tree = changed(chance, tree)
        return tree

    return forged(blob, change)


def plant(chance, blob, _):
    """Put an object that would run something in the place of another, under a right checksum."""

    def change(tree):
        places = [p for p in paths(tree["content"]) if p]
        objects = [p for p in places if p[-1] in ("class_name", "module", "registered_name")]
        if objects and chance.random() < 0.5:
            place, value = chance.choice(objects), chance.choice(NAMES)
        else:
            place, value = chance.choice(places), chance.choice(OBJECTS)
        return replaced(tree, ("content", *place), copy.deepcopy(value))

    return forged(blob, change)


def arrays(chance, blob, _):
    """Exchange, drop, add, reshape or retype an array, under right checksums."""
    import numpy as np

    from isthmus.persistence import artifact

    stored = artifact.from_bytes(blob)
    found = dict(stored.arrays)
    one, other = (chance.choice(sorted(found)) for _ in range(2))
    array = found[one]
    new = chance.choice(
        [
            lambda: found[other],
            lambda: array.reshape(-1),
            lambda: array.T,
            lambda: array[..., None],
            lambda: array.astype("float64"),
            lambda: array.astype("int8"),
            lambda: np.full_like(
                array, chance.choice([np.nan, np.inf, 3e38, 0]) if array.dtype.kind == "f" else 1
            ),
            lambda: np.concatenate([array, array]),
            lambda: array[:0],
            lambda: np.zeros(array.shape, "bool"),
            lambda: array.view("uint8"),
        ]
    )()
    action = chance.randrange(4)
    if action == 0:
        del found[one]
    elif action == 1:
        found[chance.choice(["full/999", "../../x", "", "full/-1", "x" * 1000])] = new
    else:
        found[one] = new
    return artifact.to_bytes(
        artifact.Artifact(stored.kind, stored.manifest, found, stored.versions)
    )


def container(chance, blob, _):
    """Hide the archive in, or exchange it for, a file of another kind."""
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(chance.choice(["model.isthmus", "../../../evil", "config.json"]), blob)
        file.writestr("zeros", bytes(10**6))
    bomb = b"cos\nsystem\n(S'exit 1'\ntR."
    return chance.choice(
        [
            memory.getvalue(),
            memory.getvalue() + blob,
            blob + memory.getvalue(),
            pickle.dumps(blob),
            bomb,
            b"\x80\x04" + bomb,
            gzip.compress(blob),
            b"\x89HDF\r\n\x1a\n" + blob,
            b"\x93NUMPY\x01\x00" + blob,
            json.dumps({"format": 1}).encode(),
            b"",
        ]
    )


NAMES = [
    CANARY,
    "os",
    "subprocess",
    "builtins",
    "eval",
    "system",
    "Lambda",
    "__lambda__",
    "function",
]
NAMES += ["TFSMLayer", "keras.utils", "keras.saving", "load_model", "keras.src.layers", None, 3, []]
OBJECTS = [
    {"module": module, "class_name": name, "config": config, "registered_name": None}
    for module, name, config in [
        (CANARY, "Thing", {}),
        ("os", "system", {"command": "exit 1"}),
        ("subprocess", "Popen", {"args": ["false"]}),
        ("builtins", "eval", "1"),
        ("builtins", "function", "eval"),
        ("keras.layers", "Lambda", {"function": {"class_name": "__lambda__", "config": {}}}),
        ("keras.layers", "TFSMLayer", {"filepath": "/tmp"}),
        ("keras.layers", "StringLookup", {"vocabulary": "/etc/hostname"}),
        ("keras.saving", "load_model", {"filepath": "/etc/hostname"}),
        ("keras.utils", "get_file", {"fname": "x", "origin": "http://127.0.0.1:9/"}),
        ("keras.layers", "Dense", {"units": 500_000_000}),
        ("keras.layers", "RepeatVector", {"n": 2_000_000_000}),
        ("keras.layers", "LSTM", {"units": 2, "unroll": True}),
        ("keras.src.models.functional", "Functional", {"layers": []}),
    ]
]
OBJECTS += [f"custom:{CANARY}", f"{CANARY}.thing", "os:system", "../../etc/passwd", "http://x/y"]
VALUES = [
    *(None, True, False, 0, 1, -1, 2, 3, 7, 8, 64, 255, 1000, 5 * 10**8, 2**31, 2**63, 10**30),
    *(-(2**63), 0.5, -0.5, 1e308, -1e-320, {"$float": "nan"}, {"$float": "inf"}, {"$float": 1}),
    *("", "a", "x" * 10_000, "\x00", "\ud800", "relu", "float64", "bfloat16", "../..", "$float"),
    *([], {}, [[]], [None], [0] * 50, [5 * 10**8, 5 * 10**8], [-1], [2**62, 2**62], {"a": 1}),
]


def changed(chance, tree):
    """Return the tree with one place replaced, removed, repeated or exchanged with another."""
    places = [path for path in paths(tree) if path]
    place = chance.choice(places)
    # Deep places are many; look as often at those near the root.
    if chance.random() < 0.5:
        place = place[: chance.randint(1, len(place))]
    action = chance.random()
    if action < 0.15:
        return removed(tree, place)
    if action < 0.25:
        return replaced(tree, place, found(tree, chance.choice(places)))
    if action < 0.3:
        value = found(tree, place)
        for _ in range(chance.choice([1, 30, 70, 150])):
            value = [value]
        return replaced(tree, place, value)
    value = found(tree, place)
    if action < 0.5 and isinstance(value, (int, float)):
        return replaced(tree, place, chance.choice([value + 1, value - 1, value * 2, -value]))
    if action < 0.6 and isinstance(value, list):
        return replaced(
            tree, place, chance.choice([value[::-1], value[:-1], value * 2, value * 99])
        )
    return replaced(tree, place, copy.deepcopy(chance.choice(VALUES)))


def paths(tree, start=()):
    yield start
    for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
        if isinstance(value, (dict, list)):
            yield from paths(value, (*start, key))
        else:
            yield (*start, key)


def found(tree, place):
    for key in place:
        tree = tree[key]
    return tree


def replaced(tree, place, value):
    parent = found(tree, place[:-1])
    parent[place[-1]] = copy.deepcopy(value)
    return tree


def removed(tree, place):
    del found(tree, place[:-1])[place[-1]]
    return tree


def forged(blob, change):
    size = int.from_bytes(blob[:8], "little")
    head = json.loads(blob[8 : 8 + size])
    text = json.dumps(change(json.loads(head["__metadata__"]["isthmus"])))
    digest = hashlib.sha256(text.encode()).hexdigest()
    head["__metadata__"] = {"isthmus": text, "sha256": digest}
    raw = json.dumps(head).encode()
    return len(raw).to_bytes(8, "little") + raw + blob[8 + size :]


FORGED = {"manifest", "plant", "arrays"}
