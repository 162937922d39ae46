"""What the shapes of weights say about a model whose graph of layers is not known.

A file names the parts that weights belong to, and their shapes give the sizes of a part's input and
output. The order of layers, strides and activations are not known, so that this proves nothing.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from isthmus.core.number_format import count
from isthmus.verdict.config_graph import shown
from isthmus.verdict.likely import Signs
from isthmus.verdict.losses import compares_classes, compares_values

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from isthmus.verdict.shapes import Shape

_LARGEST = 2**31
_WORDS = ("enc", "dec")
_RECURRENT = ("lstm", "gru", "rnn")


@dataclass(frozen=True)
class Unit:
    """A layer with weights: Dense, convolutional or recurrent."""

    kind: str
    """``"dense"``, ``"conv"``, ``"transposed"`` or ``"recurrent"``."""
    into: int
    """Numbers or channels that it takes."""
    out: int
    axes: int = 0
    """Spatial axes of a convolution."""


@dataclass(frozen=True)
class Parts:
    """The layers of an encoder and a decoder."""

    encoder: Sequence[Unit]
    decoder: Sequence[Unit]
    names: tuple[str, ...] = ()
    """The names of the parts, if they are names of an encoder and a decoder."""
    input_shape: Shape | None = None


def parts_of(
    arrays: Mapping[str, tuple[int, ...]], input_shape: Shape | None = None
) -> Parts | None:
    """Return the layers of a model with two parts; None if there are other weights.

    Parameters
    ----------
    arrays : dict
        The shapes of all weights by path: ``"encoder/layers/dense/vars/0"``.
    """
    by_part: dict[str, dict[str, tuple[int, ...]]] = {}
    for path, shape in arrays.items():
        part, _, rest = path.partition("/")
        by_part.setdefault(part, {})[rest] = shape
    ends = [[name for name in by_part if re.search(f"(^|_){word}", name)] for word in _WORDS]
    named = all(len(end) == 1 for end in ends)
    pair = [end[0] for end in ends] if named else sorted(by_part, key=_natural)
    # Numbers that Keras gives to layers without a name show which of them came first.
    if len(pair) != 2 or not (named or len({name.rstrip("_0123456789") for name in pair}) == 1):
        return None
    encoder, decoder = (_units(by_part[part]) for part in pair)
    if not encoder or not decoder:
        return None
    names = tuple(shown(name) for name in pair) if named else ()
    return Parts(encoder, decoder, names, input_shape)


def live_parts(model: Any) -> Parts | None:
    """Return the layers of a live model with the attributes ``encoder`` and ``decoder``."""
    arrays = {}
    for name in ("encoder", "decoder"):
        for place, variable in enumerate(getattr(getattr(model, name, None), "weights", ())):
            within = str(variable.path).rpartition("/")[0]
            arrays[f"{name}/{within}/{place}"] = tuple(variable.shape)
    built = model.get_build_config()
    shape = built.get("input_shape") if isinstance(built, dict) else None
    return parts_of(arrays, sample_shape(shape))


def sample_shape(shape: Any) -> Shape | None:
    """Return the shape of a sample if a batch of them is one array."""
    if not isinstance(shape, (list, tuple)) or len(shape) < 2:
        return None
    plain = all(axis is None or (isinstance(axis, int) and axis > 0) for axis in shape)
    return tuple(shape[1:]) if plain else None


def _natural(path: str) -> list[tuple[int, str]]:
    """Order names with numbers as they were given: ``dense``, ``dense_2``, ``dense_10``."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", path)]


def _units(arrays: Mapping[str, tuple[int, ...]]) -> list[Unit]:
    """Return the layers in the order of their names; none if one of them is not known."""
    layers: dict[str, list[tuple[int, ...]]] = {}
    for path in sorted(arrays, key=_natural):
        if len(arrays[path]) > 1:
            layers.setdefault(path.rpartition("/")[0], []).append(arrays[path])
    units = [_unit(name.lower(), kernels) for name, kernels in layers.items()]
    known = [unit for unit in units if unit is not None]
    return known if len(known) == len(units) else []


def _unit(name: str, kernels: list[tuple[int, ...]]) -> Unit | None:
    sizes = [size for kernel in kernels for size in kernel]
    if not all(0 < size < _LARGEST for size in sizes) or len(kernels) > 2:
        return None
    first, last = kernels[0], kernels[-1]
    if len(kernels) == 2:
        # The second kernel takes the layer's own output.
        ranks = len(first) == 2 == len(last) and first[1] == last[1]
        own = ranks and any(word in name for word in _RECURRENT)
        return Unit("recurrent", first[0], last[0]) if own else None
    if len(first) == 2:
        return Unit("dense", *first)
    if "conv" not in name or "depthwise" in name or len(first) > 5:
        return None
    if "transpose" in name:
        return Unit("transposed", first[-1], first[-2], len(first) - 2)
    return Unit("conv", first[-2], first[-1], len(first) - 2)


