"""Turn figures into plain sentences. Each rule returns one finding or none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.core.name_lists import name_list
from isthmus.core.number_format import count, number, percent, seconds
from isthmus.core.sample_words import about
from isthmus.data.reconstruction_error import cell_errors
from isthmus.estimators.resolved_settings import sample_noun
from isthmus.evaluation.channel_errors import channel_errors
from isthmus.evaluation.judgement import Finding

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isthmus.evaluation.comparison import Comparison

SURE = 2.0
"""Standard errors that a difference must exceed to count; chance does that once in twenty."""
MARGIN = 0.01
"""Fraction of PCA's error below which a gain may be real but is not worth a network."""
PERFECT = 1e-4
"""Fraction of the variance below which an error or a difference counts as rounding."""
COLLAPSED = 0.05
"""Reconstructions with less than this fraction of the rows' variance are nearly constant."""
COLLAPSED_BESIDE_PCA = 0.5
"""Fraction of the variance of PCA's reconstructions from which the model has not collapsed.

If PCA's variance is low as well, the data have no structure to find."""
DEAD = 1e-3
"""Fraction of the largest spread up to which a code dimension carries no information."""
OVERFIT = 1.25
"""Ratio of held-out to training error that exceeds the usual gap."""
ROSE = 1.1
"""Ratio of the final to the best validation loss from which the loss counts as risen."""
LONG, MORE = 300, 3
"""Fewest epochs to suggest, and how many times those that there were."""
STILL_FALLING = 0.02
"""Fraction of the loss's total decrease that the last tenth of the epochs must exceed for the loss
to count as still falling."""
FEW_ROWS = 30
"""Number of rows below which the standard error itself is unreliable."""
UNCERTAIN = 0.1
"""Ratio of standard error to error above which the error has at most one significant digit."""
FAR_FROM_PRIOR = 0.25
"""Divergence in nats of a code dimension from the prior above which samples differ from the data.

It is that of a standard deviation above 1.55 or below 0.55, or a mean above 0.71."""
SEEN = 0.1
"""Fraction of held-out rows equal to training rows above which the figures are unreliable."""


@dataclass(frozen=True)
class ReconstructionEvidence:
    """The figures that the rules use."""

    contest: Comparison
    model: Any
    error: float
    pca_error: float
    mean_error: float
    difference: float
    """PCA's error minus the autoencoder's, averaged over rows; above 0, the autoencoder is better.
    """
    difference_se: float
    """Standard error of `difference`, from the paired differences; infinite for a single row."""

    @property
    def size(self) -> int:
        """Numbers in a code."""
        return self.contest.autoencoder.code_size

    @property
    def history(self) -> dict[str, list[float]]:
        """The model's training history."""
        return dict(self.model.history_)

    def clear(self, difference: float, error: float) -> bool:
        """Whether a difference of errors exceeds chance and rounding."""
        return difference > SURE * error and difference > PERFECT * self.mean_error


Rule = Callable[[ReconstructionEvidence], Finding | None]


def gather(evidence: ReconstructionEvidence) -> tuple[Finding, ...]:
    """Return the verdict and then all other findings, warnings first."""
    others = [finding for rule in _RULES if (finding := rule(evidence)) is not None]
    others.sort(key=lambda finding: finding.level != "warning")
    noun = sample_noun(evidence.model, evidence.model.schema_)
    return tuple(
        replace(finding, text=about(noun, finding.text))
        for finding in (_verdict(evidence), *others)
    )


def _verdict(e: ReconstructionEvidence) -> Finding:
    return next(finding for rule in _VERDICTS if (finding := rule(e)) is not None)


def _alike(e: ReconstructionEvidence) -> Finding | None:
    if e.mean_error > 0:
        return None
    text = "The held-out rows are all alike, so they cannot show whether a model is good."
    return Finding("warning", "rows_alike", text)


def _collapsed(e: ReconstructionEvidence) -> Finding | None:
    if len(e.contest.rows) < 2:
        return None
    spread = _spread(e.contest.target)
    own = _spread(e.contest.autoencoder.prediction) / spread if spread else 1.0
    pca = _spread(e.contest.pca.prediction) / spread if spread else 1.0
    if own >= COLLAPSED or own >= COLLAPSED_BESIDE_PCA * pca:
        return None
    return Finding(
        "warning",
        "collapsed",
        f"The autoencoder has collapsed: its output is nearly the same for every row. Its "
        f"reconstructions have {percent(own)} of the rows' variance, PCA's {percent(pca)}. Train "
        f"longer, with another learning rate or fewer layers.",
    )


