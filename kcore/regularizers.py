"""Regularizers: penalties on weights or activations that are added to the loss (manual chapter 16)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kcore import backend as K
from kcore.graph import Tensor
from kcore.plugins import registry
from kcore.plugins.doors import open_door
from kcore.plugins.objects import deserialize_keras_object, interpret, serialize_keras_object
from kcore.shapes import real_number

__getattr__, __dir__ = open_door(__name__, "regularizers")


class Regularizer:
    """Base of all regularizers. A subclass defines `__call__` and, where it has arguments, `get_config`."""

    def __call__(self, x: Tensor) -> Tensor:
        """The penalty for a tensor, a scalar."""
        raise NotImplementedError(f"{type(self).__name__} does not define __call__(x)")

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Regularizer:
        """A regularizer made from what `get_config` returned."""
        return cls(**config)


class L1L2(Regularizer):
    """`l1 * sum(|x|) + l2 * sum(x^2)`.

    Args:
        l1: float >= 0. Factor of the sum of magnitudes.
        l2: float >= 0. Factor of the sum of squares.
    """

    def __init__(self, l1: float = 0.0, l2: float = 0.0) -> None:
        # Rounded to floatx, as in the configurations that Keras writes.
        self.l1 = float(K.cast_to_floatx(real_number(l1, "l1", "a regularizer")))
        self.l2 = float(K.cast_to_floatx(real_number(l2, "l2", "a regularizer")))

    def __call__(self, x: Tensor) -> Tensor:
        penalty = K.constant(0.0)
        if self.l1:
            penalty += self.l1 * K.sum(K.abs(x))
        if self.l2:
            penalty += self.l2 * K.sum(K.square(x))
        return penalty

    def get_config(self) -> dict[str, Any]:
        return {"l1": self.l1, "l2": self.l2}


def l1(l: float = 0.01) -> L1L2:
    """`l * sum(|x|)`."""
    return L1L2(l1=l)


def l2(l: float = 0.01) -> L1L2:
    """`l * sum(x^2)`."""
    return L1L2(l2=l)


def l1_l2(l1: float = 0.01, l2: float = 0.01) -> L1L2:
    """`l1 * sum(|x|) + l2 * sum(x^2)`."""
    return L1L2(l1=l1, l2=l2)


def serialize(regularizer: Any) -> Any:
    """The regularizer as `{"class_name": ..., "config": ...}`; a function as its name."""
    return serialize_keras_object(regularizer)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """Makes a regularizer from its configuration.

    Args:
        config: dictionary with 'class_name' and 'config'.
        custom_objects: name to class or function, for what is not installed as a plugin.
    """
    return deserialize_keras_object(config, registry.mapping("regularizers"), custom_objects, "regularizer")


def get(identifier: Any) -> Any:
    """The regularizer that an argument such as `kernel_regularizer` stands for.

    Args:
        identifier: None, a name ('l2': default arguments), a configuration, or a function of a tensor that
            returns a scalar.

    Raises:
        ValueError: none of these, or nobody has the name.
    """
    return None if identifier is None else interpret("regularizers", identifier, instance=True)
