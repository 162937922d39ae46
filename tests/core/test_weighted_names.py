import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.core.errors import InvalidParameter
from isthmus.core.weighted_names import as_text, check_weights, from_text

NAMES = st.text("abc_", min_size=1)
WEIGHTS = st.floats(0, exclude_min=True, allow_infinity=False)


@given(st.dictionaries(NAMES, WEIGHTS, min_size=1))
def test_text_restores_the_weights(weights):
    assert from_text("loss", as_text(weights)) == weights


def test_text_is_short():
    assert as_text({"mse": 1, "ssim": 0.5}) == "mse:1,ssim:0.5"
    assert from_text("loss", "mse: 1, ssim: .5") == {"mse": 1.0, "ssim": 0.5}


@pytest.mark.parametrize("text", ["", "mse", "mse:", "mse:x", "mse:1,mse:2", "mse:1,", "mse:1:2"])
def test_other_text_is_refused(text):
    with pytest.raises(InvalidParameter, match="loss: expected names with weights above 0"):
        from_text("loss", text)


@pytest.mark.parametrize(
    "weight",
    [0, -1, float("nan"), float("inf"), "1", True, None, 10**400],
    ids=lambda weight: repr(weight)[:9],
)
def test_what_is_no_weight_is_refused(weight):
    with pytest.raises(InvalidParameter, match="each with a finite weight above 0"):
        check_weights("loss", {"mse": 1.0, "ssim": weight})


def test_no_weights_are_refused():
    with pytest.raises(InvalidParameter, match="at least one name"):
        check_weights("loss", {})
