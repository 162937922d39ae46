"""Converts Keras models to JSON and arrays, and back, without trusting either.

A model is rebuilt in three steps. Its configuration is checked against an allow-list. It is built
under ``jax.eval_shape``, where every weight has a shape but no memory, so that a layer of 10⁹
units costs nothing. Then the shapes are compared with the arrays in the file, and only if they
match are those arrays assigned.
"""

from __future__ import annotations

import copy
import json
import math
import random
import re
import warnings
from typing import TYPE_CHECKING, Any, TypeVar, overload

import jax
import keras
import numpy as np

from isthmus.core.aligned_memory import device_copy
from isthmus.core.errors import InvalidArchive, InvalidParameter
from isthmus.networks import layers  # noqa: F401 - registers the layers of isthmus with Keras
from isthmus.networks.allowlist import Refused, vet
from isthmus.networks.initializers import without_values
from isthmus.persistence import array_checks, config_checks

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")
_LARGEST_WEIGHT = 1e18
_LARGEST_STATISTIC = 1e36
"""Limits of trainable weights and of others, such as the variance in a batch normalisation. No
training reaches them: the square of a larger weight, and the loss of such data, overflow."""
_MOST_CELLS = 2**28
"""Cells of a row in any layer."""
_CELLS_PER_CELL, _FEW_CELLS = 2**12, 2**19
"""Also at most so many for each cell of a sample, but no fewer than the second number."""
_STEPS_PER_CELL, _FEW_STEPS = 32, 2**17
"""Steps of all recurrent layers together for a row, likewise."""
_REMEDY = (
    "build it as keras.Sequential or keras.Model(inputs, outputs) from built-in layers, "
    "or keep its Keras parts with encoder_.save('encoder.keras')"
)


def model_to_config(model: keras.Model) -> dict[str, Any]:
    """Describe a model so that `model_from_config` builds one with the same outputs.

    Parameters
    ----------
    model : keras.Model
        A built sequential or functional model of Keras's own layers and those of isthmus.

    Returns
    -------
    dict
        JSON-able; `weights_of` gives the arrays that belong to it.

    Raises
    ------
    InvalidParameter
        Part of the model cannot be saved; the message names the layer.
    """
    _check_model(model)
    try:
        described = _described(model)
        vet(described)
        config = {"keras": json.loads(json.dumps(described)), "weights": _labels(model)}
    except Refused as refusal:
        raise InvalidParameter(
            f"the model {model.name!r} cannot be saved because of {refusal.place}",
            expected="built-in Keras layers with plain settings",
            received=refusal.found,
            remedy=_REMEDY,
        ) from None
    except (NotImplementedError, TypeError, ValueError) as error:
        raise InvalidParameter(
            f"the model {model.name!r} cannot be saved: {_first_line(error)}", remedy=_REMEDY
        ) from error
    _rehearse(model, config)
    return config


def model_from_config(config: dict[str, Any], arrays: Sequence[np.ndarray]) -> keras.Model:
    """Build the model that `model_to_config` described.

    Parameters
    ----------
    config : dict
        The description, which may be untrusted: all of it is checked before anything is built.
    arrays : sequence of ndarray
        The result of `weights_of`, in its order. They bound the memory that is used.

    Raises
    ------
    InvalidArchive
        The configuration is not allowed, cannot be built, or does not fit the arrays.
    """
    described, weights = _parts(config)
    try:
        vet(described)
    except Refused as refusal:
        raise InvalidArchive(
            "the file describes a model that is not allowed",
            expected="built-in Keras layers with plain settings",
            received=f"in {refusal.place}, {refusal.found}",
        ) from None
    model = build_with(
        lambda: keras.saving.deserialize_keras_object(copy.deepcopy(described), safe_mode=True),
        arrays,
    )
    if _labels(model) != weights:
        raise InvalidArchive(
            "the model in the file",
            expected="the weights its description lists",
            received="others, or in another order",
        )
    _check_work(model)
    return model


def variable_count(config: Any) -> int:
    """Return the number of arrays of a possibly untrusted description; see `weights_of`."""
    return len(_parts(config)[1])


def weights_of(model: keras.Model) -> list[np.ndarray]:
    """Return copies of all variables of a model in order, random states included."""
    return [np.array(variable.value) for variable in model.variables]


