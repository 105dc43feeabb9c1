"""Weights of recurrent layers in the layouts of other versions and other layers, as files have them.

Three layouts hold what an LSTM or GRU computes with:

- plain: kernel ``(features, gates * units)``, recurrent kernel ``(units, gates * units)``, bias ``(gates * units,)``,
  or ``(2, gates * units)`` for a GRU with `reset_after`;
- cuDNN: kernels of the same shapes that hold each gate's matrix transposed, and two biases in one vector
  ``(2 * gates * units,)``;
- Keras 1: kernel, recurrent kernel and bias of each gate, one gate after the other.

Each function returns arrays that are no other layout's as they are: what does not fit is refused by whoever
compares the shapes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kcore import activations
from kcore.errors import warn

#: Where Keras 1 has the gates that stand first, second ... today. LSTM: i, c, f, o there; i, f, c, o here.
KERAS_1_LSTM = (0, 2, 1, 3)
KERAS_1_GRU = (0, 1, 2)


def joined_gates(weights: Sequence[Any], order: Sequence[int]) -> list[Any]:
    """Keras 1 to plain: the kernels of all gates side by side, and so the recurrent kernels and the biases.

    Args:
        weights: list of arrays; those of another layout are returned as they are.
        order: which of the saved gates stands first, second ... today.
    """
    if len(weights) != 3 * len(order):
        return list(weights)
    return [np.concatenate([weights[3 * gate + part] for gate in order], axis=-1) for part in range(3)]


def is_cudnn(weights: Sequence[Any], gates: int, units: int) -> bool:
    """Whether the weights are in cuDNN's layout, which the length of the bias tells."""
    return len(weights) == 3 and np.shape(weights[2]) == (2 * gates * units,) and _have_gates(weights, gates, units)


def is_plain(weights: Sequence[Any], gates: int, units: int) -> bool:
    """Whether the weights are a plain layer's with a bias (of either form)."""
    biases = ((gates * units,), (2, gates * units))
    return len(weights) == 3 and np.shape(weights[2]) in biases and _have_gates(weights, gates, units)


def _have_gates(weights: Sequence[Any], gates: int, units: int) -> bool:
    return all(np.ndim(w) == 2 and np.shape(w)[1] == gates * units for w in weights[:2])


def plain_kernels(weights: Sequence[Any], gates: int) -> list[Any]:
    """The two kernels, from cuDNN's layout to the plain one.

    A gate's matrix is transposed. That of the input keeps its shape ``(features, units)`` in the file all the same:
    its numbers are those of the transposed matrix, row after row.
    """
    kernel, recurrent_kernel = weights[:2]
    return [
        np.hstack([block.reshape(block.shape[::-1]).T for block in np.hsplit(kernel, gates)]),
        np.hstack([block.T for block in np.hsplit(recurrent_kernel, gates)]),
    ]


def cudnn_kernels(weights: Sequence[Any], gates: int) -> list[Any]:
    """The two kernels, from the plain layout to cuDNN's: the inverse of `plain_kernels`."""
    kernel, recurrent_kernel = weights[:2]
    return [
        np.hstack([block.T.reshape(block.shape) for block in np.hsplit(kernel, gates)]),
        np.hstack([block.T for block in np.hsplit(recurrent_kernel, gates)]),
    ]


def warn_of_other_activations(layer: Any, cudnn: str) -> None:
    """Warn where a plain layer takes the weights of one of cuDNN's, and has not its activations.

    Args:
        layer: the layer that takes them.
        cudnn: class name of the layer whose weights they are.
    """
    own = layer.cell.activation, layer.cell.recurrent_activation
    if own != (activations.tanh, activations.sigmoid):
        activation, recurrent_activation = (getattr(function, "__name__", repr(function)) for function in own)
        warn(
            f"The file has the weights of a {cudnn}, which computes with activation='tanh' and "
            f"recurrent_activation='sigmoid'; layer {layer.name} has activation={activation!r} and "
            f"recurrent_activation={recurrent_activation!r}, so that its outputs will differ. Make it "
            f"{type(layer).__name__}(..., activation='tanh', recurrent_activation='sigmoid')."
        )


def warn_of_cudnn_activations(layer: Any, plain: str) -> None:
    """Warn that one of cuDNN's layers takes the weights of a plain one, whose activations weights do not tell.

    Args:
        layer: the layer that takes them.
        plain: class name of the layer whose weights they are.
    """
    warn(
        f"The file has the weights of a plain {plain}. Layer {layer.name} is a {type(layer).__name__}, which computes "
        "with activation='tanh' and recurrent_activation='sigmoid': its outputs will differ unless the layer that was "
        f"saved did too ({plain}'s default was recurrent_activation='hard_sigmoid'). To be sure, make it the "
        f"{plain} that was saved."
    )
