"""Run the textbooks' recipes completely and store their test figures for `scripts/bench speed`.

usage: scripts/bench textbooks [--only dense-32,...] [--data mnist.npz]

Takes an hour or more on two cores: convolutional recipes have up to 50 epochs. The figures are
stored in .benchmarks/textbooks.json under the recipe and the libraries' versions. Recipes whose
figures are stored are not run again.
"""

import argparse
from pathlib import Path

from speed_parts.harness import Options
from speed_parts.textbooks import RECIPES, figure

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data" / "mnist.npz"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default=",".join(RECIPES), help="comma-separated recipes")
    parser.add_argument("--data", default=str(SHARED), help="mnist.npz")
    arguments = parser.parse_args()
    for name in arguments.only.split(","):
        if name not in RECIPES:
            parser.error(f"--only: unknown recipe {name} (choose from {', '.join(RECIPES)})")
        options = Options(arguments.data, repeats=1, quick=False)
        print(f"{name}: {figure(name, options):.4f}", flush=True)


if __name__ == "__main__":
    main()
