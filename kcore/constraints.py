"""Constraints: what a weight must fulfil, enforced after each update (manual chapter 17)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kcore import backend as K
from kcore.graph import Tensor
from kcore.plugins import registry
from kcore.plugins.doors import open_door
from kcore.plugins.objects import deserialize_keras_object, interpret, serialize_keras_object
from kcore.shapes import plain, real_number, whole_numbers

Axis = int | Sequence[int]

__getattr__, __dir__ = open_door(__name__, "constraints")


class Constraint:
    """Base of all constraints. A subclass defines `__call__` and, where it has arguments, `get_config`."""

    def __call__(self, w: Tensor) -> Tensor:
        """The weight nearest to `w` that fulfils the constraint, of the same shape."""
        raise NotImplementedError(f"{type(self).__name__} does not define __call__(w)")

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Constraint:
        """A constraint made from what `get_config` returned."""
        return cls(**config)


class MaxNorm(Constraint):
    """The incoming weights of each unit have at most a given norm.

    N. Srivastava et al., *Dropout*, JMLR 15, 2014.

    Args:
        max_value: the largest norm.
        axis: int or ints, along which norms are taken: 0 for a Dense kernel `(inputs, outputs)`, (0, 1, 2)
            for a Conv2D kernel `(rows, columns, inputs, outputs)`.
    """

    def __init__(self, max_value: float = 2, axis: Axis = 0) -> None:
        self.max_value = real_number(max_value, "max_value", "MaxNorm")
        self.axis = _checked_axis(axis, self)

    def __call__(self, w: Tensor) -> Tensor:
        norms = _norms(w, self.axis)
        return w * (K.clip(norms, 0, self.max_value) / (K.epsilon() + norms))

    def get_config(self) -> dict[str, Any]:
        return {"max_value": self.max_value, "axis": self.axis}


class NonNeg(Constraint):
    """No weight is negative."""

    def __call__(self, w: Tensor) -> Tensor:
        return K.maximum(w, 0.0)


class UnitNorm(Constraint):
    """The incoming weights of each unit have norm 1.

    Args:
        axis: int or ints, along which norms are taken; see `MaxNorm`.
    """

    def __init__(self, axis: Axis = 0) -> None:
        self.axis = _checked_axis(axis, self)

    def __call__(self, w: Tensor) -> Tensor:
        return w / (K.epsilon() + _norms(w, self.axis))

    def get_config(self) -> dict[str, Any]:
        return {"axis": self.axis}


class MinMaxNorm(Constraint):
    """The incoming weights of each unit have a norm between two bounds.

    Args:
        min_value: the smallest norm.
        max_value: the largest norm.
        rate: share of the way to the bound that one update goes: 1 enforces it, less pulls towards it.
        axis: int or ints, along which norms are taken; see `MaxNorm`.
    """

    def __init__(self, min_value: float = 0.0, max_value: float = 1.0, rate: float = 1.0, axis: Axis = 0) -> None:
        self.min_value = real_number(min_value, "min_value", "MinMaxNorm")
        self.max_value = real_number(max_value, "max_value", "MinMaxNorm")
        self.rate = real_number(rate, "rate", "MinMaxNorm")
        self.axis = _checked_axis(axis, self)

    def __call__(self, w: Tensor) -> Tensor:
        norms = _norms(w, self.axis)
        desired = self.rate * K.clip(norms, self.min_value, self.max_value) + (1 - self.rate) * norms
        return w * (desired / (K.epsilon() + norms))

    def get_config(self) -> dict[str, Any]:
        return {
            "min_value": self.min_value,
            "max_value": self.max_value,
            "rate": self.rate,
            "axis": self.axis,
        }


max_norm = maxnorm = MaxNorm
non_neg = nonneg = NonNeg
unit_norm = unitnorm = UnitNorm
min_max_norm = MinMaxNorm


def serialize(constraint: Any) -> Any:
    """The constraint as `{"class_name": ..., "config": ...}`; a function as its name."""
    return serialize_keras_object(constraint)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """Makes a constraint from its configuration.

    Args:
        config: dictionary with 'class_name' and 'config'.
        custom_objects: name to class or function, for what is not installed as a plugin.
    """
    return deserialize_keras_object(config, registry.mapping("constraints"), custom_objects, "constraint")


def get(identifier: Any) -> Any:
    """The constraint that an argument such as `kernel_constraint` stands for.

    Args:
        identifier: None, a name ('max_norm': default arguments), a configuration, or a function of a tensor
            that returns one of the same shape.

    Raises:
        ValueError: none of these, or nobody has the name.
    """
    return None if identifier is None else interpret("constraints", identifier, instance=True)


def _checked_axis(axis: Any, constraint: Constraint) -> Axis:
    whole_numbers(axis, "axis", type(constraint).__name__)
    return plain(axis)


def _norms(w: Tensor, axis: Axis) -> Tensor:
    # From JSON, several axes come back as a list.
    axes = axis if isinstance(axis, int) else tuple(axis)
    return K.sqrt(K.sum(K.square(w), axis=axes, keepdims=True))
