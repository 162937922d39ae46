"""Worker: an efficient training loop in plain PyTorch.

The rows are one tensor, from which a permutation per epoch selects the batches. The cross-entropy
is computed from logits. Losses are added up without reading their values at each step.

job: data, net, rows, batch, epochs
"""

import time

import job
import torch
from nets import NETS
from torch import nn
from torch_nets import logits_of


def main() -> None:
    task = job.read()
    net = NETS[task.net]
    images = len(net.shape) == 3
    # With one channel, channels first has the same memory layout.
    train, test = job.mnist(task.data, task.rows, shape=(1, 28, 28) if images else net.shape)
    torch.manual_seed(0)
    rows, model = torch.from_numpy(train), logits_of(task.net)
    if images:
        rows = rows.contiguous(memory_format=torch.channels_last)
    began = time.perf_counter()
    seconds, losses = fit(model, rows, net.loss, task.batch, task.epochs)
    fit_seconds = time.perf_counter() - began
    with torch.no_grad():
        rebuilt = torch.cat([model(part).sigmoid() for part in torch.from_numpy(test).split(1000)])
    job.report(
        epoch_seconds=seconds,
        fit_seconds=fit_seconds,
        loss=losses,
        test_loss=job.LOSSES[net.loss](test, rebuilt.numpy()),
    )


def fit(
    model: nn.Module, rows: torch.Tensor, loss: str, batch: int, epochs: int
) -> tuple[list[float], list[float]]:
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, eps=1e-7)  # Keras' epsilon
    seconds, losses = [], []
    for _ in range(epochs):
        began = time.perf_counter()
        total = torch.zeros(())
        for chosen in torch.randperm(len(rows)).split(batch):
            given = rows[chosen]
            optimizer.zero_grad(set_to_none=True)
            value = _value(model(given), given, loss)
            value.backward()
            optimizer.step()
            total += value.detach() * len(given)
        losses.append(float(total) / len(rows))
        seconds.append(time.perf_counter() - began)
    return seconds, losses


def _value(logits: torch.Tensor, given: torch.Tensor, loss: str) -> torch.Tensor:
    if loss == "bce":
        return nn.functional.binary_cross_entropy_with_logits(logits, given)
    return nn.functional.mse_loss(logits.sigmoid(), given)


if __name__ == "__main__":
    main()
