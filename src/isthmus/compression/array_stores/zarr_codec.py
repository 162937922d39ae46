"""The codec of Zarr 3."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from zarr.abc.codec import ArrayBytesCodec
from zarr.core.common import parse_named_configuration
from zarr.registry import register_codec

from isthmus.compression.array_rows import check_type
from isthmus.compression.array_stores.chunks import check_max_error, decoded, encoded

if TYPE_CHECKING:
    from zarr.core.array_spec import ArraySpec
    from zarr.core.buffer import Buffer, NDBuffer

NAME = "isthmus"


@dataclass(frozen=True)
class ZarrCodec(ArrayBytesCodec):
    """Compressor of the chunks of Zarr arrays, lossless or with a bounded error.

    Pass it as `serializer` to ``zarr.create_array``, with ``compressors=None``, or in the encoding
    of xarray. Chunks are encoded and decoded in threads.

    Parameters
    ----------
    max_error : float, default=0
        No number changes by more than this. 0 is lossless. Booleans, NaN and infinities never
        change.

    Examples
    --------
    >>> import numpy as np
    >>> import zarr
    >>> from isthmus.compression.array_stores.zarr_codec import ZarrCodec
    >>> heights = np.add.outer(np.arange(64.0), np.arange(64.0) ** 2)
    >>> stored = zarr.create_array(
    ...     {}, data=heights, chunks=(32, 32), serializer=ZarrCodec(max_error=0.5), compressors=None
    ... )
    >>> bool(abs(stored[:] - heights).max() <= 0.5), stored.nbytes_stored() < heights.nbytes / 10
    (True, True)
    """

    is_fixed_size = False

    max_error: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "max_error", check_max_error(self.max_error))

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Return the codec that a store's metadata describe."""
        _, configuration = parse_named_configuration(data, NAME, require_configuration=False)
        return cls(**(configuration or {}))

    def to_dict(self) -> dict[str, Any]:
        """Return what a store's metadata contain."""
        return {"name": NAME, "configuration": {"max_error": self.max_error}}

    def validate(self, *, shape: Any, dtype: Any, chunk_grid: Any) -> None:
        """Refuse arrays of other types than numbers and booleans, before a chunk is written."""
        del shape, chunk_grid
        check_type(dtype.to_native_dtype(), "the array", "use another serializer for it")

    def compute_encoded_size(self, input_byte_length: int, chunk_spec: ArraySpec) -> int:
        """Raise NotImplementedError: the size depends on the values."""
        raise NotImplementedError

    async def _decode_single(self, chunk_bytes: Buffer, chunk_spec: ArraySpec) -> NDBuffer:
        values = await asyncio.to_thread(
            decoded, chunk_bytes.to_bytes(), chunk_spec.shape, chunk_spec.dtype.to_native_dtype()
        )
        return chunk_spec.prototype.nd_buffer.from_numpy_array(values)

    async def _encode_single(self, chunk_array: NDBuffer, chunk_spec: ArraySpec) -> Buffer:
        values = np.asarray(chunk_array.as_numpy_array())
        content = await asyncio.to_thread(encoded, values, self.max_error)
        return chunk_spec.prototype.buffer.from_bytes(content)


# The entry point does this for an installed isthmus, and this for one that is only on the path.
register_codec(NAME, ZarrCodec)
