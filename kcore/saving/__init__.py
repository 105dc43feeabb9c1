"""Models and weights in files; layouts of Keras 2, so that either can read what the other wrote.

The names below are imported when they are first used.
"""

from __future__ import annotations

from kcore.plugins.doors import lazy_names

_NAMES = {
    "allow_bytecode": "kcore.saving.bytecode:allow_bytecode",
    "ask_to_proceed_with_overwrite": "kcore.saving.files:ask_to_proceed_with_overwrite",
    "func_dump": "kcore.saving.bytecode:func_dump",
    "func_load": "kcore.saving.bytecode:func_load",
    "function_config": "kcore.saving.bytecode:function_config",
    "function_from_config": "kcore.saving.bytecode:function_from_config",
    "inspect_file": "kcore.saving.inspection:inspect_file",
    "load_model": "kcore.saving.model:load_model",
    "load_weights": "kcore.saving.weights:load_weights",
    "model_from_config": "kcore.saving.architecture:model_from_config",
    "model_from_json": "kcore.saving.architecture:model_from_json",
    "model_from_yaml": "kcore.saving.architecture:model_from_yaml",
    "model_to_json": "kcore.saving.architecture:model_to_json",
    "model_to_yaml": "kcore.saving.architecture:model_to_yaml",
    "preprocess_weights_for_loading": "kcore.saving.weights:preprocess_weights_for_loading",
    "read_provenance": "kcore.saving.provenance:read_provenance",
    "save_model": "kcore.saving.model:save_model",
    "save_weights": "kcore.saving.weights:save_weights",
}

__all__ = sorted(_NAMES)
__getattr__, __dir__ = lazy_names(__name__, _NAMES)
