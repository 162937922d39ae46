"""The verdict on models as tutorials write them: live, and from files of Keras 2 and 3."""

import keras
import pytest
from keras_2_files import as_keras_2
from models import without_drawing
from tutorial_models import FORMS, TUTORIALS

import isthmus as ist

WEIGHTS = (
    *("tf_basic", "tf_denoising", "tf_anomalies", "tf_cvae", "keras_guide_subclassing"),
    "single_layers_as_parts",
)
"""Models of authors' classes, of which a file has no layers. Only their weights show what they are,
which is likely and not proven."""
UNMEASURED = ("transformer_of_text", "keras_io_molecules")
"""With a layer of the author, whose output shape files of Keras 2 do not state."""
OPEN = ("translation_by_letters", "pictures_to_pictures", "super_resolution")
"""Models that look like an autoencoder by their shapes, as far as their target is not known."""


def only_likely(name, form):
    """Whether the graph of layers is not known."""
    if form == "live":
        return name in ("keras_guide_subclassing", "keras_io_masked")
    return name in WEIGHTS


@pytest.fixture(params=TUTORIALS, scope="module")
def built(request):
    """A tutorial with its model, built once."""
    case = TUTORIALS[request.param]
    with pytest.MonkeyPatch.context() as patch:
        without_drawing(patch)
        keras.backend.clear_session()
        return request.param, case, case.build()


@pytest.mark.parametrize("form", [*FORMS, "keras 2"])
def test_the_verdict_is_right(built, form, tmp_path):
    name, case, model = built
    old = form == "keras 2"
    form = "h5" if old else form
    if form not in case.forms:
        return  # Keras refuses to save it
    subject = model
    if form != "live":
        subject = tmp_path / f"model.{form}"
        model.save(subject)
    if old:
        as_keras_2(subject, tmp_path / "old.h5")
        subject = tmp_path / "old.h5"
    if old and name in UNMEASURED:
        assert ist.inspect(subject, target=case.target).is_autoencoder is None
        return
    verdict, alone = ist.inspect(subject, target=case.target), ist.inspect(subject)
    if only_likely(name, form):
        assert (verdict.is_autoencoder, verdict.likely) == (None, case.kind), str(verdict)
    else:
        assert (verdict.is_autoencoder, verdict.kind) == (case.answer, case.kind), str(verdict)
        assert verdict.likely is None
        if case.code is not None:
            assert verdict.code_size == case.code, str(verdict)
    # Without the target, what is likely is right, and what is decided is right.
    if alone.is_autoencoder is None:
        assert alone.likely == (None if name in OPEN else case.kind), str(alone)
    else:
        assert (alone.is_autoencoder, case.answer) == (False, False), str(alone)


def test_the_catalogue_is_large():
    assert len(TUTORIALS) - len(WEIGHTS) >= 60
