"""The squared error to clean samples, estimated from noisy ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isthmus.objectives.reconstruction import mse

if TYPE_CHECKING:
    import jax

    from isthmus.core.types import Batch, Outputs
    from isthmus.objectives.objective import PerSample


def unbiased_risk(variance: float, added: float) -> PerSample:
    """Return the mean squared difference of each sample from its clean target, on average, (n,).

    The inputs are ``y + a z`` and the targets ``y - z / a`` for noisy samples y, as by
    `isthmus.data.pixel_noise.recorrupted`. What the squared difference from the target exceeds that
    from the clean sample by is subtracted (Pang et al., 2021, "Recorrupted-to-recorrupted", theorem
    1): ``z**2 / a**2``, which follows from input and target, and the variance of the noise. So the
    gradient is that of `mse`; the value may be negative.

    Parameters
    ----------
    variance : float
        The variance of the noise of y and of z, the mean over the cells.
    added : float
        The factor a.
    """
    share = 1 / (1 + added**2) ** 2

    def loss(batch: Batch, outputs: Outputs) -> jax.Array:
        made = mse(batch, outputs._replace(reconstruction=batch.inputs))
        return mse(batch, outputs) - share * made - variance

    return loss
