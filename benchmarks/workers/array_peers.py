"""Worker: sizes of one array with other compressors at their best, all decoded and checked.

General-purpose compressors get rows, columns, byte planes, and differences along the first axis,
the last axis and all axes; of a lossy setting, those of values quantised with the widest step that
the bound allows. Codecs of images get a volume as one image of all slices. Of each compressor, the
smallest result counts, without shapes, types and steps.

job: data (.npy file), table (whether each column has its own range), shares (error bounds as
fractions of the range; 0 is lossless)
"""

import bz2
import io
import lzma
from collections.abc import Callable, Iterator
from typing import Any

import imagecodecs
import job
import numpy as np
import soundfile
from pcodec import ChunkConfig, standalone

SHORTLIST = 2
"""The slow compressors get this many layouts on which bz2 does best, and as many of quick zstd."""
Sizes = dict[str, int]


def main() -> None:
    task = job.read()
    X = np.load(task.data)
    sizes, skipped = {}, []
    for share in task.shares:
        bound = bounds(X, share, task.table)
        if share and not np.any(bound):
            skipped.append(share)
            continue
        sizes[str(share)] = bounded(X, bound) if share else exact(X)
    job.report(sizes=sizes, skipped=skipped)


def bounds(X: np.ndarray, share: float, table: bool) -> np.ndarray:
    """Return the bound, or one for each column; a bound below 1 is 0 for integers."""
    if X.dtype.kind == "b":
        return np.zeros(1)
    wide = X.astype(float)
    found = share * (np.ptp(wide, axis=0) if table else np.ptp(wide, keepdims=True).reshape(1))
    return np.floor(found) if X.dtype.kind in "iu" else found


def exact(X: np.ndarray) -> Sizes:
    whole = X.view(np.uint8) if X.dtype.kind == "b" else X
    sizes = general([*of_values(whole), *of_integers(ordered(whole))])
    sizes |= shuffled(whole) | coded(whole)
    return sizes | best({"ZFP": zfp(whole, None)})


def bounded(X: np.ndarray, bound: np.ndarray) -> Sizes:
    low, wide = X.astype(float).min(axis=0 if len(bound) > 1 else None), X.astype(float)
    step = np.where(bound > 0, 2 * bound * (1 - 1e-6), 1)
    if X.dtype.kind in "iu":
        step = 2 * bound + 1
    q = np.rint((wide - low) / step).astype(np.int64)
    check(within(X, q * step + low, bound))
    sizes = general(list(of_integers(q)))
    narrow = q.astype(unsigned(q))
    sizes |= shuffled(narrow) | coded(narrow)
    sizes |= best({"SZ3": sz3(X, bound), "ZFP": zfp(X, bound), "SPERR": sperr(X, bound)})
    if X.dtype in (np.uint8, np.uint16) and X.ndim > 1 and len(bound) == 1:
        packed = imagecodecs.jpegls_encode(image(X), level=min(int(bound[0]), 255))
        if within(image(X), imagecodecs.jpegls_decode(packed), bound):
            sizes["JPEG-LS"] = min(sizes.get("JPEG-LS", len(packed)), len(packed))
    return sizes


# --- layouts ----------------------------------------------------------------------------------


def unsigned(q: np.ndarray) -> np.dtype[Any]:
    return np.dtype(next(f"<u{w}" for w in (1, 2, 4, 8) if w == 8 or int(q.max()) < 1 << 8 * w))


def ordered(X: np.ndarray) -> np.ndarray:
    """Return integers in the order of the values; of floats, those of their bits."""
    if X.dtype.kind != "f":
        return X.astype(np.int64)
    bits = X.view(f"i{X.dtype.itemsize}").astype(np.int64)
    return np.where(bits < 0, np.iinfo(f"i{X.dtype.itemsize}").min - bits, bits)


def of_values(X: np.ndarray) -> Iterator[bytes]:
    yield X.tobytes()
    yield X.reshape(len(X), -1).T.tobytes()
    yield planes(X)
    yield planes(X.reshape(len(X), -1).T)


def of_integers(q: np.ndarray) -> Iterator[bytes]:
    """Yield integers and their differences, by rows, by columns and as byte planes."""
    everywhere = tuple(range(min(q.ndim, 3)))
    for axes in {(), (0,), (q.ndim - 1,), everywhere[:2], everywhere}:
        changed = q
        for axis in axes:
            changed = np.diff(changed, axis=axis, prepend=0)
        back = changed
        for axis in axes:
            back = np.cumsum(back, axis=axis)
        check(np.array_equal(back, q))
        changed = ((changed << 1) ^ (changed >> 63)).view(np.uint64) if axes else changed - q.min()
        narrow = changed.astype(unsigned(changed))
        flat = narrow.reshape(len(narrow), -1)
        yield narrow.tobytes()
        if flat.shape[1] > 1:
            yield flat.T.tobytes()
        if narrow.itemsize > 1:
            yield planes(narrow)
        if narrow.max(initial=0) <= 1:
            yield np.packbits(flat, axis=None).tobytes()
            yield np.packbits(flat.T, axis=None).tobytes()


