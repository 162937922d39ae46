"""Training curves, error distributions and settings."""

from __future__ import annotations

import inspect
import platform
from importlib import metadata
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from isthmus._version import __version__
from isthmus.core.number_format import count, number, seconds
from isthmus.core.sample_words import about
from isthmus.evaluation.judgement import LABELS
from isthmus.report.charts import PlotLine, histogram_chart, line_chart

if TYPE_CHECKING:
    from markupsafe import Markup

    from isthmus.core.sample_words import SampleNoun
    from isthmus.evaluation.comparison import Comparison

_LONGEST = 120  # most characters of a setting's value


class TrainingChart(NamedTuple):
    """A chart with its legend and caption."""

    chart: Markup
    legend: list[tuple[str, str]]
    """Names and their colours."""
    caption: str


class SettingsTable(NamedTuple):
    """The settings of a model and the library versions."""

    tables: list[tuple[str, list[tuple[str, str]]]]
    versions: list[tuple[str, str]]


def curves(model: Any, noun: SampleNoun) -> TrainingChart | None:
    """Draw the losses by epoch; None for fewer than two epochs."""
    history = model.history_
    epochs = np.asarray(history.get("epoch", []), dtype=np.float64)
    if len(epochs) < 2:
        return None
    series = [
        PlotLine(name, epochs, np.asarray(history[key], dtype=np.float64), colour)
        for name, key, colour in (
            (f"training {noun}s", "loss", "--c1"),
            (f"validation {noun}s", "val_loss", "--c0"),
        )
        if key in history
    ]
    caption = f"Loss ({model.loss_}) by epoch."
    if model.best_epoch_:
        caption += f" The dashed line marks epoch {model.best_epoch_}, whose weights were kept."
    ends = "; ".join(f"{one.name}: {number(one.y[0])} to {number(one.y[-1])}" for one in series)
    chart = line_chart(
        series,
        name="curves",
        title="Training curves",
        description=f"Loss over {count(len(epochs), 'epoch')}. {ends}.",
        x_label="epoch",
        y_label="loss",
        mark=model.best_epoch_ or None,
    )
    return TrainingChart(chart, [(one.name, one.colour) for one in series], caption)


def spread(contest: Comparison, noun: SampleNoun) -> TrainingChart | None:
    """Draw the distribution of the rows' errors; None for fewer than 10 rows."""
    if len(contest.rows) < 10:
        return None
    colours = ("--c0", "--c1", "--c8")
    samples = [
        (about(noun, LABELS[entry.name]), entry.errors, colour)
        for entry, colour in zip(contest.entries, colours, strict=True)
    ]
    errors = contest.autoencoder.errors
    half, most, worst = (number(float(np.quantile(errors, q))) for q in (0.5, 0.95, 1.0))
    caption = (
        f"Errors of the held-out {noun}s. For the autoencoder, half are below {half}, 95 % below "
        f"{most}; the largest is {worst}."
    )
    chart = histogram_chart(
        samples,
        name="spread",
        title=f"Errors of held-out {noun}s",
        description=caption,
        x_label=about(noun, "error of a row (last bin: all above)"),
        y_label=f"% of {noun}s",
    )
    return TrainingChart(chart, [(name, colour) for name, _, colour in samples], caption)


def settings(model: Any, noun: SampleNoun) -> SettingsTable:
    """List the settings that differ from the defaults, what `fit` resolved, and the versions."""
    versions = [("isthmus", __version__), ("Python", platform.python_version())]
    versions += [(name, metadata.version(name)) for name in ("keras", "jax", "numpy")]
    tables = [("Set", _changed(model)), ("Resolved by fit", _resolved(model, noun))]
    return SettingsTable(
        [*((name, rows) for name, rows in tables if rows), ("Versions", versions)], versions
    )


def _changed(model: Any) -> list[tuple[str, str]]:
    defaults = {
        name: parameter.default
        for name, parameter in inspect.signature(type(model)).parameters.items()
    }
    return [
        (name, _shown(value))
        for name, value in model.get_params(deep=False).items()
        if not _same(value, defaults.get(name))
    ]


def _same(value: Any, default: Any) -> bool:
    return type(value) is type(default) and bool(value == default)


def _shown(value: Any) -> str:
    text = repr(value)
    if text.startswith("<"):  # objects without a readable repr, such as networks and functions
        text = f"own {getattr(value, '__name__', type(value).__name__)}"
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _resolved(model: Any, noun: SampleNoun) -> list[tuple[str, str]]:
    return [
        ("loss", model.loss_),
        ("latent_dim", f"{model.latent_dim_:,}"),
        (f"{noun}s", f"{model.n_samples_:,}"),
        ("epochs run", f"{len(model.history_.get('epoch', [])):,}"),
        ("best epoch", f"{model.best_epoch_:,}"),
        ("ended", model.stop_reason_),
        ("time", seconds(model.fit_seconds_)),
    ]
