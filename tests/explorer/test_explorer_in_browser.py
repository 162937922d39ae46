"""The explorer in a real browser: select, decode, filter, by mouse, touch and keys."""

import io
import time

import numpy as np
import pandas as pd
import pytest
from explorer_page import HOSTILE


def nearest_code(codes, row):
    away = np.linalg.norm(codes - codes[row], axis=1)
    away[row] = np.inf
    return np.argsort(away, kind="stable")


def test_it_shows_all_rows_and_makes_no_request(digits_page):
    page = digits_page.open()
    assert page.text("h1") == "Digits & co"
    assert page.text("#map-visible").startswith("All 400 images shown.")
    assert page.value("document.getElementById('map').dataset.renderer") == "webgl"
    assert page.colours() > 20
    assert page.browser.faults() == []
    names = page.value("Object.keys(window).filter(k => /explorer|plane|codes/i.test(k)).join()")
    assert names == ""


def test_a_click_selects_the_row_there(digits_page):
    page = digits_page.open()
    codes = page.model.transform(page.X)
    page.go_to(41)  # the map moves to it
    page.browser.key("Escape", code="Escape")
    assert page.text("#row [data-part=title]") == "No image is selected."
    page.browser.drag(*page.on_screen(codes[41]))
    assert page.text("#row [data-part=title]") == "image 41"
    assert page.text("#row dd") == str(page.y[41])
    assert np.allclose(page.code(), codes[41], atol=1e-3)
    shown = page.value(
        "[...document.querySelectorAll('.neighbours button')].map(b => +b.dataset.row)"
    )
    assert shown == nearest_code(codes, 41)[:8].tolist()


def test_a_picture_is_decoded_as_python_does(digits_page):
    page = digits_page.open()
    page.go_to(7)
    made = page.model.inverse_transform(page.code()[None])[0]
    expected = np.clip((made - page.X.min()) / (page.X.max() - page.X.min()), 0, 1) * 255
    assert np.abs(page.picture()[..., 0] - expected).max() <= 1
    original = page.picture("figure.original canvas")[..., 0]
    assert np.abs(original - page.X[7] * 255).max() <= 1


def test_dragging_with_the_decode_tool_decodes_the_plane(digits_page):
    page = digits_page.open()
    page.tool("decode")
    (place,) = page.inside((0.6, 0.45))
    ((x, y),) = page.on_screen(place)
    page.browser.drag((x - 60, y), (x - 30, y), (x, y))
    assert np.allclose(page.code(), place, atol=0.02)
    made = page.model.inverse_transform(page.code()[None])[0]
    expected = np.clip((made - page.X.min()) / (page.X.max() - page.X.min()), 0, 1) * 255
    assert np.abs(page.picture()[..., 0] - expected).max() <= 1
    assert page.text("#decoded [data-part=caption]").startswith("Decoded from the plane: code 1 = ")


def test_a_slider_decodes_another_code(digits_page):
    page = digits_page.open()
    before, picture = page.code(), page.picture()
    page.value("document.querySelector('.sliders input').focus()")
    for _ in range(5):
        page.browser.key("ArrowRight", code="ArrowRight")
    assert page.code()[0] > before[0]
    assert page.code()[1] == before[1]
    assert (page.picture() != picture).any()
    assert page.text("#decoded [data-part=caption]") == "Decoded from the sliders."


