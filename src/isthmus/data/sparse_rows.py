"""SciPy's sparse matrices and arrays as rows that become dense only where they are read."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from scipy import sparse

from isthmus.core.errors import InvalidData

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import DTypeLike, NDArray


class SparseRows:
    """The rows of a sparse matrix. Indexing returns a dense part; nothing else is dense.

    It has those parts of an array's interface that schemas use.

    Parameters
    ----------
    matrix : sparse matrix or array of SciPy, shape (n, columns)
        Of any format. A cell that is not stored is 0; NaN marks a missing cell.

    Raises
    ------
    InvalidData
        It is empty, does not have two dimensions, or does not contain real numbers.
    """

    ndim = 2

    def __init__(self, matrix: Any) -> None:
        if matrix.ndim != 2 or 0 in matrix.shape or matrix.dtype.kind not in "biuf":
            raise InvalidData(
                "X",
                expected="a non-empty sparse matrix of numbers with 2 dimensions",
                received=f"{type(matrix).__name__} of shape {matrix.shape} and {matrix.dtype}",
                remedy="make each sample a row; images and series need a dense array",
            )
        self.by_row = matrix.tocsr()
        """The matrix in CSR format."""
        self.shape: tuple[int, int] = matrix.shape
        self.dtype: np.dtype[Any] = matrix.dtype

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> Any:
        """Return a dense part: rows, or with a pair of keys rows and columns."""
        # In CSR format, slicing columns would take as long as reading the whole matrix.
        every_row = isinstance(key, tuple) and key[0] == slice(None)
        part = self._by_column[key] if every_row else self.by_row[key]
        return part.toarray() if sparse.issparse(part) else part

    def astype(self, dtype: DTypeLike, *, copy: bool = True) -> NDArray[Any]:
        """Return all rows as a dense array."""
        dense: NDArray[Any] = self.by_row.toarray().astype(dtype, copy=copy)
        return dense

    @cached_property
    def _by_column(self) -> Any:
        return self.by_row.tocsc()


def is_sparse(X: Any) -> bool:
    """Tell whether `X` is one of SciPy's sparse matrices or arrays."""
    return bool(sparse.issparse(X))


def without_sparsity(X: Any) -> Any:
    """Return a sparse matrix as a dense array; anything else unchanged."""
    return X.toarray() if is_sparse(X) else X
