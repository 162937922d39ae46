#!/usr/bin/env python
"""Damage compressed files in N ways, and see that none of them crashes, hangs or lies.

    python scripts/fuzz_codec.py 10000 [--seed 0] [--keep FOLDER]

A mutant is right when it is refused with an isthmus error, or decompresses to the same rows bit
for bit. A *forged* mutant has its checksums made right again, so that it is a consistent file of
other content: it may also decompress to other rows, in bounded time and memory. Each thousand runs
in a process of its own, under a limit on memory. It exits with 1 if any mutant was wrong.
"""

from __future__ import annotations

import argparse
import base64
import collections
import faulthandler
import io
import json
import pickle
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import zlib
from pathlib import Path

CHUNK = 1000
SECONDS = 20
MEMORY = 3 * 2**30


# --- the files --------------------------------------------------------------------------------


def make() -> dict[str, bytes]:
    """Compress a little of everything, so that every coder and every part of the format occurs."""
    import numpy as np
    import pandas as pd
    from sklearn.datasets import load_digits, load_iris

    import isthmus as ist
    from isthmus.compression.embedded_model import EmbeddedModel
    from isthmus.compression.lossy.coder import LossyModelCoder
    from isthmus.compression.lossy.model import LossyModel

    rng = np.random.default_rng(0)
    iris = load_iris().data
    gaps = iris.astype("f4")
    gaps[3, 1], gaps[4, 2], gaps[5, 0] = np.nan, np.inf, -0.0
    table = pd.DataFrame(iris, columns=list("abcd"))
    table.loc[3, "a"] = np.nan
    table["kind"] = np.array(["x", "y", "ä"])[rng.integers(0, 3, len(table))]
    table["day"] = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.random(len(table)), "D")
    table["set"] = table["kind"].astype("category")
    data = {
        "exact": (ist.Codec(), iris),
        "gaps": (ist.Codec(max_error=0.05), gaps),
        "bits": (ist.Codec(), rng.normal(size=(50, 3)).astype(">f8")),
        "whole": (ist.Codec(max_error=2), rng.integers(0, 99, (300, 2), dtype="i2")),
        "table": (ist.Codec(max_error=0.01, relative=True), table),
        "empty": (ist.Codec(), iris[:0]),
    }
    found = {name: codec.fit(X).compress(X) for name, (codec, X) in data.items()}
    images = load_digits().images[:300].astype(np.uint8)
    found["images"] = ist.Codec(random_state=0).fit(images).compress(images)
    for name, X, bits in (("lossy images", images, 0.3), ("lossy", iris, 3)):
        codec = ist.Codec(max_error=None, bits=bits, random_state=0)
        # As fit would, but briefly: how good a model is does not matter here.
        codec._keep(None, EmbeddedModel(LossyModelCoder(LossyModel.fit(X, seed=0, epochs=0.5))))
        found[name] = codec.compress(X)
    few = list(rng.integers(0, 3, (4, 150), dtype="i1"))
    columns = list(gaps.T.copy())
    found["coders"] = _by_all_coders(columns, 0.05)
    found["few values"] = _by_all_coders(few, 0.0)
    return found


def _by_all_coders(columns, bound: float) -> bytes:
    """Return a file with a chunk by each coder, compressor and layout that takes the columns."""
    from isthmus.compression.coders.block import ColumnBlock, Layout
    from isthmus.compression.coders.context_mixing import ContextMixing
    from isthmus.compression.coders.general_compressors import COMPRESSORS
    from isthmus.compression.coders.general_purpose import VALUES, GeneralPurposeCoder
    from isthmus.compression.coders.matrix_layouts import LAYOUTS
    from isthmus.compression.coders.residual_tables import ResidualTables
    from isthmus.compression.planes.coder import PlaneCoder

    count, dtype = len(columns), columns[0].dtype
    sink = io.BytesIO()
    writer = _writer(sink, {"dtype": dtype.str, "row": [count], "bound": bound}, None)
    block = ColumnBlock(columns, (bound,) * count, Layout((dtype,) * count, (count,)))
    coders = [ContextMixing(), ResidualTables(), PlaneCoder()]
    for number, compressor in enumerate(COMPRESSORS):
        layouts = (*LAYOUTS, VALUES) if number == 1 else (3,)
        choose = lambda content, n=number, c=compressor: (n, c.encode(content))  # noqa: E731
        coders += [GeneralPurposeCoder(layout, choose) for layout in layouts]
    for coder in coders:
        packed = coder.encode(block)
        if packed is not None:
            writer.add(block.rows, bytes([coder.number]) + packed)
    writer.close()
    return sink.getvalue()


