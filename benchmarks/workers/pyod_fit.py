"""Worker: PyOD's AutoEncoder with its default network.

job: rows, columns, batch, epochs
"""

import time

import job
import numpy as np
import torch
from pyod.models.auto_encoder import AutoEncoder

torch.set_num_threads(job.cores())


class Timed(AutoEncoder):
    """Records the end of each epoch."""

    def training_prepare(self) -> None:
        super().training_prepare()
        self.marks = [time.perf_counter()]

    def epoch_update(self) -> None:
        self.marks.append(time.perf_counter())


def main() -> None:
    task = job.read()
    rows = job.standardised(job.table(task.rows, task.columns))
    detector = Timed(
        preprocessing=False, lr=1e-3, epoch_num=task.epochs, batch_size=task.batch, verbose=0
    )
    began = time.perf_counter()
    detector.fit(rows)  # includes the scores of the training rows
    seconds = time.perf_counter() - began
    with torch.no_grad():
        rebuilt = detector.model.eval()(torch.from_numpy(rows)).numpy()
    job.report(
        epoch_seconds=np.diff(detector.marks).tolist(),
        fit_seconds=seconds,
        figure=job.squared_error(rows, rebuilt),
    )


if __name__ == "__main__":
    main()
