"""The figures of autoencoders, as methods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sklearn.utils.validation import check_is_fitted

from isthmus.core.errors import InvalidParameter
from isthmus.estimators import resolved_settings
from isthmus.plots import codes, reconstructions, training

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Figures:
    """Figures of a fitted autoencoder for notebooks; they need the extra ``plots``."""

    def plot_history(self: Any, ax: Any = None) -> Axes:
        """Draw the training and validation loss of each epoch.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; None for a new figure.

        Returns
        -------
        matplotlib Axes

        Raises
        ------
        MissingExtra
            matplotlib is not installed.
        """
        check_is_fitted(self)
        return training.history(self.history_, self.best_epoch_, ax)

    def plot_codes(self: Any, X: Any, y: Any = None, ax: Any = None) -> Axes:
        """Draw the codes of `X` as points, those of more than two numbers by principal components.

        Parameters
        ----------
        X : array, DataFrame or Arrow table
            As for `transform`. Of more than 20,000 rows, a random sample is drawn.
        y : array of shape (n,), optional
            Labels, by which points are coloured: classes, or numbers on a scale.
        ax : matplotlib Axes, optional
            Where to draw; None for a new figure.

        Returns
        -------
        matplotlib Axes

        Raises
        ------
        InvalidData
            The number of labels differs from that of rows.
        MissingExtra
            matplotlib is not installed.
        """
        return codes.codes(self.transform(X), y, ax)

    def plot_reconstructions(self: Any, X: Any, n: int = 8, ax: Any = None) -> Axes:
        """Draw the first samples of `X` and their reconstructions.

        Pictures are drawn above their reconstructions and series on top of them. Of tables, each
        cell's reconstruction is drawn against its value, in scaled units.

        Parameters
        ----------
        X : array, DataFrame or Arrow table
            As for `reconstruct`.
        n : int
            Number of samples.
        ax : matplotlib Axes, optional
            Where to draw; None for a new figure.

        Returns
        -------
        matplotlib Axes

        Raises
        ------
        InvalidParameter
            `n` is not a positive integer.
        MissingExtra
            matplotlib is not installed.
        """
        check_is_fitted(self)
        if type(n) is not int or n < 1:
            raise InvalidParameter(
                "n", expected="a positive integer", received=repr(n), remedy="leave n at 8"
            )
        matrix = self.schema_.to_matrix(self._checked(X)[:n])
        rebuilt = self.reconstruct_matrix(matrix)
        if resolved_settings.is_for_series(self):
            return reconstructions.series(matrix, rebuilt, ax)
        if self.schema_.is_image:
            return reconstructions.pictures(matrix, rebuilt, ax)
        return reconstructions.cells(matrix, rebuilt, ax)
