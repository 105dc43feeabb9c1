"""`Dot`: products of samples."""

from __future__ import annotations

from typing import Any

from kcore import backend as K
from kcore.errors import ArgumentError, ShapeError
from kcore.shapes import plain
from kcore_layers_merge.base import Merge


class Dot(Merge):
    """The product of two tensors, sample by sample (manual, 5.8.7).

    For inputs ``(batch, n)`` and ``(batch, n)`` with ``axes=1`` the output is ``(batch, 1)``: element i is the dot
    product of sample i of the first and sample i of the second.

    Args:
        axes: int, or a pair of ints: the axis of each input along which to multiply and sum. The batch axis is 0.
        normalize: whether to L2-normalize the samples along these axes first; the output is then the cosine
            proximity.
    """

    def __init__(self, axes: Any, normalize: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        axes = plain(axes)
        if not isinstance(axes, int):
            if not isinstance(axes, (list, tuple)) or len(axes) != 2 or not all(isinstance(a, int) for a in axes):
                raise ArgumentError(f"axes of Dot must be an int or a pair of ints, got {axes!r}")
            axes = tuple(axes)
        self.axes = axes
        self.normalize = normalize

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        if len(input_shape) != 2:
            raise ArgumentError(f"Layer {self.name} (Dot) should be called on exactly 2 inputs, got {len(input_shape)}")
        first, second = input_shape
        a, b = self._axes(len(first), len(second))
        if first[a] is not None and second[b] is not None and first[a] != second[b]:
            raise ShapeError(
                f"Layer {self.name} (Dot) cannot multiply axis {a} of {tuple(first)} with axis {b} of {tuple(second)}: "
                f"{first[a]} != {second[b]}"
            )

    def _axes(self, first: int, second: int) -> tuple[int, int]:
        """The two axes, counted from the front; `first` and `second` are the ranks."""
        a, b = (self.axes, self.axes) if isinstance(self.axes, int) else self.axes
        for axis, ndim in ((a, first), (b, second)):
            if not -ndim <= axis < ndim or axis % ndim == 0:
                raise ShapeError(
                    f"Layer {self.name} (Dot): axis {axis} is the batch axis or out of range for {ndim} axes"
                )
        return a % first, b % second

    def call(self, inputs: Any) -> Any:
        self.check_list(inputs)
        x, y = inputs
        a, b = self._axes(K.ndim(x), K.ndim(y))
        if self.normalize:
            x, y = K.l2_normalize(x, axis=a), K.l2_normalize(y, axis=b)
        return K.batch_dot(x, y, axes=[a, b])

    def compute_output_shape(self, input_shape: Any) -> Any:
        self.check_list(input_shape)
        first, second = (list(s) for s in input_shape)
        a, b = self._axes(len(first), len(second))
        first.pop(a)
        second.pop(b)
        shape = first + second[1:]
        return tuple(shape) if len(shape) > 1 else (*shape, 1)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return None

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axes": self.axes, "normalize": self.normalize}
