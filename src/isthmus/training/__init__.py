"""The training loop: takes a training configuration, and returns weights and a history."""

from isthmus import _backend

_backend.require()
