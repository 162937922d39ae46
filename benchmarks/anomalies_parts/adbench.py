"""Part adbench: tabular anomalies beside PyOD, the protocols of Livernoche et al. (ICLR 2024).

usage: python benchmarks/anomalies_parts/adbench.py [--data FOLDER] [--protocols S,U] [--seeds 5]
           [--sets NAME,NAME] [--held] [--peers KNN,PCA,...] [--without-network]

Every contestant has its own settings and one process for all sets. Means of AUROC and AUPR in
percent over the seeds, and seconds to fit and score. Peers whose result does not depend on a seed,
in protocol S, run once. --held takes the sets on which nothing was chosen.
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
UNSEEDED = {"KNN", "ECOD", "PCA"}


def main() -> None:
    options = _options()
    for protocol in options.protocols.split(","):
        contestants = [_isthmus("isthmus", options, protocol, "")]
        if options.without_network:
            contestants.append(_isthmus("isthmus, no network", options, protocol, "network"))
        contestants += [_peer(name, options, protocol) for name in options.peers.split(",") if name]
        names = options.sets.split(",")
        print(f"\n### Protocol {protocol}: AUROC / AUPR\n")
        print("| | mean | fit + score |", " | ".join(names), "|")
        print("|---|--:|--:|" + "--:|" * len(names), flush=True)
        for contestant in contestants:
            print(_line(contestant, names), flush=True)


def _line(contestant: Contestant, names: list[str]) -> str:
    try:
        answer = run(contestant)["sets"]
    except WorkerFailed as error:
        return f"| {contestant.name} | failed: {error} | |"
    means = np.array([np.mean(answer[name], axis=0) for name in names])
    cells = [f"{row[0]:.1f} / {row[1]:.1f}" for row in means]
    total = means.mean(axis=0)
    seconds = means[:, 2:].sum()
    shown = f"| **{total[0]:.2f} / {total[1]:.2f}** | {seconds:.1f} s |"
    return f"| {contestant.name} {shown} {' | '.join(cells)} |"


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
    parser.add_argument("--held", action="store_true", help="sets on which nothing was chosen")
    parser.add_argument("--peers", default=PEERS)
    parser.add_argument("--without-network", action="store_true", help="what the network adds")
    options = parser.parse_args()
    options.sets = HELD if options.held else options.sets
    return options


if __name__ == "__main__":
    main()
