"""Whole models in HDF5 files: `save_model` and `load_model`.

attributes: model_config, training_config (JSON), keras_version, backend, kcore_provenance
model_weights/       see `weights.py`
kcore_random_state/  see `random_state.py`, where it was asked for
optimizer_weights/   the optimizer's state; attribute weight_names
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import h5py

from kcore.engine.network import Network
from kcore.errors import ArgumentError, KcoreError, SavedModelError
from kcore.plugins import hooks
from kcore.plugins.scopes import CustomObjectScope
from kcore.saving.architecture import json_value, model_description, model_from_config, parse_json
from kcore.saving.files import may_write, name_of, reading, writing
from kcore.saving.groups import member, text_attribute
from kcore.saving.provenance import check_provenance, write_provenance
from kcore.saving.random_state import restore_random_state as restore_state
from kcore.saving.random_state import write_random_state
from kcore.saving.training import compile_from, read_training_config, restore_optimizer, write_training
from kcore.saving.weights import KERAS_VERSION, LAYOUT_BACKEND, matched_in_order, set_and_release, write_weights

if TYPE_CHECKING:
    from kcore.engine.model import Model


def save_model(
    model: Any,
    filepath: Any,
    overwrite: bool = True,
    include_optimizer: bool = True,
    include_random_state: bool = False,
) -> None:
    """Save architecture, weights, and training configuration and state to one HDF5 file.

    A file is replaced in one step, when everything has been written: a crash leaves the old one whole.

    Args:
        model: model.
        filepath: path, open `h5py.File` or `Group`, or binary file object.
        overwrite: boolean; False asks on the terminal before an existing file is replaced.
        include_optimizer: boolean, whether training configuration and optimizer state are saved too.
        include_random_state: boolean, whether the state of drop-out and noise, and of NumPy's global generator (which
            shuffles), is saved too; `load_model(..., restore_random_state=True)` then goes on to the bit.
    """
    if not may_write(filepath, overwrite):
        return
    description = json.loads(json.dumps(model_description(model), default=json_value))
    config = json.dumps({key: description[key] for key in ("class_name", "config")})
    with writing(filepath) as group:
        group.attrs["keras_version"] = KERAS_VERSION.encode("utf-8")
        group.attrs["backend"] = LAYOUT_BACKEND.encode("utf-8")
        group.attrs["model_config"] = config.encode("utf-8")
        write_provenance(group, model, description)
        write_weights(group.create_group("model_weights"), model.layers)
        if include_optimizer and getattr(model, "optimizer", None):
            write_training(group, model)
        if include_random_state:
            write_random_state(group, model)
    hooks.call("kcore_model_saved", model=model, path=name_of(filepath))


def load_model(
    filepath: Any,
    custom_objects: Mapping[str, Any] | None = None,
    compile: bool = True,
    restore_random_state: bool = False,
) -> Model:
    """Load a model that `save_model`, or Keras 2, wrote.

    Args:
        filepath: path, open `h5py.File` or `Group`, binary file object, or bytes.
        custom_objects: dictionary, names to classes and functions that are not installed as plugins; for a
            `Lambda`, also the layer's name to its function.
        compile: boolean, whether to compile the model as it was when it was saved.
        restore_random_state: boolean, whether drop-out, noise and NumPy's global generator go on where they were when
            the model was saved with `include_random_state=True`.

    Returns:
        A model; compiled, with the optimizer's state, where the file has that and `compile` is True.

    Raises:
        OSError: the file is missing, or cannot be read.
        ValueError: it holds no model, a damaged one, or one with something that nobody has.
    """
    with CustomObjectScope(custom_objects or {}), reading(filepath) as group:
        model = _architecture(group, custom_objects, compile)
        # All weights are read and checked before the first is set.
        weights = member(group, "model_weights", h5py.Group)
        set_and_release(matched_in_order(weights, model.layers, of_this_model=True))
        config = read_training_config(group) if compile else None
        if config is not None:
            _compile(model, config, group)
        if restore_random_state:
            restore_state(group, model)
    hooks.call("kcore_model_loaded", model=model, path=name_of(filepath))
    return model


def _architecture(group: Any, custom_objects: Mapping[str, Any] | None, compiled: bool) -> Any:
    source = text_attribute(group, "model_config")
    if source is None:
        raise SavedModelError(
            "No model found in the file: it has no attribute 'model_config'. If it holds weights only, make the model "
            "and use model.load_weights(filepath)."
        )
    check_provenance(group, custom_objects, compiled)
    model = model_from_config(parse_json(source, "The description of the model"), custom_objects)
    if not isinstance(model, Network):
        raise SavedModelError(f"The file describes a {type(model).__name__}, which is no model.")
    return model


def _compile(model: Any, config: Mapping[str, Any], group: Any) -> None:
    try:
        compile_from(model, config)
        restore_optimizer(group, model)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        if isinstance(error, KcoreError) and not isinstance(error, ArgumentError):
            raise
        raise SavedModelError(
            f"The model cannot be compiled as it was: {type(error).__name__}: {error}. Load it with compile=False and "
            "compile it yourself."
        ) from error
