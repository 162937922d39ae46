"""Compression of arrays and tables: lossless, within an error bound, or at a chosen quality."""

from __future__ import annotations

import io
import numbers
import os
import warnings
from collections import Counter
from typing import TYPE_CHECKING, Any, Self

from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from isthmus.compression.array_rows import rows_from
from isthmus.compression.codec_archive import CONTENT, from_artifact, has_ranges, to_artifact
from isthmus.compression.column_ranges import merged_limits, range_widths
from isthmus.compression.container_reading import (
    open_container,
    read_whole,
    rows_and_coders,
    summary_of,
    truncation_error,
)
from isthmus.compression.container_reading import read_chunk as chunk_of
from isthmus.compression.container_writing import write
from isthmus.compression.error_bounds import ErrorBound, error_bound_of
from isthmus.compression.parameters import CODEC_PARAMETERS
from isthmus.compression.row_batches import batches, to_learn_from
from isthmus.core.atomic_files import atomic_write
from isthmus.core.errors import DataWarning, InvalidArchive, InvalidData, InvalidParameter
from isthmus.core.randomness import resolve_seed
from isthmus.estimators import input_checks, parameters
from isthmus.estimators.learned_checks import contradicted
from isthmus.estimators.storage import plain_params, storable
from isthmus.persistence import artifact, config_checks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from isthmus.compression.embedded_model import EmbeddedModel
    from isthmus.compression.row_codec import RowCodec
    from isthmus.compression.summary import Summary
    from isthmus.persistence.artifact import Artifact

_Path = str | os.PathLike[str]


