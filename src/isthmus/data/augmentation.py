"""Augmentation: random changes of the training pictures, which are new in every step.

A set of names with optional amounts, such as ``"flip+crop:0.2"``, says which. Input and target of a
step change alike, because an autoencoder is to reconstruct what it sees.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from isthmus.core.catalogue import Catalogue, nearest
from isthmus.core.errors import InvalidParameter
from isthmus.data import picture_changes
from isthmus.data.array_schema import ArraySchema
from isthmus.data.picture_changes import Canvas

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from isthmus.core.types import Floats, SampleChange
    from isthmus.data.schema import Schema

Array = jax.Array


class ChangeKind(NamedTuple):
    """A kind of change.

    Parameters
    ----------
    make : callable
        Takes the amount and the pictures' `Canvas`, and returns the change.
    amount : float
        The default amount; 0 if it has none.
    at_most : float
        The largest amount.
    """

    make: Callable[[float, Canvas], SampleChange]
    amount: float = 0.0
    at_most: float = 0.0


KINDS: Catalogue[ChangeKind] = Catalogue(
    "augmentation",
    {
        "flip": ChangeKind(picture_changes.flip),
        "flip_vertical": ChangeKind(picture_changes.flip_vertical),
        "quarter_turns": ChangeKind(picture_changes.quarter_turns),
        "rotation": ChangeKind(picture_changes.rotation, 10.0, 180.0),
        "crop": ChangeKind(picture_changes.crop, 0.1, 0.5),
        "contrast": ChangeKind(picture_changes.contrast, 0.2, 1.0),
        "brightness": ChangeKind(picture_changes.brightness, 0.1, 1.0),
    },
)
"""The kinds of changes by name, in the order in which they are made."""


def amounts(text: str) -> dict[str, float]:
    """Return the amount of each change that a text names, in the order in which they are made.

    Parameters
    ----------
    text : str
        Names joined by ``+``; an amount other than the default follows a colon.

    Raises
    ------
    InvalidParameter
        The text has another form, a name is unknown or occurs twice, or an amount is out of bounds.
    """
    found: dict[str, float] = {}
    for part in text.split("+"):
        name, colon, amount = (piece.strip() for piece in part.partition(":"))
        if name not in KINDS:
            raise InvalidParameter(
                "augmentation",
                expected=f"'auto', 'none', or names joined by '+' of {', '.join(KINDS)}",
                received=repr(text)[:200],
                remedy=nearest(name, list(KINDS)) or "for example augmentation='flip+crop'",
            )
        if name in found:
            raise InvalidParameter(
                "augmentation",
                expected="each name once",
                received=repr(text)[:200],
                remedy=f"leave out one {name!r}",
            )
        found[name] = _amount(name, amount) if colon else KINDS[name].amount
    return {name: found[name] for name in KINDS if name in found}


def augmentation(text: str, schema: Schema, rows: Floats) -> SampleChange:
    """Return the changes that a text names, for pictures of this schema.

    The planes of a volume change alike, each along its height and width.

    Parameters
    ----------
    text : str
        As `amounts` takes it.
    schema : Schema
        The schema of the pictures.
    rows : float32 array of shape (n, *sample_shape)
        Training rows in scaled units, whose range is that of the pictures if they are not
        fractions of one.

    Raises
    ------
    InvalidParameter
        The text is invalid, samples are no pictures, or a change does not apply to their shape.
    """
    images = _checked(schema)
    shape = schema.sample_shape[1:] if images.is_volume else schema.sample_shape
    changes = _made(amounts(text), Canvas(shape, *_range(images, rows)))

    def change(key: Array, samples: Array) -> Array:
        for number, each in changes.items():
            samples = each(jax.random.fold_in(key, number), samples)
        return samples

    return _of_planes(change) if images.is_volume else change


def _made(chosen: Mapping[str, float], canvas: Canvas) -> dict[int, SampleChange]:
    """Return the changes by their place in the catalogue, which makes their keys independent."""
    return {
        number: kind.make(chosen[name], canvas)
        for number, (name, kind) in enumerate(KINDS.items())
        if name in chosen
    }


def _of_planes(change: SampleChange) -> SampleChange:
    """Return a change of volumes (n, depth, height, width, channels) that is that of each plane."""

    def of_volumes(key: Array, volumes: Array) -> Array:
        return jnp.moveaxis(change(key, jnp.moveaxis(volumes, 1, 3)), 3, 1)

    return of_volumes


def _amount(name: str, text: str) -> float:
    """Return the amount that a text says; raises InvalidParameter."""
    largest = KINDS[name].at_most
    try:
        amount = float(text)
    except ValueError:
        amount = np.nan
    if not 0 < amount <= largest:
        expected = f"an amount above 0 and at most {largest:g}" if largest else "no amount"
        raise InvalidParameter(
            f"augmentation {name!r}",
            expected=expected,
            received=repr(text)[:200],
            remedy=f"augmentation={name!r} has the default amount" if largest else f"only {name!r}",
        )
    return amount


def _checked(schema: Schema) -> ArraySchema:
    """Return the schema, if it is that of pictures whose pixels have the same units everywhere."""
    if not isinstance(schema, ArraySchema) or not (schema.is_image or schema.is_volume):
        rows = not isinstance(schema, ArraySchema) or len(schema.sample_shape) == 1
        raise InvalidParameter(
            "augmentation",
            expected="pictures, an array (n, height, width) or (n, height, width, channels), or "
            "volumes (n, depth, height, width, channels)",
            received="rows of a table" if rows else f"samples of shape {schema.sample_shape}",
            remedy="reshape flat pictures, or leave augmentation='auto'",
        )
    if schema.scaling.center.size not in (1, schema.channels):
        raise InvalidParameter(
            "augmentation",
            expected="pictures with one scale for all pixels",
            received=f"scale {schema.scaling.method!r}, which has one for each pixel",
            remedy="leave scale='auto', or use 'range' or 'none'",
        )
    return schema


def _range(schema: ArraySchema, rows: Floats) -> tuple[Floats, Floats]:
    """Return the least and the greatest value of each channel in scaled units."""
    if schema.values == "unit":
        return np.zeros(1, np.float32), np.ones(1, np.float32)
    by_channel = rows.reshape(-1, schema.channels)
    return np.fmin.reduce(by_channel, axis=0), np.fmax.reduce(by_channel, axis=0)