def _worse_than_mean(e: ReconstructionEvidence) -> Finding | None:
    if e.error < e.mean_error * (1 - PERFECT):
        return None
    return Finding(
        "warning",
        "no_better_than_mean",
        f"The autoencoder is no better than the mean row: its error is {number(e.error)}, the mean "
        f"row's {number(e.mean_error)}. Do not use it.",
    )


def _better(e: ReconstructionEvidence) -> Finding | None:
    if e.difference <= MARGIN * e.pca_error or not e.clear(e.difference, e.difference_se):
        return None
    return Finding(
        "good",
        "better_than_pca",
        f"The autoencoder is better than PCA: with {_numbers(e)} per row, its error on held-out "
        f"rows is {percent(e.difference / e.pca_error)} lower "
        f"({number(e.error)} against {number(e.pca_error)}), and it explains "
        f"{percent(1 - e.error / e.mean_error)} of the variance.",
    )


def _worse(e: ReconstructionEvidence) -> Finding | None:
    if -e.difference <= MARGIN * e.pca_error or not e.clear(-e.difference, e.difference_se):
        return None
    return Finding(
        "warning",
        "worse_than_pca",
        f"PCA is better: with {_numbers(e)} per row, its error is "
        f"{number(e.pca_error)}, the autoencoder's {number(e.error)}. PCA was fitted in "
        f"{seconds(e.contest.pca.seconds)}. {_advice(e)}",
    )


def _tied(e: ReconstructionEvidence) -> Finding:
    start = (
        f"The autoencoder is no better than PCA: with {_numbers(e)} per row, their errors are "
        f"{number(e.error)} and {number(e.pca_error)}"
    )
    advice = _advice(e)
    if max(e.error, e.pca_error) <= PERFECT * e.mean_error:
        reason, advice = ", both close to zero", "PCA is simpler and as good here."
    elif abs(e.difference) > MARGIN * e.pca_error:
        reason = f"; on {count(len(e.contest.rows), 'row')}, the difference may be chance"
    else:
        reason = ", a difference too small to matter"
    return Finding("warning", "no_better_than_pca", f"{start}{reason}. {advice}")


def _advice(e: ReconstructionEvidence) -> str:
    """Return what to do about PCA's win: train longer, or use PCA.

    More training helps a network that is as good on held-out rows as on its training rows. One
    that overfits would only learn more of what new rows do not have.
    """
    train = e.contest.train_errors
    if train is not None and e.error > OVERFIT * float(train.mean()):
        return "The network overfits, so PCA is the better choice for these rows."
    epochs = max(LONG, MORE * len(e.history.get("epoch", ())))
    return f"The network has not learned enough: try epochs={epochs}, or use PCA."


_VERDICTS: tuple[Rule, ...] = (_alike, _collapsed, _worse_than_mean, _better, _worse, _tied)


def _columns_lost(e: ReconstructionEvidence) -> Finding | None:
    """Report that the autoencoder is better on average, but not on most columns."""
    schema = e.model.schema_
    if schema.is_image or e.difference <= 0:
        return None
    own, pca = (
        np.nansum(cell_errors(e.contest.target, entry.prediction, schema.segments), axis=0)
        for entry in (e.contest.autoencoder, e.contest.pca)
    )
    lost = int((own - pca > MARGIN * pca).sum())
    if lost <= len(own) / 2:
        return None
    return Finding(
        "note",
        "columns_lost",
        f"PCA is better on {lost:,} of {count(len(own), 'column')}; the autoencoder is better "
        f"on average because of the others.",
    )


def _channels_lost(e: ReconstructionEvidence) -> Finding | None:
    """Report that the autoencoder is better on average, but not in some channels."""
    channels = channel_errors(e.contest, e.model.schema_)
    lost = [c.name for c in channels if c.error - c.pca_error > MARGIN * c.pca_error]
    if not lost or e.difference <= 0:
        return None
    return Finding(
        "note",
        "channels_lost",
        f"PCA is better in {name_list(lost)}, of {len(channels):,} channels; the autoencoder is "
        f"better on average because of the others.",
    )


