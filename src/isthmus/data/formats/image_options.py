"""How images are converted when they are read, and what they were read as.

The command line lists the modes in its help, so nothing heavy is imported here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Self, get_args

from isthmus.core.catalogue import nearest
from isthmus.core.errors import InvalidParameter

PixelType = Literal["uint8", "uint16", "int16", "uint32", "int32", "float32", "float64"]


class ImageMode(NamedTuple):
    """The channels of an image and the type of its pixels."""

    channels: int
    dtype: str


MODES = {
    name + ending: ImageMode(channels, dtype)
    for ending, dtype in (("", "uint8"), ("16", "uint16"))
    for channels, name in enumerate(("grey", "grey-alpha", "rgb", "rgba"), 1)
}
"""The modes that images can be converted to, by name; those that end in 16 have 16 bits."""
RESAMPLING = ("nearest", "box", "bilinear", "bicubic", "lanczos")
"""The filters that images can be resized with."""
PIXEL_TYPES = get_args(PixelType)
MOST_PIXELS = 1 << 26
"""Of one image. A larger one would fill the memory, and may be a decompression bomb."""


@dataclass(frozen=True)
class ImageOptions:
    """How the images of a folder are converted when they are read.

    Parameters
    ----------
    size : (int, int), optional
        Height and width that images are resized to, whatever their proportions; by default they
        keep their size.
    mode : str, optional
        A name in `MODES`; by default images keep their channels and the type of their pixels.
    resample : str
        The filter for resizing, a name in `RESAMPLING`. All but ``"nearest"`` average when they
        reduce an image.
    """

    size: tuple[int, int] | None = None
    mode: str | None = None
    resample: str = "bilinear"

    def checked(self) -> Self:
        """Return the options; raises InvalidParameter."""
        size = self.size
        if size is not None and not _is_size(size):
            raise InvalidParameter(
                "size",
                expected=f"height and width, integers from 1, at most {MOST_PIXELS:,} pixels",
                received=repr(size),
                remedy="size=(64, 64)",
            )
        if self.mode is not None:
            _require_name("mode", self.mode, tuple(MODES))
        _require_name("resample", self.resample, RESAMPLING)
        return self

    def to_config(self) -> dict[str, Any]:
        """Return a JSON-able description."""
        size = None if self.size is None else list(self.size)
        return {"size": size, "mode": self.mode, "resample": self.resample}

    @classmethod
    def from_config(cls, config: Any) -> Self:
        """Rebuild from the result of `to_config`, which may be untrusted; raises InvalidArchive."""
        from isthmus.persistence.config_checks import entries, one_of, refuse  # heavy

        stored = entries(config, ("size", "mode", "resample"), "images")
        size, mode = stored["size"], stored["mode"]
        if size is not None and not (isinstance(size, list) and _is_size(size)):
            refuse("images", "a height and a width, or none", size)
        return cls(
            None if size is None else (size[0], size[1]),
            None if mode is None else one_of(stored, "mode", tuple(MODES)),
            one_of(stored, "resample", RESAMPLING),
        )


AS_STORED = ImageOptions()
"""No conversion."""


@dataclass(frozen=True)
class ImageForm:
    """What images were read as: the type of their pixels, and how they were converted."""

    dtype: PixelType
    options: ImageOptions = AS_STORED

    def to_config(self) -> dict[str, Any]:
        """Return a JSON-able description."""
        return {"dtype": self.dtype, "options": self.options.to_config()}

    @classmethod
    def from_config(cls, config: Any, sample_shape: tuple[int, ...]) -> Self:
        """Rebuild from the result of `to_config`, which may be untrusted.

        Raises
        ------
        InvalidArchive
            It is not such a result, or not of samples of this shape.
        """
        from isthmus.persistence.config_checks import entries, one_of, refuse  # heavy

        stored = entries(config, ("dtype", "options"), "images")
        form = cls(
            one_of(stored, "dtype", PIXEL_TYPES), ImageOptions.from_config(stored["options"])
        )
        size, mode = form.options.size, MODES.get(form.options.mode or "")
        channels = 1 if len(sample_shape) == 2 else sample_shape[-1]
        if len(sample_shape) not in (2, 3) or size not in (None, sample_shape[:2]):
            refuse("images", f"images of shape {sample_shape}", size)
        if mode is not None and mode != (channels, form.dtype):
            refuse("images", f"{channels} channels of {form.dtype}", form.options.mode)
        return form


def mode_name(dtype: object, channels: int) -> str:
    """Return the name of a mode in messages, such as ``"rgb16"`` or ``"5 bands of float32"``."""
    for name, mode in MODES.items():
        if mode == (channels, str(dtype)):
            return name
    return f"{channels} band{'' if channels == 1 else 's'} of {dtype}"


def image_kind(shape: tuple[int, ...], dtype: object) -> str:
    """Describe images in a message: ``"28 × 28 grey (height × width)"``."""
    name = mode_name(dtype, channels_of(shape))
    return f"{' × '.join(map(str, shape[:2]))} {name} (height × width)"


def conversion(shape: tuple[int, ...], dtype: object) -> str:
    """Return what to try to convert images to this shape and type."""
    name = mode_name(dtype, channels_of(shape))
    height, width = shape[:2]
    options, arguments = f"--image-size {height}x{width}", f"size=({height}, {width})"
    if name in MODES:
        options, arguments = f"{options} --image-mode {name}", f"{arguments}, mode={name!r}"
    return f"convert them: {options}, or in Python isthmus.read_images(path, {arguments})"


def channels_of(shape: tuple[int, ...]) -> int:
    """Return the number of channels of an image of this shape."""
    return shape[2] if len(shape) == 3 else 1


def _is_size(size: Any) -> bool:
    plain = isinstance(size, (tuple, list)) and len(size) == 2
    if not plain or not all(isinstance(n, int) and not isinstance(n, bool) for n in size):
        return False
    return bool(min(size) >= 1 and size[0] * size[1] <= MOST_PIXELS)


def _require_name(parameter: str, name: object, known: tuple[str, ...]) -> None:
    if not isinstance(name, str) or name not in known:
        raise InvalidParameter(
            parameter,
            expected=f"one of {', '.join(known)}",
            received=repr(name),
            remedy=nearest(str(name), list(known)) or f"{parameter}={known[0]!r}",
        )
