"""Worker: sizes of float32 rows with other compressors; every result is decoded and checked.

job: data (.npy file of shape (n, columns)), share (error bound as a fraction of each column's
range; 0 is lossless)
"""

import bz2
import lzma
from collections.abc import Callable, Iterator

import imagecodecs
import job
import numpy as np

GENERAL = {
    "zstd": (lambda b: imagecodecs.zstd_encode(b, level=22), imagecodecs.zstd_decode),
    "brotli": (lambda b: imagecodecs.brotli_encode(b, level=11), imagecodecs.brotli_decode),
    "bz2": (bz2.compress, bz2.decompress),
    "lzma": (lambda b: lzma.compress(b, preset=9 | lzma.PRESET_EXTREME), lzma.decompress),
}


def main() -> None:
    task = job.read()
    X = np.load(task.data)
    job.report(sizes=exact(X) if task.share == 0 else bounded(X, task.share))


def exact(X: np.ndarray) -> dict[str, int]:
    shuffled = np.ascontiguousarray(X.T).reshape(-1, 1).view(np.uint8).T.tobytes()
    found = {name: general(name, [X.tobytes(), X.T.tobytes(), shuffled]) for name in GENERAL}
    packed = [imagecodecs.pcodec_encode(np.ascontiguousarray(column)) for column in X.T]
    for column, each in zip(X.T, packed, strict=True):
        back = imagecodecs.pcodec_decode(each, shape=column.shape, dtype=X.dtype)
        check(np.array_equal(back, column))
    return {**found, "pcodec": sum(map(len, packed))}


def bounded(X: np.ndarray, share: float) -> dict[str, int]:
    low, span = X.min(axis=0).astype(float), np.ptp(X.astype(float), axis=0)
    bound = share * span
    found = {
        "SZ3": lossy(X, bound, sz3),
        "ZFP": lossy(X, bound, zfp),
        "PCA + quantise": components(X, bound),
    }
    step = np.where(bound > 0, 2 * bound * (1 - 1e-6), 1)
    q = np.rint((X - low) / step)
    check(within(X, q * step + low, bound))
    for name in ("lzma", "bz2"):
        found[f"quantise + {name}"] = general(name, list(layouts(q.astype(np.int64))))
    return found


def layouts(q: np.ndarray) -> Iterator[bytes]:
    """Yield integers and their differences, by rows and by columns, in the narrowest type."""
    steps = np.diff(q, axis=0, prepend=0)
    steps = np.where(steps < 0, -2 * steps - 1, 2 * steps)
    for each in (q, steps):
        width = next(w for w in (1, 2, 4, 8) if each.max() < 1 << 8 * w)
        narrow = each.astype(f"<u{width}")
        yield narrow.tobytes()
        yield narrow.T.tobytes()


def general(name: str, contents: list[bytes]) -> int:
    encode, decode = GENERAL[name]
    packed = [encode(content) for content in contents]
    check(all(bytes(decode(p)) == c for p, c in zip(packed, contents, strict=True)))
    return min(map(len, packed))


def lossy(X: np.ndarray, bound: np.ndarray, codec: Callable[..., tuple[int, np.ndarray]]) -> int:
    """Return the smaller size: of columns one by one, or of all at once, scaled to one bound."""
    each = [codec(np.ascontiguousarray(x), b) for x, b in zip(X.T, bound, strict=True)]
    check(within(X, np.stack([back for _, back in each], axis=1), bound))
    sizes = [sum(size for size, _ in each)]
    if X.shape[1] > 1 and (bound > 0).all():
        scaled = (X / bound).astype(np.float32)
        size, back = codec(scaled, 0.999)
        if within(X, back * bound, bound):
            sizes.append(size)
    return min(sizes)


def sz3(x: np.ndarray, bound: float) -> tuple[int, np.ndarray]:
    if bound == 0:
        return 4, x
    for tighter in (1, 0.999, 0.99, 0.9):
        packed = imagecodecs.sz3_encode(x, mode="abs", abs=bound * tighter)
        back = imagecodecs.sz3_decode(packed, shape=x.shape, dtype=x.dtype)
        if within(x, back, bound):
            return len(packed), back
    raise AssertionError("SZ3 does not keep the error bound")


def zfp(x: np.ndarray, bound: float) -> tuple[int, np.ndarray]:
    if bound == 0:
        return 4, x
    packed = imagecodecs.zfp_encode(x, mode="a", level=bound)
    return len(packed), imagecodecs.zfp_decode(packed)


def components(X: np.ndarray, bound: np.ndarray) -> int:
    """Return the size of quantised principal components and their quantised residuals."""
    scale = np.where(bound > 0, bound, 1)
    scaled = X / scale
    mean = scaled.mean(axis=0)
    _, _, axes = np.linalg.svd(scaled - mean, full_matrices=False)
    best = []
    for count in sorted({1, max(1, X.shape[1] // 4), max(1, X.shape[1] // 2), X.shape[1]}):
        codes = np.rint((scaled - mean) @ axes[:count].T)
        rest = scaled - mean - codes @ axes[:count]
        steps = np.where(bound > 0, np.rint(rest / 2 / (1 - 1e-6)), 0)
        back = mean + codes @ axes[:count] + steps * 2 * (1 - 1e-6)
        check(within(X, back * scale, bound))
        parts = [
            list(layouts(np.where(q < 0, -2 * q - 1, 2 * q).astype(np.int64)))
            for q in (codes, steps)
        ]
        side = 4 * (axes[:count].size + mean.size)
        best.append(side + sum(min(general("lzma", p), general("bz2", p)) for p in parts))
    return min(best)


def within(X: np.ndarray, back: np.ndarray, bound: np.ndarray) -> bool:
    apart = np.abs(np.asarray(back, dtype=float) - X)
    return bool((apart <= bound * (1 + 1e-6) + np.spacing(np.abs(X)) * (bound > 0)).all())


def check(right: bool) -> None:
    if not right:
        raise AssertionError("a compressor does not restore the values")


if __name__ == "__main__":
    main()
