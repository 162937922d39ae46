"""Read the configuration of a Keras model as a plain graph."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any, NamedTuple

from isthmus.core.errors import InvalidArchive
from isthmus.verdict.graph import Graph
from isthmus.verdict.pairs import code_between
from isthmus.verdict.shapes import known_layer, known_operation, output_shape, whole

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from isthmus.verdict.shapes import Shape

MODELS = frozenset({"Sequential", "Functional", "Model"})
_OWN_MODULES = ("keras.", "keras_", "tf_keras", "tensorflow.python.keras", "tensorflow.keras")
_OPERATIONS = ("keras.src.ops.", "keras.ops.")
_OUR_LAYERS = frozenset({"TableOutput"})
_MOST_CALLS = 2_000
_MOST_WIRES = 20_000
_DEEPEST = 12
_LONGEST_NAME = 80
_MOST_ENDS = 200


class Wire(NamedTuple):
    """A tensor as a configuration names it."""

    layer: str
    call: int
    place: int


def shown(text: Any) -> str:
    """Return a name from a file in printable form: short, on one line, without control codes."""
    name = str(text)
    printable = name if name.isprintable() else name.encode("unicode_escape").decode()
    return printable if len(printable) <= _LONGEST_NAME else printable[: _LONGEST_NAME - 1] + "…"


def is_own(record: dict[str, Any]) -> bool:
    """Whether an object's description names a class of Keras or a layer of isthmus."""
    module, kind, registered = (
        record.get(key) for key in ("module", "class_name", "registered_name")
    )
    if module == "isthmus.networks.layers" and kind in _OUR_LAYERS:
        return registered == f"isthmus>{kind}"
    if module is None and registered is None:  # as in files of Keras 2
        return isinstance(kind, str) and (known_layer(kind) or kind in MODELS)
    own = isinstance(module, str) and (module == "keras" or module.startswith(_OWN_MODULES))
    return own and registered in (None, kind)


