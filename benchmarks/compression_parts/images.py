"""Lossless 8-bit images: MNIST's test images, with a model of its training images."""

import io
import tempfile
import time
from pathlib import Path

import numpy as np

import isthmus as ist
from speed_parts import harness
from speed_parts.harness import Contestant


def images(folder: Path) -> list[str]:
    with np.load(folder / "mnist.npz") as arrays:
        train, test = arrays["x_train"], arrays["x_test"]
    began = time.perf_counter()
    codec = ist.Codec(random_state=0).fit(train)
    harness.say(f"fitted in {time.perf_counter() - began:.0f} s")
    rows = []
    for name, embed in (
        ("isthmus, without the model", False),
        ("isthmus, with the embedded model", True),
    ):
        sink = io.BytesIO()
        with tempfile.TemporaryDirectory() as place:
            path = Path(place) / "images.isz"
            codec.compress_to(test, path, embed=embed)
            sink.write(path.read_bytes())
        rows.append(_row(name, sink.tell(), test))
        began = time.process_time()
        back = codec.decompress(sink.getvalue())
        harness.say(f"{name}: decoded in {time.process_time() - began:.0f} s on one core")
        if back.tobytes() != test.tobytes():
            raise AssertionError("a pixel changed")
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "images.npy"
        np.save(path, test)
        job = {"data": str(path)}
        sizes = harness.run(Contestant("peers", "image_peers.py", job, "imagecodecs"))["sizes"]
    rows += [_row(name, size, test) for name, size in sorted(sizes.items(), key=lambda x: x[1])]
    head = [f"{len(test):,} images", "bytes", "bits per pixel"]
    return ["## Lossless: 8-bit images", "", *harness.table(head, rows), ""]


def _row(name: str, size: float, test: np.ndarray) -> list[str]:
    return [name, f"{size:,.0f}", f"{8 * size / test.size:.3f}"]
