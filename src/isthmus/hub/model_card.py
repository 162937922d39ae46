"""The model card of a fitted model: a README.md with YAML front matter, as the hub expects it.

The front matter's fields are those of https://huggingface.co/docs/hub/model-cards. Its values are
written as JSON, which is YAML.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from isthmus._version import __version__
from isthmus.core.number_format import count, number, percent, seconds
from isthmus.data.table_schema import TableSchema

if TYPE_CHECKING:
    from collections.abc import Iterator

MARK = "<!-- isthmus writes this card again with each push, unless this line is removed. -->"
"""The last line of a card that nobody took over."""
ARCHIVE = "model.isthmus"
"""The name of a model's file in its repository."""
_MOST_COLUMNS = 50
_VALUES = {"unit": "as fractions of a range", "real": "standardised"}
_PRIVACY = {
    "anomaly detector": "rows that it was fitted to, as numbers, because new rows are compared "
    "with them",
    "latent map": "the codes of the rows that it was fitted to",
    "similarity index": "the codes and the ids of its rows",
}
_CALLS = {
    "anomaly detector": ("alarms = model.predict(X)  # -1 is an alarm", "model.anomaly_score(X)"),
    "codec": ("blob = model.compress(X)", "model.decompress(blob)"),
    "latent map": ("places = model.transform(X)",),
    "latent sampler": ("rows = model.sample(10)",),
    "similarity index": ("distances, ids = model.kneighbors(X)",),
}
_CALLS_OF_AUTOENCODERS = ("codes = model.transform(X)", "model.inverse_transform(codes)")


class Fact(NamedTuple):
    """A line of a table."""

    name: str
    value: str


def model_card(
    model: Any,
    repo_id: str,
    *,
    license: str | None = None,  # noqa: A002
    evaluation: Any = None,
) -> str:
    """Return the card of a fitted model.

    Parameters
    ----------
    model : isthmus estimator, detector, task or codec
        Fitted.
    repo_id : str
        Its repository, for the title and the example.
    license : str, optional
        An identifier of the hub, such as ``"apache-2.0"``.
    evaluation : object, optional
        A result of `isthmus.referee`, `evaluate_alarms` or `evaluate_maps`, which is quoted.
    """
    schema = _schema(model)
    tags = ["isthmus", "autoencoder", *([] if "autoencoder" in model.kind else [model.kind])]
    front: dict[str, Any] = {"library_name": "isthmus", "tags": tags}
    if license is not None:
        front["license"] = license
    parts = [
        "---",
        *(f"{name}: {json.dumps(value)}" for name, value in front.items()),
        "---",
        "",
        f"# {repo_id.rpartition('/')[2]}",
        "",
        _summary(model),
        "",
        *_section("Data", _data(model, schema)),
        *_section("Training", _table(_training(model))),
        *_section("On held-out data", _held_out(model, evaluation)),
        *_section("Use", _use(model, repo_id)),
        *_section("Safety", _safety(model)),
        MARK,
        "",
    ]
    return "\n".join(parts)


def is_own(card: str) -> bool:
    """Return whether a card was written by `model_card`, and may be written again."""
    return MARK in card.splitlines()


def configuration(model: Any) -> dict[str, Any]:
    """Return what config.json says of a model: its kind, versions, file and schema."""
    schema = _schema(model)
    return {
        "library_name": "isthmus",
        "isthmus_version": __version__,
        "kind": model.kind,
        "file": ARCHIVE,
        **(
            {}
            if schema is None
            else {"columns": [field.name for field in schema.fields]}
            if isinstance(schema, TableSchema)
            else {"sample_shape": list(schema.sample_shape)}
        ),
    }


def _schema(model: Any) -> Any:
    """Return the schema of a model's data; None of series and codecs, which have none."""
    if getattr(model, "is_series", False):
        return None
    own = getattr(model, "schema_", None)
    return own if own is not None else getattr(_autoencoder(model), "schema_", None)


def _autoencoder(model: Any) -> Any:
    return getattr(model, "autoencoder_", model if hasattr(model, "history_") else None)


def _summary(model: Any) -> str:
    kind = model.kind
    article = "An" if kind[0] in "aeiou" else "A"
    inner = _autoencoder(model)
    text = f"{article} {kind} by isthmus {__version__}"
    if inner is None:
        return f"{text}."
    if inner is not model:
        text += f" with the codes of an autoencoder (`{type(inner).__name__}`)"
    size = count(inner.latent_dim_, "number")
    return f"{text}. A code has {size}."