def signs_of_parts(parts: Parts, loss: str | None) -> tuple[str, Signs]:
    """Return the kind that the weights speak for, and the evidence; the kind may be empty.

    Returns
    -------
    kind : str
        ``"variational"``, ``"undercomplete"``, ``"overcomplete"`` or ``""``.
    """
    found = Signs()
    made, taken = _last(parts.encoder), _first(parts.decoder)
    given, back = _first(parts.encoder), _last(parts.decoder)
    encoder, decoder = ("the encoder", "the decoder") if parts.names else ("one", "the other")
    drawn = _draws(parts.encoder, made, taken, encoder, decoder)
    size, code = _sizes(parts, given, back, taken)
    fits = bool(drawn) or made.out == taken.into
    if not fits or size is None or code is None or compares_classes(loss):
        return "", found
    if parts.names:
        found.add('the model has parts named "{}" and "{}"'.format(*parts.names))
    else:
        found.add("the model has two parts with weights", 0)
    if drawn:
        found.add(drawn, 2)
    else:
        what = count(taken.into, "channel" if taken.axes else "number")
        found.add(f"{encoder} ends with the {what} with which {decoder} begins")
    found.add(
        f"{decoder} ends with as many {'channels' if back.axes else 'numbers'} as the input has"
    )
    doubled = sum(unit.kind == "transposed" for unit in parts.decoder)
    if taken.axes:
        each = f"{count(doubled, 'transposed convolution')} {'is' if doubled == 1 else 'are'}"
        found.add(f"{each} taken to double each axis, as strides are not known", 0)
    if compares_values(loss):
        found.add(f"the compiled loss is {loss}")
    if drawn:
        return "variational", found
    return ("undercomplete" if code < size else "overcomplete"), found


def _first(units: Sequence[Unit]) -> Unit:
    """Return the layer that takes the part's input."""
    kinds = {unit.kind for unit in units}
    if kinds == {"dense"}:
        made = {unit.out for unit in units}
        return next((unit for unit in units if unit.into not in made), units[0])
    # Images are flattened before dense layers, and made from the output of dense layers.
    order = ("dense", "transposed") if "transposed" in kinds else ("conv", "recurrent")
    return next((u for kind in order for u in units if u.kind == kind), units[0])


def _last(units: Sequence[Unit]) -> Unit:
    """Return the layer that makes the part's output."""
    kinds = {unit.kind for unit in units}
    if kinds == {"dense"}:
        taken = {unit.into for unit in units}
        return next((unit for unit in reversed(units) if unit.out not in taken), units[-1])
    order = ("conv", "transposed") if "transposed" in kinds else ("dense", "recurrent", "conv")
    return next((u for kind in order for u in reversed(units) if u.kind == kind), units[-1])


def _draws(units: Sequence[Unit], made: Unit, taken: Unit, encoder: str, decoder: str) -> str:
    """Return a clause if the encoder ends with a mean and a spread; empty if it does not."""
    if made.kind == "dense" and units.count(made) == 2 and made.out == taken.into:
        return (
            f"two layers of {encoder} take the same {made.into:,} numbers and make the "
            f"{made.out:,} with which {decoder} begins, as a mean and a spread"
        )
    if made.out == 2 * taken.into:
        return (
            f"{encoder} ends with {made.out:,} numbers and {decoder} begins with half as many, as "
            "for a mean and a spread"
        )
    return ""


def _sizes(parts: Parts, given: Unit, back: Unit, taken: Unit) -> tuple[int | None, int | None]:
    """Return the sizes of input and code, in any common unit; None if the output is of another."""
    shape = parts.input_shape
    size = None if shape is None or None in shape else math.prod(axis or 0 for axis in shape)
    if back.kind == "dense" and given.kind == "dense":
        # Without a layer that flattens, a dense layer acts along the last axis.
        fits = size in (None, given.into) or (shape is not None and shape[-1] == given.into)
        return (given.into if fits and back.out == given.into else None), taken.into
    if given.into != back.out:
        return None, None
    doubled = [unit.axes for unit in parts.decoder if unit.kind == "transposed"]
    if taken.axes:
        return (given.into * 2 ** sum(doubled), taken.into) if doubled else (None, None)
    if size is None and doubled:  # The decoder's first layer makes a small image.
        small = next(unit for unit in parts.decoder if unit.kind == "transposed").into
        size = taken.out * 2 ** sum(doubled) * back.out // small
    if given.kind == "recurrent" and size is None:
        return None, None
    return size, taken.into