class ConfigReader:
    """Convert the configuration of functional and sequential models into one graph."""

    def __init__(self, name: str) -> None:
        self.graph = Graph(name)
        self.notes: list[str] = []
        self.operations: set[str] = set()
        """Paths of calls that are not layers, such as an addition."""
        self._wires = 0

    def read(self, record: dict[str, Any]) -> None:
        """Read the whole model."""
        self.graph.outputs, names = self._model(record, None, "", 0)
        if len(names) != len(self.graph.outputs) or not names:
            _refuse("a name for each output", f"{len(names)} for {len(self.graph.outputs)}")
        self.graph.output_names = [shown(name) for name in names]
        if max(len(self.graph.inputs), len(self.graph.outputs)) > _MOST_ENDS:
            _refuse(f"at most {_MOST_ENDS} inputs and outputs", "more")

    def read_pair(self, encoder: dict[str, Any], decoder: dict[str, Any]) -> bool:
        """Read an encoder and a decoder as one model; return whether they fit each other."""
        own = [is_own(part) and part.get("class_name") in MODELS for part in (encoder, decoder)]
        if not all(own):
            return False
        made, _ = self._model(encoder, None, "encoder/", 1)
        alone = ConfigReader("decoder")
        alone.read(decoder)
        shapes = [alone.graph.shapes[tensor] for tensor in alone.graph.inputs]
        code = code_between(self.graph, made, shapes[0] if len(shapes) == 1 else None)
        if code is None:
            return False
        self.graph.boundaries.add(code)
        self.graph.outputs, names = self._model(decoder, [code], "decoder/", 1)
        self.graph.output_names = [shown(name) for name in names]
        return True

    def _model(
        self, record: dict[str, Any], inputs: list[int] | None, path: str, depth: int
    ) -> tuple[list[int], list[str]]:
        """Add a model's calls; without `inputs`, the model's inputs become those of the graph."""
        if depth > _DEEPEST:
            _refuse(f"models nested at most {_DEEPEST} deep", "more")
        read = self._sequence if record["class_name"] == "Sequential" else self._functional
        return read(record, inputs, path, depth)

    def _sequence(
        self, record: dict[str, Any], inputs: list[int] | None, path: str, depth: int
    ) -> tuple[list[int], list[str]]:
        records = _dicts(record["config"]["layers"])
        first = records[0] if records else {}
        if inputs is None:
            shape = record["config"].get("build_input_shape") or _stated(first)
            inputs = [self._input(_name(first), _sample(shape))]
        else:
            self._entered(inputs[0], record["config"].get("build_input_shape") or _stated(first))
        if records and first.get("class_name") == "InputLayer":
            records = records[1:]
        tensors, name = inputs, ""
        for place, item in enumerate(records):
            name = _name(item)
            following = records[place + 1] if place + 1 < len(records) else {}
            told = following.get("build_config")
            told = told.get("input_shape") if isinstance(told, dict) else None
            tensors = self._call(item, tensors, {0: _sample(told)}, path, depth)
        if inputs is not None and path and records:
            self.graph.boundaries.update(tensors)
        return tensors, [name]

    def _functional(
        self, record: dict[str, Any], inputs: list[int] | None, path: str, depth: int
    ) -> tuple[list[int], list[str]]:
        config = record["config"]
        layers = {_name(item): item for item in _dicts(config["layers"])}
        known: dict[Wire, int] = {}
        entries = list(_wires(config["input_layers"], layers))
        if inputs is None:
            for wire, _ in entries:
                known[wire] = self._input(wire.layer, _sample(_stated(layers[wire.layer])))
        elif len(inputs) != len(entries):
            _refuse(f"{len(entries)} inputs of the model {path}", str(len(inputs)))
        else:
            known = {wire: i for (wire, _), i in zip(entries, inputs, strict=True)}
            for wire, tensor in known.items():
                self._entered(tensor, _stated(layers[wire.layer]))
        ends = list(_wires(config["output_layers"], layers))
        calls, recorded = self._calls(layers, [wire for wire, _ in ends], known)
        for layer, call in calls:
            taken = [known[wire] for wire, _ in _inbound(layers, layer, call)]
            told = {w.place: s for w, s in recorded.items() if w[:2] == (layer, call)}
            for place, made in enumerate(self._call(layers[layer], taken, told, path, depth)):
                known[Wire(layer, call, place)] = made
        outputs = [known[wire] for wire, _ in ends]
        if path:
            self.graph.boundaries.update(set(outputs) - set(self.graph.inputs))
        named = config["output_layers"]
        names = sorted(named) if isinstance(named, dict) else [wire.layer for wire, _ in ends]
        return outputs, names

    def _calls(
        self, layers: dict[str, Any], ends: list[Wire], known: dict[Wire, int]
    ) -> tuple[list[tuple[str, int]], dict[Wire, Shape | None]]:
        """Order the calls that the outputs need, and collect the shapes stated for tensors."""
        needs: dict[tuple[str, int], set[tuple[str, int]]] = {}
        recorded: dict[Wire, Shape | None] = {}
        queue = [wire for wire in ends if wire not in known]
        while queue:
            wire = queue.pop()
            recorded.setdefault(wire, None)
            key = (wire.layer, wire.call)
            if key in needs:
                continue
            needs[key] = set()
            for taken, shape in _inbound(layers, wire.layer, wire.call):
                self._wires += 1
                if self._wires > _MOST_WIRES:
                    _refuse(f"at most {_MOST_WIRES} connections", "more")
                if shape is not None:
                    recorded[taken] = shape
                if taken not in known:
                    needs[key].add((taken.layer, taken.call))
                    queue.append(taken)
        try:
            return list(TopologicalSorter(needs).static_order()), recorded
        except CycleError:
            _refuse("layers that lead from input to output", "layers that lead in a circle")
            raise

    def _input(self, name: str, shape: Shape | None) -> int:
        tensor = self.graph.tensor(shape)
        self.graph.inputs.append(tensor)
        self.graph.input_names.append(shown(name))
        return tensor

    def _entered(self, tensor: int, stated: Any) -> None:
        """Note the shape that a nested model states for its input, if no other is known."""
        if self.graph.shapes[tensor] is None:
            self.graph.shapes[tensor] = _sample(stated)

    def _call(
        self,
        record: dict[str, Any],
        inputs: list[int],
        told: dict[int, Shape | None],
        path: str,
        depth: int,
    ) -> list[int]:
        """Add the call of a layer, or all calls of a nested model; return the tensors made."""
        kind, settings = record["class_name"], record["config"]
        if not (isinstance(kind, str) and isinstance(settings, dict)):
            _refuse("layers with a class and settings", "others")
        name = f"{path}{shown(_name(record))}"
        if kind in MODELS and is_own(record):
            made = self._model(record, inputs, f"{name}/", depth + 1)[0]
            for place, tensor in enumerate(made):
                if self.graph.shapes[tensor] is None:
                    self.graph.shapes[tensor] = told.get(place)
            return made
        if len(self.graph.nodes) >= _MOST_CALLS:
            _refuse(f"at most {_MOST_CALLS} calls of layers", "more")
        module = record.get("module")
        operation = isinstance(module, str) and module.startswith(_OPERATIONS)
        if module is None and record.get("registered_name") is None and not known_layer(kind):
            kind = _of_keras_2(kind, settings)
            operation = known_operation(kind)  # Files in HDF5 name no modules.
        known = is_own(record) and (known_layer(kind) or kind in _OUR_LAYERS)
        custom = kind == "Lambda" or not (
            known or (operation and (module is None or is_own(record)))
        )
        if operation:
            self.operations.add(name)
        shapes = [told.get(place) for place in range(max(told, default=0) + 1)]
        if custom:
            shapes = self._supposed(name, settings, inputs, shapes)
        else:
            shapes[0] = self._measured(name, kind, settings, inputs, shapes[0])
        return self.graph.call(name, shown(kind), inputs, shapes, settings, custom=custom)

    def _supposed(
        self,
        name: str,
        settings: dict[str, Any],
        inputs: Sequence[int],
        told: list[Shape | None],
    ) -> list[Shape | None]:
        """Return the output shapes of a layer of unknown content, as far as they can be told.

        Keras 2 does not store them. Layers that join several tensors of one shape, such as a mean
        and a spread, nearly always return that shape.
        """
        stated = settings.get("output_shape")  # of a Lambda
        if told == [None] and isinstance(stated, list):
            told = [_sample([None, *stated])]
        taken = [self.graph.shapes[tensor] for tensor in inputs]
        alike = len(taken) > 1 and len(set(taken)) == 1 and taken[0] is not None
        if not (alike and None in told and len(told) in (1, len(taken))):
            return told
        self.notes.append(
            f"The file does not state the output shape of layer {name}; it was assumed to be that "
            "of its inputs."
        )
        return [taken[0] if shape is None else shape for shape in told]

    def _measured(
        self,
        name: str,
        kind: str,
        settings: dict[str, Any],
        inputs: Sequence[int],
        told: Shape | None,
    ) -> Shape | None:
        """Return a layer's output shape from its settings, else the one that the file states."""
        taken = [self.graph.shapes[tensor] for tensor in inputs]
        made = output_shape(kind, settings, taken)
        if made is None and name in self.operations and len(set(taken)) == 1:
            made = told or taken[0]
        if made is None or None in made:
            return told if made is None else made
        if told is not None and None not in told and told != made:
            self.notes.append(
                f"The output shape that the file states for layer {name} differs from the one "
                "that follows from its settings; the latter was used."
            )
        return made