def _section(title: str, lines: list[str]) -> Iterator[str]:
    if lines:
        yield from (f"## {title}", "", *lines, "")


def _data(model: Any, schema: Any) -> list[str]:
    sensors = getattr(model, "sensors_", None)
    if sensors is not None:
        names = ", ".join(map(_code, sensors[:_MOST_COLUMNS]))
        rest = len(sensors) - _MOST_COLUMNS
        more = f" and {rest} more" if rest > 0 else ""
        return [
            f"Series of {count(len(sensors), 'sensor')}, {model.window_} rows of which are "
            f"one window: {names}{more}."
        ]
    if schema is None:
        return []
    if not isinstance(schema, TableSchema):
        shape = " × ".join(map(str, schema.sample_shape))
        noun = "Images" if schema.is_image else "Rows"
        return [f"{noun} of {shape} numbers ({schema.dtype}), {_VALUES[schema.values]}."]
    facts = [Fact(_code(field.name), _column(field)) for field in schema.fields[:_MOST_COLUMNS]]
    rest = len(schema.fields) - _MOST_COLUMNS
    lines = _table(facts, ("column", "content"))
    return [
        *lines,
        *(["", f"And {count(rest, 'more column', 'more columns')}."] if rest > 0 else []),
    ]


def _column(field: Any) -> str:
    if not field.width:
        return f"not learned: {field.why_not_learned}"
    if field.kind == "category":
        return f"category, {count(field.width, 'value')}"
    return f"{field.kind} ({field.type})"


def _training(model: Any) -> list[Fact]:
    inner = _autoencoder(model)
    if inner is None:
        return []
    epochs = len(inner.history_.get("epoch", ()))
    # A detector makes rows of its own for its autoencoder.
    rows = [Fact("rows", f"{inner.n_samples_:,}")] if inner is model else []
    return [
        *rows,
        Fact("epochs", f"{epochs:,}, {inner.stop_reason_}"),
        Fact("loss", _code(inner.loss_)),
        Fact("time", seconds(inner.fit_seconds_)),
    ]


def _held_out(model: Any, evaluation: Any) -> list[str]:
    facts = [*_losses(model), *_of_detector(model)]
    lines = _table(facts)
    if evaluation is not None:
        lines += [*([""] if lines else []), "```text", str(evaluation).replace("```", "'''"), "```"]
    return lines


def _losses(model: Any) -> Iterator[Fact]:
    """Yield the figures of the epoch whose weights the autoencoder has, on validation rows."""
    inner = _autoencoder(model)
    history = {} if inner is None else inner.history_
    if inner is None or inner.best_epoch_ not in history.get("epoch", ()):
        return
    place = history["epoch"].index(inner.best_epoch_)
    for name, values in history.items():
        if name.startswith("val_"):
            label = name.removeprefix("val_").replace("_", " ")
            yield Fact(f"{label} (epoch {inner.best_epoch_})", number(values[place], 4))


def _of_detector(model: Any) -> Iterator[Fact]:
    if model.kind != "anomaly detector":
        return
    yield Fact("false-alarm rate it was set to", percent(model.false_alarm_rate))
    yield Fact("threshold of the score", number(model.threshold_, 4))
    held_out = getattr(model, "calibration_scores_", None)
    if held_out is not None:
        yield Fact("rows behind the threshold", f"{len(held_out):,}")


def _use(model: Any, repo_id: str) -> list[str]:
    calls = _CALLS.get(model.kind, _CALLS_OF_AUTOENCODERS)
    return [
        "```bash",
        "pip install 'isthmus[hub]'",
        "```",
        "",
        "```python",
        "import isthmus as ist",
        "",
        f"model = ist.from_hub({json.dumps(repo_id)})",
        *calls,
        "```",
    ]


def _safety(model: Any) -> list[str]:
    kept = _PRIVACY.get(model.kind)
    note = f" The file contains {kept}." if kept else ""
    return [
        f"`{ARCHIVE}` contains settings and arrays, and nothing that is run: no pickle and no "
        f"code. isthmus checks all of it before it is used.{note}"
    ]


def _table(facts: list[Fact], head: tuple[str, str] = ("", "")) -> list[str]:
    if not facts:
        return []
    rows = [f"| {name} | {value} |" for name, value in facts]
    return [f"| {head[0]} | {head[1]} |", "|---|---|", *rows]


def _code(name: Any) -> str:
    """Return a name as code in Markdown, which cannot end its cell or its line."""
    plain = re.sub(r"\s+", " ", str(name)).replace("`", "'").replace("|", "\\|")
    return f"`{plain[:100] or ' '}`"
