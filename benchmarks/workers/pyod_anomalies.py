"""Worker: a detector of PyOD with its defaults on ADBench.

job: data, sets, protocol, seeds, method
"""

import importlib
from typing import Any

import adbench
import job
import numpy as np

SEEDED = {"AutoEncoder", "VAE", "IForest", "PCA"}
MODULES = {"AutoEncoder": "auto_encoder"}


def main() -> None:
    task = job.read()
    module = importlib.import_module(f"pyod.models.{MODULES.get(task.method, task.method.lower())}")
    if task.method in ("AutoEncoder", "VAE"):
        import torch

        torch.set_num_threads(job.cores())

    def fitted(rows: np.ndarray, seed: int) -> Any:
        settings = {"random_state": seed} if task.method in SEEDED else {}
        model = getattr(module, task.method)(**settings)
        model.fit(rows)
        return model

    job.report(
        sets=adbench.measure(task, fitted, lambda model, rows: model.decision_function(rows))
    )


if __name__ == "__main__":
    main()