class Codec(BaseEstimator):
    """Compressor of arrays and tables: lossless, or with a bounded error, quality or size.

    There are three modes. ``max_error=0`` is lossless: every bit of booleans, integers and floats
    is restored, including NaN and infinities. With ``max_error`` above 0, no number changes by more
    than that. The encoder verifies this by decoding before it writes anything. NaN, infinities,
    text, times and booleans do not change. With ``max_error=None``, `fit` trains a model for arrays
    of bytes, float32 or float64 without missing values. Rows are then coded at a given `quality`,
    or as well as a given number of `bits` allows.

    Several coders, including general-purpose compressors, encode each chunk of rows, and the
    smallest result is stored. So a file is larger than theirs by at most its header. Decoding uses
    integer arithmetic or single operations that IEEE 754 defines, so every machine restores the
    same bits. With ``max_error=None``, a float may differ in its last digits, and a byte by 1.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    ranges_ : array of shape (columns,), dict by column, or None
        The ranges of the data given to `fit`, if `relative`.
    coder_ : str or None
        The kind of model that `fit` trained: "pixels" for lossless images of bytes, "lossy" with
        ``max_error=None``.

    Examples
    --------
    >>> import isthmus as ist
    >>> from sklearn.datasets import load_iris
    >>> X = load_iris().data
    >>> codec = ist.Codec(max_error=0.05).fit(X)
    >>> blob = codec.compress(X)
    >>> bool(abs(codec.decompress(blob) - X).max() <= 0.05), len(blob) < X.nbytes / 10
    (True, True)
    """

    kind = "codec"

    _model: EmbeddedModel | None

    def __init__(
        self,
        *,
        max_error: float | None = 0,
        relative: bool = False,
        bits: float | None = None,
        quality: float | None = None,
        random_state: Any = None,
    ) -> None:
        self.max_error = max_error
        self.relative = relative
        self.bits = bits
        self.quality = quality
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn the column ranges, or train the model, that the parameters require.

        With `relative`, learn the range of each column. With ``max_error=0`` and images of bytes,
        train a lossless model of images. With ``max_error=None``, train a lossy model of numbers.
        Otherwise, learn nothing.

        Parameters
        ----------
        X : array, DataFrame, Arrow table, iterator of these, path or source of batches
            Rows: (n, columns), (n,) or (n, *shape of a row). An iterator yields batches of rows,
            for data larger than memory. Ranges cover all batches; a model is trained on the first.
            A path is that of a file, a folder or a pattern of files. A source is what
            `isthmus.data.sources.opening.opened` takes, such as a pyarrow Dataset or a function
            that returns an iterator of batches. It is read in batches for ranges. A model is
            trained on all rows if they take at most 1 GiB as float32, else on a random sample.
        y : ignored
            Labels, as pipelines pass them.

        Returns
        -------
        self

        Raises
        ------
        InvalidParameter, InvalidData, UnreadableFile
            A parameter is invalid, `X` does not consist of such rows, or cannot be read.
        """
        input_checks.refuse_samples(y, X)
        error_bound, seed = self._error_bound(), resolve_seed(self.random_state)
        limits: Any = None
        model: EmbeddedModel | None = None
        for rows, part in self._batches_to_learn_from(X, error_bound):
            if self.relative:
                limits = merged_limits(limits, rows, part)
            model = model or error_bound.learn(rows, part, seed)
        if model is None and self.max_error is None:
            raise InvalidData("X", expected="at least one batch", received="an empty iterator")
        self._keep(range_widths(limits), model)
        return self

    def compress(self, X: Any, *, embed: bool = True) -> bytes:
        """Compress rows to bytes.

        Parameters
        ----------
        X : array, DataFrame, Arrow table, path or source of batches
            Rows. Files and sources are read in batches, as in `compress_to`; the result is in
            memory.
        embed : bool, default=True
            Whether to embed the model that `fit` trained. A lossless model is not used if the
            result is smaller without it. Of a lossy model, only the parts that the rows need are
            embedded. If False, the bytes identify the model by a hash, and only this codec, or one
            loaded from its saved file, can decompress them.

        Returns
        -------
        bytes

        Raises
        ------
        InvalidData, InvalidParameter, UnreadableFile
            `X` cannot be compressed or read, or its columns differ from those given to `fit`.
        """
        check_is_fitted(self)
        model, error_bound = self._fitted_model(), self._error_bound(self.ranges_)
        found = []
        # `bits` and `quality` need the model; error bounds do not.
        for used in [model] if model is None or self.max_error is None else [model, None]:
            sink = io.BytesIO()
            write(X, sink, error_bound, used, embed=embed)
            found.append(sink.getvalue())
        return min(found, key=len)

    def compress_to(
        self,
        X: Any,
        path: _Path,
        *,
        embed: bool = True,
        progress: Callable[[int], object] | None = None,
    ) -> Summary:
        """Write rows to a file, a chunk at a time.

        Parameters
        ----------
        X : array, DataFrame, Arrow table, iterator of these, path or source of batches
            Rows, in batches that have the same columns and types. All but those in memory may be
            larger than memory: an iterator, a memory-mapped array, a file, a folder or a pattern of
            files, and what else `fit` takes.
        path : path
            The file, usually ``*.isz``. It is written completely or not at all.
        embed : bool, default=True
            Whether to embed the model that `fit` trained; see `compress`. The rows are not encoded
            a second time to find out whether the file is smaller without the model.
        progress : callable, optional
            Called with the number of rows done.

        Returns
        -------
        Summary
            Sizes, the compression ratio, the largest error, and the coders that were selected.

        Raises
        ------
        CannotWrite
            The file could not be written; an existing file is unchanged.
        InvalidData, InvalidParameter, UnreadableFile
            As in `compress`.
        """
        check_is_fitted(self)
        model, error_bound = self._fitted_model(), self._error_bound(self.ranges_)
        found: list[Summary] = []
        atomic_write(
            path,
            lambda file: found.append(
                write(X, file, error_bound, model, embed=embed, progress=progress)
            ),
        )
        return found[0]

    def decompress(self, blob: bytes) -> Any:
        """Return the rows from the output of `compress`, or from the content of a file.

        The bytes may come from an untrusted source. A codec that was not fitted can decompress
        them, unless they need a model that they do not embed.

        Parameters
        ----------
        blob : bytes
            The output of `compress`, or the whole content of a file that `compress_to` wrote.

        Returns
        -------
        array, DataFrame or Arrow table
            With the same type, dtypes, shape and column names. A pandas index is not stored.

        Raises
        ------
        InvalidArchive
            The bytes are damaged, in another format, or need another codec's model. The message
            names a damaged chunk. Also raised if the rows would take more than both 1 GiB and 1,000
            times the size of the bytes; `decompress_from` reads a file of such rows chunk by chunk.
        """
        return read_whole(blob, self._fitted_model())

    def decompress_from(self, path: _Path, *, skip_damaged: bool = False) -> Iterator[Any]:
        """Yield the rows of a file that `compress_to` wrote, chunk by chunk.

        Parameters
        ----------
        path : path
            The file, which may come from an untrusted source.
        skip_damaged : bool, default=False
            Skip damaged chunks, with a warning that names them.

        Yields
        ------
        array, DataFrame or Arrow table
            At least one. It has no rows if the file has none, or if all chunks were skipped.

        Raises
        ------
        InvalidArchive
            As in `decompress`.

        Warns
        -----
        DataWarning
            A chunk was skipped.
        """
        with open_container(path) as reader:
            rows, fitted = rows_and_coders(reader, self._fitted_model())
            given = False
            for number in range(len(reader.chunks)):
                try:
                    part = chunk_of(reader, rows, fitted, number)
                except InvalidArchive as error:
                    if not skip_damaged:
                        raise
                    warnings.warn(f"skipped: {error}", DataWarning, stacklevel=2)
                    continue
                given = True
                yield rows.join([part])
            if reader.truncation:
                if not skip_damaged:
                    raise truncation_error(reader)
                warnings.warn(str(truncation_error(reader)), DataWarning, stacklevel=2)
            if not given:
                yield rows.join([])

    def read_chunk(self, path: _Path, number: int) -> Any:
        """Return one chunk of a file, even if others are damaged.

        Parameters
        ----------
        path : path
            The file.
        number : int
            Counted from 0. The counts in ``describe(path).coders`` add up to the number of chunks.

        Returns
        -------
        array, DataFrame or Arrow table

        Raises
        ------
        InvalidArchive
            As in `decompress`.
        InvalidParameter
            There is no such chunk.
        """
        with open_container(path) as reader:
            rows, fitted = rows_and_coders(reader, self._fitted_model())
            if not isinstance(number, numbers.Integral) or not 0 <= number < len(reader.chunks):
                raise InvalidParameter(
                    "number",
                    expected=f"the number of one of the {len(reader.chunks)} chunks, from 0",
                    received=repr(number),
                )
            return rows.join([chunk_of(reader, rows, fitted, int(number))])

    def describe(self, path: _Path) -> Summary:
        """Return the size of a file and the coders of its chunks. This reads the whole file.

        Raises
        ------
        InvalidArchive
            As in `decompress`.
        """
        with open_container(path) as reader:
            rows, fitted = rows_and_coders(reader, self._fitted_model())
            coders = Counter(
                rows.describe_coder(reader.read(each), fitted) for each in reader.chunks
            )
            return summary_of(reader, rows, coders)

    def size_of(self, path: _Path) -> Summary:
        """Return the size of a file, without reading its chunks.

        Raises
        ------
        InvalidArchive
            The file is damaged before its first chunk, or in another format.
        """
        with open_container(path) as reader:
            return summary_of(reader, rows_from(reader.manifest))

    def save(self, path: _Path) -> None:
        """Write the fitted codec to a file; `isthmus.load` reads it.

        Raises
        ------
        CannotWrite
            The file could not be written; an existing file is unchanged.
        InvalidParameter
            A parameter that was changed after `fit` contradicts another, or what was learned.
        """
        check_is_fitted(self)
        artifact.write(path, self._to_artifact())

    def _batches_to_learn_from(
        self, X: Any, error_bound: ErrorBound
    ) -> Iterator[tuple[RowCodec, Any]]:
        """Yield all batches for ranges; for a model, the rows of a source that it needs."""
        if self.relative or hasattr(X, "__next__"):
            return batches(X)
        first = next(batches(X), None)
        if first is None or not error_bound.learns(first[0]):
            return iter(() if first is None else (first,))
        return batches(to_learn_from(X))

    def _error_bound(self, ranges: Any = None) -> ErrorBound:
        return error_bound_of(self.max_error, self.relative, self.bits, self.quality, ranges)

    def _fitted_model(self) -> EmbeddedModel | None:
        return getattr(self, "_model", None)

    def _keep(self, ranges: Any, model: EmbeddedModel | None) -> None:
        self.ranges_, self._model = ranges, model
        self.coder_ = None if model is None else model.name

    def _to_artifact(self) -> Artifact:
        self._check_learned(self.ranges_ is not None, self.coder_)
        params = {name: storable(value) for name, value in self.get_params(deep=False).items()}
        return to_artifact(self.kind, params, self.ranges_, self._fitted_model())

    @classmethod
    def _from_artifact(cls, stored: Artifact) -> Self:
        content = config_checks.entries(stored.manifest, CONTENT, "codec")
        codec = cls(**plain_params(cls, content["params"], CODEC_PARAMETERS))
        try:
            # The kind of model is known before the model is built.
            codec._check_learned(has_ranges(stored), content["coder"])
        except InvalidParameter as error:
            raise InvalidArchive.of(error).about("the archive's settings") from error
        codec._keep(*from_artifact(stored))
        return codec

    def _check_learned(self, has_ranges: bool, coder: Any) -> None:
        """Check the parameters together, and against what was learned.

        Parameters
        ----------
        has_ranges : bool
            Whether `fit` learned ranges.
        coder : object
            The kind of model, None without one; an archive may say anything.

        Raises
        ------
        InvalidParameter
            They contradict each other, or what was learned.
        """
        self._error_bound()
        if bool(self.relative) != has_ranges:
            raise contradicted("relative", self.relative, has_ranges)
        if self.max_error is None and coder != "lossy":
            raise contradicted("max_error", None, "a number")
        if self.max_error is not None and coder == "lossy":
            raise contradicted("max_error", self.max_error, None)
        if self.max_error and coder is not None:
            raise contradicted("max_error", self.max_error, 0)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "coder_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


Codec.__doc__ = parameters.documented(Codec.__doc__, "codec", CODEC_PARAMETERS)