@overload
def build_with(build: Callable[[], keras.Model], arrays: Sequence[np.ndarray]) -> keras.Model: ...
@overload
def build_with(
    build: Callable[[], T],
    arrays: Sequence[np.ndarray],
    *,
    model_of: Callable[[T], keras.Model],
) -> T: ...
def build_with(
    build: Callable[[], Any],
    arrays: Sequence[np.ndarray],
    *,
    model_of: Callable[[Any], keras.Model] = lambda built: built,
) -> Any:
    """Build an object that contains a Keras model, and assign the model's weights.

    Memory for weights is allocated only after their shapes have been compared with the arrays.

    Parameters
    ----------
    build : function without arguments
        Builds a model, or an object that contains one, of any size.
    arrays : sequence of ndarray
        One for each variable of the model, in the order of ``model.variables``.
    model_of : function, optional
        Takes the object that was built and returns the model to which the arrays belong.

    Raises
    ------
    InvalidArchive
        The model cannot be built, or its weights differ from the arrays in shape or dtype.
    """
    try:
        built = without_values(build)
        assign_weights(model_of(built), arrays)
    except InvalidArchive:
        raise
    except Exception as error:
        raise InvalidArchive(
            f"the model in the file cannot be built: {type(error).__name__}: {_first_line(error)}"
        ) from error
    return built


def assign_weights(model: keras.Model, arrays: Sequence[np.ndarray]) -> None:
    """Assign a model's weights, after checking that all of them fit.

    Raises
    ------
    InvalidArchive
        The number of arrays, a shape or a dtype differs, or a weight is NaN, infinite or beyond
        1e18 (beyond 1e36 if it is not trainable); the message names the position.
    """
    variables = list(model.variables)
    if len(variables) != len(arrays):
        raise InvalidArchive(
            "the model in the file",
            expected=f"{len(variables)} arrays of weights",
            received=str(len(arrays)),
        )
    for position, (variable, array) in enumerate(zip(variables, arrays, strict=True)):
        expected = f"{variable.dtype} {tuple(variable.shape)}"
        received = f"{array.dtype.name} {array.shape}"
        if expected == received and not array_checks.is_finite(array):
            expected, received = "finite numbers", "NaN or infinity"
        elif expected == received and variable.name == "moving_variance" and (array < 0).any():
            expected, received = "a variance of at least 0", "a negative one"
        elif expected == received and array.dtype.kind == "f":
            limit = _LARGEST_WEIGHT if variable.trainable else _LARGEST_STATISTIC
            largest = float(np.abs(array).max(initial=0))
            if largest > limit:
                expected, received = f"numbers up to {limit:g}", f"{largest:.3g}"
        if expected != received:
            raise InvalidArchive(
                f"array {position} of the model in the file ({variable.path})",
                expected=expected,
                received=received,
            )
    for variable, array in zip(variables, arrays, strict=True):
        # JAX would alias the memory of an array that happens to be aligned.
        variable.assign(device_copy(array))


def _check_model(model: Any) -> None:
    if not isinstance(model, keras.Model):
        received = type(model).__name__
    elif not model.built:
        received = "a model that is not built"
    elif not hasattr(model, "inputs"):
        received = f"{type(model).__name__}, which is neither"
    else:
        return
    raise InvalidParameter(
        f"the model {getattr(model, 'name', model)!r} cannot be saved",
        expected="a built keras.Sequential or functional keras.Model",
        received=received,
        remedy=_REMEDY,
    )


def _parts(config: Any) -> tuple[Any, list[Any]]:
    config_checks.entries(config, ("keras", "weights"), "model")
    return config["keras"], config_checks.items(config, "weights")


def _labels(model: keras.Model) -> list[str]:
    """Name each variable by its layer, to detect swapped variables of the same shape."""
    owners: dict[int, str] = {}

    def walk(parent: keras.Model, prefix: str) -> None:
        for layer in parent.layers:
            if isinstance(layer, keras.Model):
                walk(layer, f"{prefix}{layer.name}/")
                continue
            for variable in layer.variables:
                owners.setdefault(id(variable), f"{prefix}{layer.name}/{variable.name}")

    walk(model, "")
    return [owners.get(id(variable), variable.name) for variable in model.variables]


