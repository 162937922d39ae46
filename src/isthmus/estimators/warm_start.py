"""Goes on from what an estimator has learned: `fit` with `warm_start`, and `partial_fit`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from isthmus.core.errors import InvalidArchive, InvalidParameter
from isthmus.estimators.learned_checks import check_settings
from isthmus.estimators.storage import storable
from isthmus.networks.serialization import assign_weights, program_text

if TYPE_CHECKING:
    from isthmus.data.schema import Schema
    from isthmus.networks.head import Head
    from isthmus.networks.network import Architecture, Network

_MAY_CHANGE = ("loss", "likelihood", "unknown")


class Continuation(NamedTuple):
    """How messages name what goes on from an earlier fit, and what to do instead."""

    name: str
    remedy: str


WARM_START = Continuation("warm_start=True", "set it back, or set warm_start=False to begin anew")
PARTIAL_FIT = Continuation("partial_fit", "set it back, or call fit to begin anew")


def applies(estimator: Any) -> bool:
    """Whether `fit` goes on from an earlier fit."""
    return bool(estimator.warm_start) and hasattr(estimator, "network_")


def schema_of(estimator: Any, continuation: Continuation = WARM_START) -> Schema:
    """Return the schema of the earlier fit, if the settings still agree with it.

    Parameters
    ----------
    estimator : isthmus estimator
        It is fitted.
    continuation : Continuation
        What goes on, for messages.

    Raises
    ------
    InvalidParameter
        A setting contradicts what was learned, or there is a checkpoint, which is that of a run
        from the start.
    """
    if estimator.checkpoint is not None and continuation is WARM_START:
        raise InvalidParameter(
            "warm_start with a checkpoint",
            expected="one of the two",
            received="both, and a fitted estimator",
            remedy="leave out checkpoint, or set warm_start=False to begin anew or resume",
        )
    params = estimator.get_params(deep=False)
    settings = {name: storable(value) for name, value in params.items()}
    settings |= {name: "auto" for name in _MAY_CHANGE if name in settings}
    fitted = {"latent_dim_": estimator.latent_dim_, "loss_": estimator.loss_}
    try:
        check_settings(
            settings,
            fitted,
            estimator.schema_,
            architecture=estimator._architecture,
            labelling=estimator._labelling,
            head=estimator._head,
        )
    except InvalidParameter as error:
        raise error.about(continuation.name, remedy=continuation.remedy) from error
    schema: Schema = estimator.schema_.with_unknown(estimator.unknown)
    return schema


def take_over(
    estimator: Any,
    network: Network,
    architecture: Architecture | None,
    head: Head | None,
    continuation: Continuation = WARM_START,
) -> None:
    """Assign the weights of the earlier fit to a new network, which must be like the earlier one.

    Raises
    ------
    InvalidParameter
        The network differs from the earlier one.
    """
    before = estimator.network_
    same = architecture == estimator._architecture and head == estimator._head
    if same and architecture is None:
        pairs = zip(network.halves, before.halves, strict=True)
        same = all(program_text(new) == program_text(old) for new, old in pairs)
    try:
        if same:
            assign_weights(network.full, estimator._weights)
            return
    except InvalidArchive:  # of other shapes
        pass
    raise InvalidParameter(
        continuation.name,
        expected="the network of the earlier fit",
        received="settings or models of another one",
        remedy=continuation.remedy,
    )
