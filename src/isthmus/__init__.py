"""Isthmus: autoencoders for tables, images and sensors.

The public names are listed in ``__init__.pyi``; each is imported when it is first used.
"""

import lazy_loader as _lazy

from isthmus import _backend
from isthmus._version import __version__ as __version__

_backend.select()

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
