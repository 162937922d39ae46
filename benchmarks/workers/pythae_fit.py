"""Worker: pythae's AE or VAE with its default networks, 784 -> 512 -> code.

job: data, model ("ae" or "vae"), latent, rows, batch, epochs
"""

import logging
import tempfile
import time

import job
import numpy as np
import torch
from pythae.models import AE, VAE, AEConfig, VAEConfig
from pythae.pipelines import TrainingPipeline
from pythae.trainers import BaseTrainerConfig
from pythae.trainers.training_callbacks import TrainingCallback

torch.set_num_threads(job.cores())


class Clock(TrainingCallback):
    def __init__(self) -> None:
        self.marks: list[float] = []

    def on_epoch_begin(self, *_: object, **__: object) -> None:
        self.marks.append(time.perf_counter())


def main() -> None:
    task = job.read()
    train, _ = job.mnist(task.data, task.rows, shape=(1, 28, 28))
    logging.disable(logging.INFO)
    settings = {"input_dim": (1, 28, 28), "latent_dim": task.latent}
    model = AE(AEConfig(**settings)) if task.model == "ae" else VAE(VAEConfig(**settings))
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        recipe = BaseTrainerConfig(
            output_dir=folder,
            num_epochs=task.epochs,
            learning_rate=1e-3,
            per_device_train_batch_size=task.batch,
            no_cuda=True,
        )
        pipeline = TrainingPipeline(training_config=recipe, model=model)
        began = time.perf_counter()
        pipeline(train_data=train, callbacks=[clock])
        seconds = time.perf_counter() - began
    clock.marks.append(began + seconds)
    model.eval()
    with torch.no_grad():
        code = model.encoder(torch.from_numpy(train)).embedding  # for a VAE, the posterior mean
        rebuilt = model.decoder(code).reconstruction.numpy()
    job.report(
        epoch_seconds=np.diff(clock.marks).tolist(),
        fit_seconds=seconds,
        figure=job.squared_error(train, rebuilt),
    )


if __name__ == "__main__":
    main()
