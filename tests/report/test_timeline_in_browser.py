"""The timeline of a page in a real browser: what it shows, and that it zooms and pans."""

import re

import numpy as np
import pandas as pd
import pytest
from test_page import HOSTILE

import isthmus as ist
from isthmus.report.page import write_report

N, FAULT, STUCK = 60_000, 40_000, 20_000
CHART = "#timeline canvas"


@pytest.fixture(scope="module")
def detector_and_series():
    """A detector, and a long series with a step in one sensor and a later, smaller one in two."""
    random = np.random.default_rng(0)
    t = np.arange(N)
    names = [HOSTILE, "b", "c", "d", "e", "f"]
    values = {name: np.sin(t / 7 + i) for i, name in enumerate(names)}
    frame = pd.DataFrame(values) + random.normal(size=(N, 6)) / 20
    small = ist.Autoencoder(2, hidden=(16,), epochs=4, random_state=0, verbose=0)
    detector = ist.AnomalyDetector(small, window=10, false_alarm_rate=0.001, random_state=0)
    detector.fit(frame[:2000])
    frame.iloc[FAULT : FAULT + 30, 0] += 9
    frame.iloc[STUCK : STUCK + 30, 5] -= 5
    return detector, frame


@pytest.fixture(scope="module")
def page(detector_and_series, tmp_path_factory):
    detector, frame = detector_and_series
    labels = np.zeros(N, dtype=bool)
    labels[FAULT : FAULT + 30] = True
    return write_report(detector, frame, tmp_path_factory.mktemp("page") / "p.html", y=labels)


def visible(browser):
    """Return the first and the last visible row, and what is said of them."""
    # A change is drawn in the next frame, and said 150 ms later.
    browser.run(
        "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame("
        "() => setTimeout(done, 200))))"
    )
    text = browser.run("document.getElementById('timeline-visible').textContent")
    first, last, said = re.fullmatch(r"Visible: row (\S+) to row (\S+); (.*)\.", text).groups()
    return int(first.replace(",", "")), int(last.replace(",", "")), said


def shown_sensors(browser):
    return browser.run(
        "[...document.querySelectorAll('#timeline input:checked')].map(e => e.parentElement.title)"
    )


def pixels(*rectangle):
    """Return the script that gives the pixels of a part of the chart as text."""
    where = ", ".join(map(str, rectangle))
    context = f"document.querySelector('{CHART}').getContext('2d')"
    return f"[...{context}.getImageData({where}).data].join()"


def colour(browser, x, y):
    """Return the red, green and blue of a pixel of the chart."""
    return [int(part) for part in browser.run(pixels(x, y, 1, 1)).split(",")[:3]]


def is_blue(pixel):
    red, _, blue = pixel
    return blue > red + 50


def test_it_shows_the_whole_series_at_first(browser, page):
    browser.open(page)
    first, last, said = visible(browser)
    assert (first, last) == (0, N - 1)
    assert re.fullmatch(r"the lowest and the highest of \d+ rows in each column of pixels", said)
    assert browser.run("getComputedStyle(document.querySelector('.static')).display") == "none"
    assert shown_sensors(browser)[0] == HOSTILE
    assert len(shown_sensors(browser)) == 4
    assert browser.faults() == []


def test_an_extreme_of_few_rows_is_drawn_when_all_are_visible(browser, page):
    browser.open(page)
    visible(browser)
    width = browser.run(f"document.querySelector('{CHART}').width")
    left, right = 52, width - 8
    # The score: its highest value reaches almost to the top of its part of the chart.
    x = left + round((right - left) * FAULT / N)
    column = [colour(browser, x + dx, 34) for dx in range(-2, 3)]
    assert any(map(is_blue, column))
    assert not is_blue(colour(browser, x + 40, 34))


def test_an_alarm_in_the_list_zooms_to_it(browser, page, detector_and_series):
    detector, frame = detector_and_series
    browser.open(page)
    whole = visible(browser)
    intervals = detector.intervals(frame)
    highest = max(intervals, key=lambda one: one.score)
    browser.click("#timeline tbody tr button")
    first, last, said = visible(browser)
    assert (first, last) == (highest.rows[0] - 20, highest.rows[1] + 20)
    assert said == "every row"
    assert set(highest.sensors) <= set(shown_sensors(browser))
    chosen = browser.run("document.querySelector('tr[aria-current=true]').dataset.alarm")
    assert int(chosen) == intervals.index(highest)
    # The row can be clicked anywhere, and a sensor that was not shown appears.
    other = [one for one in intervals if one.rows[0] < STUCK + 30 and one.rows[1] > STUCK - 10]
    place = intervals.index(other[0])
    browser.run("document.querySelectorAll('#timeline input').forEach(e => { e.checked = false; })")
    browser.click(f"tr[data-alarm='{place}'] td.wide")
    first, last, _ = visible(browser)
    assert first < STUCK < last < FAULT
    assert set(shown_sensors(browser)) == set(other[0].sensors)
    browser.click("[data-do=whole]")
    assert visible(browser) == whole
    assert browser.faults() == []


