"""Worker: the autoencoder of TSB-AD on windows of univariate series.

job: series (an .npz file of arrays (n,)), training (rows to learn from, by name of the array),
     seeds, scores (the .npz file to write: arrays (seeds, n) of the same names)

Liu and Paparrizos, NeurIPS 2024. The settings are those of `Optimal_Uni_algo_HP_dict` in their
code, and so are the details that the paper leaves open. The weights after the last epoch are used:
the published code is meant to keep the best epoch's, but keeps a reference to the changing ones.
"""

from itertools import pairwise

import job
import numpy as np
import torch
from torch import nn

WINDOW = 100
HIDDEN = (128, 64)
DROPOUT = 0.2
EPOCHS = 50
BATCH = 128


def main() -> None:
    task = job.read()
    torch.set_num_threads(1)  # the layers are too small for more
    with np.load(task.series) as series:
        scores = {
            name: [scored(series[name], rows, seed) for seed in range(task.seeds)]
            for name, rows in task.training.items()
        }
    np.savez(task.scores, **scores)
    job.report(series=len(scores))


def scored(values: np.ndarray, training: int, seed: int) -> np.ndarray:
    """Return scores (n,) of a series: the norms of the residuals of its windows.

    A window's score is that of its middle row. The first and last rows get the scores of the first
    and last window.
    """
    learned = scaled_windows(values[:training])
    mean, deviation = learned.mean(axis=0), np.maximum(learned.std(axis=0), 1e-8)
    model = trained(_tensor((learned - mean) / deviation), seed).eval()
    windows = _tensor((scaled_windows(values) - mean) / deviation)
    with torch.no_grad():
        norms = torch.linalg.vector_norm(model(windows) - windows, dim=1).numpy()
    return np.pad(norms.astype(float), (WINDOW // 2, (WINDOW - 1) // 2), mode="edge")


def scaled_windows(values: np.ndarray) -> np.ndarray:
    """Return the windows of a series, (windows, WINDOW), each scaled to [0, 1]."""
    windows = np.lib.stride_tricks.sliding_window_view(values, WINDOW)
    lowest = windows.min(axis=1, keepdims=True)
    extent = windows.max(axis=1, keepdims=True) - lowest
    return (windows - lowest) / np.where(extent == 0, 1.0, extent)


def trained(windows: torch.Tensor, seed: int) -> nn.Module:
    """Return a network that was trained on windows, (n, WINDOW)."""
    torch.manual_seed(seed)
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=1e-5)
    for _ in range(EPOCHS):
        order = torch.randperm(len(windows))
        for batch in order[: len(order) // BATCH * BATCH].split(BATCH):
            rows = windows[batch]
            loss = nn.functional.mse_loss(model(rows), rows)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return model


def network() -> nn.Sequential:
    """Return the network; its output passes through a ReLU, too."""
    sizes = (WINDOW, *HIDDEN, *HIDDEN[-2::-1], WINDOW)
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes[:-1]):
        layers += [nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs), nn.ReLU()]
        layers.append(nn.Dropout(DROPOUT))
    return nn.Sequential(*layers, nn.Linear(sizes[-2], sizes[-1]), nn.ReLU())


def _tensor(rows: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(rows.astype(np.float32))


if __name__ == "__main__":
    main()
