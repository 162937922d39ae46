"""Find the loss of each output from what the user or `compile` was given."""

from __future__ import annotations

import re
from typing import Any

_SHORT = {
    "mse": "mean_squared_error",
    "mae": "mean_absolute_error",
    "bce": "binary_crossentropy",
    "sparse_categorical_cross_entropy": "sparse_categorical_crossentropy",
}
_OF_VALUES = frozenset(
    """mean_squared_error mean_absolute_error binary_crossentropy huber huber_loss log_cosh logcosh
    mean_squared_logarithmic_error root_mean_squared_error poisson""".split()  # noqa: SIM905
)
_OF_PARTS = ("reconstruct", "vae", "elbo", "contractive")
"""Words in the names of authors' own losses."""


def per_output(loss: Any, names: list[str]) -> list[str | None]:
    """Return the loss of each output.

    Parameters
    ----------
    loss : str, callable, keras.losses.Loss, list or dict
        As passed to `compile`, or as Keras stores it in a file.
    names : list of str
        The outputs' names.

    Returns
    -------
    list of str or None
        None for an output without a loss.
    """
    if isinstance(loss, dict) and "class_name" not in loss:
        by_name = {str(key): value for key, value in loss.items()}
        if not set(by_name) & set(names) and len(by_name) == len(names):
            return [_named(value) for value in by_name.values()]
        return [_named(by_name.get(name)) for name in names]
    if isinstance(loss, (list, tuple)):
        given = [_named(value) for value in loss]
        return (given + [None] * len(names))[: len(names)]
    return [_named(loss)] * len(names)


def compares_values(name: str | None) -> bool:
    """Whether a loss is one that reconstructions are compared with."""
    return name is not None and (name in _OF_VALUES or any(word in name for word in _OF_PARTS))


def compares_classes(name: str | None) -> bool:
    """Whether a loss takes class numbers, whose shape differs from that of the output."""
    return name is not None and name.startswith("sparse_categorical")


def is_crossentropy(name: str | None) -> bool:
    """Whether a loss is one that classifiers are trained with."""
    return name is not None and ("crossentropy" in name or "focal" in name or "hinge" in name)


def _named(loss: Any) -> str | None:
    if loss is None:
        return None
    if isinstance(loss, dict):
        config = loss.get("config")
        inner = config.get("name") if isinstance(config, dict) else config
        loss = inner if isinstance(inner, str) else loss.get("class_name")
    if not isinstance(loss, str):
        loss = getattr(loss, "name", None) or getattr(loss, "__name__", type(loss).__name__)
    printable = "".join(letter for letter in str(loss)[:80] if letter.isprintable())
    plain = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", printable).lower()
    return _SHORT.get(plain, plain)
