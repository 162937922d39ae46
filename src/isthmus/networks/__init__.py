"""Keras models: architectures and bottlenecks, and how they are joined, run and stored.

The Keras backend is checked here, before any module of the package uses Keras.
"""

from isthmus import _backend

_backend.require()
