"""Part small: fits of 500 rows with 100 epochs, and a cross-validated grid search of them."""

import tempfile

from speed_parts import harness
from speed_parts.harness import Contestant, Options, Section

JOB = {"rows": 500, "columns": 10, "epochs": 100}
FITS = 15


def small(options: Options) -> Section:
    """Measure fits of a small table in fresh processes, with and without a compilation cache."""
    section = Section(
        "Small data",
        [
            "A table of 500 rows and 10 columns, 100 epochs without early stopping, otherwise the "
            "defaults. Each figure is from a fresh process, without the imports. The cache is the "
            "compilation cache of JAX, enabled as on the command line.",
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
            rows.append([f"the same fit again in the same process, {title}", f"{again:.2f} s"])
            imported = harness.middle(got, "import_seconds")
            rows.append([f"imports for the first fit, {title}", f"{imported:.2f} s"])
    if "search" in answers:
        total = harness.middle(answers["search"], "fit_seconds")
        rows.append(["5 folds × 3 code sizes, no compilation cache", f"{total:.2f} s"])
        rows.append([f"the same, mean of the {FITS} fits", f"{total / FITS:.2f} s"])
    section.lines += harness.table(["", "seconds"], rows)
    first = harness.middle(answers["cold"], "fit_seconds") if "cold" in answers else None
    section.goals.append(
        harness.at_most("500 × 10, 100 epochs, including compilation", 1.5, first, "s")
    )
    return section
