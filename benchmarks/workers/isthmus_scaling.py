"""Worker: seconds and memory of a default Autoencoder on a table.

job: rows, columns, batch, epochs
"""

import threading
import time

import job
import numpy as np

import isthmus as ist


class Watch(threading.Thread):
    """Records the memory of this process 50 times per second."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.seen: list[tuple[float, int]] = []
        self.done = threading.Event()

    def run(self) -> None:
        while not self.done.wait(0.02):
            self.seen.append((time.perf_counter(), job.memory()))


def main() -> None:
    task = job.read()
    rows = job.table(task.rows, task.columns)
    model = ist.Autoencoder(
        epochs=task.epochs, batch_size=task.batch, patience=None, random_state=0, verbose=0
    )
    job.forget_peak()  # generating the rows took memory as well
    watch = Watch()
    watch.start()
    model.fit(rows)
    ended = time.perf_counter()
    watch.done.set()
    seconds = model.history_["seconds"]
    ends = ended - sum(seconds) + np.cumsum(seconds)
    per_epoch = [
        max((held for at, held in watch.seen if start < at <= end), default=0)
        for start, end in zip([ended - sum(seconds), *ends], ends, strict=False)
    ]
    job.report(
        epoch_seconds=seconds,
        fit_seconds=model.fit_seconds_,
        data_bytes=rows.nbytes,
        peak_bytes=job.memory("VmHWM"),
        epoch_bytes=per_epoch,
    )


if __name__ == "__main__":
    main()
