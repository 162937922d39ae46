"""An explorer in a browser, for tests."""

import json

import numpy as np

HOSTILE = "</script><img src=x onerror=\"document.body.dataset.hit='1'\">"


class Page:
    """An explorer in a browser: what it says, and where the places of its plane are."""

    def __init__(self, browser, path):
        self.browser, self.path = browser, path

    def open(self, **options):
        self.browser.open(self.path, **{"width": 1200, "height": 900, **options})
        self.browser.wait("document.querySelector('.scripted #map-visible data') !== null")
        return self

    def settle(self):
        """Wait until a change is drawn in the next frame, and said 80 ms later."""
        self.browser.run(
            "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame("
            "() => setTimeout(done, 120))))"
        )
        return self

    def text(self, selector):
        return self.browser.run(f"document.querySelector({json.dumps(selector)})?.textContent")

    def value(self, script):
        return self.browser.run(script)

    def tool(self, name):
        self.browser.click(f"input[value={name}]")

    def box(self):
        """Return left, bottom, right and top of the visible part of the plane."""
        self.settle()
        left, right, bottom, top = self.browser.run(
            "[...document.querySelectorAll('#map-visible data')].slice(1).map(e => +e.value)"
        )
        return left, bottom, right, top

    def on_screen(self, *places):
        """Return where places of the plane are in the window."""
        left, bottom, right, top = self.box()
        a, b, width, height = self.browser.place(".overlay")
        points = []
        for x, y in places:
            assert left < x < right, (left, x, right)
            assert bottom < y < top, (bottom, y, top)
            across, down = (x - left) / (right - left), (top - y) / (top - bottom)
            points.append((float(a + width * across), float(b + height * down)))
        return points

    def inside(self, *fractions):
        """Return the places of the plane at pairs of fractions of what is visible."""
        left, bottom, right, top = self.box()
        return [(left + x * (right - left), bottom + y * (top - bottom)) for x, y in fractions]

    def lasso(self, *corners):
        self.tool("lasso")
        self.browser.drag(*self.on_screen(*corners))
        self.settle()

    def go_to(self, row):
        self.browser.run(f"document.querySelector('#row input').value = {json.dumps(str(row))}")
        self.browser.click("#row form button")
        self.settle()

    def code(self):
        """Return the code that the sliders show."""
        return np.array(
            self.browser.run("[...document.querySelectorAll('.sliders data')].map(e => +e.value)"),
            np.float32,
        )

    def decoded(self):
        """Return the decoded row as a list of values by column."""
        return self.browser.run(
            "Object.fromEntries([...document.querySelectorAll('#decoded tbody tr')].map("
            "r => [r.cells[0].textContent, [r.cells[1].textContent, r.cells[2].textContent,"
            " +r.querySelector('data').value]]))"
        )

    def picture(self, selector="figure.made canvas"):
        """Return the pixels of a canvas, (height, width, 4)."""
        height, width, cells = self.browser.run(
            f"(() => {{ const c = document.querySelector({json.dumps(selector)});"
            "const d = c.getContext('2d').getImageData(0, 0, c.width, c.height);"
            "return [c.height, c.width, [...d.data]]; })()"
        )
        return np.array(cells).reshape(height, width, 4)

    def colours(self):
        """Return how many different colours the map shows."""
        return self.browser.run(
            "new Promise((done) => requestAnimationFrame(() => {"
            "const points = document.querySelector('.points');"
            "const copy = document.createElement('canvas');"
            "copy.width = points.width; copy.height = points.height;"
            "document.querySelector('[data-do=in]').click();"
            "requestAnimationFrame(() => { const c = copy.getContext('2d');"
            "c.drawImage(points, 0, 0);"
            "const d = new Uint32Array(c.getImageData(0, 0, copy.width, copy.height).data.buffer);"
            "done(new Set(d).size); }); }))"
        )
