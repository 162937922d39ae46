"""Compare isthmus with other compressors: tables and series, images, lossless and lossy; speed.

usage: scripts/bench compression [--only bounded,lossless,images,lossy,speed] [--data DATA]

The other compressors come from imagecodecs and the standard library, in their own environment. DATA
contains nab/realKnownCause/*.csv, adbench/*.npz and mnist.npz. Every result is decoded and checked.
Sizes of isthmus are those of whole files, with manifest and checksums. Sizes of the other
compressors do not include shapes, types and the scale of quantised columns. Tables are Markdown, on
standard output; progress goes to standard error.
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
"""Part -> the file in compression_parts with the function of that name."""

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, usage="%(prog)s"
    )
    parser.add_argument("--only", default=",".join(PARTS), help="comma-separated parts")
    parser.add_argument("--data", default=str(SHARED), help="folder of the data sets")
    arguments = parser.parse_args()
    for name in arguments.only.split(","):
        if name not in PARTS:
            parser.error(f"--only: unknown part {name} (choose from {', '.join(PARTS)})")
    for name in arguments.only.split(","):
        began = time.perf_counter()
        part = getattr(importlib.import_module(f"compression_parts.{PARTS[name]}"), name)
        print("\n".join(part(Path(arguments.data))), "\n", flush=True)
        harness.say(f"{name} took {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
