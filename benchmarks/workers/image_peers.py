"""Worker: lossless sizes of 8-bit images with image codecs and general-purpose compressors.

Image codecs get one mosaic of all images, in which the header hardly counts, and the first 500
images one by one, from which the size of all is extrapolated. General-purpose compressors get all
bytes at once, as rows and as one column for each pixel. Every result is decoded and checked.

job: data (.npy file of uint8, shape (n, height, width))
"""

import bz2
import gzip
import io
import lzma
import math

import imagecodecs
import job
import numpy as np
from PIL import Image

ALONE = 500
GENERAL = {
    "gzip -9": (lambda b: gzip.compress(b, 9), gzip.decompress),
    "zstd -22": (lambda b: imagecodecs.zstd_encode(b, level=22), imagecodecs.zstd_decode),
    "brotli -11": (lambda b: imagecodecs.brotli_encode(b, level=11), imagecodecs.brotli_decode),
    "bz2 -9": (bz2.compress, bz2.decompress),
    "lzma -9e": (lambda b: lzma.compress(b, preset=9 | lzma.PRESET_EXTREME), lzma.decompress),
}


def pillow(kind, **options):
    def encode(image):
        out = io.BytesIO()
        Image.fromarray(image).save(out, kind, **options)
        return out.getvalue()

    return encode, lambda content: np.asarray(Image.open(io.BytesIO(content)).convert("L"))


def jpegxl(image):
    return imagecodecs.jpegxl_encode(image, lossless=True, effort=9, numthreads=1)


IMAGE = {
    "PNG": pillow("PNG", optimize=True),
    "WebP": pillow("WebP", lossless=True, method=6, quality=100),
    "JPEG-XL": (jpegxl, imagecodecs.jpegxl_decode),
}


def main() -> None:
    images = np.load(job.read().data)
    n, height, width = images.shape
    columns = next(k for k in range(math.isqrt(n), 0, -1) if n % k == 0)
    tiles = images.reshape(n // columns, columns, height, width).transpose(0, 2, 1, 3)
    mosaic = np.ascontiguousarray(tiles).reshape(1, -1, columns * width)
    sizes = {}
    for name, coder in IMAGE.items():
        sizes[f"{name}, one mosaic"] = size(coder, mosaic)
        some = images[:ALONE]
        sizes[f"{name}, one by one"] = size(coder, some) * n / len(some)
    flat = images.reshape(n, -1)
    for name, (encode, decode) in GENERAL.items():
        contents = [flat.tobytes(), flat.T.tobytes()]
        packed = [encode(content) for content in contents]
        check(all(bytes(decode(p)) == c for p, c in zip(packed, contents, strict=True)))
        sizes[name] = min(map(len, packed))
    job.report(sizes=sizes)


def size(coder, images) -> int:
    encode, decode = coder
    total = 0
    for image in images:
        content = encode(image)
        check(np.array_equal(np.asarray(decode(content)).reshape(image.shape), image))
        total += len(content)
    return total


def check(right: bool) -> None:
    if not right:
        raise AssertionError("a compressor does not restore the images")


if __name__ == "__main__":
    main()
