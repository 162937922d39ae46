"""The options of ``isthmus fit`` that set an estimator, made from the records of parameters."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isthmus.anomaly.parameters import DETECTOR_PARAMETERS
from isthmus.core.catalogue import Catalogue
from isthmus.core.errors import InvalidParameter
from isthmus.estimators.parameters import AUTOENCODERS, PARAMETERS, Parameter, parameters_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_OPTIONS = tuple(
    {each.name: each for each in (*PARAMETERS, *DETECTOR_PARAMETERS) if each.summary}.values()
)
_NOT_WITHIN_DETECTORS = ("checkpoint", "checkpoint_every")
"""Settings that the autoencoder of a detector does not accept."""

KINDS: Catalogue[frozenset[str]] = Catalogue(
    "--kind",
    {
        **{kind: frozenset(each.name for each in parameters_of(kind)) for kind in AUTOENCODERS},
        "detector": frozenset(
            each.name
            for each in (*DETECTOR_PARAMETERS, *parameters_of("autoencoder"))
            if each.name not in _NOT_WITHIN_DETECTORS
        ),
    },
)
"""The settings of each kind. Those of a detector include its autoencoder's."""


def add(command: Callable[..., None]) -> Callable[..., None]:
    """Add an option to a command for each parameter, in place of its ``**`` argument.

    Typer reads options from the signature. Options that are not given are None.
    """
    signature = inspect.signature(command, eval_str=True)
    own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    command.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[*own, *(_as_argument(each) for each in _OPTIONS)]
    )
    return command


def values(given: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """Return the given settings in the form that constructors accept.

    Parameters
    ----------
    given : mapping of str to object
        The value of each option by parameter name; None if it was not given.
    kind : str
        What to fit, a name in `KINDS`.

    Raises
    ------
    typer.BadParameter
        An option does not apply to this kind, or its value is invalid.
    InvalidParameter
        `kind` is unknown.
    """
    settings, known = {}, KINDS[kind]
    for each in _OPTIONS:
        value = given.get(each.name)
        if value is None:
            continue
        if each.name not in known:
            raise typer.BadParameter(f"does not apply to --kind {kind}", param_hint=_flag(each))
        try:
            settings[each.name] = each.constraint.from_option(each.name, value)
        except InvalidParameter as error:
            raise typer.BadParameter(_reason(error), param_hint=_flag(each)) from None
    return settings


def _as_argument(each: Parameter) -> inspect.Parameter:
    kind = each.constraint.option
    flag = _flag(each)
    names = [f"{flag}/--no-{flag[2:]}"] if kind is bool else [flag]
    option = typer.Option(
        *names,
        help=each.summary,
        metavar=each.metavar or each.constraint.metavar,
        show_default=_default(each),
        rich_help_panel=_panel(each),
    )
    return inspect.Parameter(
        each.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[kind | None, option],
    )


def _panel(each: Parameter) -> str:
    own = len(each.kinds) == 1
    return each.panel or (f"--kind {each.kinds[0]}" if own else "The model")


def _default(each: Parameter) -> str | bool:
    if each.default is None:
        return False
    default = "from the data" if each.default == "auto" else str(each.default)
    return f"{default}; --kind {each.kinds[0]}" if len(each.kinds) == 1 else default


def _flag(each: Parameter) -> str:
    return f"--{each.name.replace('_', '-')}"


def _reason(error: InvalidParameter) -> str:
    reason = f"expected {error.expected}, received {error.received}"
    # A spelling suggestion. Other remedies are about the Python interface.
    return f"{reason}: {error.remedy}" if error.remedy.endswith("?") else reason
