"""A headless Chromium for tests of pages, driven over a pipe with the DevTools protocol."""

import contextlib
import json
import os
import select
import shutil
import subprocess
import sys
import time

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_READ, _WRITE = 3, 4  # the descriptors that Chromium uses with --remote-debugging-pipe
_PATIENCE = 60


def program():
    """Return the path of an installed browser, or None."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


class Browser:
    """A running browser with one tab."""

    def __init__(self, profile):
        to_browser, self._out = os.pipe()
        self._in, from_browser = os.pipe()
        # A process of its own moves the pipes to the descriptors: forking with a function would
        # run the hooks of libraries with threads.
        launcher = (
            "import os, sys; read, write = map(int, sys.argv[1:3]);"
            "spare = [os.dup(read), os.dup(write)];"
            f"os.dup2(spare[0], {_READ}); os.dup2(spare[1], {_WRITE});"
            f"os.set_inheritable({_READ}, True); os.set_inheritable({_WRITE}, True);"
            "os.execv(sys.argv[3], sys.argv[3:])"
        )
        options = ["--headless", "--no-sandbox", "--remote-debugging-pipe"]
        # WebGL is computed by the processor, so that it is the same on every machine.
        options += ["--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
        options += [f"--user-data-dir={profile}", "--no-first-run", "--force-color-profile=srgb"]
        command = [program(), *options, "about:blank"]
        self._process = subprocess.Popen(
            [sys.executable, "-c", launcher, str(to_browser), str(from_browser), *command],
            pass_fds=(to_browser, from_browser),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser)
        os.close(from_browser)
        self._buffer, self._number, self._session, self.events = b"", 0, None, []
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        attached = self.send("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")

    def send(self, method, **parameters):
        """Send a command, and return its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next(time.monotonic() + _PATIENCE)
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]

    def open(self, path, *, width=960, height=1180, dark=False, scripts=True, touch=False):
        """Open a file of the disk as a page, and wait until it is loaded."""
        self.send("Emulation.setScriptExecutionDisabled", value=not scripts)
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=touch,
        )
        self.send("Emulation.setTouchEmulationEnabled", enabled=touch, maxTouchPoints=2)
        theme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.send("Emulation.setEmulatedMedia", media="", features=theme)
        self.events.clear()
        self.send("Page.navigate", url=path.absolute().as_uri())
        limit = time.monotonic() + _PATIENCE
        while not any(event["method"] == "Page.loadEventFired" for event in self.events):
            self._next(limit)

    def run(self, expression):
        """Return the value of a JavaScript expression, awaited."""
        result = self.send(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def wait(self, expression):
        """Wait until an expression is true, and return its value."""
        limit = time.monotonic() + _PATIENCE
        while not (value := self.run(expression)):
            assert time.monotonic() < limit, f"never true: {expression}"
            time.sleep(0.02)
        return value

    def place(self, selector):
        """Scroll to an element, and return its left, top, width and height in the window."""
        return self.run(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
            "e.scrollIntoView({block: 'center', behavior: 'instant'});"
            "const r = e.getBoundingClientRect(); return [r.x, r.y, r.width, r.height]; })()"
        )

    def mouse(self, kind, x, y, **more):
        self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def click(self, selector):
        """Click the middle of an element with the left button."""
        x, y, width, height = self.place(selector)
        self.drag((x + width / 2, y + height / 2))

    def drag(self, *points):
        """Press the left button at the first point, and release it at the last."""
        self.mouse("mousePressed", *points[0], button="left", buttons=1, clickCount=1)
        for point in points[1:]:
            self.mouse("mouseMoved", *point, button="left", buttons=1)
        self.mouse("mouseReleased", *points[-1], button="left", clickCount=1)

    def key(self, key, **more):
        """Press and release a key; a single character is typed."""
        text = {"text": key} if len(key) == 1 else {}
        self.send("Input.dispatchKeyEvent", type="keyDown", key=key, **text, **more)
        self.send("Input.dispatchKeyEvent", type="keyUp", key=key, **more)

    def touch(self, kind, *points):
        fingers = [{"x": x, "y": y, "id": place} for place, (x, y) in enumerate(points)]
        self.send("Input.dispatchTouchEvent", type=kind, touchPoints=fingers)

    def faults(self):
        """Return errors of scripts, refusals and requests other than for the page itself."""
        self.run("0")
        found = []
        for event in self.events:
            parameters = event["params"]
            if event["method"] == "Network.requestWillBeSent":
                url = parameters["request"]["url"]
                found += [] if url.startswith(("file:", "data:")) else [url]
            elif event["method"] in ("Runtime.exceptionThrown", "Log.entryAdded"):
                found.append(parameters)
        return found

    def close(self):
        with contextlib.suppress(OSError, AssertionError):
            self._session = None
            self.send("Browser.close")
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._in)
        os.close(self._out)

    def _next(self, limit):
        """Return the next message; events are kept."""
        while b"\0" not in self._buffer:
            assert select.select([self._in], [], [], limit - time.monotonic())[0], "no answer"
            part = os.read(self._in, 1 << 20)
            assert part, "the browser has ended"
            self._buffer += part
        text, _, self._buffer = self._buffer.partition(b"\0")
        message = json.loads(text)
        if "method" in message:
            self.events.append(message)
        return message
