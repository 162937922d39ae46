"""Rate and distortion of image codecs, in the environment "imagecodecs"; JSON on standard output.

usage: image_codecs.py images.npy

The images, uint8 (n, height, width), are coded one by one (the first 500) and as one mosaic, in
which the header hardly counts. A point is bits per pixel and PSNR in dB over all pixels.
"""

import io
import json
import math
import sys

import imagecodecs
import numpy as np
from PIL import Image

ALONE = 500
QUALITIES = {
    "JPEG": (1, 3, 5, 10, 15, 20, 30, 40, 50, 60, 70),
    "WebP": (0, 1, 2, 3, 5, 10, 15, 20),
    "JPEG-XL": (25, 20, 15, 12, 10, 8, 6),
}


def encode(name, image, quality):
    if name == "JPEG-XL":
        return imagecodecs.jpegxl_encode(image, distance=quality, effort=7, numthreads=1)
    options = {"JPEG": {"optimize": True, "progressive": True}, "WebP": {"method": 6}}[name]
    out = io.BytesIO()
    Image.fromarray(image).save(out, name, quality=quality, **options)
    return out.getvalue()


def decode(name, content):
    if name == "JPEG-XL":
        return imagecodecs.jpegxl_decode(content)
    return np.asarray(Image.open(io.BytesIO(content)).convert("L"))


def point(name, images, quality):
    size, error, count = 0, 0.0, 0
    for image in images:
        content = encode(name, image, quality)
        rebuilt = decode(name, content).astype(np.float64).reshape(image.shape)
        size += len(content)
        error += ((rebuilt - image) ** 2).sum()
        count += image.size
    return 8 * size / count, 10 * math.log10(255**2 * count / error)


def main():
    images = np.load(sys.argv[1])
    n, height, width = images.shape
    side = math.isqrt(n)
    tiles = images[: side * side].reshape(side, side, height, width).transpose(0, 2, 1, 3)
    mosaic = np.ascontiguousarray(tiles).reshape(1, side * height, side * width)
    curves = {}
    for name, qualities in QUALITIES.items():
        curves[f"{name}, mosaic"] = [point(name, mosaic, each) for each in qualities]
        curves[f"{name}, one by one"] = [point(name, images[:ALONE], each) for each in qualities]
    print(json.dumps(curves))


main()