def _described(model: keras.Model) -> dict[str, Any]:
    sequential = type(model) is keras.Sequential
    with warnings.catch_warnings():
        # About lambdas, which are refused by name below, and about optimizers of nested models.
        warnings.simplefilter("ignore")
        config = model.get_config()
    return {
        "module": "keras" if sequential else type(model).__module__,
        "class_name": type(model).__name__,
        "config": _without_build_configs(config),
        "registered_name": None,
    }


def _without_build_configs(node: Any) -> Any:
    """Remove shapes and compilation settings: connecting the layers builds them."""
    if isinstance(node, dict):
        return {
            key: _without_build_configs(value)
            for key, value in node.items()
            if key not in ("build_config", "compile_config")
        }
    if isinstance(node, (list, tuple)):
        return [_without_build_configs(item) for item in node]
    return node


def _rehearse(model: keras.Model, config: dict[str, Any]) -> None:
    """Rebuild the model and compare, so that a model that cannot be loaded is not saved.

    This also detects a user's function that has the name of a Keras activation, which would be
    restored as that activation.
    """
    before = random.getstate()  # Keras draws seeds for random layers from the global generator
    try:
        copied = model_from_config(config, weights_of(model))
        same = program_text(model) == program_text(copied)
    except InvalidArchive as error:
        subject = f"the model {model.name!r} cannot be saved"
        raise InvalidParameter.of(error).about(subject, remedy=_REMEDY) from error
    finally:
        random.setstate(before)
    if not same:
        raise InvalidParameter(
            f"the model {model.name!r} cannot be saved",
            expected="Keras's own layers and activations",
            received="a function that has the name of one of them but computes something else",
            remedy=_REMEDY,
        )


def _program(model: keras.Model) -> Any:
    """Return the jaxpr of a model for one row; nothing is compiled and no state changes."""
    inputs = [
        jax.ShapeDtypeStruct(_shape_of_a_row(tensor), tensor.dtype)  # type: ignore[no-untyped-call]
        for tensor in model.inputs
    ]
    return jax.make_jaxpr(model.stateless_call)(
        [variable.value for variable in model.trainable_variables],
        [variable.value for variable in model.non_trainable_variables],
        inputs[0] if len(inputs) == 1 else inputs,
    )


def _shape_of_a_row(tensor: Any) -> tuple[int, ...]:
    return (1, *(size or 4 for size in tensor.shape[1:]))


def program_text(model: keras.Model) -> str:
    """Return the text of a model's jaxpr, in which layer names do not appear."""
    return re.sub(r" at 0x[0-9a-f]+", "", str(_program(model)))


def _check_work(model: keras.Model) -> None:
    """Refuse a model of few weights that needs far more memory or time than its samples explain.

    Layers that repeat, pad or enlarge have no weights, so a small file could name any size.
    """
    try:
        program = _program(model).jaxpr
        cells, steps = _most_cells(program), _steps(program)
        ends = [*model.inputs, *model.outputs]
        own = max(math.prod(_shape_of_a_row(tensor)) for tensor in ends)
    except Exception as error:
        raise InvalidArchive(
            f"the model in the file cannot be run: {type(error).__name__}: {_first_line(error)}"
        ) from error
    most = min(_MOST_CELLS, max(_FEW_CELLS, _CELLS_PER_CELL * own))
    longest = max(_FEW_STEPS, _STEPS_PER_CELL * own)
    if cells > most or steps > longest:
        raise InvalidArchive(
            "the model in the file",
            expected=f"at most {most} cells a row in any layer, and {longest} recurrent steps",
            received=f"{cells} cells and {steps} steps",
        )


def _most_cells(program: Any) -> int:
    """Return the size of the largest intermediate result, inner programs included."""
    most = 0
    for step in program.eqns:
        sizes = [math.prod(result.aval.shape) for result in step.outvars]
        inner = [value for value in step.params.values() if hasattr(value, "eqns")]
        inner += [value.jaxpr for value in step.params.values() if hasattr(value, "jaxpr")]
        most = max(most, *sizes, *map(_most_cells, inner))
    return most


def _steps(program: Any) -> int:
    """Return the number of steps of all loops, inner programs included."""
    total = 0
    for step in program.eqns:
        inner = [value for value in step.params.values() if hasattr(value, "eqns")]
        inner += [value.jaxpr for value in step.params.values() if hasattr(value, "jaxpr")]
        within = sum(map(_steps, inner))
        total += step.params["length"] * max(1, within) if step.primitive.name == "scan" else within
    return total


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines() or [""]
    return lines[0][:200]
