"""The verdict on models as tutorials write them: live, from ``.keras`` and from ``.h5``."""

import keras
import pytest
from models import without_drawing
from tutorial_models import FORMS, TUTORIALS

import isthmus as ist

FILES = """tf_basic tf_denoising tf_anomalies tf_cvae keras_guide_subclassing
    single_layers_as_parts"""
WRONG = {"live": "keras_guide_subclassing", "keras": FILES, "h5": FILES}
"""What is judged wrong still."""


@pytest.fixture(params=TUTORIALS, scope="module")
def built(request):
    """A tutorial with its model, built once."""
    case = TUTORIALS[request.param]
    with pytest.MonkeyPatch.context() as patch:
        without_drawing(patch)
        keras.backend.clear_session()
        return request.param, case, case.build()


@pytest.mark.parametrize("form", FORMS)
def test_the_verdict_is_right(built, form, tmp_path, request):
    name, case, model = built
    if form not in case.forms:
        return  # Keras refuses to save it
    if name in WRONG[form].split():
        request.applymarker(pytest.mark.xfail(strict=True))
    subject = model
    if form != "live":
        subject = tmp_path / f"model.{form}"
        model.save(subject)
    verdict = ist.inspect(subject, target=case.target)
    assert (verdict.is_autoencoder, verdict.kind) == (case.answer, case.kind), str(verdict)
    if case.code is not None:
        assert verdict.code_size == case.code, str(verdict)


def test_the_catalogue_is_large():
    right = [n for n in TUTORIALS if not any(n in WRONG[form].split() for form in FORMS)]
    assert len(TUTORIALS) >= 60
    assert len(right) >= 66
