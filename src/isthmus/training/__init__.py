"""The training loop: a recipe in, weights and a history out."""

from isthmus import _backend

_backend.require()