def planes(X: np.ndarray) -> bytes:
    return np.ascontiguousarray(X).reshape(-1, 1).view(np.uint8).T.tobytes()


def image(X: np.ndarray) -> np.ndarray:
    """Return an image of one or three channels."""
    if X.ndim == 2 or (X.ndim == 3 and X.shape[2] == 3):
        return X
    return X.reshape(-1, X.shape[-1])


# --- compressors of bytes ---------------------------------------------------------------------


def raw_lzma(**options: int) -> tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]:
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, **options}]
    return (
        lambda b: lzma.compress(b, lzma.FORMAT_RAW, filters=filters),
        lambda b: lzma.decompress(b, lzma.FORMAT_RAW, filters=filters),
    )


GENERAL = {
    "zstd": (lambda b: imagecodecs.zstd_encode(b, level=22), imagecodecs.zstd_decode),
    "brotli": (lambda b: imagecodecs.brotli_encode(b, level=11), imagecodecs.brotli_decode),
    "lzma": raw_lzma(),
    "lzma of bytes": raw_lzma(lc=0, pb=0),
}
BZ2 = (bz2.compress, bz2.decompress)
QUICK_ZSTD = (lambda b: imagecodecs.zstd_encode(b, level=6), imagecodecs.zstd_decode)


def general(contents: list[bytes]) -> Sizes:
    contents = sorted(set(contents))
    blocks = [packed(BZ2, content) for content in contents]
    quick = [packed(QUICK_ZSTD, content) for content in contents]
    sizes = {"bz2": min(blocks)}
    promising = {
        content
        for found in (blocks, quick)
        for _, content in sorted(zip(found, contents, strict=True))[:SHORTLIST]
    }
    for name, codec in GENERAL.items():
        sizes[name] = min(packed(codec, content) for content in promising)
    sizes["lzma"] = min(sizes["lzma"], sizes.pop("lzma of bytes"))
    return sizes


def packed(codec: tuple[Callable[[bytes], bytes], Any], content: bytes) -> int:
    encode, decode = codec
    result = encode(content)
    check(bytes(decode(result)) == content)
    return len(result)


def shuffled(X: np.ndarray) -> Sizes:
    sizes = []
    flat = X.reshape(len(X), -1)
    for content in sorted({X.tobytes(), flat.T.tobytes()}):
        for shuffle in ("shuffle", "bitshuffle"):
            result = imagecodecs.blosc2_encode(
                content, level=9, compressor="zstd", shuffle=shuffle, typesize=X.itemsize
            )
            check(imagecodecs.blosc2_decode(result) == content)
            sizes.append(len(result))
    return {"blosc2": min(sizes)}


# --- compressors of arrays --------------------------------------------------------------------


def coded(X: np.ndarray) -> Sizes:
    """Return the sizes of lossless codecs of numbers, images and sound that take this type."""
    return best(
        {
            "pcodec": pcodec(X),
            "JPEG-XL": of_images(X, "uint8 uint16", jpegxl),
            "JPEG-LS": of_images(X, "uint8 uint16", jpegls),
            "WebP": of_images(X, "uint8", webp),
            "FLAC": flac(X),
        }
    )


def best(found: dict[str, list[int]]) -> Sizes:
    return {name: min(sizes) for name, sizes in found.items() if sizes}


def pcodec(X: np.ndarray) -> list[int]:
    if X.itemsize == 1:
        X = X.astype(f"{X.dtype.kind}2")
    flat, config = X.reshape(len(X), -1), ChunkConfig(compression_level=12)
    sizes = []
    for parts in ([X.ravel()], list(flat.T.copy()) if 1 < flat.shape[1] <= 64 else []):
        results = [standalone.simple_compress(part, config) for part in parts]
        for part, result in zip(parts, results, strict=True):
            check(np.asarray(standalone.simple_decompress(result)).tobytes() == part.tobytes())
        sizes += [sum(map(len, results))] if parts else []
    return sizes


def of_images(X: np.ndarray, types: str, codec: Callable[[np.ndarray], list[int]]) -> list[int]:
    if X.dtype.kind == "i" and X.dtype.itemsize <= 2 and int(X.min()) >= 0:
        X = X.astype(f"u{X.dtype.itemsize}")
    elif X.dtype.kind == "i" and X.dtype.itemsize <= 2:
        X = (X.astype(np.int64) - int(X.min())).astype(f"u{X.dtype.itemsize}")
    pixels = np.ascontiguousarray(image(X)) if X.ndim > 1 else X[None]
    if X.dtype.name not in types.split() or max(pixels.shape) > 60_000 or min(pixels.shape) < 2:
        return []
    return codec(pixels)


def jpegxl(pixels: np.ndarray) -> list[int]:
    result = imagecodecs.jpegxl_encode(pixels, lossless=True, effort=9, usecontainer=False)
    check(np.array_equal(imagecodecs.jpegxl_decode(result), pixels))
    return [len(result)]


