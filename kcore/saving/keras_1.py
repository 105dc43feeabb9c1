"""Configurations of Keras 1, in the words of Keras 2.

Keras 1 has other names for layers (`Convolution2D`), for their arguments (`nb_filter`, `border_mode`) and for what
arguments hold (`{"name": "MaxNorm", "m": 2}`), and one layer `Merge` with a mode. What Keras 2 has no word for is left
as it is, and refused by the layer that does not know it. Weights are converted by the layers that own them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kcore.errors import SavedModelError, warn
from kcore.versions.keras_1 import CLASSES, LAYER_ARGUMENTS, LENGTHS, value_of

Config = dict[str, Any]

_REGULARIZERS = ("L1L2Regularizer", "WeightRegularizer", "ActivityRegularizer")
_MERGING = {"sum": "Add", "mul": "Multiply", "ave": "Average", "max": "Maximum"}


def translate_layer(name: str, config: Config) -> tuple[str, Config]:
    """Class name and configuration of a layer in the words of Keras 2; those of Keras 2 are returned as they are."""
    if name == "Merge" and "mode" in config and not config.get("layers"):
        return _merge(config)
    today = CLASSES.get(name, name)
    names = LAYER_ARGUMENTS.get(today, {})
    if name == "BatchNormalization" and "mode" in config:
        if config["mode"] != 0:
            raise SavedModelError(
                f"Layer {config.get('name')!r} is a BatchNormalization with mode={config['mode']!r}, of Keras 1; later "
                "versions have mode 0 only. Write it as a layer of your own and give it with custom_objects."
            )
        return name, {key: value for key, value in config.items() if key != "mode"}
    lengths = next((keys for keys in LENGTHS if set(keys) <= set(config)), ())
    if not names or not (lengths or (set(names) & set(config))):
        return name, config
    found: Config = {"kernel_size": [config[key] for key in lengths]} if lengths else {}
    said_by_shape = () if today == "Embedding" else ("input_dim", "input_length")  # batch_input_shape says it too
    for key, value in config.items():
        if key not in lengths and key not in said_by_shape:
            found[names.get(key, key)] = _value(key, value)
    if today == "Conv2DTranspose":
        found.pop("output_shape", None)  # follows from the others
    if today == "Embedding" and found.pop("dropout", 0):
        warn(
            f"Layer {config.get('name')!r} is an Embedding with dropout={config['dropout']}, of Keras 1; later "
            "versions drop nothing there. For further training put a SpatialDropout1D after it."
        )
    return today, found


def _value(key: str, value: Any) -> Any:
    """The value of an argument of Keras 1; regularizers and constraints are described by their names there."""
    if isinstance(value, Mapping) and isinstance(value.get("name"), str):
        return _part(dict(value))
    return value_of(key, value)


def _part(config: Config) -> Config:
    """A regularizer or constraint."""
    name = config.pop("name")
    if name in _REGULARIZERS:
        name = "L1L2"
    if name == "MaxNorm" and "m" in config:
        config["max_value"] = config.pop("m")
    return {"class_name": name, "config": config}


def _merge(config: Config) -> tuple[str, Config]:
    mode = config["mode"]
    own: Config = {key: config[key] for key in ("name", "trainable") if key in config}
    if mode in _MERGING:
        return _MERGING[mode], own
    if mode == "concat":
        return "Concatenate", {**own, "axis": config.get("concat_axis", -1)}
    if mode in ("dot", "cos"):
        return "Dot", {**own, "axes": config.get("dot_axes", -1), "normalize": mode == "cos"}
    raise SavedModelError(
        f"Layer {config.get('name')!r} is a Merge of Keras 1 with the mode {str(mode)[:60]!r}, which cannot be read "
        "from a file. Make the model in your program, with a Lambda, and use model.load_weights(filepath)."
    )


# --- sequential models that begin with several branches ------------------------------------------------------------


def is_branched(config: Any) -> bool:
    """Whether the layers of a `Sequential` begin with a `Merge` of other models."""
    first = config[0] if isinstance(config, list) and config else None
    return isinstance(first, Mapping) and first.get("class_name") == "Merge" and "layers" in first.get("config", ())


def as_functional(config: list[Config], name: str = "branches") -> Config:
    """A `Sequential` that begins with branches, as the functional model with the same layers."""
    layers: list[Config] = []
    inputs: list[str] = []
    last = _chain(config, layers, inputs)
    return {
        "class_name": "Model",
        "config": {
            "name": name,
            "layers": layers,
            "input_layers": [[name, 0, 0] for name in inputs],
            "output_layers": [[last, 0, 0]],
        },
    }


def _chain(config: list[Config], layers: list[Config], inputs: list[str]) -> str:
    """Add the layers of a sequential model to a functional one; returns the name of the last."""
    first, *rest = config
    if is_branched(config):
        merging = {key: value for key, value in first["config"].items() if key != "layers"}
        branches = [_branch(branch, layers, inputs) for branch in first["config"]["layers"]]
        class_name, merging = translate_layer("Merge", merging)
        last = _add(layers, {"class_name": class_name, "config": merging}, branches)
    else:
        shape = first.get("config", {}).get("batch_input_shape")
        if shape is None:
            raise SavedModelError(f"The first layer of a branch has no batch_input_shape: {first!r:.200}")
        dtype = first["config"].get("input_dtype") or first["config"].get("dtype") or "float32"
        inputs.append(f"{first['config']['name']}_input")
        start = {"batch_input_shape": shape, "dtype": dtype, "sparse": False, "name": inputs[-1]}
        last, rest = _add(layers, {"class_name": "InputLayer", "config": start}, []), config
    for layer in rest:
        last = _add(layers, layer, [last])
    return last


def _branch(branch: Any, layers: list[Config], inputs: list[str]) -> str:
    config = branch.get("config") if isinstance(branch, Mapping) else None
    if not isinstance(config, list) or not config:
        raise SavedModelError(
            f"A branch of a sequential model is no Sequential: {branch!r:.100}. Make the model in your program and use "
            "model.load_weights(filepath)."
        )
    return _chain(config, layers, inputs)


def _add(layers: list[Config], layer: Config, sources: list[str]) -> str:
    name = layer["config"]["name"]
    nodes = [[[source, 0, 0] for source in sources]] if sources else []
    layers.append({**layer, "name": name, "inbound_nodes": nodes})
    return str(name)
