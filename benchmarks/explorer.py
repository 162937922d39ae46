"""Size of an explorer of many rows, and how smoothly its map moves in headless Chromium.

Every frame, the map is panned or zoomed; counted are the frames per second that the browser shows,
and the time that the scripts take for one. WebGL is computed by the processor, so a machine with a
graphics card is faster.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

import isthmus as ist
from isthmus.explorer.page import write_explorer

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from browser import Browser

_FRAMES = """new Promise((done) => {
  const target = document.querySelector(".overlay");
  const keys = KEYS;
  let frames = 0;
  const began = performance.now();
  const step = () => {
    const start = performance.now();
    if (start - began > 1000 * SECONDS) {
      done([frames, (start - began) / 1000]);
      return;
    }
    const key = keys[frames++ % keys.length];
    target.dispatchEvent(new KeyboardEvent("keydown", { key, cancelable: true }));
    requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
})"""
_MOVES = {
    "pan": ["ArrowLeft"] * 8 + ["ArrowRight"] * 8,
    "zoom": ["+"] * 8 + ["-"] * 8,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--columns", type=int, default=25)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--keep", type=Path, help="where the page is kept")
    given = parser.parse_args()
    table = some_table(given.rows, given.columns)
    model = ist.Autoencoder(8, epochs=2, random_state=0, verbose=0).fit(table[:5000])
    with tempfile.TemporaryDirectory() as folder:
        path = given.keep or Path(folder) / "explorer.html"
        began = time.perf_counter()
        write_explorer(model, table, path, overwrite=True)
        seconds = time.perf_counter() - began
        print(
            f"{given.rows:,} x {given.columns}: {path.stat().st_size / 1e6:.1f} MB, {seconds:.1f} s"
        )
        measure(path, Path(folder) / "profile", given.seconds)


def some_table(rows: int, columns: int) -> pd.DataFrame:
    """Return clusters in a few dimensions, seen in many columns, of which four are categories."""
    random = np.random.default_rng(0)
    cluster = random.integers(0, 6, rows)
    hidden = random.normal(size=(6, 6))[cluster] * 2 + random.normal(size=(rows, 6)) / 2
    seen = hidden @ random.normal(size=(6, columns - 4)) + random.normal(size=(rows, columns - 4))
    table = pd.DataFrame(seen, columns=[f"sensor {i}" for i in range(columns - 4)])
    for i in range(4):
        table[f"kind {i}"] = np.array(list("abcdef"))[(cluster + random.integers(0, 2, rows)) % 6]
    return table


def measure(path: Path, profile: Path, seconds: float) -> None:
    browser = Browser(profile)
    try:
        began = time.perf_counter()
        browser.send("Performance.enable")
        browser.open(path, width=1280, height=860)
        browser.wait("document.querySelector('.scripted #map-visible data') !== null")
        print(f"ready after {time.perf_counter() - began:.1f} s")
        print(browser.run("document.getElementById('map').dataset.renderer"))
        for name, keys in _MOVES.items():
            script = _FRAMES.replace("KEYS", str(keys)).replace("SECONDS", str(seconds))
            before = script_seconds(browser)
            frames, passed = browser.run(script)
            each = 1000 * (script_seconds(browser) - before) / frames
            print(f"{name}: {frames / passed:.0f} frames per second, scripts {each:.1f} ms each")
        assert browser.faults() == []
    finally:
        browser.close()


def script_seconds(browser: Browser) -> float:
    """Return how long scripts of the page have run, the calls that draw included."""
    metrics = browser.send("Performance.getMetrics")["metrics"]
    return next(each["value"] for each in metrics if each["name"] == "ScriptDuration")


if __name__ == "__main__":
    main()
