"""Decide whether a Keras model is an autoencoder, and of which kind, with reasons."""

from __future__ import annotations

import os
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import keras

from isthmus.core.errors import InvalidParameter
from isthmus.core.number_format import ratio
from isthmus.verdict.parameter_table import ParameterTable, parameter_table
from isthmus.verdict.rules import Kind, ModelEvidence, Target, rule
from isthmus.verdict.subject import Subject

if TYPE_CHECKING:
    from collections.abc import Sequence

    from isthmus.verdict.structure import Structure

_WIDTH = 100


@dataclass(frozen=True)
class Verdict:
    """The kind of a model, with reasons; ``str()`` returns a short report.

    Layers are named by their path: ``"encoder/dense"`` is a layer of the nested model ``encoder``.
    """

    is_autoencoder: bool | None
    """None if the known facts do not decide it."""
    kind: str
    """``"undercomplete autoencoder"``, ``"classifier"``, ...: one of `Kind`."""
    reasons: tuple[str, ...]
    """Sentences. If information is missing for a decision, they say which."""
    input_size: int | None
    """Numbers in a sample; None if the length of an axis is not fixed."""
    code_size: int | None
    """Numbers in the code; None if there is no code, or its length is not fixed."""
    compression: float | None
    """Numbers of the input per number of the code."""
    parameters: ParameterTable | None
    """Weights and biases by layer; None if they cannot be counted."""
    encoder: tuple[str, ...]
    bottleneck: tuple[str, ...]
    """The layers that make the code; several if the data take parallel paths."""
    decoder: tuple[str, ...]
    heads: tuple[str, ...]
    """Layers that lead to other outputs."""
    likely: str | None = None
    """If it is not decided, the kind that the evidence speaks for, as a `Kind`."""
    evidence: tuple[str, ...] = ()
    """For what is likely, as clauses of a sentence. It proves nothing."""

    def __str__(self) -> str:
        answer = {True: "yes", False: "no", None: "cannot be decided"}[self.is_autoencoder]
        lines = [f"autoencoder?  {answer}: {self.kind}" if self.is_autoencoder is not None else ""]
        if self.is_autoencoder is None:
            lines = [f"autoencoder?  {self.kind}"]
        if self.likely is not None:
            article = "an" if self.likely[0] in "aeiou" else "a"
            *first, last = self.evidence
            listed = f"{', '.join(first)}, and {last}" if first else last
            lines += textwrap.wrap(
                f"{article} {self.likely}: {listed}",
                _WIDTH,
                initial_indent="likely        ",
                subsequent_indent=" " * 14,
            )
        for reason in self.reasons:
            lines += textwrap.wrap(reason, _WIDTH, initial_indent="  · ", subsequent_indent="    ")
        lines.append("")
        if self.input_size is not None:
            lines.append(f"input       {self.input_size:,} numbers")
        if self.code_size is not None:
            squeezed = "" if self.compression is None else f", {ratio(self.compression)}"
            lines.append(f"code        {self.code_size:,} numbers{squeezed}")
        for part in ("encoder", "bottleneck", "decoder", "heads"):
            lines += _listed(part, getattr(self, part))
        if self.parameters is not None:
            lines += ["", str(self.parameters)]
        return "\n".join(lines)


def _listed(part: str, names: Sequence[str]) -> list[str]:
    if not names:
        return []
    return textwrap.wrap(
        ", ".join(names),
        _WIDTH,
        initial_indent=f"{part:<12}",
        subsequent_indent=" " * 12,
        break_on_hyphens=False,
        break_long_words=False,
    )


def inspect(
    model_or_path: Any,
    *,
    loss: Any = None,
    target: Target | None = None,
    X: Any = None,
    y: Any = None,
) -> Verdict:
    """Decide whether a model is an autoencoder, and of which kind, with reasons.

    An encoder and a decoder are necessary, but not sufficient: in an autoencoder, the loss compares
    the output with the input. The model alone does not show that. State it with `target`, or pass
    the data that the model was trained with. The model is not trained, neither a model nor a file
    is changed, and no code in a file is run.

    Parameters
    ----------
    model_or_path : keras.Model, fitted estimator or path
        A live model; a ``.keras`` or ``.h5`` file, read without running any of it; or an isthmus
        archive.
    loss : str, callable, list or dict, optional
        As passed to ``compile``. Defaults to the loss of a compiled model.
    target : {"input", "labels", "other"}, optional
        What the loss compares the reconstruction, the output with the input's shape, with. A clean
        form of the input counts as ``"input"``.
    X : array, or list of arrays, optional
        Rows to probe a live model with, (n, *sample_shape) for each input.
    y : array, optional
        The training target for each row of `X`, or the model's second input.

    Returns
    -------
    Verdict
        ``is_autoencoder`` is True, False, or None if it cannot be decided. In that case ``likely``
        is the kind that the evidence speaks for, if there is enough.

    Raises
    ------
    InvalidArchive
        The file is missing, damaged, hostile or of another kind.
    InvalidParameter
        The model is neither a Keras model nor an isthmus estimator, or a setting is invalid.
    InvalidData
        `X` or `y` does not fit the model.

    Examples
    --------
    >>> import isthmus, keras
    >>> net = keras.Sequential([keras.Input((784,)), *map(keras.layers.Dense, (32, 784))])
    >>> isthmus.inspect(net).is_autoencoder is None
    True
    >>> isthmus.inspect(net, target="input").kind
    'undercomplete autoencoder'
    >>> isthmus.inspect(net, loss="mse").likely
    'undercomplete autoencoder'
    """
    if target not in (None, *get_args(Target)):
        raise InvalidParameter(
            "target",
            expected="'input', 'labels', 'other' or None",
            received=repr(target),
            remedy="say what the loss compares the output with, or None if you do not know",
        )
    if isinstance(model_or_path, (str, os.PathLike)):
        subject, evidence = _of_file(Path(model_or_path))
    elif isinstance(model_or_path, keras.Model):
        subject, evidence = _of_model(model_or_path), ModelEvidence()
    elif hasattr(model_or_path, "network_"):
        subject, evidence = _of_estimator(model_or_path)
    else:
        raise InvalidParameter(
            "model_or_path",
            expected="a keras.Model, a fitted isthmus estimator or the path of a file",
            received=type(model_or_path).__name__,
            remedy="call fit first, or pass the model itself",
        )
    if loss is not None:
        subject.compiled, subject.loss = True, loss
    if target is not None:
        evidence = ModelEvidence(target, " (as stated)", noisy=evidence.noisy)
    if evidence.target == "input":
        _suppose_shape(subject)
    structure = _structure(subject)
    if X is not None:
        from isthmus.verdict.probes import probe

        evidence = probe(subject, structure, evidence, X, y)
    return _verdict(subject, structure, evidence)


