"""Estimate the time and the price of a fit to data larger than memory, by number of machines.

usage: scripts/bench costs [--rows 1e9] [--columns 100] [--machines 1,2,8,64] [--batch 65536] ...

A step takes as long as the rows of one machine, and the sum over the machines that ends it:

    step  = places / rate + 2 (M - 1) latency + 2 (M - 1) / M * bytes of the weights / bandwidth
    fit   = start + rows / (M * first pass) + epochs * rows / batch * step
    price = M * price of an hour * hours

`places` are the rows of a batch for which a machine has a place: more than batch / M, because the
rows of a batch are not divided evenly (isthmus.training.row_stream). The sum is that of a ring
(Patarasuk and Yuan, 2009). The defaults of the rates were measured with `scripts/bench shards` and
`scripts/bench exchange` on one core of one kind; those of the network and the price are
assumptions. Replace them by yours.
"""

import argparse
from dataclasses import dataclass

from isthmus.training.row_stream import CHUNK_CELLS, own_widths

RATE, FIRST = 165_000, 512_000
"""Rows of 100 columns: measured per second of processor time (docs/scale.md)."""
BLOCK, LANES, BLOCKS_OF_CHUNK = 1 << 19, 8, 8
"""As in isthmus.data.sources.shuffled_rows."""


@dataclass(frozen=True)
class Costs:
    """What a fit is made of; times are in seconds and rates per second."""

    rows: float
    columns: int
    batch: int
    epochs: float
    weights: int
    cores: int
    """As many as a process uses fully: it gains less than twice from two."""
    rate: float
    """Rows that a core reads and trains."""
    first: float
    """Rows of the first pass; it has one thread."""
    start: float
    latency: float
    bandwidth: float
    """Bytes."""
    price: float
    """Of a machine and an hour."""

    def share(self, machines: int) -> float:
        """Return the part of a batch that a machine usually has."""
        chunk = CHUNK_CELLS // self.columns
        block = min(1 << 14, BLOCK // self.columns)
        if machines > LANES:
            block = min(block, chunk // (BLOCKS_OF_CHUNK * machines))
        lanes = max(LANES, machines)
        return -(-lanes // machines) / lanes + block / chunk if machines > 1 else 1.0

    def exchange(self, machines: int) -> float:
        """Return the time of the sum over machines."""
        sent = 2 * (machines - 1) / machines * 4 * self.weights
        return 2 * (machines - 1) * self.latency + sent / self.bandwidth

    def step(self, machines: int) -> tuple[float, float]:
        """Return the time of the rows of a step, and of its sum."""
        places = own_widths(self.batch, self.share(machines), 1)[0] if machines > 1 else self.batch
        return places / (self.cores * self.rate), self.exchange(machines)

    def seconds(self, machines: int) -> float:
        """Return the time of the fit."""
        first = self.rows / (machines * self.first)
        return self.start + first + self.epochs * self.rows / self.batch * sum(self.step(machines))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=float, default=1e9)
    parser.add_argument("--columns", type=int, default=100)
    parser.add_argument("--batch", type=int, default=65_536)
    parser.add_argument("--epochs", type=float, default=1)
    parser.add_argument("--weights", type=int, default=28_000)
    parser.add_argument("--cores", type=int, default=8, help="that a machine uses fully")
    parser.add_argument("--rate", type=float, default=RATE, help="rows trained, of a core")
    parser.add_argument("--first", type=float, default=FIRST, help="rows of the first pass")
    parser.add_argument("--start", type=float, default=30, help="seconds before the first row")
    parser.add_argument("--latency", type=float, default=1e-4, help="seconds of a message")
    parser.add_argument("--bandwidth", type=float, default=1.25e9, help="bytes per second")
    parser.add_argument("--price", type=float, default=0.80, help="of a machine and an hour")
    parser.add_argument("--machines", default="1,2,8,64")
    options = vars(parser.parse_args())
    machines = [int(each) for each in options.pop("machines").split(",")]
    costs = Costs(**options)
    alone = costs.seconds(1)
    print("| machines | hours | speed | rows of a step, ms | sum of a step, ms | price |")
    print("|--:|--:|--:|--:|--:|--:|")
    for count in machines:
        seconds = costs.seconds(count)
        work, exchange = (f"{1e3 * each:.2f}" for each in costs.step(count))
        price = count * costs.price * seconds / 3600
        hours = f"{seconds / 3600:.2f}"
        print(f"| {count} | {hours} | {alone / seconds:.1f} | {work} | {exchange} | {price:.2f} |")


if __name__ == "__main__":
    main()
