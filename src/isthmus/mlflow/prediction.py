"""What MLflow's `predict` returns for the rows of a saved model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from isthmus.anomaly.detector import AnomalyDetector
from isthmus.core.catalogue import nearest
from isthmus.core.errors import InvalidParameter
from isthmus.serve.operations import Operation, Results, operations_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

METHOD = "method"
"""The parameter of `predict` that chooses what is computed."""
_MOST = 100_000
_DEFAULTS = ("detect", "map", "search", "predict", "encode")
"""What is computed by default: the first of these that the model can do."""


class MLflowModel:
    """A saved model as MLflow calls it.

    Attributes
    ----------
    methods : dict of str to Operation
        What the model can do with rows, by name. The rows of an operation read them.
    default : str
        The method that is used unless another is chosen.
    """

    def __init__(self, saved: Any, name: str) -> None:
        self.saved = saved
        if isinstance(saved, AnomalyDetector) and saved.is_series:
            made = {"detect": Operation("detect", "Score a series.", None, self._of_series)}
        else:
            made = operations_of(saved, name, _MOST)
        # Codes are no rows, and samples are made from none: MLflow checks rows by one signature.
        made.pop("decode", None)
        made.pop("sample", None)
        self.methods = made
        self.default = next(key for key in _DEFAULTS if key in self.methods)

    @property
    def choices(self) -> dict[str, Any]:
        """The parameters of `predict` with their defaults."""
        own = {
            name: choice.default
            for operation in self.methods.values()
            for name, choice in operation.choices.items()
        }
        return {METHOD: self.default, **own}

    def predict(
        self, model_input: Any, params: Mapping[str, Any] | None = None
    ) -> pd.DataFrame | np.ndarray:
        """Return a DataFrame, or an array of samples such as images.

        Parameters
        ----------
        model_input : DataFrame or array
            Rows like those given to `fit`.
        params : mapping, optional
            ``"method"`` is a name of `methods`; other parameters are those of the method.

        Raises
        ------
        InvalidParameter
            There is no such method.
        InvalidData, SchemaMismatch
            The rows are not like those that `fit` saw.
        """
        chosen = {**self.choices, **(params or {})}
        name = str(chosen[METHOD])
        if name not in self.methods:
            raise InvalidParameter(
                METHOD,
                expected=f"one of {', '.join(map(repr, self.methods))}",
                received=repr(name),
                remedy=nearest(name, list(self.methods)),
            )
        operation = self.methods[name]
        own = {key: int(chosen[key]) for key in operation.choices}
        return _frame(operation.apply(_rows(operation, model_input), **own))

    def _of_series(self, series: Any) -> Results:
        scores = self.saved.anomaly_score(series)
        thresholds = self.saved.thresholds_of(scores, series)
        made = {
            "score": pa.array(scores, from_pandas=True),
            "p_value": pa.array(self.saved.p_values_of(scores), from_pandas=True),
            "alarm": scores > thresholds,
        }
        return Results(pa.table(made))


def _rows(operation: Operation, given: Any) -> Any:
    if operation.rows is None:
        return given
    if isinstance(given, np.ndarray):
        return operation.rows.from_array(given)
    if hasattr(operation.rows, "shape"):  # samples of an array, which have no names of columns
        return operation.rows.from_array(given.to_numpy())
    return operation.rows.from_arrow(pa.Table.from_pandas(given, preserve_index=False))


def _frame(results: Results) -> pd.DataFrame | np.ndarray:
    values = results.values
    if isinstance(values, pa.Table):
        frame: pd.DataFrame = values.to_pandas()
        return frame
    if not results.columns:
        return np.asarray(values)
    import pandas as pd

    return pd.DataFrame(np.asarray(values), columns=list(results.columns))