def jpegls(pixels: np.ndarray) -> list[int]:
    result = imagecodecs.jpegls_encode(pixels)
    check(np.array_equal(imagecodecs.jpegls_decode(result), pixels))
    return [len(result)]


def webp(pixels: np.ndarray) -> list[int]:
    if max(pixels.shape) > 16_383:
        return []
    colours = pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2)
    result = imagecodecs.webp_encode(np.ascontiguousarray(colours), level=100, lossless=True)
    check(np.array_equal(imagecodecs.webp_decode(result), colours))
    return [len(result)]


def flac(X: np.ndarray) -> list[int]:
    """Code sequences of up to two channels; 8 and 16 bits are centred at 0."""
    if X.ndim > 2 or (X.ndim == 2 and X.shape[1] > 2) or X.dtype.kind == "f" or X.itemsize > 4:
        return []
    wide = X.astype(np.int64)
    wide = wide - (int(wide.min()) + int(wide.max()) + 1) // 2 if X.dtype.kind == "u" else wide
    depth = next((d for d in (16, 24) if abs(wide).max() < 1 << d - 1), None)
    if depth is None:
        return []
    sizes = []
    for level in (0.875, 1.0):
        file = io.BytesIO()
        samples = wide.astype(np.int16) if depth == 16 else (wide << 8).astype(np.int32)
        soundfile.write(
            file, samples, 44_100, format="FLAC", subtype=f"PCM_{depth}", compression_level=level
        )
        file.seek(0)
        back = soundfile.read(file, dtype=samples.dtype.name)[0]
        check(np.array_equal(back, samples))
        sizes.append(len(file.getvalue()))
    return sizes


# --- lossy compressors ------------------------------------------------------------------------


def scaled(X: np.ndarray, bound: np.ndarray) -> tuple[np.ndarray, float]:
    """Return floats and their bound; the columns of a table are divided by their bounds."""
    if len(bound) == 1:
        exactly = X.dtype.itemsize <= 2 or X.dtype == np.float32
        return np.ascontiguousarray(X, dtype="f4" if exactly else "f8"), float(bound[0])
    unit = np.where(bound > 0, bound, np.inf)
    return (X / unit).astype("f8" if X.dtype == np.float64 else "f4"), 0.999


def kept(X: np.ndarray, back: np.ndarray, bound: np.ndarray) -> bool:
    if len(bound) > 1:
        constant = X.min(axis=0)
        back = np.where(bound > 0, back.reshape(X.shape) * bound, constant)
        if not np.array_equal(X[:, bound == 0], back[:, bound == 0]):
            return False
    return within(X, back.reshape(X.shape), bound)


def sz3(X: np.ndarray, bound: np.ndarray) -> list[int]:
    values, most = scaled(X, bound)
    for tighter in (1, 0.9999, 0.999, 0.99, 0.9):
        result = imagecodecs.sz3_encode(values, mode="abs", abs=most * tighter)
        back = imagecodecs.sz3_decode(result, shape=values.shape, dtype=values.dtype)
        if kept(X, back, bound):
            return [len(result)]
    return []


def zfp(X: np.ndarray, bound: np.ndarray | None) -> list[int]:
    if bound is None:
        if X.dtype.str[1:] not in ("f4", "f8", "i4", "i8"):
            return []
        result = imagecodecs.zfp_encode(X, mode="reversible")
        check(np.array_equal(imagecodecs.zfp_decode(result), X))
        return [len(result)]
    values, most = scaled(X, bound)
    sizes = []  # its errors stay well below the bound that it is given
    for factor in (8, 4, 2, 1):
        result = imagecodecs.zfp_encode(values, mode="a", level=most * factor)
        if kept(X, imagecodecs.zfp_decode(result), bound):
            sizes.append(len(result))
    return sizes


def sperr(X: np.ndarray, bound: np.ndarray) -> list[int]:
    values, most = scaled(X, bound)
    if values.ndim == 1:
        return []
    if values.ndim == 3 and values.shape[2] == 3:
        return []
    for tighter in (1, 0.999, 0.99, 0.9):
        try:
            result = imagecodecs.sperr_encode(values, most * tighter, mode="pwe")
            back = imagecodecs.sperr_decode(result)
        except (RuntimeError, ValueError):
            return []
        if kept(X, back, bound):
            return [len(result)]
    return []


def within(X: np.ndarray, back: np.ndarray, bound: np.ndarray) -> bool:
    apart = np.abs(np.asarray(back, dtype=float) - X)
    if X.dtype.kind != "f":
        apart = np.abs(np.rint(np.asarray(back, dtype=float)) - X)
    slack = np.spacing(np.abs(X.astype(float))) if X.dtype.kind == "f" else 0
    return bool((apart <= bound * (1 + 1e-6) + slack * (bound > 0)).all())


def check(right: bool) -> None:
    if not right:
        raise AssertionError("a compressor does not restore the values")


if __name__ == "__main__":
    main()
