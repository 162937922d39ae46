"""Part adbench: comparison with PyOD by the protocols of Livernoche et al. (ICLR 2024).

usage: python benchmarks/anomalies_parts/adbench.py [--data FOLDER] [--protocols S,U] [--seeds 5]
           [--sets NAME,NAME] [--held] [--peers KNN,PCA,...] [--without-network]

Every detector has its default settings and one process for all data sets. The tables show means of
ROC AUC and average precision in percent over the seeds, and seconds to fit and score: wall-clock
time, and processor time of all threads, which hardly depends on other load. In protocol S, peers
whose result does not depend on a seed run once. --held uses the data sets that were not used for
any choice.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from speed_parts.harness import Contestant, WorkerFailed, run

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "adbench"
SETS = "annthyroid,cardio,fault,letter,mnist,PageBlocks,satellite,SpamBase,vowels,yeast"
HELD = "Pima,Stamps,breastw,glass,mammography,shuttle"
PEERS = "KNN,PCA,ECOD,IForest,VAE,AutoEncoder"
RIVAL = "PyOD AutoEncoder"
UNSEEDED = {"KNN", "ECOD", "PCA"}


def main() -> None:
    options = _options()
    for protocol in options.protocols.split(","):
        contestants = [_isthmus("isthmus", options, protocol, "")]
        if options.without_network:
            contestants.append(
                _isthmus("isthmus, without the network", options, protocol, "network")
            )
        contestants += [_peer(name, options, protocol) for name in options.peers.split(",") if name]
        names = options.sets.split(",")
        print(f"\n### Protocol {protocol}: ROC AUC / average precision\n")
        print("| | mean | fit + score | processor time |", " | ".join(names), "|")
        print("|---|--:|--:|--:|" + "--:|" * len(names), flush=True)
        seconds = {}
        for contestant in contestants:
            means = _means(contestant, names)
            if means is not None:
                print(_line(contestant.name, means), flush=True)
                seconds[contestant.name] = _seconds(means)
        if {"isthmus", RIVAL} <= set(seconds):
            passed, worked = seconds["isthmus"] / seconds[RIVAL]
            print(f"\nisthmus relative to {RIVAL}: time {passed:.2f}, processor time {worked:.2f}")


def _means(contestant: Contestant, names: list[str]) -> np.ndarray | None:
    """Return the result of the worker's `measure`, averaged over the seeds, (sets, 5)."""
    try:
        answer = run(contestant)["sets"]
    except WorkerFailed as error:
        print(f"| {contestant.name} | failed: {error} | |", flush=True)
        return None
    return np.array([np.mean(answer[name], axis=0) for name in names])


def _seconds(means: np.ndarray) -> np.ndarray:
    """Return wall-clock and processor seconds, summed over all sets."""
    return np.array([means[:, 2:4].sum(), means[:, 4].sum()])


def _line(name: str, means: np.ndarray) -> str:
    cells = [f"{row[0]:.1f} / {row[1]:.1f}" for row in means]
    total = means.mean(axis=0)
    passed, worked = _seconds(means)
    shown = f"| **{total[0]:.2f} / {total[1]:.2f}** | {passed:.1f} s | {worked:.1f} s |"
    return f"| {name} {shown} {' | '.join(cells)} |"


def _isthmus(name: str, options: argparse.Namespace, protocol: str, without: str) -> Contestant:
    job = _job(options, protocol, options.seeds) | {"without": without}
    return Contestant(name, "isthmus_anomalies.py", job)


def _peer(name: str, options: argparse.Namespace, protocol: str) -> Contestant:
    seeds = 1 if protocol == "S" and name in UNSEEDED else options.seeds
    job = _job(options, protocol, seeds) | {"method": name}
    return Contestant(f"PyOD {name}", "pyod_anomalies.py", job, environment="pyod")


def _job(options: argparse.Namespace, protocol: str, seeds: int) -> dict[str, object]:
    return {
        "data": str(options.data),
        "sets": options.sets.split(","),
        "protocol": protocol,
        "seeds": seeds,
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--protocols", default="S,U")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--sets", default=SETS)
    parser.add_argument("--held", action="store_true", help="data sets not used for any choice")
    parser.add_argument("--peers", default=PEERS)
    parser.add_argument(
        "--without-network", action="store_true", help="also score without the network"
    )
    options = parser.parse_args()
    options.sets = HELD if options.held else options.sets
    return options


if __name__ == "__main__":
    main()
