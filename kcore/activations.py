"""Activation functions: elementwise functions of a tensor, and the softmax (manual chapter 10)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kcore import backend as K
from kcore.errors import ShapeError, warn
from kcore.graph import Tensor
from kcore.plugins import registry
from kcore.plugins.doors import open_door
from kcore.plugins.objects import deserialize_keras_object, interpret, serialize_keras_object

# Fixed points of Klambauer et al.: zero mean and unit variance are kept from layer to layer.
_SELU_ALPHA = 1.6732632423543772848170429916717
_SELU_SCALE = 1.0507009873554804934193349852946

__getattr__, __dir__ = open_door(__name__, "activations")


def softmax(x: Tensor, axis: int = -1) -> Tensor:
    """`exp(x) / sum(exp(x))` along an axis: positive numbers of sum 1.

    Args:
        x: tensor of at least two dimensions, `(batch, ..., features)`.
        axis: the axis along which the sum is 1.

    Raises:
        ShapeError: `x` has fewer than two dimensions.
    """
    if K.ndim(x) < 2:
        raise ShapeError(
            f"Cannot apply softmax to a tensor that is 1D: its shape is {K.int_shape(x)}, and the first "
            "axis is that of the batch. Use K.softmax for a vector.",
            shapes=(K.int_shape(x),),
        )
    return K.softmax(x, axis=axis)


def elu(x: Tensor, alpha: float = 1.0) -> Tensor:
    """`x` where positive, else `alpha * (exp(x) - 1)`. D.-A. Clevert et al., arXiv:1511.07289, 2015."""
    return K.elu(x, alpha)


def selu(x: Tensor) -> Tensor:
    """`scale * elu(x, alpha)` with the two constants that keep activations normalized.

    To be used with the initializer `lecun_normal` and the drop-out `AlphaDropout`. G. Klambauer et al.,
    *Self-Normalizing Neural Networks*, arXiv:1706.02515, 2017.
    """
    return _SELU_SCALE * K.elu(x, _SELU_ALPHA)


def softplus(x: Tensor) -> Tensor:
    """`log(exp(x) + 1)`."""
    return K.softplus(x)


def softsign(x: Tensor) -> Tensor:
    """`x / (|x| + 1)`."""
    return K.softsign(x)


def relu(x: Tensor, alpha: float = 0.0, max_value: float | None = None) -> Tensor:
    """`x` where positive, else `alpha * x`; nowhere above `max_value`, if that is given."""
    return K.relu(x, alpha=alpha, max_value=max_value)


def tanh(x: Tensor) -> Tensor:
    """The hyperbolic tangent."""
    return K.tanh(x)


def sigmoid(x: Tensor) -> Tensor:
    """`1 / (1 + exp(-x))`."""
    return K.sigmoid(x)


def hard_sigmoid(x: Tensor) -> Tensor:
    """`0.2 * x + 0.5`, kept between 0 and 1: a cheap approximation of the sigmoid."""
    return K.hard_sigmoid(x)


def exponential(x: Tensor) -> Tensor:
    """`exp(x)`. Keras has it since 2.2, whose files name it."""
    return K.exp(x)


def linear(x: Tensor) -> Tensor:
    """`x` itself."""
    return x


def serialize(activation: Any) -> Any:
    """The name of an activation function; the configuration of an object that has one."""
    return serialize_keras_object(activation)


def deserialize(name: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The activation function of that name.

    Args:
        name: as `serialize` returned it.
        custom_objects: name to function, for what is not installed as a plugin.
    """
    label = "activation function"
    return deserialize_keras_object(name, registry.mapping("activations"), custom_objects, label)


def get(identifier: Any) -> Any:
    """The activation function that an argument `activation` stands for.

    Args:
        identifier: None (`linear`), a name, a configuration, or a function of a tensor.

    Raises:
        ValueError: none of these, or nobody has the name.
    """
    if identifier is None:
        return linear
    if hasattr(identifier, "compute_output_shape") and hasattr(identifier, "call"):
        warn(
            f"{type(identifier).__name__} is a layer, given as the activation of another layer. Add it to the "
            "model as a layer of its own instead: the model does not know the weights of an activation."
        )
    return interpret("activations", identifier, instance=False)