def _writer(sink, manifest, model):
    from isthmus.compression.container import ContainerWriter

    return ContainerWriter(sink, manifest, model)


# --- the mutations ----------------------------------------------------------------------------


def mutate(chance: random.Random, blobs: dict[str, bytes]) -> tuple[str, str, bytes]:
    name = chance.choice(sorted(blobs))
    ways = [flip, cut, forge_chunk, forge_manifest, forge_head]
    how = chance.choices(ways, [20, 20, 35, 10, 15])[0]
    return name, how.__name__, how(chance, blobs[name], blobs)


def flip(chance, blob, _):
    """Flip a few bits."""
    content = bytearray(blob)
    for _ in range(chance.choice([1, 1, 2, 8])):
        content[chance.randrange(len(blob))] ^= 1 << chance.randrange(8)
    return bytes(content)


def cut(chance, blob, blobs):
    """Cut, repeat, insert, overwrite or exchange a piece."""
    a, b = sorted(chance.randrange(len(blob) + 1) for _ in range(2))
    noise = chance.randbytes(chance.choice([1, 8, 1000]))
    other = chance.choice(list(blobs.values()))
    choices = [blob[:a], blob[b:], blob[:a] + blob[b:], blob[:b] + blob[a:], blob + noise, noise]
    choices += [
        blob[:a] + noise + blob[b:],
        blob[:a] + bytes(b - a) + blob[b:],
        blob[:a] + other[a:],
    ]
    return chance.choice(choices)


def _damaged(chance, payload: bytes) -> bytes:
    content = bytearray(payload or b"\0")
    for _ in range(chance.choice([1, 1, 2, 5])):
        # Heads say more than bodies, so they are changed more often.
        place = min(chance.randrange(len(content)), chance.choice([8, 40, len(content) - 1]))
        content[place] = chance.choice([0, 1, 127, 128, 255, chance.randrange(256)])
    a = chance.randrange(len(content) + 1)
    tail = chance.choice([b"", b"", content[a:], chance.randbytes(20), b"\xff" * 12])
    return bytes(chance.choice([content, content, content[:a], content[:a] + tail]))


def forge_chunk(chance, blob, _):
    """Change chunks, and make their checksums right."""
    from isthmus.compression.container import ContainerReader

    reader, sink = ContainerReader(io.BytesIO(blob), ""), io.BytesIO()
    writer = _writer(sink, reader.manifest, reader.model)
    for chunk in reader.chunks:
        rows, payload = chunk.rows, reader.read(chunk)
        if chance.random() < 0.8:
            payload = _damaged(chance, payload)
        if chance.random() < 0.3:
            rows = chance.choice([0, 1, rows + 1, rows * 1000, 2**20, 2**31, 2**40, 2**48])
        writer.add(rows, payload)
    writer.close()
    return sink.getvalue()


def forge_manifest(chance, blob, _):
    """Change the manifest or the model, and make their checksums right."""
    from isthmus.compression.container import ContainerReader

    reader, sink = ContainerReader(io.BytesIO(blob), ""), io.BytesIO()
    manifest, model = reader.manifest, reader.model
    key = chance.choice(sorted(manifest))
    values = [None, 0, -1, 2**70, 1e300, "", "<f4", ">f8", "O", "V9", "<M8[s]", [], {}, True]
    values += [[2**31], [0], [4, 2**40], [1] * 40, ["x"], "arrow", "pandas"]
    if key == "schema" and chance.random() < 0.7:
        raw = flip(chance, base64.b64decode(manifest[key]), None)
        manifest[key] = base64.b64encode(raw).decode()
    elif chance.random() < 0.2:
        del manifest[key]
    else:
        manifest[key] = chance.choice(values)
    if model is not None and chance.random() < 0.5:
        from isthmus.compression import embedded_model

        content = flip(chance, embedded_model.unpack(model), None)
        manifest["model"] = {"sha256": embedded_model.digest(content), "embedded": True}
        model = embedded_model.pack(content) if chance.random() < 0.8 else flip(chance, model, None)
    writer = _writer(sink, manifest, model)
    for chunk in reader.chunks:
        writer.add(chunk.rows, reader.read(chunk))
    writer.close()
    return sink.getvalue()


def forge_head(chance, blob, blobs):
    """Change the head of a small file, and make its checksum right."""
    from isthmus.compression import small_files

    if blob[3] != small_files.FORMAT:
        return forge_manifest(chance, blob, blobs)
    content = bytearray(blob[:-4])
    for _ in range(chance.choice([1, 1, 2, 4])):
        place = min(chance.randrange(4, len(content)), chance.choice([4, 8, 16, len(content) - 1]))
        content[place] = chance.choice([0, 1, 127, 128, 255, chance.randrange(256)])
    if chance.random() < 0.3:
        place = chance.randrange(4, len(content) + 1)
        content[place:place] = chance.choice([b"\xff" * 9 + b"\1", b"\x80", chance.randbytes(3)])
    return bytes(content) + zlib.crc32(content).to_bytes(4, "little")


