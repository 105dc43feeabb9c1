"""`Concatenate`: tensors joined along an axis."""

from __future__ import annotations

from typing import Any

from kcore import backend as K
from kcore.errors import ShapeError
from kcore.shapes import whole_number
from kcore_layers_merge.base import Merge


class Concatenate(Merge):
    """Joins tensors that agree in all axes but one (manual, 5.8.6).

    Args:
        axis: int, the axis along which to join.
    """

    def __init__(self, axis: int = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = whole_number(axis, "axis", self)

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        self.compute_output_shape(input_shape)

    def call(self, inputs: Any) -> Any:
        self.check_list(inputs)
        return K.concatenate(inputs, axis=self.axis)

    def compute_output_shape(self, input_shape: Any) -> Any:
        self.check_list(input_shape)
        shapes = [tuple(s) for s in input_shape]
        first, ndim = shapes[0], len(shapes[0])
        if any(len(s) != ndim for s in shapes) or not -ndim <= self.axis < ndim:
            raise ShapeError(self._mismatch(shapes))
        at = self.axis % ndim
        dims = list(first)
        for shape in shapes[1:]:
            for i, (a, b) in enumerate(zip(dims, shape, strict=True)):
                if i == at:
                    dims[i] = None if a is None or b is None else a + b
                elif a is not None and b is not None and a != b:
                    raise ShapeError(self._mismatch(shapes))
                else:
                    dims[i] = b if a is None else a
        return tuple(dims)

    def _mismatch(self, shapes: list[Any]) -> str:
        return (
            f"Layer {self.name} (Concatenate) requires inputs with matching shapes except for the concat axis "
            f"({self.axis}). Got shapes {', '.join(map(str, shapes))}"
        )

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """The masks joined like the inputs; an input without one counts as valid everywhere."""
        if all(m is None for m in mask or ()):
            return None
        self.check_list(inputs)
        if len(mask) != len(inputs):
            raise ShapeError(f"Layer {self.name} has {len(inputs)} inputs but got {len(mask)} masks")
        ones = [K.ones_like(x, dtype="bool") for x in inputs]
        full = [
            one if m is None else K.cast(_expanded(m, K.ndim(one)), "bool") & one
            for m, one in zip(mask, ones, strict=True)
        ]
        return K.all(K.concatenate(full, axis=self.axis), axis=-1, keepdims=False)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis}


def _expanded(mask: Any, ndim: int) -> Any:
    for _ in range(ndim - K.ndim(mask)):
        mask = K.expand_dims(mask, axis=-1)
    return mask
