"""Selects Keras' JAX backend.

Keras reads its backend once, when it is first imported, so the choice has to be
made before that. ``import isthmus`` calls `select`, which only touches the
environment; rooms that use Keras call `require` after importing it.
"""

import os
import sys

_REMEDY = (
    "import isthmus before keras, or set the environment variable KERAS_BACKEND=jax "
    "before starting Python"
)


def select() -> None:
    """Ask Keras for JAX when it is imported later.

    Raises
    ------
    ImportError
        Keras was told to use, or already runs on, another backend.
    """
    if "keras" in sys.modules:
        require()
        return
    chosen = os.environ.setdefault("KERAS_BACKEND", "jax")
    if chosen != "jax":
        raise ImportError(
            f"Keras backend: expected 'jax', received KERAS_BACKEND={chosen!r}. "
            "Unset that variable or set it to 'jax' before starting Python."
        )


def require() -> None:
    """Check that the imported Keras runs on JAX.

    Raises
    ------
    ImportError
        Keras runs on another backend.
    """
    from keras import config

    received = config.backend()
    if received != "jax":
        raise ImportError(
            f"Keras backend: expected 'jax', received {received!r}, chosen when keras was "
            f"first imported. Try: {_REMEDY}."
        )
