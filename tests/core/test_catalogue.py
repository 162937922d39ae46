import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.core.catalogue import Catalogue, nearest
from isthmus.core.errors import InvalidParameter


@pytest.fixture
def losses():
    return Catalogue("loss", {"mse": 1, "mae": 2, "huber": 3})


def test_finds_what_it_holds(losses):
    assert losses["mae"] == 2
    assert dict(losses) == {"mse": 1, "mae": 2, "huber": 3}
    assert len(losses) == 3
    assert "mse" in losses
    assert "mes" not in losses


def test_misspelt_name_is_answered_with_the_nearest(losses):
    with pytest.raises(InvalidParameter, match=r"loss: .*'huber', 'mae', 'mse'.*'hubr'.*'huber'\?"):
        losses["hubr"]


def test_name_like_no_other_gets_no_guess(losses):
    with pytest.raises(InvalidParameter, match="choose one of the names"):
        losses["zzzzzz"]
    assert nearest("zzzzzz", list(losses)) == ""


@pytest.mark.parametrize("name", [None, 3, ["mse"], {}, 1.5])
def test_what_is_no_name_is_refused_in_the_same_words(losses, name):
    with pytest.raises(InvalidParameter, match="loss: expected one of"):
        losses[name]


def test_later_changes_to_the_entries_do_not_reach_it():
    entries = {"a": 1}
    catalogue = Catalogue("thing", entries)
    entries["b"] = 2
    assert list(catalogue) == ["a"]


@given(st.text())
def test_any_name_is_found_or_refused(name):
    catalogue = Catalogue("thing", {"alpha": 1, "beta": 2})
    if name in catalogue:
        assert catalogue[name] in (1, 2)
    else:
        with pytest.raises(InvalidParameter):
            catalogue[name]