def test_a_lasso_selects_rows_for_statistics_and_a_file(table_page, table, tmp_path):
    page = table_page.open()
    corners = page.inside((0.01, 0.01), (0.5, 0.01), (0.5, 0.99), (0.01, 0.99))
    page.lasso(*corners)
    page.browser.send("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    page.browser.click("[data-do=download]")
    file = tmp_path / "selection.csv"
    limit = time.monotonic() + 60
    while not file.exists() and time.monotonic() < limit:
        time.sleep(0.05)
    rows = pd.read_csv(io.StringIO(file.read_text("utf-8")))
    chosen = rows["row"].to_numpy()
    assert 0 < len(chosen) < len(table)
    assert page.text("#selection [data-part=title]") == f"{len(chosen)} rows selected."
    own = table.iloc[chosen]
    for name in (HOSTILE, "weight", "income"):
        assert np.allclose(rows[name], own[name], equal_nan=True, rtol=1e-6)
    assert rows["town"].fillna("").tolist() == own["town"].fillna("").tolist()
    assert rows["since"].tolist() == own["since"].dt.strftime("%Y-%m-%d").tolist()
    said = page.value(
        "[...document.querySelectorAll('#selection tbody tr')].filter(r => r.cells[0].title ==="
        " 'weight').map(r => [...r.querySelectorAll('data')].map(d => +d.value))[0]"
    )
    assert np.allclose(said, [own["weight"].mean(), table["weight"].mean()])


def test_a_decoded_row_is_in_original_units_as_in_python(table_page, table):
    page = table_page.open()
    page.go_to(30)
    shown = page.decoded()
    assert shown["town"][0] == table["town"][30]
    assert shown["since"][0] == f"{table['since'][30]:%Y-%m-%d}"
    expected = page.model.inverse_transform(page.code()[None]).iloc[0]
    assert shown["town"][1] == expected["town"]
    assert shown["open"][1] == str(expected["open"]).lower()
    assert shown["since"][1] == f"{expected['since']:%Y-%m-%d}"
    assert shown["visits"][2] == expected["visits"]
    for name in (HOSTILE, "weight", "income"):
        assert shown[name][2] == pytest.approx(expected[name], rel=1e-4, abs=1e-5)
    # A place of the plane is that of two principal components.
    page.tool("decode")
    (place,) = page.inside((0.4, 0.6))
    page.browser.drag(*page.on_screen(place))
    codes = page.model.transform(table)
    away = codes - codes.mean(axis=0)
    axes = np.linalg.svd(away, full_matrices=False)[2][:2]
    found = page.code() - codes.mean(axis=0)
    assert np.allclose(np.abs(axes @ found), np.abs(place), atol=0.05)
    assert np.allclose(found, axes.T @ (axes @ found), atol=1e-3)


def test_the_legend_filters(table_page, table):
    page = table_page.open()
    assert page.text("#colour option:checked") == "label"
    page.browser.click(".categories button[data-place='1']")
    shown = int((table_page.labels != "yes").sum())
    assert page.settle().text("#map-visible").startswith(f"{shown} of 400 rows shown.")
    # Hidden rows are not selected.
    page.browser.click("[data-do=view]")
    assert page.text("#selection [data-part=title]") == f"{shown} rows selected."
    page.value(
        "(() => { const s = document.querySelector('select'); const o = [...s.options].find("
        "o => o.textContent === 'income'); s.value = o.value;"
        "s.dispatchEvent(new Event('change')); })()"
    )
    page.value(
        "(() => { const r = document.querySelector('.range input'); r.value = 500;"
        "r.dispatchEvent(new Event('input')); })()"
    )
    low, high = table["income"].min(), table["income"].max()
    both = (table["income"] >= (low + high) / 2) & (table_page.labels != "yes")
    assert page.settle().text("#map-visible").startswith(f"{both.sum()} of 400 rows shown.")
    page.browser.click("[data-do=clear-filters]")
    assert page.settle().text("#map-visible").startswith("All 400 rows shown.")


def test_text_of_the_data_never_becomes_markup(table_page):
    page = table_page.open()
    page.go_to(5)
    page.browser.click("[data-do=view]")
    assert page.text("h1") == HOSTILE
    assert page.value("document.querySelectorAll('img').length") == 0
    assert page.value("document.body.dataset.hit ?? ''") == ""
    assert HOSTILE in page.text("#decoded tbody")
    assert page.browser.faults() == []
    policy = page.value("document.querySelector('meta[http-equiv]').content")
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'sha256-")
    assert "unsafe" not in policy
    # The policy holds: a script that is added does not run, and a request is refused.
    page.value(
        "(() => { const s = document.createElement('script');"
        "s.textContent = 'document.body.dataset.hit = 2'; document.body.append(s); })()"
    )
    assert page.value("document.body.dataset.hit ?? ''") == ""
    assert (
        page.value("fetch('https://example.com').then(() => 'sent', () => 'refused')") == "refused"
    )


def test_alarms_are_listed_with_their_reasons(detector_page, table):
    page = detector_page.open()
    first = page.text("#alarms li button")
    assert first.startswith("row 17 ")
    assert "income: 1000000" in first.replace(",", "")
    count = int((page.model.predict(page.rows) == -1).sum())
    assert page.text("#alarms [data-part=title]").startswith(f"{count} alarm")
    page.browser.click("#alarms li button")
    page.settle()
    assert page.text("#row [data-part=title]") == "row 17"
    assert page.text("#row dd") == "alarm"
    assert page.value("document.querySelector('#alarms [aria-current]').dataset.row") == "17"
    assert page.browser.faults() == []


def test_keys_pan_zoom_select_and_clear(digits_page):
    page = digits_page.open()
    whole = page.box()
    page.value("document.querySelector('.overlay').focus()")
    page.browser.key("+")
    page.browser.key("ArrowLeft", code="ArrowLeft")
    left, bottom, right, top = page.box()
    assert right - left < whole[2] - whole[0]
    assert left + right < whole[0] + whole[2]
    assert top - bottom == pytest.approx((whole[3] - whole[1]) / 1.35)
    page.browser.key("0")
    assert page.box() == pytest.approx(whole)
    page.go_to(3)
    page.browser.click("[data-do=clear]")
    page.value("document.querySelector('.overlay').focus()")
    page.browser.key("Enter", code="Enter")
    assert page.text("#row [data-part=title]").startswith("image ")
    page.browser.key("Escape", code="Escape")
    assert page.text("#row [data-part=title]") == "No image is selected."
    # Every control can be reached, and has a name.
    nameless = page.value(
        "[...document.querySelectorAll('button, input, select, canvas[tabindex]')].filter(e =>"
        " !(e.ariaLabel || e.textContent.trim() || e.labels?.[0]?.textContent.trim())).length"
    )
    assert nameless == 0


def test_a_wheel_and_a_pinch_zoom(digits_page):
    page = digits_page.open()
    left, _, right, _ = page.box()
    x, y, width, height = page.browser.place(".overlay")
    page.browser.mouse("mouseWheel", x + width / 4, y + height / 2, deltaX=0, deltaY=-300)
    zoomed = page.box()
    assert zoomed[2] - zoomed[0] == pytest.approx((right - left) * np.exp(-0.6), rel=1e-3)
    # What is below the pointer stays there.
    at = left + (right - left) / 4
    assert zoomed[0] + (zoomed[2] - zoomed[0]) / 4 == pytest.approx(at, abs=0.01)
    page.open(width=390, height=844, touch=True)
    before = page.box()
    x, y, width, height = page.browser.place(".overlay")
    middle = (x + width / 2, y + height / 2)
    for kind, away in (("touchStart", 40), ("touchMove", 60), ("touchMove", 80)):
        fingers = [(middle[0] - away, middle[1]), (middle[0] + away, middle[1])]
        page.browser.touch(kind, *fingers)
    page.browser.touch("touchEnd")
    after = page.box()
    assert after[2] - after[0] == pytest.approx((before[2] - before[0]) / 2, rel=0.02)


@pytest.mark.parametrize("dark", [False, True])
def test_it_fits_a_phone_in_both_themes(digits_page, dark):
    page = digits_page.open(width=390, height=844, dark=dark, touch=True)
    page.go_to(3)
    assert page.value("document.documentElement.scrollWidth") == 390
    background = page.value("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, background[4:-1].split(", "))) < 200) is dark
    assert page.browser.faults() == []


def test_without_webgl_points_are_drawn_on_a_plain_canvas(digits_page):
    page = digits_page
    added = page.browser.send(
        "Page.addScriptToEvaluateOnNewDocument",
        source="const own = HTMLCanvasElement.prototype.getContext;"
        "HTMLCanvasElement.prototype.getContext = function (kind, ...more) {"
        "return kind === 'webgl2' ? null : own.call(this, kind, ...more); };",
    )
    try:
        page.open()
        assert page.value("document.getElementById('map').dataset.renderer") == "canvas"
        assert page.colours() > 20
        page.go_to(3)
        assert page.text("#row [data-part=title]") == "image 3"
        assert page.browser.faults() == []
    finally:
        page.browser.send("Page.removeScriptToEvaluateOnNewDocument", **added)
