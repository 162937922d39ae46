"""The page stands alone, says what the referee says, and runs nothing that the data hold."""

import re
from html.parser import HTMLParser

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

import isthmus as ist
from isthmus.core.errors import CannotWrite, InvalidData, InvalidParameter
from isthmus.report.page import write_report

HOSTILE = "<script>alert('x')</script>"
COMMON = {"verdict", "referee", "training", "codes", "network", "data", "settings", "load"}


class Page(HTMLParser):
    """What a test asks of a page: its text, its sections, and everything it would fetch."""

    _VOID = frozenset(["meta", "link", "img", "br", "input"])

    def __init__(self, html):
        super().__init__()
        self.html, self.tags, self.ids, self.images, self.fetched = html, [], [], [], []
        self.scripts = []
        self.open, self.text = [], ""
        self.feed(html)
        assert self.open == []
        self.text = " ".join(self.text.split())

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.tags.append(tag)
        self.fetched += [given[key] for key in ("src", "href", "data", "srcset") if key in given]
        if "id" in given:
            self.ids.append(given["id"])
        if tag == "script":
            self.scripts.append((given, ""))
        if tag == "img":
            self.images.append(given)
        if tag not in self._VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "script":
            given, text = self.scripts.pop()
            self.scripts.append((given, text + data))
            return
        if not self.open or self.open[-1] not in ("style", "title", "desc"):
            self.text += data


def page_of(path):
    page = Page(path.read_text("utf-8"))
    assert all(address.startswith("data:") for address in page.fetched)
    assert not re.search(r"url\(|@import|https?://", page.html)
    assert len(page.ids) == len(set(page.ids))
    assert not {"iframe", "object", "form"} & set(page.tags)
    assert ("script" in page.tags) == ("timeline" in page.ids)
    assert all(image["alt"] for image in page.images)
    assert len(page.html) < 2_000_000
    return page


@pytest.fixture(scope="module")
def digits_page(digits_model, tmp_path_factory):
    model, X, y, X_train = digits_model
    path = tmp_path_factory.mktemp("report") / "digits.html"
    assert write_report(model, X, path, y=y, X_train=X_train, title="Digits & co") == path
    return page_of(path)


def test_a_report_on_images_shows_them(digits_page):
    assert set(digits_page.ids) >= COMMON | {"pictures", "curves-t", "spread-t", "scatter-t"}
    assert not {"columns", "worst"} & set(digits_page.ids)
    # Four strips of ten in three groups, two maps of the error, and the decoded plane.
    assert len(digits_page.images) == 4 * 10 * 3 + 2 + 1
    assert "Digits & co" in digits_page.text
    assert "Samples decoded from a grid of codes" in digits_page.text
    assert "images" in digits_page.text
    assert not re.search(r"\brows?\b", digits_page.text)


def test_its_figures_are_the_referees(digits_model, digits_page):
    model, X, _, X_train = digits_model
    judgement = ist.referee(model, X, X_train=X_train)
    assert judgement.verdict.text in digits_page.text
    measured = ("fit", "PCA")  # times differ from run to run
    headers, rows = judgement.table()
    for row in rows:
        for header, cell in zip(headers, row, strict=True):
            assert header in measured or cell in digits_page.text
    for finding in judgement.findings:
        assert "fitted in" in finding.text or finding.text in digits_page.text
    assert f"{ist.parameter_table(model).total:,}" in digits_page.text


def test_a_report_on_a_table_names_columns_and_rows(frame, table_model, tmp_path):
    path = write_report(table_model, frame[160:], tmp_path / "t.html", X_train=frame[:160])
    page = page_of(path)
    assert set(page.ids) >= COMMON | {"columns", "worst"}
    assert "pictures" not in page.ids
    assert frame.columns[0] == HOSTILE
    assert HOSTILE in page.text
    assert HOSTILE not in page.html
    assert "<b>Lima</b>" not in page.html
    for words in ("dates", "booleans", "text", "numbers", "2020-"):
        assert words in page.text
    worst = int(np.argmax(table_model.reconstruction_error(frame[160:])))
    first = re.search(r'id="worst".*?<th scope="row" class="text">(\d+)</th>', page.html, re.DOTALL)
    assert first[1] == str(worst)


@pytest.mark.parametrize("convert", [pl.from_pandas, pa.Table.from_pandas])
def test_other_containers_give_the_same_figures(frame, table_model, convert, tmp_path):
    texts = []
    for number, rows in enumerate((frame[160:], convert(frame[160:].reset_index(drop=True)))):
        page = page_of(write_report(table_model, rows, tmp_path / f"{number}.html"))
        start, end = (page.html.index(f'id="{part}"') for part in ("columns", "training"))
        texts.append(page.html[start:end])
    assert texts[0] == texts[1]


@pytest.fixture(scope="module")
def numbers_model():
    X = np.random.default_rng(0).normal(size=(120, 5))
    model = ist.Autoencoder(3, hidden=(8,), epochs=2, verbose=0, random_state=0).fit(X[:80])
    return model, X


