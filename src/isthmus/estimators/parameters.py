"""The constructor parameters of the estimators, each declared once.

Each record provides the entry in the docstring, the check in `fit`, the check of an archive's
settings, and the option of ``isthmus fit``. Signatures are written out for readers and editors; a
test compares them with the records. Nothing heavy is imported here.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from isthmus.estimators.constraints import (
    MOST_UNITS,
    Constraint,
    File,
    Flag,
    Integer,
    LayerSizes,
    Model,
    NamesWithAmounts,
    OneOf,
    Real,
    Seed,
    Verbosity,
    WeightedNames,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

AUTOENCODERS = ("autoencoder", "denoising", "supervised", "variational")
"""The kinds of autoencoders, as named by ``isthmus fit --kind``."""
_WITH_LOSS = ("autoencoder", "denoising", "supervised")
_ACTIVATIONS = (
    *("elu", "gelu", "leaky_relu", "linear", "mish", "relu"),
    *("selu", "sigmoid", "silu", "softplus", "tanh"),
)
_LOSSES = (
    *("mse", "mae", "huber", "charbonnier", "bce", "mixture"),
    *("ssim", "ms_ssim", "gradient_difference"),
)
MOST_LEVELS = 8
MOST_IMPORTANCE_SAMPLES = 5_000
_WIDTH = 96


@dataclass(frozen=True)
class Parameter:
    """A constructor parameter.

    Parameters
    ----------
    name : str
        The name.
    type : str
        The type, as shown in the docstring.
    default : object
        The default value.
    constraint : Constraint
        The valid values.
    help : str
        The description for the docstring.
    kinds : tuple of str
        The estimators that have it.
    summary : str
        One line for the command line; empty if it can only be set from Python.
    panel : str
        The heading for it on the command line; by default it depends on `kinds`.
    metavar : str or None
        The placeholder for its value on the command line.
    help_by_kind : mapping of str to str
        Replaces `help` for estimators in which it means something else.
    """

    name: str
    type: str
    default: Any
    constraint: Constraint
    help: str
    kinds: tuple[str, ...] = AUTOENCODERS
    summary: str = ""
    panel: str = ""
    metavar: str | None = None
    help_by_kind: Mapping[str, str] = field(default_factory=dict)

    def entry(self, kind: str) -> str:
        """Return the entry for the docstring of an estimator, indented as in a class."""
        default = f'"{self.default}"' if isinstance(self.default, str) else repr(self.default)
        text = self.help_by_kind.get(kind, self.help)
        body = textwrap.fill(text, _WIDTH, initial_indent=" " * 8, subsequent_indent=" " * 8)
        return f"    {self.name} : {self.type}, default={default}\n{body}"


UNKNOWN = Parameter(
    "unknown",
    '{"warn", "error"}',
    "warn",
    OneOf(names=("warn", "error")),
    'What becomes of a value of a table that `fit` did not see, such as a new category. "warn": a '
    'warning with columns and numbers of rows; the cell counts as missing. "error": it is refused.',
    kinds=(*AUTOENCODERS, "detector"),
    summary="warn or error: what becomes of values that fit did not see.",
    help_by_kind={
        "detector": "What becomes of a value of a table that `fit` did not see, such as a new "
        'category. "warn": a warning with columns and numbers of rows; the row scores as '
        'improbable as that is (see `isthmus.anomaly.novelty`). "error": it is refused.'
    },
)
"""Of the autoencoders and of the detector alike."""

PARAMETERS = (
    Parameter(
        "latent_dim",
        'int or "auto"',
        "auto",
        Integer(auto=True, at_most=MOST_UNITS),
        'Size of the code. "auto": a quarter of the cells of a sample, at most 32.',
        summary="Size of the code.",
    ),
    Parameter(
        "noise",
        '{"gaussian", "masking", "salt_pepper", "blind_spot", "auto"} or callable',
        "auto",
        OneOf(auto=True, names=("gaussian", "masking", "salt_pepper", "blind_spot"), custom=True),
        '"gaussian" adds normal noise to numbers, and clips fractions of a range to [0, 1]. '
        '"masking" sets cells to 0: black in an image, where a pixel is set in all its channels, '
        'the center of a numeric column, or no category. "salt_pepper" sets cells to either end of '
        'the range. "blind_spot" learns from noisy images or series alone. '
        "A JAX function of (key, inputs) takes a random key and samples in scaled units, "
        "(n, *sample shape), and returns corrupted samples of the same shape. "
        '"auto": gaussian, but none if `fit` is given pairs of noisy and clean samples.',
        kinds=("denoising",),
        summary="gaussian, masking, salt_pepper or blind_spot.",
    ),
    Parameter(
        "noise_level",
        'float or "auto"',
        "auto",
        Real(auto=True, at_least=0),
        "Standard deviation of Gaussian noise in scaled units; for other noise the fraction of "
        "cells, at most 1. Ignored for a function. With blind_spot, that of the samples' own "
        'noise, if it is Gaussian, and 0 if it is not. "auto": 0.4; with blind_spot, estimated.',
        kinds=("denoising",),
        summary="Standard deviation of the noise, or the fraction of cells.",
    ),
    Parameter(
        "levels",
        "int",
        1,
        Integer(at_most=MOST_LEVELS),
        "Levels of latent variables. 1: the code alone, with a standard normal prior. With more, "
        "the prior of the code is learned: a Gaussian whose mean and variance depend on a level of "
        "half the size, and so on; the last level is standard normal.",
        kinds=("variational",),
        summary="Levels of latent variables; with more than 1, the prior of the code is learned.",
    ),
    Parameter(
        "importance_samples",
        "int",
        1,
        Integer(at_most=MOST_IMPORTANCE_SAMPLES),
        "Codes drawn for each row and step. 1: the evidence lower bound (ELBO). With more, the "
        "importance weighted bound, which is tighter: the log of the mean of their weights.",
        kinds=("variational",),
        summary="Codes drawn for each row and step; with more than 1, a tighter bound is learned.",
    ),
    Parameter(
        "beta",
        "float",
        1.0,
        Real(at_least=0),
        "Weight of the KL divergence; with several `importance_samples`, of log q(z | x) / p(z) in "
        "their weights.",
        kinds=("variational",),
        summary="Weight of the KL divergence.",
    ),
    Parameter(
        "warmup",
        "float",
        0.0,
        Real(at_least=0, at_most=1),
        "Fraction of the epochs over which `beta` rises from 0.",
        kinds=("variational",),
        summary="Fraction of the epochs over which beta rises from 0.",
    ),
    Parameter(
        "free_bits",
        "float",
        0.0,
        Real(at_least=0),
        "Nats per latent dimension that are free; only with one of `importance_samples`.",
        kinds=("variational",),
        summary="Nats per latent dimension that are free.",
    ),
    Parameter(
        "likelihood",
        '{"auto", "bernoulli", "binarized", "gaussian", "mse", "mixture"}',
        "auto",
        OneOf(auto=True, names=("bernoulli", "binarized", "gaussian", "mse", "mixture")),
        'The distribution of a cell given the decoder\'s output. "bernoulli": the output is the '
        'probability of a 1. "binarized": Bernoulli, with cells sampled as 0 or 1 at every step '
        "from the data as probabilities, as is common for images; `log_likelihood` samples them "
        'too. "gaussian": normal, with one variance estimated from the data. "mse": the squared '
        "error summed over cells, as in textbooks, which is a Gaussian with variance 1/2. "
        '"mixture": by the kind of each column. "auto": bernoulli for values in [0, 1], such as '
        "digits, but gaussian for the convolutional architecture, and so for colour pictures; "
        "gaussian for numeric columns, mixture for tables with categories or booleans, and mse for "
        "models of your own.",
        kinds=("variational",),
        summary="bernoulli, binarized, gaussian, mse or mixture.",
    ),
    Parameter(
        "task",
        '{"classification", "regression"}',
        "classification",
        OneOf(names=("classification", "regression")),
        "Whether labels are classes or numbers.",
        kinds=("supervised",),
        summary="classification or regression.",
    ),
    Parameter(
        "classification_weight",
        "float",
        0.1,
        Real(above=0),
        "Weight of the head's loss relative to the reconstruction loss, for both tasks.",
        kinds=("supervised",),
        summary="Weight of the loss of the labels.",
    ),
    Parameter(
        "head_hidden",
        'tuple of int or "auto"',
        "auto",
        LayerSizes(auto=True),
        "Units of the dense layers between code and labels; () for none.",
        kinds=("supervised",),
        summary="Sizes of the layers between code and labels, such as 64,32.",
        metavar="SIZES",
    ),
    Parameter(
        "head_activation",
        "str",
        "gelu",
        OneOf(names=_ACTIVATIONS),
        "Activation of those layers.",
        kinds=("supervised",),
        summary="Activation of these layers.",
    ),
    Parameter(
        "head_dropout",
        "float",
        0.0,
        Real(at_least=0, below=1),
        "Fraction of their units that each training step drops.",
        kinds=("supervised",),
        summary="Dropout in these layers.",
    ),
    Parameter(
        "architecture",
        "str",
        "auto",
        OneOf(
            auto=True,
            names=(
                *("dense", "convolutional", "convolutional-3d", "strided", "convolutional-1d"),
                *("recurrent", "gru", "linear"),
            ),
        ),
        'The type of encoder and decoder: "dense"; "linear"; for images "convolutional" '
        '(residual blocks beside a linear path that starts as PCA) or "strided" (with strides and '
        "transposed convolutions); for volumes (n, depth, height, width, channels) "
        '"convolutional-3d"; for series (n, time, channels) "convolutional-1d", "recurrent" '
        '(an LSTM) or "gru". "auto": dense, but convolutional for images (n, height, width, '
        "channels), for volumes, and for any image of more than 65,536 cells, unless `hidden` is "
        "given. Sequences for recurrent networks may differ in length: a shorter one has NaN in "
        "all channels after its end.",
        summary="dense, convolutional, convolutional-3d, strided, convolutional-1d, recurrent, "
        "gru, linear or auto.",
    ),
    Parameter(
        "encoder",
        "keras.Model",
        None,
        Model(),
        "Your own encoder instead of `architecture`: samples -> code (n, latent_dim), or a code of "
        "more dimensions, such as (n, height, width, channels), which is flattened; see "
        "`code_shape_`. It requires a `decoder`. `fit` clones it with its weights.",
        help_by_kind={
            "variational": "Your own encoder instead of `architecture`: samples -> features (n, "
            "any width), to which two dense layers for mean and log variance are added. It "
            "requires a `decoder`. `fit` clones it with its weights."
        },
    ),
    Parameter(
        "decoder",
        "keras.Model",
        None,
        Model(),
        "Your own decoder: code in the shape of the encoder's output -> reconstruction in scaled "
        'units (probabilities for "bce" and "mixture").',
        help_by_kind={
            "variational": "Your own decoder: code (n, latent_dim) -> reconstruction in scaled "
            'units (probabilities for "bernoulli" and "mixture").'
        },
    ),
    Parameter(
        "hidden",
        'tuple of int or "auto"',
        "auto",
        LayerSizes(auto=True),
        "Units of the encoder's hidden or recurrent layers, or filters of its convolutions, from "
        "the input to the code; the decoder mirrors them.",
        summary="Sizes of the encoder's hidden layers, or filters of its convolutions, such as "
        "512,256; the decoder mirrors them.",
        metavar="SIZES",
    ),
    Parameter(
        "activation",
        "str",
        "gelu",
        OneOf(names=_ACTIVATIONS),
        "Activation of hidden layers.",
        summary="Activation of hidden layers, such as gelu, relu or tanh.",
    ),
    Parameter(
        "normalization",
        '{"batch", "layer", "none", "auto"}',
        "auto",
        OneOf(auto=True, names=("batch", "layer", "none")),
        'Normalization in hidden layers. "auto": batch for images, none for tables and for '
        'architecture="convolutional" or "convolutional-3d".',
        summary="batch, layer or none.",
    ),
    Parameter(
        "linear_path",
        "bool",
        True,
        Flag(),
        "Whether to add a linear path that bypasses the hidden layers, from sample to code and "
        "from code to output. False gives the plain network of textbooks.",
        summary="Add a linear path that bypasses the hidden layers.",
    ),
    Parameter(
        "loss",
        "str, dict or callable",
        "auto",
        WeightedNames(auto=True, names=_LOSSES, custom=True),
        '"mse", "mae", "huber", "charbonnier", "bce" or "mixture"; for images also "ssim", '
        '"ms_ssim" (structural similarity) or "gradient_difference"; the weights of several, such '
        'as {"mse": 0.5, "ssim": 0.5}; an `isthmus.Perceptual`, which compares features of images; '
        "or a function of (target, reconstruction) as in Keras. "
        '"auto": cross-entropy for images and values in [0, 1], squared error for numeric '
        "columns, a mixture by column for tables with categories or booleans; squared error for "
        'architecture="convolutional", and for models of your own, whose last activation is '
        "unknown.",
        kinds=_WITH_LOSS,
        summary="mse, mae, huber, charbonnier, bce or mixture; for images ssim, ms_ssim or "
        "gradient_difference; or several with weights: mse:0.5,ssim:0.5.",
    ),
    Parameter(
        "l1",
        "float",
        0.0,
        Real(at_least=0),
        "Weight of the mean absolute code (a sparse autoencoder).",
        kinds=_WITH_LOSS,
        summary="Weight of the mean absolute code.",
    ),
    Parameter(
        "contraction",
        "float",
        0.0,
        Real(at_least=0),
        "Weight of the encoder's squared Jacobian norm (a contractive autoencoder).",
        kinds=_WITH_LOSS,
        summary="Weight of the encoder's squared Jacobian norm.",
    ),
    Parameter(
        "scale",
        '{"auto", "range", "robust", "none"}',
        "auto",
        OneOf(auto=True, names=("range", "robust", "none")),
        'How data are scaled; see `isthmus.data.schema.infer_schema`. With "none", a loss or '
        "likelihood for values within [0, 1] is accepted if all values of the training rows are.",
        summary="How numbers are scaled: range, robust or none.",
    ),
    UNKNOWN,
    Parameter(
        "augmentation",
        "str",
        "auto",
        NamesWithAmounts(auto=True),
        'Random changes of training pictures, new in every step, as names joined by "+": '
        '"flip" (left and right), "flip_vertical", "quarter_turns" (of squares), "rotation" (by at '
        'most 10 degrees), "crop" (moved by at most 0.1 of the sides), "contrast" (0.2) and '
        '"brightness" (0.1 of the range). An amount follows a colon: "flip+crop:0.2". Input and '
        'target change alike, and missing pixels move along. "auto": mirror images for '
        'architecture="convolutional" without labels, if principal components are better with '
        'them; else none. "none": no changes.',
        summary="Random changes of training pictures, such as flip+crop:0.2: flip, flip_vertical, "
        "quarter_turns, rotation, crop, contrast, brightness; or none.",
        panel="Training",
        metavar="NAMES",
    ),
    Parameter(
        "epochs",
        'int or "auto"',
        "auto",
        Integer(auto=True),
        'Maximum number of passes over the rows. "auto": about 5,000 steps, 20 to 500 epochs.',
        summary="Maximum number of passes over the rows.",
        panel="Training",
    ),
    Parameter(
        "batch_size",
        'int or "auto"',
        "auto",
        Integer(auto=True),
        'Rows per step. "auto": about 50 batches per epoch, 16 to 256 rows.',
        summary="Rows per step.",
        panel="Training",
    ),
    Parameter(
        "optimizer",
        "str or keras.optimizers.Optimizer",
        "adam",
        OneOf(
            names=(
                *("adam", "adamw", "nadam", "adamax", "adagrad"),
                *("adadelta", "rmsprop", "lion", "sgd"),
            ),
            custom=True,
        ),
        "A name, used with the settings below, or an optimizer, used unchanged.",
        summary="adam, adamw, nadam, adamax, adagrad, adadelta, rmsprop, lion or sgd.",
        panel="Training",
    ),
    Parameter(
        "learning_rate",
        "float",
        0.005,
        Real(above=0),
        "Maximum learning rate.",
        summary="Maximum learning rate.",
        panel="Training",
    ),
    Parameter(
        "schedule",
        '{"cosine", "constant"}',
        "cosine",
        OneOf(names=("cosine", "constant")),
        "How the learning rate falls, after a warm-up of a twentieth of the epochs.",
        summary="cosine or constant.",
        panel="Training",
    ),
    Parameter(
        "clip_norm",
        "float or None",
        1.0,
        Real(optional=True, above=0),
        "Maximum norm of the gradient; larger gradients are scaled down.",
        summary="Maximum norm of the gradient.",
        panel="Training",
    ),
    Parameter(
        "patience",
        'int, "auto" or None',
        "auto",
        Integer(auto=True, optional=True),
        "Training stops after this many epochs without a better validation loss; None never stops "
        'early. "auto": a fifth of `epochs`, at least 10.',
        summary="Stop after this many epochs without a better validation loss.",
        panel="Training",
        metavar="EPOCHS",
    ),
    Parameter(
        "validation_fraction",
        "float",
        0.1,
        Real(at_least=0, below=1),
        "Fraction of rows held out for early stopping and for choosing the best weights. With 0 or "
        "fewer than 20 rows, all rows are used for training and the last weights are kept.",
        summary="Fraction of rows held out for early stopping.",
        panel="Training",
    ),
    Parameter(
        "precision",
        '{"float32", "bfloat16"}',
        "float32",
        OneOf(names=("float32", "bfloat16")),
        '"bfloat16": hidden layers compute in bfloat16, weights and losses stay float32.',
        summary="float32 or bfloat16.",
        panel="Training",
    ),
    Parameter(
        "checkpoint",
        "path or None",
        None,
        File(optional=True),
        "A file to which checkpoints are written. If it exists, `fit` resumes from it.",
        summary="Write checkpoints to this file; if it exists, resume from it.",
        panel="Files",
    ),
    Parameter(
        "checkpoint_every",
        "int",
        1,
        Integer(),
        "Epochs between two checkpoints.",
        summary="Epochs between two checkpoints.",
        panel="Files",
        metavar="EPOCHS",
    ),
    Parameter(
        "warm_start",
        "bool",
        False,
        Flag(),
        "Whether `fit` of a fitted estimator goes on from its weights, with its scales, categories "
        "and classes. The data must have the same columns or shape, and the settings of the "
        "network must be the same. `history_` and the learning rate begin anew. With an integer "
        "`random_state` and the same rows, the same rows are held out.",
    ),
    Parameter(
        "verbose",
        "int",
        1,
        Verbosity(optional=True),
        "1 shows a progress bar if standard error is a terminal; 0 shows none.",
        summary="1 shows a progress bar in a terminal; 0 shows none.",
        panel="Training",
    ),
    Parameter(
        "random_state",
        "None, int, RandomState or Generator",
        None,
        Seed(),
        "An integer makes `fit` bit-for-bit reproducible on the same machine and versions.",
    ),
)
"""All parameters, in the order of the signatures."""


def parameters_of(kind: str) -> tuple[Parameter, ...]:
    """Return the parameters of an autoencoder; `kind` is one of `AUTOENCODERS`."""
    return tuple(each for each in PARAMETERS if kind in each.kinds)


def documented(text: str | None, kind: str, parameters: Iterable[Parameter]) -> str | None:
    """Replace ``{parameters}`` in a class docstring with the entries of the parameters."""
    entries = "\n".join(each.entry(kind) for each in parameters)
    return None if text is None else text.replace("    {parameters}", entries)


def check(estimator: Any, parameters: Iterable[Parameter]) -> None:
    """Check parameters of an estimator; raises InvalidParameter."""
    for each in parameters:
        each.constraint.check(each.name, getattr(estimator, each.name))
