"""Write a report on a model as one self-contained HTML page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from isthmus.anomaly.detector import AnomalyDetector
from isthmus.core.atomic_files import atomic_write
from isthmus.core.number_format import count, number, percent, ratio, seconds
from isthmus.core.sample_words import about
from isthmus.data.sparse_rows import without_sparsity
from isthmus.estimators.input_checks import in_memory
from isthmus.estimators.resolved_settings import sample_noun
from isthmus.evaluation.comparison import compare
from isthmus.evaluation.referee import judge
from isthmus.report import code_views, column_errors, image_samples, training_views
from isthmus.report.anomaly_page import write_anomaly_report
from isthmus.report.template import colophon, filled, free_path
from isthmus.verdict.parameter_table import ParameterTable, parameter_table

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence
    from pathlib import Path

    from isthmus.core.sample_words import SampleNoun
    from isthmus.evaluation.comparison import Comparison
    from isthmus.evaluation.judgement import Judgement

_LEVELS = {"good": "Good", "note": "Note", "warning": "Warning"}

_LOADING = """\
import isthmus as ist

model = ist.load("model.isthmus")
codes = model.transform(X)              # (n, {size})
rebuilt = model.reconstruct(X)          # in the form and units of X
errors = model.reconstruction_error(X)  # one per row, higher is worse
"""


class _Tile(NamedTuple):
    name: str
    figure: str
    detail: str


def write_report(
    model: Any,
    X: Any,
    path: str | os.PathLike[str],
    *,
    y: Any = None,
    X_train: Any = None,
    contest: Comparison | None = None,
    names: Sequence[str] | None = None,
    title: str | None = None,
    overwrite: bool = False,
) -> Path:
    """Write a report on a fitted autoencoder, or on the alarms of a detector.

    The page loads no external resources: it includes its images, charts and styles. It follows the
    reader's light or dark theme. Sections that do not apply are left out.

    Parameters
    ----------
    model : fitted autoencoder or AnomalyDetector
    X : array or table of n rows
        Rows that the model was not fitted on, in the form that it was fitted on.
    path : path
        The file to write, such as ``"report.html"``.
    y : array of shape (n,), optional
        Labels. They colour the codes, and are used to evaluate the predictions of a supervised
        model or the alarms of a detector. For a detector, 1 is an anomaly and 0 a normal row.
    X_train : array or table, optional
        The rows that the model was fitted on; see `isthmus.referee`.
    contest : Comparison, optional
        The result of `isthmus.evaluation.comparison.compare` for these rows, if already computed.
    names : sequence of n str, optional
        The names of the rows, such as the files of images; by default, their numbers.
    title : str, optional
        The page's heading.
    overwrite : bool
        Whether an existing file may be replaced.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    CannotWrite
        The file exists, or the folder is not writable. Nothing is changed.
    InvalidParameter, InvalidData
        As for `isthmus.referee`, or there is not one label per row.
    """
    X = without_sparsity(in_memory(X, getattr(model, "schema_", None)))
    if isinstance(model, AnomalyDetector):
        return write_anomaly_report(
            model, X, path, y=y, names=names, title=title, overwrite=overwrite
        )
    target = free_path(path, overwrite=overwrite)
    contest = contest or compare(model, X, X_train=X_train)
    atomic_write(target, render(model, X, contest, y=y, names=names, title=title).encode())
    return target


def render(
    model: Any,
    X: Any,
    contest: Comparison,
    *,
    y: Any = None,
    names: Sequence[str] | None = None,
    title: str | None = None,
) -> str:
    """Return the page that `write_report` writes for a comparison on the rows `X`."""
    if y is not None:
        code_views.check_labels(y, len(X))
    schema = model.schema_
    noun = sample_noun(model, schema)
    judgement = judge(contest, model)
    table = parameter_table(model)
    pictures = image_samples.pictures(contest, schema, names)
    tabular = pictures is None
    parts = {
        "title": title or f"{type(model).__name__} report",
        "noun": noun,
        "subtitle": _subtitle(model, noun),
        "judgement": judgement,
        "levels": _LEVELS,
        "tiles": _tiles(judgement, table, model) + _label_tiles(model, X, y),
        "referee": _referee(judgement),
        "pictures": pictures,
        "generated": image_samples.generated(model, contest),
        "columns": column_errors.column_errors(contest, schema)
        if tabular
        else column_errors.errors_of_channels(contest, schema),
        "worst": column_errors.worst_rows(contest, schema, X) if tabular else [],
        "curves": training_views.curves(model, noun),
        "spread": training_views.spread(contest, noun),
        "codes": code_views.view(contest, model, y, noun),
        "network": {"table": table, "note": _network_note(table)},
        "data": column_errors.describe(X, schema, noun),
        "settings": training_views.settings(model, noun),
        "loading": about(noun, _LOADING.format(size=model.latent_dim_)),
        "colophon": colophon(),
    }
    return filled("page.html.j2", parts)


def _subtitle(model: Any, noun: SampleNoun) -> str:
    shape = " × ".join(map(str, model.schema_.sample_shape))
    cells = (
        f"{shape} cells"
        if model.schema_.kind == "array"
        else (count(model.schema_.n_columns, "column"))
    )
    code = count(model.latent_dim_, "number")
    trained = f"{cells} → {code} → {cells}, trained on {count(model.n_samples_, noun)}"
    left = model.schema_.not_learned
    return f"{trained}. Not learned: {left}" if left else trained


def _referee(judgement: Judgement) -> dict[str, Any]:
    headers, rows = judgement.table()
    largest = max(one.error for one in judgement.contestants) or 1.0
    return {
        "headers": headers[1:],
        "rows": [
            {"name": row[0], "cells": row[1:], "share": one.error / largest}
            for row, one in zip(rows, judgement.contestants, strict=True)
        ],
    }


def _tiles(judgement: Judgement, table: ParameterTable, model: Any) -> list[_Tile]:
    own, pca, _ = judgement.contestants
    tiles = [
        _Tile(
            "Variance explained",
            percent(own.explained_variance),
            f"PCA {percent(pca.explained_variance)}",
        ),
        _Tile("Error", number(own.error), f"± {number(own.standard_error, 2)}"),
    ]
    if own.cross_entropy is not None and model.loss_ == "bce":
        tiles.append(_Tile("Cross-entropy", number(own.cross_entropy, 4), "nats per cell"))
    compression = ratio(table.compression or 1.0)
    epochs = count(len(model.history_.get("epoch", [])), "epoch")
    tiles += [
        _Tile("Compression", compression, f"{table.input_cells:,} cells to {table.code_cells:,}"),
        _Tile("Parameters", f"{table.total:,}", f"{table.trainable:,} trainable"),
        _Tile("Training", seconds(own.seconds), epochs),
    ]
    return tiles


def _label_tiles(model: Any, X: Any, y: Any) -> list[_Tile]:
    """Show how well a supervised model predicts the labels."""
    if y is None or not getattr(model, "supervised", False):
        return []
    score = model.score(X, y)
    if model.task == "regression":
        return [_Tile("R²", number(score), "on the given labels")]
    return [_Tile("Accuracy", percent(score), "on the given labels")]


def _network_note(table: ParameterTable) -> str:
    size = f"{table.total:,} parameters, {table.trainable:,} of them trainable."
    return (
        f"{size} {table.input_cells:,} input cells are encoded as {table.code_cells:,} numbers: "
        f"{ratio(table.compression or 1.0)}."
    )