@pytest.mark.parametrize(
    "y",
    [
        ["a", None, HOSTILE, "d"] * 10,
        np.linspace(0, 1, 40),
        [*range(39), np.nan],
        [f"class {i}" for i in range(40)],
        [np.nan] * 40,
        [True, False] * 20,
    ],
)
def test_any_labels_colour_the_codes(y, numbers_model, tmp_path):
    model, X = numbers_model
    page = page_of(write_report(model, X[80:], tmp_path / "a.html", y=y, X_train=X[:80]))
    assert "scatter-t" in page.ids
    assert HOSTILE not in page.html


@pytest.mark.parametrize("shape", [(5, 4, 3), (80, 70), (4, 6, 5), (4, 6, 17), (64,)])
def test_samples_of_any_shape_are_reported(shape, tmp_path):
    X = np.random.default_rng(0).random((60, *shape)).astype(np.float32)
    X[0, 0] = np.nan
    model = ist.Autoencoder(1, hidden=(8,), epochs=1, verbose=0, random_state=0).fit(X[:40])
    page = page_of(write_report(model, X[40:], tmp_path / "i.html", X_train=X[:40]))
    assert ("pictures" in page.ids) == (shape != (4, 6, 17))
    assert "curves-t" not in page.ids  # one epoch is no curve
    noun = "row" if shape in [(4, 6, 17), (64,)] else "image"
    assert f"error of the {noun}" in page.html  # a single number is drawn against the error


def test_a_few_rows_that_are_all_alike_are_reported(numbers_model, tmp_path):
    model, X = numbers_model
    page_of(write_report(model, X[:1], tmp_path / "one.html", X_train=X))
    alike = np.repeat(X[:1], 12, axis=0)
    page = page_of(write_report(model, alike, tmp_path / "alike.html"))
    assert "all alike" in page.text


def test_what_the_page_says_of_loading_works(digits_model, digits_page, tmp_path, monkeypatch):
    model, X, _, _ = digits_model
    monkeypatch.chdir(tmp_path)
    model.save("model.isthmus")
    code = re.search(r"<pre.*?><code>(.*?)</code>", digits_page.html, re.DOTALL)[1]
    names = {"X": X}
    exec(code.replace("&#34;", '"').replace("&gt;", ">"), names)
    np.testing.assert_array_equal(names["codes"], model.transform(X))
    np.testing.assert_array_equal(names["errors"], model.reconstruction_error(X))


def test_nothing_is_written_over_or_half_written(digits_model, tmp_path):
    model, X, y, _ = digits_model
    path = tmp_path / "r.html"
    path.write_text("mine")
    with pytest.raises(CannotWrite, match="overwrite=True"):
        write_report(model, X, path)
    with pytest.raises(InvalidData, match="one label per row"):
        write_report(model, X, path, y=y[:-1], overwrite=True)
    with pytest.raises(CannotWrite):
        write_report(model, X, tmp_path / "absent" / "r.html")
    with pytest.raises(InvalidParameter):
        write_report(ist.Autoencoder(), X, path, overwrite=True)
    assert path.read_text() == "mine"
    assert [each.name for each in tmp_path.iterdir()] == ["r.html"]
    write_report(model, X, path, overwrite=True)
    assert "mine" not in page_of(path).ids


@pytest.mark.filterwarnings("ignore:.*collapsed")
def test_a_variational_model_of_images_shows_what_it_generates(digits, tmp_path):
    X = (digits.images[:120] / 16).astype(np.float32)
    settings = {"hidden": (8,), "epochs": 2, "random_state": 0, "verbose": 0}
    model = ist.VariationalAutoencoder(3, **settings).fit(X[:90])
    page = page_of(write_report(model, X[90:], tmp_path / "r.html", X_train=X[:90]))
    assert "generated" in page.ids
    names = [image["alt"] for image in page.images]
    assert sum(name.startswith("Sample ") for name in names) == 10
    assert sum(name.startswith("Path ") for name in names) == 30
    assert sum(name.startswith("Dimension ") for name in names) == 30  # all three
    assert page.text.count(" nats") >= 3  # the divergence of each dimension
    rows = ist.VariationalAutoencoder(2, **settings).fit(X[:90].reshape(90, -1)[:, :30])
    flat = X[90:].reshape(30, -1)[:, :30]
    assert "generated" not in page_of(write_report(rows, flat, tmp_path / "f.html")).ids


def test_images_of_several_channels_have_their_errors_by_channel(tmp_path):
    X = np.random.default_rng(0).random((60, 4, 4, 3)) * [1, 37, 370]
    model = ist.Autoencoder(2, hidden=(8,), epochs=2, random_state=0, verbose=0).fit(X[:40])
    page = page_of(write_report(model, X[40:], tmp_path / "r.html", X_train=X[:40]))
    assert {"columns", "pictures"} <= set(page.ids)
    assert "Error by channel" in page.text
    assert "channel 2" in page.text
