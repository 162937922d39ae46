"""The constructor parameters of the codec, each declared once.

They have the format of `isthmus.estimators.parameters`. This module imports nothing heavy.
"""

from __future__ import annotations

from isthmus.estimators.constraints import Flag, Real, Seed
from isthmus.estimators.parameters import Parameter

_KINDS = ("codec",)
_MOST_BITS = 64
"""The bits of the widest value, a float64."""
_BEST_QUALITY = 1000
"""In decibels. float64 itself has about 320 for values of the size of their range."""

CODEC_PARAMETERS = (
    Parameter(
        "max_error",
        "float or None",
        0,
        Real(optional=True, at_least=0),
        "The largest error of a number, in the units of the data; 0 is lossless.",
        kinds=_KINDS,
    ),
    Parameter(
        "relative",
        "bool",
        False,
        Flag(),
        "Whether `max_error` is a fraction of each column's range in `fit`, or of the range of all "
        "cells if rows have more than one dimension. A column that is constant in `fit` is "
        "lossless.",
        kinds=_KINDS,
    ),
    Parameter(
        "bits",
        "float",
        None,
        Real(optional=True, above=0, at_most=_MOST_BITS),
        "Only with ``max_error=None``: the largest number of bits per value, averaged over a "
        "chunk. The file's header and an embedded model are not counted.",
        kinds=_KINDS,
    ),
    Parameter(
        "quality",
        "float",
        None,
        Real(optional=True, at_least=0, at_most=_BEST_QUALITY),
        "Only with ``max_error=None``: the smallest allowed peak signal-to-noise ratio (PSNR) in "
        "decibels, ``-10 log10`` of the mean squared error. Errors are relative to 255 for bytes, "
        "and to the range of each cell in `fit` for floats.",
        kinds=_KINDS,
    ),
    Parameter(
        "random_state",
        "None, int, RandomState or Generator",
        None,
        Seed(),
        "The seed of the model that `fit` trains.",
        kinds=_KINDS,
    ),
)
"""All parameters, in the order of the signature."""
