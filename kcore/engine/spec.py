"""`InputSpec`: what a layer demands of its inputs, and the check of a call against it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kcore.engine.structure import to_list
from kcore.errors import DTypeError, ShapeError
from kcore.graph import Tensor, may_equal

if TYPE_CHECKING:
    from kcore.engine.layer import Layer


class InputSpec:
    """Rank, shape and dtype that one input of a layer must have.

    A layer sets `self.input_spec` to one of these, or to a list, one for each input; every call is
    checked against it and refused with the layer's name.

    Args:
        dtype: string, the dtype demanded.
        shape: tuple of ints and Nones; None stands for any size.
        ndim: int, the rank demanded (that of `shape` where one is given).
        max_ndim, min_ndim: ints, limits of the rank.
        axes: dictionary, axis (may be negative) to the size demanded there; None for any.

    Example:
        >>> self.input_spec = InputSpec(min_ndim=2, axes={-1: input_dim})
    """

    def __init__(
        self,
        dtype: str | None = None,
        shape: tuple[int | None, ...] | None = None,
        ndim: int | None = None,
        max_ndim: int | None = None,
        min_ndim: int | None = None,
        axes: dict[int, int | None] | None = None,
    ) -> None:
        self.dtype = dtype
        self.shape = None if shape is None else tuple(shape)
        self.ndim = ndim if shape is None else len(shape)
        self.max_ndim = max_ndim
        self.min_ndim = min_ndim
        self.axes = axes or {}

    def __repr__(self) -> str:
        stated = [f"{name}={value}" for name, value in vars(self).items() if value]
        return f"InputSpec({', '.join(stated)})"

    def mismatch(self, shape: tuple[int | None, ...], dtype: str) -> str | None:
        """What is wrong with an input of this shape and dtype, or None; unknown sizes are never wrong."""
        if self.dtype is not None and dtype != self.dtype:
            return f"expected dtype={self.dtype}, found dtype={dtype}"
        rank = len(shape)
        if self.ndim is not None and rank != self.ndim:
            return f"expected ndim={self.ndim}, found ndim={rank}"
        if self.max_ndim is not None and rank > self.max_ndim:
            return f"expected max_ndim={self.max_ndim}, found ndim={rank}"
        if self.min_ndim is not None and rank < self.min_ndim:
            return f"expected min_ndim={self.min_ndim}, found ndim={rank}"
        for axis, size in self.axes.items():
            if not -rank <= axis < rank:
                return f"expected an axis {axis}, found ndim={rank}"
            if size is not None and shape[axis] not in (size, None):
                return f"expected axis {axis} of input shape to have value {size} but got shape {shape}"
        if self.shape is not None and not may_equal(self.shape, shape):
            return f"expected shape={self.shape}, found shape={shape}"
        return None


def check_inputs(layer: Layer, inputs: Any) -> None:
    """Refuse inputs that `layer.input_spec` does not allow.

    Args:
        layer: the layer that is called.
        inputs: a tensor or a list of tensors.

    Raises:
        ValueError: not a tensor, the wrong number of tensors, or a tensor of wrong rank, shape or
            dtype; the message names the layer.
    """
    inputs = to_list(inputs)
    for x in inputs:
        if not isinstance(x, Tensor):
            raise DTypeError(
                f"Layer {layer.name} was called with an input that isn't a symbolic tensor. Received: "
                f"{_described(x)}. All inputs to the layer should be tensors: make one "
                "with Input(shape=...), or call model.predict(array) to compute with arrays."
            )
    if not layer.input_spec:
        return
    specs = to_list(layer.input_spec)
    if len(inputs) != len(specs):
        raise ShapeError(
            f"Layer {layer.name} expects {len(specs)} inputs, but it received {len(inputs)} input tensors. "
            f"Inputs received: {', '.join(map(_described, inputs))}"
        )
    for position, (x, spec) in enumerate(zip(inputs, specs, strict=True)):
        if spec is None:
            continue
        wrong = spec.mismatch(x._keras_shape, x.dtype)
        if wrong is not None:
            raise ShapeError(
                f"Input {position} is incompatible with layer {layer.name}: {wrong}. "
                f"Full shape received: {x._keras_shape}; what the layer accepts: {spec!r}",
                shapes=(x._keras_shape, spec.shape),
            )


def _described(x: Any) -> str:
    shape = getattr(x, "shape", None)
    return f"{x!r:.100}" if shape is None or isinstance(x, Tensor) else f"{type(x).__name__} of shape {tuple(shape)}"
