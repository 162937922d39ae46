"""Part small: 500 rows, 100 epochs, and a cross-validated grid of them."""

import tempfile

from speed_parts import harness
from speed_parts.harness import Contestant, Options, Section

JOB = {"rows": 500, "columns": 10, "epochs": 100}
FITS = 15


def small(options: Options) -> Section:
    """Measure fits of a small table in fresh processes, without and with a compilation cache."""
    section = Section(
        "Small data",
        [
            "A table of 500 rows and 10 columns, 100 epochs without early stopping, defaults "
            "otherwise. Each figure is of a fresh process; importing is not in it. The cache is "
            "JAX' own, switched on as the command line does.",
            "",
        ],
    )
    with tempfile.TemporaryDirectory() as folder:
        cache = {
            "JAX_COMPILATION_CACHE_DIR": folder,
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        }
        one, many = {**JOB, "search": False}, {**JOB, "search": True}
        cold = Contestant("cold", "isthmus_small.py", one)
        warm = Contestant("cached", "isthmus_small.py", one, settings=cache)
        search = Contestant("search", "isthmus_small.py", many)
        if not options.quick:
            harness.in_turn([warm], 1, section.failures)  # fills the cache
        contestants = [cold] if options.quick else [cold, warm, search]
        answers = harness.in_turn(contestants, options.repeats, section.failures)
    rows = []
    for name, title in (("cold", "no compilation cache"), ("cached", "second process, cached")):
        if name in answers:
            got = answers[name]
            fit, again = harness.middle(got, "fit_seconds"), harness.middle(got, "again_seconds")
            rows.append([f"fit, {title}", f"{fit:.2f} s"])
            rows.append([f"the same fit again in that process, {title}", f"{again:.2f} s"])
            imported = harness.middle(got, "import_seconds")
            rows.append([f"importing what the first fit needs, {title}", f"{imported:.2f} s"])
    if "search" in answers:
        total = harness.middle(answers["search"], "fit_seconds")
        rows.append(["5 folds × 3 sizes of the code, no compilation cache", f"{total:.2f} s"])
        rows.append([f"of which each of the {FITS} fits", f"{total / FITS:.2f} s"])
    section.lines += harness.table(["", "seconds"], rows)
    first = harness.middle(answers["cold"], "fit_seconds") if "cold" in answers else None
    section.goals.append(harness.at_most("500 × 10, 100 epochs, compile included", 1.5, first, "s"))
    return section
