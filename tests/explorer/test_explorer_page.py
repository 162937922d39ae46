"""What a page of the explorer contains, and what is refused."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from explorer_page import Page
from sklearn.frozen import FrozenEstimator

import isthmus as ist
from isthmus.explorer import page as explorer_page
from isthmus.explorer.chosen_rows import chosen_rows
from isthmus.explorer.columns import label_column
from isthmus.explorer.packing import packed_numbers


def data_of(html):
    return json.loads(re.search(r'id="explorer-data">(.*?)</script>', html, re.DOTALL)[1])


@pytest.fixture(scope="module")
def model(table):
    plain = table[["weight", "income", "visits"]].fillna(0)
    model = ist.Autoencoder(1, hidden=(8,), epochs=2, random_state=0, verbose=0)
    return model.fit(plain), plain


def test_more_rows_than_wanted_are_a_sample_that_is_named(model):
    model, table = model
    html = explorer_page.render(model, table, most_rows=50, names=[f"n{i}" for i in range(400)])
    data = data_of(html)
    assert data["rows"] == 50
    assert len(data["names"]) == 50
    assert "50 of 400 rows are shown, a random sample." in html
    assert data_of(explorer_page.render(model, table, most_rows=50))["codes"] == data["codes"]
    assert "random sample" not in explorer_page.render(model, table)


def test_codes_of_one_number_are_drawn_with_the_error(model):
    model, table = model
    data = data_of(explorer_page.render(model, table))
    assert data["plane"]["kind"] == "line"
    assert data["plane"]["names"] == ["code", "reconstruction error"]


def test_text_that_identifies_rows_names_them(model):
    _, table = model
    named = table.assign(id=[f"k{i}" for i in range(400)])
    model = ist.Autoencoder(1, hidden=(8,), epochs=1, random_state=0, verbose=0)
    with pytest.warns(ist.DataWarning, match="'id'"):
        model.fit(named)
    data = data_of(explorer_page.render(model, named))
    assert data["names"][7] == "k7"
    assert "id" not in [column["name"] for column in data["columns"]]


def test_listed_alarms_are_in_every_sample(detector_page):
    html = explorer_page.render(detector_page.model, detector_page.rows, most_rows=20)
    data = data_of(html)
    raised = (detector_page.model.predict(detector_page.rows) == -1).sum()
    assert len(data["alarms"]["rows"]) == raised
    assert data["rows"] == 20
    assert "The alarms of the list are among them" in html


def test_a_page_of_many_rows_stays_small():
    # 25 columns of any numbers and a code of eight: about 20 MB as text.
    assert len(chosen_rows(10**6, 10**5, 2 * 8 + 25 * 4 + 16, [])) == 10**5
    kept = [3, 999_999]
    assert set(kept) < set(chosen_rows(10**6, 100, 10, kept).tolist())


def test_numbers_on_a_grid_are_stored_exactly_in_two_bytes():
    prices = np.array([0.1, 0.25, np.nan, 655.0])
    stored = packed_numbers(prices, 0.01)
    assert (stored["type"], stored["low"], stored["step"]) == ("u16", 0.1, 0.01)
    assert packed_numbers(prices, 0.0)["type"] == "f32"
    assert packed_numbers(np.array([0.0, 1e6]), 1.0)["type"] == "f32"


def test_labels_are_categories_or_numbers():
    assert label_column("l", np.array([2.0, 10.0, 1.0, np.nan])).form["names"] == ["1", "2", "10"]
    assert label_column("l", np.arange(50)).form == {"kind": "number"}
    dates = np.array(["2026-01-02", "NaT"], dtype="datetime64[D]")
    assert label_column("l", dates).form["names"] == ["2026-01-02"]
    words = label_column("l", np.array(["b", None, "a"], dtype=object))
    assert np.array_equal(words.values, [1, np.nan, 0], equal_nan=True)


def test_an_array_is_taken_for_the_table_of_fit(model):
    model, table = model
    by_table = data_of(explorer_page.render(model, table))
    by_array = data_of(explorer_page.render(model, table.to_numpy(dtype=np.float64)))
    assert by_table["columns"] == by_array["columns"]


@pytest.mark.parametrize("kind", ["digits_page", "table_page"])
def test_a_grid_replaces_a_decoder_that_the_page_cannot_run(
    kind, request, table, browser, monkeypatch, tmp_path
):
    own = request.getfixturevalue(kind)
    monkeypatch.setattr(explorer_page, "decoder_program", lambda model, cells: None)
    rows = table if kind == "table_page" else own.X
    path = ist.write_explorer(own.model, rows, tmp_path / "grid.html")
    page = Page(browser, path).open()
    assert "a grid that was decoded beforehand" in page.text("#decoded")
    assert page.value("document.getElementById('code')") is None
    page.tool("decode")
    place = (0.0, 0.0) if kind == "table_page" else page.inside((0.5, 0.5))[0]
    page.browser.drag(*page.on_screen(place))
    page.settle()
    if kind == "table_page":
        codes = own.model.transform(table)
        expected = own.model.inverse_transform(codes.mean(axis=0, keepdims=True)).iloc[0]
        assert page.decoded()["weight"][2] == pytest.approx(expected["weight"], abs=2)
    else:
        expected = own.model.inverse_transform(np.array([place], np.float32))[0]
        shown = page.picture()[..., 0] / 255
        assert np.corrcoef(shown.ravel(), expected.ravel())[0, 1] > 0.9
    assert page.browser.faults() == []


def test_a_map_is_the_plane_of_its_codes(table, table_page, browser, tmp_path):
    own = ist.LatentMap(FrozenEstimator(table_page.model), random_state=0).fit(table[:7])
    page = Page(browser, ist.write_explorer(own, table[:7], tmp_path / "map.html")).open()
    assert "a map by t-SNE" in page.text("header")
    page.tool("decode")
    page.browser.drag(*page.on_screen(own.transform(table[4:5])[0]))
    codes = table_page.model.transform(table[4:5])[0]
    assert np.allclose(page.code(), codes, atol=0.3)
    assert page.browser.faults() == []


def test_what_cannot_be_shown_is_refused(model, tmp_path):
    model, table = model
    path = tmp_path / "page.html"
    with pytest.raises(ist.InvalidParameter, match="most_rows"):
        ist.write_explorer(model, table, path, most_rows=0)
    with pytest.raises(ist.InvalidData, match="one label per row"):
        ist.write_explorer(model, table, path, y=[1, 2])
    with pytest.raises(ist.InvalidParameter, match="not fitted"):
        ist.write_explorer(ist.Autoencoder(), table, path)
    with pytest.raises(ist.InvalidParameter, match="received Codec"):
        ist.write_explorer(ist.Codec(), table, path)
    with pytest.raises(ist.InvalidParameter, match="not fitted"):
        ist.write_explorer(ist.AnomalyDetector(), table, path)
    with pytest.raises(ist.SchemaMismatch):
        ist.write_explorer(model, pd.DataFrame({"other": [1.0]}), path)
    assert not path.exists()
    path.write_text("mine")
    with pytest.raises(ist.CannotWrite):
        ist.write_explorer(model, table, path)
    assert path.read_text() == "mine"


def test_a_detector_of_series_is_refused(monkeypatch, detector_page, table, tmp_path):
    monkeypatch.setattr(type(detector_page.model), "is_series", True)
    with pytest.raises(ist.InvalidParameter, match="timeline"):
        ist.write_explorer(detector_page.model, table, tmp_path / "page.html")
