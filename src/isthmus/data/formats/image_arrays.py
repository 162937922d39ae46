"""Arrays of images that know how the images were read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isthmus.data.formats.image_options import ImageForm


class ImageArray(np.ndarray[Any, Any]):
    """An array of images that were read from a folder, with their form; see `form_of`.

    Parts of it keep the form. It is an array like any other otherwise.
    """

    form: ImageForm | None = None

    def __array_finalize__(self, other: object) -> None:
        self.form = getattr(other, "form", None)


def with_form(images: NDArray[Any], form: ImageForm | None) -> NDArray[Any]:
    """Return images with the form that they were read in; without one, they are unchanged."""
    if form is None:
        return images
    array = images.view(ImageArray)
    array.form = form
    return array


def form_of(X: object) -> ImageForm | None:
    """Return the form of images read from a folder; None for others and for changed pixels."""
    if not isinstance(X, ImageArray) or X.form is None or X.ndim not in (3, 4):
        return None
    return X.form if X.dtype == X.form.dtype else None
