"""The options of ``isthmus fit`` that set an estimator, made from the records of parameters."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isthmus.core.errors import InvalidParameter
from isthmus.estimators.parameters import PARAMETERS, Parameter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_OPTIONS = tuple(each for each in PARAMETERS if each.summary)


def add(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command one option for each parameter, in the place of its ``**`` argument.

    The signature is what typer reads; options that were not given are None.
    """
    signature = inspect.signature(command, eval_str=True)
    own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    command.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[*own, *(_as_argument(each) for each in _OPTIONS)]
    )
    return command


def values(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that were given, as constructors take them; raises BadParameter."""
    settings = {}
    for each in _OPTIONS:
        value = given.get(each.name)
        if value is None:
            continue
        try:
            settings[each.name] = each.constraint.from_option(each.name, value)
            each.constraint.check(each.name, settings[each.name])
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
        metavar=each.metavar,
        show_default=_default(each),
        rich_help_panel=each.panel if len(each.kinds) > 1 else f"--kind {each.kinds[0]}",
    )
    return inspect.Parameter(
        each.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[kind | None, option],
    )


def _default(each: Parameter) -> str | bool:
    if each.default == "auto":
        return "by the data"
    if len(each.kinds) == 1:
        return f"{each.default}; --kind {each.kinds[0]}"
    return False if each.default is None else str(each.default)


def _flag(each: Parameter) -> str:
    return f"--{each.name.replace('_', '-')}"


def _reason(error: InvalidParameter) -> str:
    return f"expected {error.expected}, received {error.received}"