FORGED = ("forge_chunk", "forge_manifest", "forge_head")


# --- the judge --------------------------------------------------------------------------------


class TooLong(BaseException):
    pass


def too_long(*_):
    raise TooLong


def same(a, b) -> bool:
    import numpy as np

    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray):
        return (a.dtype.str, a.shape, a.tobytes()) == (b.dtype.str, b.shape, b.tobytes())
    return a.equals(b)


def judge(codec, blob: bytes, expected, kind: str) -> tuple[str, str]:
    from isthmus.core.errors import IsthmusError

    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    faulthandler.dump_traceback_later(2 * SECONDS, exit=True)
    try:
        equal = same(codec.decompress(blob), expected)
        outcome, wrong = "same" if equal else "other", ""
        if not equal and kind not in FORGED:
            wrong = "decompresses to other rows"
    except IsthmusError as error:
        outcome, wrong = "refused", "" if str(error) else "an error without a message"
    except TooLong:
        outcome, wrong = "hang", traceback.format_exc()
    except BaseException:
        outcome, wrong = "crash", traceback.format_exc()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        faulthandler.cancel_dump_traceback_later()
    return outcome, wrong


def work(folder: Path, seed: int, start: int, stop: int, keep: Path | None) -> dict:
    import isthmus as ist

    blobs = pickle.loads((folder / "blobs").read_bytes())
    codec = ist.Codec()
    expected = {name: codec.decompress(blob) for name, blob in blobs.items()}
    signal.signal(signal.SIGALRM, too_long)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY,) * 2)
    counts: collections.Counter[str] = collections.Counter()
    wrongs, slowest = [], 0.0
    for index in range(start, stop):
        name, kind, blob = mutate(random.Random(f"{seed}/{index}"), blobs)
        if blob in blobs.values():  # the head of one file fits the rest of another
            counts["another file"] += 1
            continue
        (folder / "current").write_text(f"{index} {kind} of {name}")
        began = time.perf_counter()
        outcome, wrong = judge(codec, blob, expected[name], kind)
        slowest = max(slowest, time.perf_counter() - began)
        counts[f"{kind} {outcome}"] += 1
        if wrong:
            wrongs.append(f"mutant {index}, {kind} of {name}: {outcome}: {wrong}")
            if keep:
                (keep / f"{index}-{kind}-{name}.isz").write_bytes(blob)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return {"counts": counts, "wrongs": wrongs, "slowest": slowest, "peak": peak}


# --- the supervisor ---------------------------------------------------------------------------


def supervise(count: int, seed: int, keep: Path | None) -> int:
    counts: collections.Counter[str] = collections.Counter()
    wrongs, slowest, peak = [], 0.0, 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "blobs").write_bytes(pickle.dumps(make()))
        for start in range(0, count, CHUNK):
            stop = min(count, start + CHUNK)
            words = [stop, "--start", start, "--seed", seed, "--folder", folder]
            words += ["--keep", keep] if keep else []
            command = [sys.executable, __file__, *map(str, words)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                current = (folder / "current").read_text()
                wrongs.append(f"the process died at mutant {current}:\n{done.stderr[-3000:]}")
                continue
            result = json.loads(done.stdout.splitlines()[-1])
            counts.update(result["counts"])
            wrongs += result["wrongs"]
            slowest, peak = max(slowest, result["slowest"]), max(peak, result["peak"])
            print(f"{stop} of {count}, {len(wrongs)} wrong", file=sys.stderr, flush=True)
    for key, number in sorted(counts.items()):
        print(f"{number:6} {key}")
    print(*wrongs, sep="\n")
    total = sum(counts.values())
    print(f"{total} mutants, {len(wrongs)} wrong; slowest {slowest:.1f} s, at most {peak} MB")
    return 1 if wrongs else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("count", type=int, help="how many mutants")
    parser.add_argument("--seed", type=int, default=0, help="another seed, other mutants")
    parser.add_argument("--keep", type=Path, help="a folder for the mutants that were wrong")
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--start", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.folder:
        print(json.dumps(work(given.folder, given.seed, given.start, given.count, given.keep)))
        return 0
    return supervise(given.count, given.seed, given.keep)


if __name__ == "__main__":
    sys.exit(main())
