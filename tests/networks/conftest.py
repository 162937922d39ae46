"""Tests may import Keras only after isthmus has chosen its backend."""

import isthmus  # noqa: F401