def _suppose_shape(subject: Subject) -> None:
    """Give an output of unknown shape the shape of the input, with which the loss compares it."""
    graph = subject.graph
    if graph is not None and len(graph.inputs) == 1 == len(graph.outputs):
        output = graph.outputs[0]
        if graph.shapes[output] is None:
            graph.shapes[output] = graph.shapes[graph.inputs[0]]


def _structure(subject: Subject) -> Structure | None:
    from isthmus.verdict.structure import look

    if subject.graph is None:
        return None
    return look(subject.graph, own_loss=subject.compiled and subject.loss is None)


def _verdict(subject: Subject, structure: Structure | None, evidence: ModelEvidence) -> Verdict:
    ruling = rule(subject, structure, evidence)
    reasons = tuple(dict.fromkeys((*ruling.reasons, *evidence.notes, *subject.notes)))
    if structure is None:
        parts: dict[str, Any] = dict.fromkeys(("input_size", "code_size", "compression"))
        parts |= dict.fromkeys(("encoder", "bottleneck", "decoder", "heads"), ())
    else:
        parts = {
            name: getattr(structure, name)
            for name in ("input_size", "code_size", "compression", *_PARTS)
        }
    if ruling.kind in (Kind.CLASSIFIER, Kind.REGRESSOR, Kind.ENCODER, Kind.DECODER):
        parts |= {"code_size": None, "compression": None}
    return Verdict(
        ruling.is_autoencoder,
        str(ruling.kind),
        reasons,
        parameters=subject.parameters,
        likely=None if ruling.likely is None else str(ruling.likely),
        evidence=tuple(ruling.evidence),
        **parts,
    )


_PARTS = ("encoder", "bottleneck", "decoder", "heads")


def _of_model(model: keras.Model) -> Subject:
    from isthmus.verdict.live_models import has_graph, read_live, read_pair
    from isthmus.verdict.weight_layout import live_parts

    subject = Subject(model.name)
    if model.built:
        subject.parameters = parameter_table(model)
    if getattr(model, "compiled", False):
        subject.compiled, subject.loss = True, model.loss
    if has_graph(model):
        subject.live = read_live(model)
        subject.graph = subject.live.graph
    elif (pair := read_pair(model)) is not None:
        subject.live, subject.graph = pair, pair.graph
        if any(step.operation is None for step in pair.steps):
            subject.live = None  # it cannot be run
        subject.notes.append(
            f"{type(model).__name__} runs custom code; its decoder was assumed to decode what its "
            "encoder encodes."
        )
    else:
        subject.author_class = type(model).__name__
        subject.has_parts = all(
            isinstance(getattr(model, name, None), keras.Layer) for name in ("encoder", "decoder")
        )
        if not model.built:
            subject.notes.append("The model is not built: call it on a batch first.")
            return subject
        subject.notes.append(
            f"{type(model).__name__} runs custom code, so its graph of layers is not known."
        )
        subject.parts = live_parts(model)
    return subject


def _of_estimator(estimator: Any) -> tuple[Subject, ModelEvidence]:
    """Read an isthmus estimator, which is always trained on its input."""
    subject = _of_model(estimator.network_.full)
    subject.compiled, subject.loss = False, None
    subject.parameters = parameter_table(estimator)
    noisy = getattr(estimator, "kind", "") == "denoising autoencoder"
    return subject, ModelEvidence("input", " (as in every isthmus estimator)", noisy=noisy)


def _of_file(path: Path) -> tuple[Subject, ModelEvidence]:
    from isthmus.verdict.archives import is_archive, read_estimator
    from isthmus.verdict.static_models import read_keras_file

    if is_archive(path):
        return _of_estimator(read_estimator(path))
    return read_keras_file(path), ModelEvidence()
