"""Part inference: many rows, single rows, and the memory used in addition to the input."""

from speed_parts import harness
from speed_parts.harness import Contestant, Options, Section

BATCHES = (32, 1024, 8192)
"""The first is the default of `predict`."""


def inference(options: Options) -> Section:
    """Compare `transform` and `reconstruct` with `keras.Model.predict` on JAX."""
    rows, calls = (100_000, 100) if options.quick else (1_000_000, 1_000)
    section = Section(
        "Inference",
        [
            f"A 30-64-8-64-30 network, {rows:,} rows of float32. isthmus also checks and scales "
            "the rows. Keras uses `predict` with its default batch size of 32 and with larger "
            "ones; ratios are to its best. Single rows: mean of many calls with one row each. "
            "Memory: increase during `reconstruct`, including its result.\n\n"
            "JAX runs programs of more than about 1,000 operations in a thread that has to be "
            "woken, even for one row. In a separate measurement, after "
            '`jax.config.update("jax_cpu_enable_async_dispatch", False)`, one row took 35 µs '
            "instead of 58, compared with 0.30 ms for `predict`, on a machine with other load.",
            "",
        ],
    )
    job = {"rows": rows, "columns": 30, "calls": calls, "batches": BATCHES[1:]}
    if not options.quick:
        job["batches"] = BATCHES
    answers = harness.in_turn(
        [
            Contestant("isthmus", "inference.py", {**job, "who": "isthmus"}),
            Contestant("Keras on JAX", "inference.py", {**job, "who": "keras"}),
        ],
        options.repeats,
        section.failures,
    )
    ways = {
        name if name == way else f"{name}, {way}": {
            figure: harness.median(a["ways"][way][figure] for a in got)
            for figure in got[0]["ways"][way]
        }
        for name, got in answers.items()
        for way in got[0]["ways"]
    }
    section.lines += harness.table(
        ["", "transform", "rows / s", "reconstruct", "one row", "memory"],
        [
            [
                name,
                f"{figures['transform']:.3f} s",
                f"{rows / figures['transform']:,.0f}",
                f"{figures['reconstruct']:.3f} s",
                f"{figures['one'] * 1e3:.3f} ms",
                f"{figures['extra_bytes'] / 2**20:,.0f} MiB",
            ]
            for name, figures in ways.items()
        ],
    )
    own = ways.pop("isthmus", {})
    default = {name: way for name, way in ways.items() if name.endswith(f" {BATCHES[0]}")}
    for figure, title, wanted, peers in (
        ("transform", f"encoding {rows:,} rows, predict with its default batch size", 2, default),
        ("transform", f"encoding {rows:,} rows, predict with its best batch size", 2, ways),
        (
            "reconstruct",
            f"reconstructing {rows:,} rows, predict with its default batch size",
            2,
            default,
        ),
        ("reconstruct", f"reconstructing {rows:,} rows, predict with its best batch size", 2, ways),
        ("one", "encoding one row, predict", 10, ways),
    ):
        best = [figures[figure] for figures in peers.values()]
        ratio = min(best) / own[figure] if best and own else None
        section.goals.append(harness.at_least(title, wanted, ratio))
    return section
