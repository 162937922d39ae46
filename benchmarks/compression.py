"""Bytes beside every peer: sensor tables and series, within a bound or without loss; images; speed.

usage: scripts/bench compression [--only bounded,lossless,images,lossy,speed] [--data DATA]

Peers run through imagecodecs and the standard library, in an environment of their own. DATA has
nab/realKnownCause/*.csv, adbench/*.npz and mnist.npz. Every result is decoded and checked. What
isthmus writes is counted whole, manifest and checksums included; what peers write is counted as it
comes out of them, which leaves out shapes, types and, of quantised columns, their scale. Tables are
Markdown, on standard output; progress goes to standard error.
"""

import argparse
import importlib
import time
from pathlib import Path

from speed_parts import harness

PARTS = {
    "bounded": "sensors",
    "lossless": "sensors",
    "images": "images",
    "lossy": "lossy",
    "speed": "throughput",
}
"""Part -> the file in compression_parts that has a function of its name."""

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, usage="%(prog)s"
    )
    parser.add_argument("--only", default=",".join(PARTS), help="parts, with commas between")
    parser.add_argument("--data", default=str(SHARED), help="the folder of data sets")
    arguments = parser.parse_args()
    for name in arguments.only.split(","):
        if name not in PARTS:
            parser.error(f"--only: no part {name}; there are {', '.join(PARTS)}")
    for name in arguments.only.split(","):
        began = time.perf_counter()
        part = getattr(importlib.import_module(f"compression_parts.{PARTS[name]}"), name)
        print("\n".join(part(Path(arguments.data))), "\n", flush=True)
        harness.say(f"{name} took {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
