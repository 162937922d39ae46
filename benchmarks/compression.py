"""Compare isthmus with other compressors: tables and series, images, arrays of all kinds; speed.

usage: scripts/bench compression [--only bounded,lossless,images,lossy,arrays,speed] [--data DATA]
       scripts/bench compression --only arrays [--half design] [--kind audio] [--results FILE]

The other compressors come from imagecodecs and the standard library, in their own environment. DATA
contains nab, skab, adbench/*.npz and mnist.npz. The part "arrays" also reads data files of Python
packages, and sounds of Debian's alsa-utils and sonic-pi-samples if they are installed; it says what
is missing. Every result is decoded and checked. Sizes of isthmus are those of whole files, with
manifest and checksums. Sizes of the other compressors do not include shapes, types and the scale of
quantised columns. Tables are Markdown, on standard output; progress goes to standard error.
"""

import argparse
import importlib
import time
from pathlib import Path

from compression_parts.arrays import add_options
from speed_parts import harness

PARTS = {
    "bounded": "sensors",
    "lossless": "sensors",
    "images": "images",
    "lossy": "lossy",
    "arrays": "arrays",
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
    add_options(parser)
    arguments = parser.parse_args()
    for name in arguments.only.split(","):
        if name not in PARTS:
            parser.error(f"--only: unknown part {name} (choose from {', '.join(PARTS)})")
    for name in arguments.only.split(","):
        began = time.perf_counter()
        part = getattr(importlib.import_module(f"compression_parts.{PARTS[name]}"), name)
        options = (arguments,) if name == "arrays" else ()
        print("\n".join(part(Path(arguments.data), *options)), "\n", flush=True)
        harness.say(f"{name} took {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
