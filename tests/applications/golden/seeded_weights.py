"""Weights that two programs can make alike, without a file: each array is drawn by its position and kind.

Scales keep the activations near 1 from layer to layer (He et al., 2015), and every array of a normalization differs
from its initial value, so that no swapped or forgotten weight goes unnoticed.
"""

import numpy as np


def seeded_weights(layer, first):
    """New values for a layer's weights.

    Args:
        layer: a layer, of either library.
        first: how many weights the layers before it have.
    """
    kinds = [weight.name.split("/")[-1].split(":")[0].rstrip("_0123456789") for weight in layer.weights]
    shapes = [weight.shape for weight in layer.get_weights()]
    values = [_values(np.random.RandomState(first + i), *w) for i, w in enumerate(zip(kinds, shapes))]
    if layer.name.startswith("bn") and layer.name.endswith("branch2c"):
        # The last scale of a residual branch of ResNet50 begins small (Goyal et al., 2017): else the sums of 16 blocks
        # grow until the softmax saturates.
        values[kinds.index("gamma")] *= np.float32(0.2)
    return values


def _values(draws, kind, shape):
    noise = draws.standard_normal(shape).astype("float32")
    if kind in ("kernel", "pointwise_kernel", "depthwise_kernel"):
        fan_in = np.prod(shape[:2]) if kind == "depthwise_kernel" else np.prod(shape[:-1])
        return noise * np.float32(np.sqrt((2.0 if kind == "kernel" else 1.0) / fan_in))
    if kind in ("gamma", "moving_variance"):
        return 1.0 + 0.4 * np.tanh(noise)
    if kind in ("beta", "bias", "moving_mean"):
        return 0.1 * noise
    raise ValueError(f"a weight called {kind}")


def fill(model):
    """Gives a model its seeded weights."""
    first = 0
    for layer in model.layers:
        if layer.weights:
            layer.set_weights(seeded_weights(layer, first))
            first += len(layer.weights)