def test_buttons_step_through_the_alarms(browser, page, detector_and_series):
    detector, frame = detector_and_series
    intervals = detector.intervals(frame)
    browser.open(page)
    middle = sum(one.rows[0] <= (N - 1) / 2 for one in intervals)
    browser.click("[data-do=next]")
    assert visible(browser)[0] == max(0, intervals[middle].rows[0] - 20)
    browser.click("[data-do=previous]")
    assert visible(browser)[0] == max(0, intervals[middle - 1].rows[0] - 20)
    browser.click("[data-do=out]")
    assert visible(browser)[1] > intervals[middle - 1].rows[1] + 20


def test_the_keyboard(browser, page):
    browser.open(page)
    visible(browser)
    browser.run("document.querySelector('[data-do=next]').focus()")
    browser.key("Tab", code="Tab", windowsVirtualKeyCode=9)
    assert browser.run(f"document.activeElement === document.querySelector('{CHART}')")
    outline = f"getComputedStyle(document.querySelector('{CHART}')).outlineStyle"
    assert browser.run(outline) == "solid"
    browser.key("+")
    first, last, _ = visible(browser)
    assert (first, last) == pytest.approx((N / 4, 3 * N / 4), abs=2)
    browser.key("ArrowRight")
    assert visible(browser)[:2] == pytest.approx((N * 5 / 16, N * 13 / 16), abs=2)
    browser.key("ArrowLeft")
    browser.key("ArrowLeft")
    assert visible(browser)[:2] == pytest.approx((N * 3 / 16, N * 11 / 16), abs=2)
    browser.key("-")
    assert visible(browser)[:2] == (0, N - 1)
    for _ in range(20):
        browser.key("+")
    first, last, _ = visible(browser)
    assert last - first == pytest.approx(8, abs=1)  # the closest zoom
    browser.key("0")
    assert visible(browser)[:2] == (0, N - 1)


def test_the_wheel_scrolls_the_page_until_the_chart_is_clicked(browser, page):
    browser.open(page)
    visible(browser)
    x, y, width, _ = browser.place(CHART)
    spot = (x + 52 + (width - 60) / 4, y + 60)
    before = browser.run("scrollY")
    browser.mouse("mouseWheel", *spot, deltaX=0, deltaY=-100)
    assert visible(browser)[:2] == (0, N - 1)
    assert browser.run("scrollY") < before
    browser.mouse("mouseWheel", *spot, deltaX=0, deltaY=100)
    x, y, width, _ = browser.place(CHART)
    spot = (x + 52 + (width - 60) / 4, y + 60)
    browser.drag(spot)
    browser.mouse("mouseWheel", *spot, deltaX=0, deltaY=-500)
    first, last, _ = visible(browser)
    assert last - first == pytest.approx(N / np.e, rel=0.01)
    # What is under the pointer stays there.
    assert first + (last - first) / 4 == pytest.approx(N / 4, abs=N / 100)


def test_dragging_pans_and_the_strip_moves_the_window(browser, page):
    browser.open(page)
    browser.click("[data-do=in]")
    browser.click("[data-do=in]")
    first, last, _ = visible(browser)
    x, y, width, height = browser.place(CHART)
    middle = x + 52 + (width - 60) / 2
    browser.drag((middle, y + 60), (middle - 50, y + 62), (middle - 100, y + 60))
    moved = (last - first) * 100 / (width - 60)
    assert visible(browser)[:2] == pytest.approx((first + moved, last + moved), abs=20)
    browser.drag((x + 52 + (width - 60) * 0.25, y + height - 12))
    assert sum(visible(browser)[:2]) / 2 == pytest.approx(N / 4, abs=N / 100)


def test_two_fingers_zoom_and_one_pans_on_a_phone(browser, page):
    browser.open(page, width=390, height=844, touch=True)
    visible(browser)
    assert browser.run("document.documentElement.scrollWidth") <= 390
    x, y, width, _ = browser.place(CHART)
    middle, level = x + 52 + (width - 60) / 2, y + 60
    browser.touch("touchStart", (middle - 30, level), (middle + 30, level))
    for step in range(1, 7):
        browser.touch("touchMove", (middle - 30 - 5 * step, level), (middle + 30 + 5 * step, level))
    browser.touch("touchEnd")
    first, last, _ = visible(browser)
    assert last - first == pytest.approx(N / 2, rel=0.05)
    browser.touch("touchStart", (middle, level))
    for step in range(1, 7):
        browser.touch("touchMove", (middle - 10 * step, level))
    browser.touch("touchEnd")
    assert visible(browser)[0] > first + 1000
    assert browser.faults() == []


