"""Keras models: architectures, bottlenecks, and how they are joined, run and stored.

Every module here that uses Keras comes after this check of its backend.
"""

from isthmus import _backend

_backend.require()
