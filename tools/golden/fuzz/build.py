"""Makes the model of a case on whichever framework: `Side` says how layers are made and called there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np


class Side:
    """A framework: kcore as it is; `reference.Peer` changes what tf-keras does otherwise."""

    def __init__(self, keras: Any) -> None:
        self.keras = keras
        self.functions = functions(keras)

    # -- layers --------------------------------------------------------------------------------------------
    def layer(self, described: dict[str, Any], name: str | None = None) -> Any:
        """A layer of `{"class_name", "config"}`, or a model of `{"model"}` or `{"sequential"}`."""
        if "model" in described:
            return build(described["model"], self, name).model
        if "sequential" in described:
            model = self.keras.models.Sequential(name=name) if name else self.keras.models.Sequential()
            for one in described["sequential"]:
                model.add(self.layer(one))
            return model
        config = {key: self.meant(key, value) for key, value in described["config"].items()}
        if name is not None:
            config["name"] = name
        return self.make(described["class_name"], config)

    def meant(self, key: str, value: Any) -> Any:
        """An argument of a layer, objects in the place of their descriptions."""
        if key in ("layer", "cell") and isinstance(value, dict):
            return self.layer(value)
        if key in ("cells", "cell") and isinstance(value, list):
            return [self.layer(one) for one in value]
        if key == "function":
            return self.functions[value]
        if isinstance(value, dict) and "class_name" in value:
            module = self.keras.constraints if key.endswith("constraint") else self.keras.regularizers
            made = getattr(module, value["class_name"])
            return made(**value["config"])
        if isinstance(value, list):
            return tuple(self.meant("", one) for one in value)
        return value

    def make(self, class_name: str, config: dict[str, Any]) -> Any:
        return getattr(self.keras.layers, class_name)(**config)

    def call(self, layer: Any, inputs: list[Any], states: list[Any], described: dict[str, Any]) -> list[Any]:
        arguments = {"initial_state": states} if states else {}
        outputs = layer(inputs if len(inputs) > 1 else inputs[0], **arguments)
        return list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]


class Built:
    """A model, its layers by key and its tensors by number."""

    def __init__(self, model: Any, layers: dict[str, Any], tensors: dict[str, Any]) -> None:
        self.model, self.layers, self.tensors = model, layers, tensors


def build(spec: dict[str, Any], side: Side, name: str | None = None) -> Built:
    """The model of a case, or of a model in it; only what its outputs need is made."""
    K = side.keras
    tensors: dict[str, Any] = {}
    layers: dict[str, Any] = {}
    for one in spec["inputs"]:
        dtype = "int32" if one["kind"] == "ids" else None
        tensors[one["id"]] = K.layers.Input(
            batch_shape=tuple(one["batch_shape"]), name=one["id"], **({"dtype": dtype} if dtype else {})
        )
    for node in spec["nodes"]:
        key = node["layer"]
        if key not in layers:
            layers[key] = side.layer(spec["layers"][key], key)
        outputs = side.call(
            layers[key], [tensors[i] for i in node["inputs"]], [tensors[i] for i in node.get("states", ())],
            spec["layers"][key],
        )  # fmt: skip
        tensors.update(zip(node["outputs"], outputs))
    ins = [tensors[one["id"]] for one in spec["inputs"]]
    outs = [tensors[i] for i in spec["outputs"]]
    model = K.models.Model(
        ins if len(ins) > 1 else ins[0], outs if len(outs) > 1 else outs[0], **({"name": name} if name else {})
    )
    for key in spec.get("frozen", ()):
        layers[key].trainable = False
    return Built(model, layers, tensors)


def pruned(spec: dict[str, Any]) -> dict[str, Any]:
    """The case without what its outputs do not depend on."""
    needed, kept = set(spec["outputs"]), []
    for node in reversed(spec["nodes"]):
        if needed & set(node["outputs"]):
            kept.append(node)
            needed |= {*node["inputs"], *node.get("states", ())}
    nodes = kept[::-1]
    keys = {node["layer"] for node in nodes}
    return {
        **spec,
        "inputs": [one for one in spec["inputs"] if one["id"] in needed],
        "nodes": nodes,
        "layers": {k: v for k, v in spec["layers"].items() if k in keys},
        "frozen": [k for k in spec.get("frozen", ()) if k in keys],
    }


def weights_of(layer: Any, described: dict[str, Any] | None = None) -> Iterator[Any]:
    """The variables of a layer in the order of Keras 2.1.6; those of models as the case names their layers."""
    if described and "model" in described:
        there = {one.name: one for one in layer.layers}
        for key, inner in described["model"]["layers"].items():
            yield from weights_of(there[key], inner)
    elif hasattr(layer, "forward_layer"):
        yield from weights_of(layer.forward_layer)
        yield from weights_of(layer.backward_layer)
    elif hasattr(layer, "layers"):
        for one in layer.layers:
            yield from weights_of(one)
    elif hasattr(layer, "layer"):
        yield from weights_of(layer.layer)
    else:
        yield from layer.weights


def all_weights(built: Built, spec: dict[str, Any]) -> list[tuple[str, Any]]:
    """Variables of a model with the key of their layer, in the order in which the case names the layers."""
    return [(key, w) for key, one in spec["layers"].items() for w in weights_of(built.layers[key], one)]


def first_values(shapes: list[tuple[str, tuple[int, ...]]], seed: int) -> list[np.ndarray]:
    """Values to begin with, by names and shapes: variances positive, counts as they are."""
    random = np.random.RandomState(seed)
    values = []
    for name, shape in shapes:
        drawn = random.uniform(-0.7, 0.7, shape)
        values.append(np.abs(drawn) + 0.5 if "variance" in name else drawn)
    return values


def functions(keras: Any) -> dict[str, Any]:
    """What `Lambda` layers of a case compute."""
    K = keras.backend
    return {
        "double": lambda x: 2 * x,
        "square": lambda x: K.square(x) - 1,
        "reverse": lambda x: K.reverse(x, axes=1),
        "center": lambda x: x - K.mean(x, axis=-1, keepdims=True),
        "first": lambda x: x[:, :1],
        "last": lambda x: x[..., -1:],
        "both": lambda x: K.concatenate([K.tanh(x), K.exp(-K.abs(x))], axis=-1),
        "sum": lambda x: K.sum(x, axis=-1, keepdims=True),
        "softly": lambda x: K.softmax(x) * K.sigmoid(x),
        "expand": lambda x: K.expand_dims(x, 1),
    }
