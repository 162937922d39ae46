"""The error bound or rate of a codec, and the encoder that enforces it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from isthmus.compression.array_rows import ArrayRows
from isthmus.compression.coders.selection import CoderSelection
from isthmus.compression.column_ranges import bounds_for
from isthmus.compression.embedded_model import EmbeddedModel
from isthmus.compression.lossy.coder import LossyModelCoder, RateController
from isthmus.compression.parameters import CODEC_PARAMETERS
from isthmus.compression.pixels.coder import PixelNetworkCoder, are_images
from isthmus.core.errors import InvalidData, InvalidParameter

if TYPE_CHECKING:
    from isthmus.compression.coders.coder import BlockEncoder
    from isthmus.compression.row_codec import RowCodec


@dataclass(frozen=True)
class ErrorBound:
    """The largest error of decompressed values, or their quality or size.

    Parameters
    ----------
    max_error : float or None
        In units of the values, or as a fraction of `ranges` if given. None: `bits` or `quality`
        applies.
    bits, quality : float or None
        See `isthmus.compression.lossy.model.LossyModel.encode`.
    ranges : array of shape (ranges,), dict by column, or None
        The ranges that `fit` learned.
    """

    max_error: float | None
    bits: float | None
    quality: float | None
    ranges: Any

    def bounds(self, rows: RowCodec) -> tuple[float, ...]:
        """Return the error bound of each column; see `bounds_for`."""
        return bounds_for(rows, self.max_error or 0.0, self.ranges)

    def manifest_entries(self, bounds: tuple[float, ...]) -> dict[str, Any]:
        """Return the entries that describe it in the manifest."""
        if self.max_error is None:
            return {"quality": self.quality} if self.bits is None else {"bits": self.bits}
        if not any(bounds):
            return {}
        shown: Any = bounds[0] if len(set(bounds)) == 1 else list(bounds)
        return {"bound": shown}

    def encoder(self, model: EmbeddedModel | None) -> BlockEncoder:
        """Return the encoder of blocks."""
        if self.max_error is None and model is not None:
            return RateController(_lossy(model), self.quality, self.bits)
        return CoderSelection([] if model is None else [model.coder])

    def learns(self, rows: RowCodec) -> bool:
        """Whether such rows need a model."""
        images = isinstance(rows, ArrayRows) and are_images(rows.dtype, rows.sample_shape)
        return self.max_error is None or (self.max_error == 0 and images)

    def learn(self, rows: RowCodec, part: Any, seed: int) -> EmbeddedModel | None:
        """Return a model fitted to some rows, or None if none is needed.

        Raises
        ------
        InvalidData
            `max_error` is None, and the rows are those of a table.
        """
        if self.max_error == 0 and self.learns(rows) and len(part):
            return EmbeddedModel(PixelNetworkCoder.fit(part, seed))
        if self.max_error is not None:
            return None
        if not isinstance(rows, ArrayRows):
            raise InvalidData(
                "X",
                expected="an array, as max_error is None",
                received="a table",
                remedy="pass its numbers as an array, X.to_numpy(), or set max_error",
            )
        return EmbeddedModel(LossyModelCoder.fit(part, seed))


_CONSTRAINTS = {each.name: each.constraint for each in CODEC_PARAMETERS}


def error_bound_of(
    max_error: Any, relative: bool, bits: Any, quality: Any, ranges: Any
) -> ErrorBound:
    """Return the error bound that a codec's parameters describe.

    Raises
    ------
    InvalidParameter
        The parameters are invalid or contradict each other.
    """
    given = {"bits": bits, "quality": quality}
    if max_error is None:
        if relative or len([each for each in given.values() if each is not None]) != 1:
            raise InvalidParameter(
                "bits and quality",
                expected="one of them, and relative=False, as max_error is None",
                received=f"bits={bits!r}, quality={quality!r}, relative={relative!r}",
                remedy="pass quality= in decibels, or bits= per value",
            )
    else:
        given = {"max_error": max_error} | given
    for name, value in {**given, "relative": relative}.items():
        _CONSTRAINTS[name].check(name, value)
        if name in ("bits", "quality") and value is not None and max_error is not None:
            raise InvalidParameter(
                name,
                expected="None, as max_error is not None",
                received=repr(value)[:80],
                remedy="leave it out, or pass max_error=None",
            )
    return ErrorBound(_float(max_error), _float(bits), _float(quality), ranges)


def _lossy(model: EmbeddedModel) -> LossyModelCoder:
    assert isinstance(model.coder, LossyModelCoder)  # noqa: S101 - Codec checks it on loading
    return model.coder


def _float(value: Any) -> float | None:
    return None if value is None else float(value)