def _not_smaller(e: ReconstructionEvidence) -> Finding | None:
    cells = int(np.prod(e.model.schema_.sample_shape))
    if e.size >= cells:
        return Finding(
            "warning",
            "code_not_smaller",
            f"The code is not smaller than the input: {_numbers(e)} for "
            f"{count(cells, 'input cell')}. It does not compress, and copying the input would "
            f"give an error of 0.",
        )
    columns = len(e.model.schema_.columns)
    if e.model.schema_.segments and e.size >= columns:
        return Finding(
            "note",
            "code_not_smaller_than_columns",
            f"The code has {_numbers(e)}. That is fewer than the network's {count(cells, 'cell')}, "
            f"with one for each category, but not fewer than the table's "
            f"{count(columns, 'column')}.",
        )
    return None


def _dead(e: ReconstructionEvidence) -> Finding | None:
    dead = dead_dimensions(e.contest.codes)
    if len(e.contest.rows) < 2 or not dead.any():
        return None
    return Finding(
        "warning",
        "dead_codes",
        f"{int(dead.sum())} of {count(e.size, 'code dimension')} "
        f"{'carries' if dead.sum() == 1 else 'carry'} no information: the same value for every "
        f"row. latent_dim={max(1, e.size - int(dead.sum()))} is enough.",
    )


def _prior_missed(e: ReconstructionEvidence) -> Finding | None:
    """Report that a variational model's codes are unlike the distribution it samples from."""
    means, deviations = (getattr(e.model, name, None) for name in ("code_mean_", "code_std_"))
    if means is None or deviations is None or getattr(e.model, "levels", 1) > 1:
        return None  # with several levels, the distribution of codes is learned
    far = divergence_from_prior(means, deviations) > FAR_FROM_PRIOR
    if not far.any():
        return None
    spread, shift = deviations[far], float(np.abs(means[far]).max())
    least, most = number(float(spread.min()), 2), number(float(spread.max()), 2)
    deviation = f"of {least}" if least == most else f"from {least} to {most}"
    return Finding(
        "warning",
        "far_from_prior",
        f"Samples from the prior are unlike the data: in {int(far.sum()):,} of "
        f"{count(e.size, 'code dimension')}, the codes of training rows have standard deviations "
        f"{deviation} and means up to {number(shift, 2)} from 0, where the prior has 1 and 0. "
        f"Draw samples with LatentSampler(FrozenEstimator(model)), which learns how the codes are "
        f"distributed, or fit with a larger beta.",
    )


def _seen(e: ReconstructionEvidence) -> Finding | None:
    if e.contest.seen_share <= SEEN:
        return None
    return Finding(
        "warning",
        "rows_seen",
        f"{percent(e.contest.seen_share)} of the held-out rows are equal to rows that the model "
        f"was trained on, so these figures may be too good. Evaluate it on other rows.",
    )


def _overfits(e: ReconstructionEvidence) -> Finding | None:
    train = e.contest.train_errors
    if train is None or e.contest.seen_share > SEEN:
        return None
    errors = e.contest.autoencoder.errors
    gap = e.error - float(train.mean())
    se = float(np.hypot(standard_error(errors), standard_error(train)))
    if e.error <= OVERFIT * float(train.mean()) or not e.clear(gap, se):
        return None
    return Finding(
        "warning",
        "overfits",
        f"The autoencoder overfits: its error is {number(float(train.mean()))} on training rows "
        f"and {number(e.error)} on held-out rows. More training rows or a smaller "
        f"network would help.",
    )


def _validation_rose(e: ReconstructionEvidence) -> Finding | None:
    losses = e.history.get("val_loss", [])
    if len(losses) < 2 or not losses[-1] > ROSE * min(losses) > 0:
        return None
    return Finding(
        "note",
        "validation_loss_rose",
        f"The validation loss rose from {number(min(losses))} to {number(losses[-1])} while "
        f"training went on. {_kept(e)}",
    )


def _kept(e: ReconstructionEvidence) -> str:
    """Return a sentence that says which weights were kept."""
    if best := e.model.best_epoch_:
        return f"The weights of epoch {best} were kept."
    which = "initial weights" if e.history.get("loss") else "weights of the first steps"
    return f"The {which} were kept."


