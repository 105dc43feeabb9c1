"""Merging element by element, with broadcasting."""

from __future__ import annotations

from functools import reduce
from typing import Any

from kcore import backend as K
from kcore.errors import ArgumentError
from kcore_layers_merge.base import Merge


class ElementwiseMerge(Merge):
    """Base of layers that combine tensors of one shape, or of shapes that broadcast, element by element.

    A subclass has `_merge_function`, as those that were written for Keras 2 have, where this class is
    `keras.layers.merge._Merge`:

        class Geometric(ElementwiseMerge):
            def _merge_function(self, inputs):
                return K.sqrt(inputs[0] * inputs[1])
    """

    def _merge_function(self, inputs: list[Any]) -> Any:
        """The result for inputs of equal rank."""
        raise NotImplementedError

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        self.broadcast([tuple(s) for s in input_shape])

    def call(self, inputs: Any) -> Any:
        self.check_list(inputs)
        ndim = max(K.ndim(x) for x in inputs)
        return self._merge_function([_with_rank(x, ndim) for x in inputs])

    def compute_output_shape(self, input_shape: Any) -> Any:
        self.check_list(input_shape)
        return self.broadcast([tuple(s) for s in input_shape])


def _with_rank(x: Any, ndim: int) -> Any:
    for _ in range(ndim - K.ndim(x)):
        x = K.expand_dims(x, axis=1)
    return x


class Add(ElementwiseMerge):
    """The sum of a list of tensors (manual, 5.8.1)."""

    def _merge_function(self, inputs: list[Any]) -> Any:
        return reduce(lambda a, b: a + b, inputs)


class Subtract(ElementwiseMerge):
    """The first of two tensors less the second (manual, 5.8.2)."""

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        if len(input_shape) != 2:
            raise ArgumentError(
                f"Layer {self.name} (Subtract) should be called on exactly 2 inputs, got {len(input_shape)}"
            )

    def _merge_function(self, inputs: list[Any]) -> Any:
        if len(inputs) != 2:
            raise ArgumentError(f"Layer {self.name} (Subtract) should be called on exactly 2 inputs, got {len(inputs)}")
        return inputs[0] - inputs[1]


class Multiply(ElementwiseMerge):
    """The product of a list of tensors, element by element (manual, 5.8.3)."""

    def _merge_function(self, inputs: list[Any]) -> Any:
        return reduce(lambda a, b: a * b, inputs)


class Average(ElementwiseMerge):
    """The mean of a list of tensors, element by element (manual, 5.8.4)."""

    def _merge_function(self, inputs: list[Any]) -> Any:
        return reduce(lambda a, b: a + b, inputs) / len(inputs)


class Maximum(ElementwiseMerge):
    """The largest of a list of tensors, element by element (manual, 5.8.5)."""

    def _merge_function(self, inputs: list[Any]) -> Any:
        return reduce(K.maximum, inputs)


class Minimum(ElementwiseMerge):
    """The smallest of a list of tensors, element by element."""

    def _merge_function(self, inputs: list[Any]) -> Any:
        return reduce(K.minimum, inputs)
