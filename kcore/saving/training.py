"""Training configuration and optimizer state in files of whole models."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import h5py
import numpy as np

from kcore import backend as K
from kcore.errors import SavedModelError, warn
from kcore.plugins import registry
from kcore.plugins.objects import deserialize_keras_object, serialize_keras_object
from kcore.saving.architecture import json_value, parse_json
from kcore.saving.groups import member, read_arrays, read_names, text_attribute, write_array, write_names
from kcore.saving.translate import translate_training
from kcore.saving.weights import names_in_file, weight_names

GROUP = "optimizer_weights"
#: The step counter, where the optimizer's weights do not hold it: some of Keras 2.1 lose it, and with it the decay of
#: the learning rate. Keras ignores the attribute.
STEPS = "kcore_iterations"


# --- writing -----------------------------------------------------------------------------------------------


def write_training(group: Any, model: Any) -> None:
    """Write how a compiled model is trained, and the state of its optimizer."""
    optimizer = model.optimizer
    if not hasattr(optimizer, "get_config") or type(optimizer).__name__ == "TFOptimizer":
        warn(
            "The optimizer comes from elsewhere and has no configuration that could be saved. As a result, the model "
            "is saved without it and has to be compiled again after loading. Use an optimizer of kcore instead, for "
            "example by its name: optimizer='sgd'."
        )
        return
    config = {
        "optimizer_config": serialize_keras_object(optimizer),
        "loss": model.loss,
        "metrics": model.metrics,
        "sample_weight_mode": model.sample_weight_mode,
        "loss_weights": model.loss_weights,
    }
    if model.weighted_metrics:
        config["weighted_metrics"] = model.weighted_metrics
    group.attrs["training_config"] = json.dumps(config, default=json_value).encode("utf-8")
    weights = list(getattr(optimizer, "weights", None) or ())
    if not weights:
        return
    state = group.create_group(GROUP)
    iterations = getattr(optimizer, "iterations", None)
    if iterations is not None and not any(iterations is weight for weight in weights):
        state.attrs[STEPS] = K.get_value(iterations)
    names = weight_names(weights)
    write_names(state, "weight_names", names)
    for name, weight in zip(names, weights, strict=True):
        write_array(state, name, K.get_value(weight))


# --- reading -----------------------------------------------------------------------------------------------


def read_training_config(group: Any) -> dict[str, Any] | None:
    """The training configuration, or None where the model was saved without one."""
    source = text_attribute(group, "training_config")
    if source is None:
        return None
    config = parse_json(source, "The training configuration")
    if not isinstance(config, dict) or not isinstance(config.get("optimizer_config"), dict):
        raise SavedModelError(f"The training configuration is damaged: {config!r:.200}")
    return translate_training(config)


def compile_from(model: Any, config: Mapping[str, Any]) -> None:
    """Compile a model as the configuration says; custom objects come from the scopes in force."""
    mapping = registry.mapping("optimizers")
    optimizer = deserialize_keras_object(config["optimizer_config"], mapping, None, "optimizer")
    arguments = {
        "loss": _objects(config.get("loss"), "losses"),
        "metrics": _for_outputs(_objects(config.get("metrics"), "metrics"), model),
        "sample_weight_mode": config.get("sample_weight_mode"),
    }
    if config.get("loss_weights") is not None:
        arguments["loss_weights"] = config["loss_weights"]
    if config.get("weighted_metrics") is not None:
        arguments["weighted_metrics"] = _for_outputs(_objects(config["weighted_metrics"], "metrics"), model)
    model.compile(optimizer=optimizer, **arguments)


def _for_outputs(metrics: Any, model: Any) -> Any:
    """Metrics that stand in one list for each output, as later versions write them, by the outputs' names."""
    nested = isinstance(metrics, list) and metrics and all(isinstance(part, list) for part in metrics)
    if not nested or len(metrics) != len(model.output_names):
        return metrics
    return {name: part for name, part in zip(model.output_names, metrics, strict=True) if part}


def _objects(value: Any, kind: str) -> Any:
    """Names stay names; descriptions of objects become objects."""
    if isinstance(value, dict):
        if "class_name" in value and "config" in value:
            return deserialize_keras_object(value, registry.mapping(kind), None, kind)
        return {key: _objects(item, kind) for key, item in value.items()}
    if isinstance(value, list):
        return [_objects(item, kind) for item in value]
    return value


def restore_optimizer(group: Any, model: Any) -> None:
    """Give the optimizer of a compiled model the state that the file has.

    Where it does not fit, training starts with a fresh optimizer and a warning, as in Keras.
    """
    if GROUP not in group:
        return
    model._make_train_function()
    try:
        state = member(group, GROUP, h5py.Group)
        most = (1 << 20) + 4 * sum(K.count_params(w) * np.dtype(w.dtype).itemsize for w in model.optimizer.weights)
        names = read_names(state, "weight_names")
        values = read_arrays(state, names, most)
        own_names = names_in_file(member(group, "model_weights", h5py.Group), model.layers)
        _set_state(model, _slot_by_slot(names, values, own_names), own_names)
        if STEPS in state.attrs:
            K.set_value(model.optimizer.iterations, state.attrs[STEPS])
    except (ValueError, TypeError, KeyError) as error:
        warn(
            "Error in loading the saved optimizer state. As a result, your model is starting with a freshly "
            f"initialized optimizer. ({error})"
        )


def _slot_by_slot(names: list[str], values: list[Any], own_names: dict[int, str]) -> list[Any]:
    """The state with all first moments before all second ones; the latest versions go weight by weight.

    They call a slot `Adam/m/dense/kernel:0`: optimizer, slot, name of the weight.
    """
    weights = set(own_names.values())
    parts = [name.split("/", 2) for name in names[1:]]
    if not parts or any(len(part) < 3 or part[2] not in weights for part in parts):
        return values
    order = {slot: place for place, slot in enumerate(dict.fromkeys(part[1] for part in parts))}
    places = sorted(range(len(parts)), key=lambda i: order[parts[i][1]])
    return values[:1] + [values[1 + i] for i in places]


def _set_state(model: Any, values: list[Any], own_names: dict[int, str]) -> None:
    """Set the state, in the order of the model's weights or, as Keras 2.0 did, in that of their names."""
    if len(values) == 1 < len(model.optimizer.weights):
        K.set_value(model.optimizer.weights[0], values[0])  # the step counter of an optimizer that took no step
        return
    try:
        model.optimizer.set_weights(values)
    except ValueError:
        sorted_values = _from_sorted_order(model, values, own_names)
        if sorted_values is None:
            raise
        model.optimizer.set_weights(sorted_values)


def _from_sorted_order(model: Any, values: list[Any], own_names: dict[int, str]) -> list[Any] | None:
    """Slots that stand in the order of the weights' names, put into the order of the weights; None: they do not.

    Files of Keras 2.0 begin with the step counter, and then have one slot for each weight, once or more. The names
    are those of the file: `bn_10_1` stands before `bn_1_1`, but `bn_10` after `bn_1`.
    """
    weights = model.setup.trainable_weights
    count = len(weights)
    if count == 0 or (len(values) - 1) % count:
        return None
    by_name = sorted(range(count), key=lambda i: own_names.get(id(weights[i]), weights[i].name))
    place = {index: position for position, index in enumerate(by_name)}
    slots = [values[start : start + count] for start in range(1, len(values), count)]
    return values[:1] + [slot[place[index]] for slot in slots for index in range(count)]
