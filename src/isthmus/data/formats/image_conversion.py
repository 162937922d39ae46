"""Converts images to another mode and another size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from isthmus.core.errors import InvalidData
from isthmus.data.formats.image_options import MODES, channels_of, mode_name

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isthmus.data.formats.image_options import ImageOptions

_LUMA = (19595, 38470, 7471)
"""Weights of red, green and blue in the luma of ITU-R BT.601, times 65536."""
_FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


def converted(pixels: NDArray[Any], options: ImageOptions) -> NDArray[Any]:
    """Return an image in the mode and size that the options ask for.

    Colours become grey by their luma. Without an alpha channel, the colours of transparent pixels
    show; a new alpha channel is opaque. Pixels of 16 bits become 8 bits divided by 257.

    Parameters
    ----------
    pixels : ndarray of shape (h, w) or (h, w, channels)
    options : ImageOptions

    Raises
    ------
    InvalidData
        The mode is given, and the image has more than 4 bands or is not of 8 or 16 bits.
    """
    if options.mode is not None:
        pixels = _in_mode(pixels, options.mode)
    size = options.size
    if size is not None and size != pixels.shape[:2]:
        pixels = _resized(pixels, size, _FILTERS[options.resample])
    return pixels


def _in_mode(pixels: NDArray[Any], name: str) -> NDArray[Any]:
    own = (channels_of(pixels.shape), str(pixels.dtype))
    mode = MODES[name]
    if own == mode:
        return pixels.reshape(*pixels.shape[:2], *([mode.channels] if mode.channels > 1 else []))
    if own not in MODES.values():
        raise InvalidData(
            "an image",
            expected=f"one of the modes {', '.join(MODES)}, to convert it to {name}",
            received=mode_name(pixels.dtype, own[0]),
            remedy="leave the mode out, or choose the bands and their range yourself and save them "
            "as an .npy file",
        )
    pixels = _in_depth(pixels, mode.dtype).reshape(*pixels.shape[:2], own[0])
    alpha = pixels[..., -1:] if own[0] in (2, 4) else None
    colours = pixels if alpha is None else pixels[..., :-1]
    if mode.channels < 3 and colours.shape[2] == 3:
        colours = _luma(colours)
    elif mode.channels >= 3 and colours.shape[2] == 1:
        colours = np.repeat(colours, 3, axis=2)
    if mode.channels in (2, 4):
        opaque = np.full_like(colours[..., :1], np.iinfo(mode.dtype).max)
        colours = np.concatenate([colours, opaque if alpha is None else alpha], axis=2)
    return colours[..., 0] if mode.channels == 1 else colours


def _in_depth(pixels: NDArray[Any], dtype: str) -> NDArray[Any]:
    if str(pixels.dtype) == dtype:
        return pixels
    if dtype == "uint16":
        return pixels.astype(np.uint16) * np.uint16(257)
    return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _luma(colours: NDArray[Any]) -> NDArray[Any]:
    wide = colours.astype(np.uint32)
    luma = sum(
        (wide[..., channel] * np.uint32(weight) for channel, weight in enumerate(_LUMA)),
        start=np.uint32(1 << 15),
    )
    return (luma >> 16).astype(colours.dtype)[..., None]


def _resized(
    pixels: NDArray[Any], size: tuple[int, int], resample: Image.Resampling
) -> NDArray[Any]:
    height, width = size
    if str(pixels.dtype) == "uint8" and channels_of(pixels.shape) <= 4 and pixels.shape[2:] != (1,):
        return np.asarray(Image.fromarray(pixels).resize((width, height), resample))
    bands = pixels.reshape(*pixels.shape[:2], -1).astype(np.float32)
    alpha = bands[..., -1:] if mode_name(pixels.dtype, bands.shape[2]) in _ALPHA else None
    if alpha is not None:  # else colours of transparent pixels would show at edges
        bands = np.concatenate([bands[..., :-1] * alpha, alpha], axis=2)
    small = np.stack(
        [
            np.asarray(Image.fromarray(band).resize((width, height), resample))
            for band in np.ascontiguousarray(bands.transpose(2, 0, 1))
        ],
        axis=-1,
    )
    if alpha is not None:
        small[..., :-1] /= np.where(small[..., -1:] > 0, small[..., -1:], 1)
    return _as_type(small, pixels.dtype).reshape(height, width, *pixels.shape[2:])


_ALPHA = [name for name, mode in MODES.items() if mode.channels in (2, 4)]


def _as_type(values: NDArray[np.float32], dtype: np.dtype[Any]) -> NDArray[Any]:
    if dtype.kind == "f":
        return values.astype(dtype)
    limits = np.iinfo(dtype)
    return np.clip(np.rint(values.astype(np.float64)), limits.min, limits.max).astype(dtype)
