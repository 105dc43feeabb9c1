"""The numbers of the table's models: drawn weights and inputs, the same on either framework."""

from __future__ import annotations

from typing import Any

import numpy as np
from array_store import ArrayStore

from interchange.shapes import Built


def draw_weights(model: Any, store: ArrayStore) -> None:
    """Give every weight drawn values, variances positive ones; so that no two arrays are alike, none zero or one."""
    for layer in model.layers:
        if hasattr(layer, "layers"):
            draw_weights(layer, store)
        else:
            layer.set_weights([_draw_weight(weight, store) for weight in layer.weights])


def _draw_weight(weight: Any, store: ArrayStore) -> np.ndarray:
    positive = "variance" in weight.name
    return store.draw([int(n) for n in weight.shape], 0.2 if positive else 0.25, 1.0 if positive else 0.0)[1]


def draw_inputs(built: Built, store: ArrayStore) -> tuple[list[Any], list[np.ndarray]]:
    """References and arrays of what is fed to a model."""
    found = [
        (source, np.asarray(source["values"], source["dtype"])) if isinstance(source, dict) else store.draw(source)
        for source in built.sources
    ]
    return [ref for ref, _ in found], [np.asarray(a, "int32" if a.dtype == np.int32 else "float32") for _, a in found]
