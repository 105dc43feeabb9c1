"""Layers, models and training.

The names below are imported when they are first used.
"""

from __future__ import annotations

from kcore.plugins.doors import lazy_names

_NAMES = {
    "Callback": "kcore.engine.callbacks:Callback",
    "Input": "kcore.engine.input_layer:Input",
    "InputLayer": "kcore.engine.input_layer:InputLayer",
    "InputSpec": "kcore.engine.spec:InputSpec",
    "Layer": "kcore.engine.layer:Layer",
    "Model": "kcore.engine.model:Model",
    "Network": "kcore.engine.network:Network",
    "Container": "kcore.engine.network:Network",
    "Node": "kcore.engine.node:Node",
    "Optimizer": "kcore.engine.optimizer:Optimizer",
    "Sequential": "kcore.engine.sequential:Sequential",
    "Wrapper": "kcore.engine.wrapper:Wrapper",
    "clone_model": "kcore.engine.clone:clone_model",
    "get_source_inputs": "kcore.engine.graph_map:get_source_inputs",
    "print_summary": "kcore.engine.summary:print_summary",
}

__all__ = sorted(_NAMES)
__getattr__, __dir__ = lazy_names(__name__, _NAMES)
