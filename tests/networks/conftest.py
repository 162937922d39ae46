"""Keras may be imported by a test only after isthmus has chosen its backend."""

import isthmus  # noqa: F401
