"""Speed beside every peer, in one run: the tables of docs/benchmarks.md.

usage: scripts/bench speed [--quick] [--only dense,conv,...] [--repeats 3] [--data mnist.npz]
                           [--write docs/benchmarks.md]

Every contestant runs in a process of its own and in an environment of its own, which is made in
.benchmarks at first need; contestants take turns, the round is repeated, figures are medians.
DATA is an npz file with x_train and x_test of 28 x 28 pixels, 0 to 255. Progress goes to standard
error, tables to standard output as each part ends. --quick takes fewer rows, epochs and
contestants: it shows that everything runs, and is no verdict.
"""

import argparse
import importlib
import sys
import time
import traceback
from pathlib import Path

from speed_parts import harness, machine
from speed_parts.harness import Options, Section

PARTS = {
    "dense": ("fits", {"tensorflow", "torch"}),
    "conv": ("fits", {"tensorflow", "torch"}),
    "quality": ("quality", {"tensorflow"}),
    "peers": ("peers", {"pyod", "pythae"}),
    "small": ("small", set()),
    "startup": ("startup", set()),
    "inference": ("inference", set()),
    "scaling": ("scaling", set()),
}
"""Part -> the file in speed_parts that has a function of its name, and peers' environments."""

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data" / "mnist.npz"


def main() -> None:
    arguments = _arguments()
    repeats = arguments.repeats or (1 if arguments.quick else 3)
    options = Options(arguments.data, repeats, arguments.quick)
    environments = set().union(*(PARTS[name][1] for name in arguments.only))
    head = machine.header(_command(arguments), repeats, environments)
    others, page = machine.OtherWork(), []
    print("\n".join(head), flush=True)
    goals, failures = [], []
    for name in arguments.only:
        began = time.perf_counter()
        print(f"{name}:", file=sys.stderr, flush=True)
        section = _part(name, options)
        lines = ["", f"## {section.title}", "", *section.lines]
        if section.failures:
            lines += ["", *(f"- Failed: {failure}" for failure in section.failures)]
        print("\n".join(lines), flush=True)
        harness.say(f"{name} took {time.perf_counter() - began:.0f} s")
        page += lines
        goals += section.goals
        failures += section.failures
        _write(arguments.write, [*head, others.line(), *page, *_summary(goals, options)])
    print("\n".join([*_summary(goals, options), "", others.line()]), flush=True)
    if failures:
        print("\nfailed: " + "; ".join(failures), file=sys.stderr)
    sys.exit(bool(failures))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, usage="%(prog)s"
    )
    parser.add_argument("--quick", action="store_true", help="under two minutes; no verdict")
    parser.add_argument("--only", default=",".join(PARTS), help="parts, with commas between")
    parser.add_argument("--repeats", type=int, help="rounds [3, or 1 with --quick]")
    parser.add_argument("--data", default=str(SHARED), help="mnist.npz")
    parser.add_argument("--write", help="a Markdown file for the tables")
    arguments = parser.parse_args()
    arguments.only = arguments.only.split(",")
    unknown = [name for name in arguments.only if name not in PARTS]
    if unknown:
        parser.error(f"--only: no part {', '.join(unknown)}; there are {', '.join(PARTS)}")
    if not Path(arguments.data).is_file():
        parser.error("--data: no such file; keras.datasets.mnist.load_data() fetches a mnist.npz")
    return arguments


def _part(name: str, options: Options) -> Section:
    """Run one part; one that fails becomes a section that says so, so that the others stay."""
    try:
        module = importlib.import_module(f"speed_parts.{PARTS[name][0]}")
        section: Section = getattr(module, name)(options)
    except Exception as error:
        traceback.print_exc()
        return Section(name, failures=[f"part {name}: {type(error).__name__}: {error}"])
    return section


def _command(arguments: argparse.Namespace) -> str:
    """Return the command as somebody else would type it, without this machine's paths."""
    words = ["scripts/bench speed", "--quick" if arguments.quick else ""]
    words += [f"--only {','.join(arguments.only)}" if len(arguments.only) < len(PARTS) else ""]
    words += [f"--repeats {arguments.repeats}" if arguments.repeats else "", "--data mnist.npz"]
    return " ".join(word for word in words if word)


def _summary(goals: list[harness.Goal], options: Options) -> list[str]:
    rows = [[g.what, g.wanted, g.measured, "yes" if g.met else "**no**"] for g in goals]
    note = ["Quick mode: smaller shapes, so no verdict.", ""] if options.quick else []
    return ["", "## Goals", "", *note, *harness.table(["goal", "wanted", "measured", "met"], rows)]


def _write(path: str | None, page: list[str]) -> None:
    if path is None:
        return
    introduction = [
        "# Benchmarks",
        "",
        "What `scripts/bench speed` printed, lines where a peer is faster included. It makes the",
        "peers' environments itself; `scripts/bench textbooks` makes the textbooks' whole runs",
        "beforehand, which take an hour or more, once.",
        "",
    ]
    Path(path).write_text("\n".join([*introduction, *page, ""]), encoding="utf-8")


if __name__ == "__main__":
    main()