def _of_keras_2(kind: str, settings: dict[str, Any]) -> str:
    """Return the operation that Keras 2 stores as a layer around a function of TensorFlow."""
    function = settings.get("function")
    if kind != "TFOpLambda" or not isinstance(function, str):
        return kind
    return function.rpartition(".")[2].capitalize()


def _inbound(layers: dict[str, Any], layer: str, call: int) -> list[tuple[Wire, Shape | None]]:
    """Return the tensors that a call takes."""
    return list(_wires(layers[layer]["inbound_nodes"][call], layers))


def _wires(value: Any, layers: dict[str, Any]) -> Iterator[tuple[Wire, Shape | None]]:
    """Find the tensors named anywhere in a value, with the shapes stated there."""
    if isinstance(value, dict):
        if value.get("class_name") == "__keras_tensor__":
            config = value["config"]
            layer, call, place = config["keras_history"]
            yield _wire(layer, call, place), _sample(config.get("shape"))
            return
        for key in sorted(value):
            yield from _wires(value[key], layers)
    elif isinstance(value, list):
        if 3 <= len(value) <= 4 and isinstance(value[0], str) and isinstance(value[1], int):
            wire, value = _wire(*value[:3]), value[3:]
            # If a tensor is a plain list, Keras counts the calls of a nested model from 1.
            calls = len(layers[wire.layer].get("inbound_nodes", ()))
            nested = layers[wire.layer].get("class_name") in ("Functional", "Model")
            if wire.call and (nested or wire.call >= calls):
                wire = wire._replace(call=wire.call - 1)
            yield wire, None
        for item in value:
            yield from _wires(item, layers)


def _wire(layer: Any, call: Any, place: Any) -> Wire:
    if not isinstance(layer, str):
        _refuse("names of layers", type(layer).__name__)
    return Wire(layer, whole(call), min(whole(place), 100))


def _stated(record: dict[str, Any]) -> Any:
    """Return the shape that an input layer or a first layer states."""
    config = record.get("config", {})
    return config.get("batch_shape") or config.get("batch_input_shape")


def _sample(shape: Any) -> Shape | None:
    """Return the shape of one sample; None if no shape or several shapes are stated."""
    if not isinstance(shape, list) or any(isinstance(axis, (list, dict, str)) for axis in shape):
        return None
    return tuple(None if axis is None else whole(axis) for axis in shape[1:])


def _name(record: dict[str, Any]) -> str:
    config = record.get("config")
    named = record.get("name") or (config.get("name") if isinstance(config, dict) else None)
    return named if isinstance(named, str) else "input"


def _dicts(value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        _refuse("a list of layers", "something else")
    found: list[dict[str, Any]] = value
    return found


def _refuse(expected: str, received: str) -> None:
    raise InvalidArchive("the model described in it", expected=expected, received=received)
