"""Write a model as Keras 2 wrote its ``.h5`` files, from the configuration that Keras 3 gives."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import h5py

if TYPE_CHECKING:
    from pathlib import Path

NESTED = ("Functional", "Sequential")


def as_keras_2(source: Path, goal: Path) -> None:
    """Convert a file: no shapes of tensors, no modules, connections as plain lists."""
    with h5py.File(source) as old, h5py.File(goal, "w") as new:
        config = json.loads(old.attrs["model_config"])
        new.attrs["keras_version"] = "2.15.0"
        new.attrs["backend"] = "tensorflow"
        new.attrs["model_config"] = json.dumps(_record(config))
        if "training_config" in old.attrs:
            new.attrs["training_config"] = old.attrs["training_config"]
        if "model_weights" in old:
            old.copy("model_weights", new)


def _record(record: dict[str, Any]) -> dict[str, Any]:
    config = dict(record["config"])
    kept = {key: record[key] for key in ("class_name", "name") if key in record}
    if isinstance(config.get("layers"), list):
        kinds = {
            item.get("name", item["config"].get("name")): item["class_name"]
            for item in config["layers"]
        }
        config["layers"] = [_layer(item, kinds) for item in config["layers"]]
    return {**kept, "config": _plain(config)}


def _layer(item: dict[str, Any], kinds: dict[str, str]) -> dict[str, Any]:
    record = _record(item)
    settings = record["config"]
    if item["class_name"] == "InputLayer":
        settings["batch_input_shape"] = settings.pop("batch_shape")
    if item["class_name"] == "Lambda":
        settings |= {"function": ["4wEAAAAAAA==\n", None, None], "function_type": "lambda"}
    if "inbound_nodes" in item:
        record["inbound_nodes"] = [_node(node, kinds) for node in item["inbound_nodes"]]
    return record


def _node(node: dict[str, Any], kinds: dict[str, str]) -> list[Any]:
    wires = _tensors([node["args"], node["kwargs"]])
    return [
        [name, call + (kinds.get(name) in NESTED), place, {}]
        for name, call, place in (tensor["config"]["keras_history"] for tensor in wires)
    ]


def _tensors(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, dict):
        if value.get("class_name") == "__keras_tensor__":
            return [value]
        value = list(value.values())
    return [t for item in value for t in _tensors(item)] if isinstance(value, list) else []


def _plain(value: Any) -> Any:
    """Leave out what Keras 2 did not write."""
    if isinstance(value, dict) and value.get("class_name") == "DTypePolicy":
        return value["config"]["name"]
    if isinstance(value, dict):
        return {
            key: _plain(item)
            for key, item in value.items()
            if key not in ("module", "registered_name", "build_config")
        }
    return [_plain(item) for item in value] if isinstance(value, list) else value