def test_without_scripts_and_in_print_there_is_a_static_chart(browser, page):
    def displayed(selector):
        return browser.run(f"getComputedStyle(document.querySelector('{selector}')).display")

    browser.open(page, scripts=False)
    browser.send("Emulation.setScriptExecutionDisabled", value=False)
    assert (displayed(".live"), displayed(".static")) == ("none", "block")
    browser.open(page)
    assert (displayed(".live"), displayed(".static")) == ("block", "none")
    browser.send("Emulation.setEmulatedMedia", media="print")
    assert (displayed(".live"), displayed(".static")) == ("none", "block")


def test_it_follows_the_theme(browser, page):
    browser.open(page)
    visible(browser)
    middle = pixels(60, 90, 700, 30)
    light = browser.run(middle)
    theme = [{"name": "prefers-color-scheme", "value": "dark"}]
    browser.send("Emulation.setEmulatedMedia", media="", features=theme)
    browser.wait(f"{middle} !== {light!r}")
    browser.open(page, dark=True)
    assert browser.run(middle) != light


def test_names_of_sensors_are_text(browser, page):
    browser.open(page)
    visible(browser)
    label = browser.run("document.querySelector('#timeline label').textContent")
    assert label == HOSTILE
    # Nothing else could run: the page allows the script with the hash that it states.
    refused = "const s = document.createElement('script'); s.textContent = 'window.hacked = 1';"
    browser.run(f"{{ {refused} document.body.append(s); }}")
    assert browser.run("window.hacked === undefined")


def test_values_at_the_pointer(browser, page):
    browser.open(page)
    visible(browser)
    x, y, width, _ = browser.place(CHART)
    read = pixels(400, 0, 300, 18)
    before = browser.run(read)
    browser.mouse("mouseMoved", x + width / 2, y + 80)
    browser.wait(f"{read} !== {before!r}")


@pytest.mark.parametrize("part", [1, 3, 40, 400])
def test_no_extreme_is_lost_at_any_zoom(browser, page, detector_and_series, part):
    _, frame = detector_and_series
    values = frame["b"].to_numpy(np.float32)
    browser.open(page)
    length = N // part
    for start in np.random.default_rng(part).integers(0, N - length + 1, 5).tolist():
        low, high, first, last, marks = browser.run(
            "(() => { const text = document.getElementById('timeline-data').textContent;"
            "const data = JSON.parse(text);"
            "const block = makeBlock(data.overview, data.step);"
            "const plot = { left: 0, width: 700, ratio: 1 };"
            f"const marks = marksOf(block, plot, {start}, {start + length - 1}, data.gap);"
            "const { bottom, top } = extremes(marks, 2);"
            "const end = marks.first + marks.total - 1;"
            "return [Math.min(...bottom), Math.max(...top), block.from[marks.first],"
            "block.to[end], marks.count]; })()"
        )
        drawn = values[int(first) : int(last) + 1]
        assert (low, high) == (drawn.min(), drawn.max())
        assert first <= start
        assert last >= start + length - 1
        assert marks <= 702


@pytest.mark.parametrize(
    ("value", "step", "text"),
    [
        (0, 1, "0"),
        (-2.5, 0.5, "−2.5"),
        (1e8, 1e7, "1e8"),
        (-1.25e-7, 1e-8, "−1.25e−7"),
        (7.00005, 5e-5, "7.00005"),
        (500_000, 1e5, "500000"),
    ],
)
def test_texts_of_numbers(browser, page, value, step, text):
    browser.open(page)
    assert browser.run(f"numberText({value}, {step})") == text


def test_ticks_are_at_round_times(browser, page):
    browser.open(page)
    origin = pd.Timestamp("2026-03-01 22:30").timestamp() * 1000
    ticks = browser.run(
        "timeTicks({ start: 0, end: 4 * 3600 }, { width: 500 },"
        f"{{ dated: true, origin: {origin} }})"
    )
    times = [f"{tick['day']} {tick['text']}" for tick in ticks]
    assert times == [
        "2026-03-01 23:00",
        "2026-03-02 00:00",
        "2026-03-02 01:00",
        "2026-03-02 02:00",
    ]
