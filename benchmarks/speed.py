"""Compare the speed of isthmus with that of other libraries: the tables of docs/benchmarks.md.

usage: scripts/bench speed [--quick] [--only dense,conv,...] [--repeats 3] [--data mnist.npz]
                           [--write docs/benchmarks.md]

Each library runs in its own process and its own environment, which is created in .benchmarks when
it is first needed. The libraries run one after the other, the round is repeated, and figures are
medians. DATA is an npz file with x_train and x_test of 28 x 28 pixels, 0 to 255. Progress goes to
standard error. Tables go to standard output as each part ends. --quick uses fewer rows, epochs and
libraries: it checks that everything runs, but its figures are not comparable.
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
"""Part -> the file in speed_parts with the function of that name, and the peers' environments."""

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
    parser.add_argument("--quick", action="store_true", help="a check of under two minutes")
    parser.add_argument("--only", default=",".join(PARTS), help="comma-separated parts")
    parser.add_argument("--repeats", type=int, help="number of rounds [3, or 1 with --quick]")
    parser.add_argument("--data", default=str(SHARED), help="mnist.npz")
    parser.add_argument("--write", help="Markdown file for the tables")
    arguments = parser.parse_args()
    arguments.only = arguments.only.split(",")
    unknown = [name for name in arguments.only if name not in PARTS]
    if unknown:
        parser.error(f"--only: unknown part {', '.join(unknown)} (choose from {', '.join(PARTS)})")
    if not Path(arguments.data).is_file():
        parser.error(
            "--data: no such file. Try: keras.datasets.mnist.load_data() downloads mnist.npz"
        )
    return arguments


def _part(name: str, options: Options) -> Section:
    """Run one part; if it fails, return a section that says so and let the others run."""
    try:
        module = importlib.import_module(f"speed_parts.{PARTS[name][0]}")
        section: Section = getattr(module, name)(options)
    except Exception as error:
        traceback.print_exc()
        return Section(name, failures=[f"part {name}: {type(error).__name__}: {error}"])
    return section


def _command(arguments: argparse.Namespace) -> str:
    """Return the command that was run, without this machine's paths."""
    words = ["scripts/bench speed", "--quick" if arguments.quick else ""]
    words += [f"--only {','.join(arguments.only)}" if len(arguments.only) < len(PARTS) else ""]
    words += [f"--repeats {arguments.repeats}" if arguments.repeats else "", "--data mnist.npz"]
    return " ".join(word for word in words if word)


def _summary(goals: list[harness.Goal], options: Options) -> list[str]:
    rows = [[g.what, g.wanted, g.measured, "yes" if g.met else "**no**"] for g in goals]
    note = ["Quick mode: smaller inputs, so the goals do not apply.", ""] if options.quick else []
    return [
        "",
        "## Goals",
        "",
        *note,
        *harness.table(["goal", "required", "measured", "met"], rows),
    ]


def _write(path: str | None, page: list[str]) -> None:
    if path is None:
        return
    introduction = [
        "# Benchmarks",
        "",
        "The output of `scripts/bench speed`, including the rows in which a peer is faster. The",
        "command creates the peers' environments. The complete runs of the textbooks take an hour",
        "or more; `scripts/bench textbooks` runs them once beforehand.",
        "",
    ]
    Path(path).write_text("\n".join([*introduction, *page, ""]), encoding="utf-8")


if __name__ == "__main__":
    main()
