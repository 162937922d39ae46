"""What a saved model can do for a client: its operations by name."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
import pyarrow as pa

from isthmus.anomaly.detector import AnomalyDetector
from isthmus.compression.codec import Codec
from isthmus.core.errors import InvalidParameter
from isthmus.data import frames
from isthmus.engines.alarms import ALARM_SCHEMA, alarms
from isthmus.engines.codes import code_names
from isthmus.engines.saved_autoencoders import autoencoder_in
from isthmus.serve.json_cells import plain_array, plain_table
from isthmus.serve.sample_reader import SampleReader
from isthmus.serve.table_reader import TableReader
from isthmus.tasks.maps import LatentMap
from isthmus.tasks.sampling import LatentSampler
from isthmus.tasks.search import SimilarityIndex

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray


class RowReader(Protocol):
    """Reads the rows of requests, and describes them."""

    def from_json(self, rows: Sequence[Any]) -> Any:
        """Return rows given as parsed JSON."""

    def from_arrow(self, table: pa.Table) -> Any:
        """Return the rows of a table."""

    def from_array(self, array: NDArray[Any]) -> Any:
        """Return the rows of an array."""

    def example(self) -> Any:
        """Return a row as JSON."""

    def json_schema(self) -> dict[str, Any]:
        """Return the JSON Schema of a row."""


class Results(NamedTuple):
    """What an operation returns for n rows."""

    values: Any
    """A table, an array of shape (n, ...), or a list of n values of JSON."""
    columns: tuple[str, ...] = ()
    """The columns of an array in Arrow."""

    def plain(self) -> Results:
        """Return the same as values of JSON."""
        is_table = isinstance(self.values, pa.Table)
        return Results(plain_table(self.values) if is_table else plain_array(self.values))


class Choice(NamedTuple):
    """An integer that a client may choose in the query."""

    default: int
    least: int
    most: int
    about: str


@dataclass(frozen=True, eq=False)
class Operation:
    """Something that a model does with rows.

    Parameters
    ----------
    name : str
        Its name in the address.
    summary : str
        A sentence.
    rows : RowReader or None
        The rows that it takes; None if it takes none.
    apply : callable
        Maps rows, and the choices by name, to results.
    choices : mapping of str to Choice
    """

    name: str
    summary: str
    rows: RowReader | None
    apply: Callable[..., Results]
    choices: Mapping[str, Choice] = field(default_factory=dict)


def operations_of(saved: Any, name: str, most: int) -> dict[str, Operation]:
    """Return what a model that `isthmus.load` returned can do with independent rows.

    A detector of a series has no such operations; it is for a stream.

    Parameters
    ----------
    saved : object
        The model, which is changed so that it returns Arrow tables.
    name : str
        Its name, for messages.
    most : int
        The most samples that a request may ask for.

    Raises
    ------
    InvalidParameter
        A service is not for this kind of model.
    """
    if isinstance(saved, Codec):
        raise _unserved(name, "a codec, which works on files", "use 'isthmus compress'")
    if isinstance(saved, AnomalyDetector):
        if saved.is_series and not hasattr(saved, "update"):
            raise _unserved(name, "a detector of a fleet", "use 'isthmus detect' with files")
        own = [] if saved.is_series else _detector(saved)
        return {made.name: made for made in own}
    inner = autoencoder_in(saved, name)
    schema = inner.schema_
    if schema.kind == "table":
        # The container that fit was given, such as pandas, need not be installed here.
        inner.schema_ = replace(schema, container="arrow")
    rows = _rows(inner.schema_)
    made = [*_autoencoder(inner, rows), *_task(saved, rows, most)]
    return {operation.name: operation for operation in made}


def _rows(schema: Any) -> RowReader:
    return TableReader(schema) if schema.kind == "table" else SampleReader.of(schema)


def _unserved(name: str, received: str, remedy: str) -> InvalidParameter:
    return InvalidParameter(
        name,
        expected="an autoencoder, a detector, a map, an index or a sampler",
        received=received,
        remedy=remedy,
    )


def _detector(detector: AnomalyDetector) -> list[Operation]:
    rows = _rows(detector.schema_)
    if hasattr(detector, "anomaly_map"):
        return [
            Operation("detect", "Score images and raise alarms.", rows, _of_pictures(detector)),
            Operation(
                "map",
                "Return a heat map of each image.",
                rows,
                lambda X: Results(detector.anomaly_map(X)),
            ),
        ]
    return [
        Operation(
            "detect",
            "Score rows, raise alarms, and name the columns that contribute most.",
            rows,
            lambda X: Results(alarms(detector, X)),
        ),
        Operation(
            "explain",
            "Return what each cell contributes to its row's score.",
            rows,
            lambda X: _results(detector.explain(X), rows),
        ),
    ]


def _of_pictures(detector: AnomalyDetector) -> Callable[[Any], Results]:
    names = [name for name in ALARM_SCHEMA.names if name != "top_columns"]

    def detect(X: Any) -> Results:
        scores = detector.anomaly_score(X)
        values = (scores, detector.p_values_of(scores), scores > detector.threshold_)
        return Results(pa.table(dict(zip(names, values, strict=True))))

    return detect


def _autoencoder(model: Any, rows: RowReader) -> list[Operation]:
    size = model.latent_dim_
    names = tuple(code_names(size))
    codes = SampleReader.of_codes(size)
    made = [
        Operation(
            "encode",
            f"Return the code of each row, {size} numbers.",
            rows,
            lambda X: Results(np.asarray(model.transform(X)), names),
        ),
        Operation(
            "decode",
            "Return the row of each code.",
            codes,
            lambda Z: _results(model.inverse_transform(Z), rows),
        ),
        Operation(
            "reconstruct",
            "Encode and decode rows; missing cells are filled.",
            rows,
            lambda X: _results(model.reconstruct(X), rows),
        ),
        Operation(
            "score",
            "Return the reconstruction error of each row.",
            rows,
            lambda X: _column("reconstruction_error", model.reconstruction_error(X)),
        ),
    ]
    if hasattr(model, "predict"):
        made.append(
            Operation(
                "predict",
                "Return the label of each row, with the probability of each class.",
                rows,
                lambda X: _predictions(model, X),
            )
        )
    return made


def _task(saved: Any, rows: RowReader, most: int) -> list[Operation]:
    if isinstance(saved, LatentMap):
        return [
            Operation(
                "map",
                "Return the position of each row on the map.",
                rows,
                lambda X: Results(np.asarray(saved.transform(X)), ("x", "y")),
            )
        ]
    if isinstance(saved, SimilarityIndex):
        size = len(saved.ids_)
        k = Choice(min(10, size), 1, min(size, most), "Neighbours of each row.")
        return [
            Operation(
                "search",
                "Return the ids of the most similar rows in the index, and their distances.",
                rows,
                lambda X, k: _neighbours(saved, X, k),
                {"k": k},
            )
        ]
    if isinstance(saved, LatentSampler):
        choices = {
            "n": Choice(1, 1, most, "Number of samples."),
            "random_state": Choice(-1, -1, 2**31 - 1, "The same number gives the same samples."),
        }
        return [Operation("sample", "Return new samples.", None, _sampler(saved, rows), choices)]
    return []


def _neighbours(index: SimilarityIndex, X: Any, k: int) -> Results:
    distances, ids = index.kneighbors(X, n_neighbors=k)
    return Results(pa.table({"ids": list(ids), "distances": list(distances)}))


def _sampler(sampler: LatentSampler, rows: RowReader) -> Callable[..., Results]:
    def sample(n: int, random_state: int) -> Results:
        seed = None if random_state < 0 else random_state
        return _results(sampler.sample(n, random_state=seed), rows)

    return sample


def _predictions(model: Any, X: Any) -> Results:
    if not hasattr(model, "predict_proba"):
        return _column("prediction", model.predict(X))
    chances = model.predict_proba(X)
    labels = model.classes_[chances.argmax(axis=1)]
    columns = zip((f"probability_{label}" for label in model.classes_), chances.T, strict=True)
    return Results(pa.table({"label": labels, **dict(columns)}))


def _column(name: str, values: NDArray[Any]) -> Results:
    """Return one column, or name0, name1, ... for several."""
    if values.ndim == 1:
        return Results(pa.table({name: values}))
    return Results(pa.table({f"{name}{i}": column for i, column in enumerate(values.T)}))


def _results(values: Any, rows: RowReader) -> Results:
    """Return rows of the kind that the model takes as results."""
    if isinstance(rows, SampleReader):
        return Results(np.asarray(values), rows.columns)
    return Results(frames.to_arrow(values))