def _stopped(e: ReconstructionEvidence) -> Finding | None:
    kept = _kept(e)
    done = count(len(e.history.get("loss", [])), "epoch")
    reason = e.model.stop_reason_
    if reason == "early stopping":
        text = f"Training stopped early after {done}, when the loss no longer improved. {kept}"
        return Finding("note", "stopped_early", text)
    if reason == "callback":
        text = f"A callback stopped training after {done}. {kept}"
        return Finding("note", "stopped_by_callback", text)
    if reason == "interrupted":
        text = f"Training was interrupted after {done}. {kept}"
        return Finding("warning", "interrupted", text)
    if reason == "diverged":
        text = f"Training diverged after {done}: the loss was no longer finite. {kept}"
        return Finding("warning", "diverged", f"{text} Try a lower learning rate.")
    return None


def _still_improving(e: ReconstructionEvidence) -> Finding | None:
    losses = e.history.get("val_loss") or e.history.get("loss", [])
    tail = max(1, len(losses) // 10)
    if e.model.stop_reason_ != "finished" or len(losses) <= tail:
        return None
    fall, late = losses[0] - min(losses), min(losses[:-tail]) - min(losses)
    # With very few epochs, the loss falls much in each of them, which is worth a note too.
    if not late > STILL_FALLING * fall > 0:
        return None
    return Finding(
        "note",
        "still_improving",
        f"The loss was still falling when training ended after {count(len(losses), 'epoch')}: "
        f"the last {'epoch' if tail == 1 else f'{tail} epochs'} brought {percent(late / fall)} of "
        f"the total decrease. More epochs should help.",
    )


def _few_rows(e: ReconstructionEvidence) -> Finding | None:
    n = len(e.contest.rows)
    se = standard_error(e.contest.autoencoder.errors)
    if n >= FEW_ROWS and se <= UNCERTAIN * e.error:
        return None
    if n < 2:
        text = "There is only one held-out row, so nothing can be said about other rows."
    else:
        text = (
            f"The figures are uncertain: on {count(n, 'held-out row')}, the autoencoder's error is "
            f"{number(e.error)} with a standard error of {number(se, 2)}."
        )
    return Finding("note", "few_rows", text)


def _half_only(e: ReconstructionEvidence) -> Finding | None:
    if e.contest.own_training_rows:
        return None
    return Finding(
        "note",
        "fitted_on_half",
        f"The training rows were not given, so PCA and the mean were fitted on half of the "
        f"held-out rows ({e.contest.n_fit:,} rows), and all were evaluated on the other half. The "
        f"autoencoder was fitted on {e.model.n_samples_:,} rows.",
    )


def _pca_smaller(e: ReconstructionEvidence) -> Finding | None:
    if e.contest.pca.code_size >= min(e.size, int(np.prod(e.model.schema_.sample_shape))):
        return None
    return Finding(
        "note",
        "pca_smaller",
        f"PCA has {count(e.contest.pca.code_size, 'number')} per row instead of {e.size:,}, "
        f"because it was fitted on only {count(e.contest.n_fit, 'row')}.",
    )


_RULES: Sequence[Rule] = (
    _columns_lost,
    _channels_lost,
    _not_smaller,
    _dead,
    _prior_missed,
    _seen,
    _overfits,
    _stopped,
    _validation_rose,
    _still_improving,
    _few_rows,
    _half_only,
    _pca_smaller,
)


def dead_dimensions(codes: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which code dimensions carry no information.

    Parameters
    ----------
    codes : array (n, latent_dim)

    Returns
    -------
    array (latent_dim,) of bool
    """
    spread = codes.std(axis=0)
    return np.asarray(spread <= DEAD * spread.max(initial=0.0))


def divergence_from_prior(
    means: NDArray[np.float64], deviations: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the KL divergence of normal distributions from the standard normal one, in nats."""
    variances = np.maximum(np.square(deviations), np.finfo(np.float64).tiny)
    return np.asarray(0.5 * (np.square(means) + variances - 1 - np.log(variances)))


def standard_error(errors: NDArray[np.float64]) -> float:
    """Return the standard error of the mean of `errors`; infinite for a single error."""
    if len(errors) < 2:
        return float("inf")
    return float(errors.std(ddof=1) / np.sqrt(len(errors)))


def _spread(matrix: NDArray[np.float32]) -> float:
    """Return the variance of the rows, summed over cells; missing cells are left out."""
    flat = matrix.reshape(len(matrix), -1)
    flat = flat[:, ~np.isnan(flat).all(axis=0)]
    return float(np.nanvar(flat, axis=0, dtype=np.float64).sum())


def _numbers(e: ReconstructionEvidence) -> str:
    return count(e.size, "number")
