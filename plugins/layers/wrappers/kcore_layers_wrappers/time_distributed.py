"""`TimeDistributed`: a layer for every step of a sequence."""

from __future__ import annotations

import inspect
from typing import Any

from kcore import backend as K
from kcore.engine import InputSpec, Layer, Wrapper
from kcore.engine.structure import list_uid
from kcore.errors import ArgumentError, ShapeError


class TimeDistributed(Wrapper):
    """Applies a layer, or a model, to every step of ``(batch, steps, ...)`` (manual, 5.12.1).

    The steps are joined with the batch axis, so that the layer sees all of them at once; batch size and number of
    steps may be unknown.

    Args:
        layer: a layer with one input and one output.
    """

    def __init__(self, layer: Any, **kwargs: Any) -> None:
        if not isinstance(layer, Layer):
            raise ArgumentError(f"TimeDistributed wraps a layer or a model, such as Dense(8); given {layer!r}")
        super().__init__(layer, **kwargs)
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:  # type: ignore[override] # of a wrapper in general it may be None
        if len(input_shape) < 3:
            raise ShapeError(
                f"layer {self.name} (TimeDistributed) needs an input of at least 3 dimensions, (batch, steps, ...); "
                f"got {tuple(input_shape)}"
            )
        self.input_spec = InputSpec(shape=(None, None, *input_shape[2:]))
        child_shape = (None, *input_shape[2:])
        if not self.layer.built:
            self.layer.build(child_shape)
            self.layer.built = True
        super().build()

    def compute_output_shape(self, input_shape: Any) -> Any:
        child = self.layer.compute_output_shape((input_shape[0], *input_shape[2:]))
        return (child[0], input_shape[1], *child[1:])

    def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        known, shape = K.int_shape(inputs), K.shape(inputs)
        batch, steps = (shape[i] if known[i] is None else known[i] for i in (0, 1))
        joined = K.reshape(inputs, (-1, *(d if d is not None else shape[i] for i, d in enumerate(known) if i > 1)))
        self._input_map[list_uid(inputs)] = joined
        kwargs = {"training": training} if _takes(self.layer, "training") else {}
        if mask is not None and _takes(self.layer, "mask"):
            kwargs["mask"] = _joined_mask(mask, known)
        result = self.layer.call(joined, **kwargs)
        parts = K.int_shape(result)
        own = K.shape(result)
        outputs = K.reshape(
            result, (batch, steps, *(d if d is not None else own[i] for i, d in enumerate(parts) if i > 0))
        )
        regularizer = getattr(self.layer, "activity_regularizer", None)
        if regularizer is not None:
            self.add_loss(regularizer(result), inputs)
        return outputs

    @property
    def activity_regularizer(self) -> Any:
        """None: the inner layer's penalty is added in `call`, on the inner layer's own output."""
        return None

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return mask


def _takes(layer: Any, name: str) -> bool:
    return name in inspect.signature(layer.call).parameters


def _joined_mask(mask: Any, known: Any) -> Any:
    """A mask of what the inner layer sees, if the mask goes deeper than the steps; a mask of steps is not one."""
    return None if K.ndim(mask) < 3 else K.reshape(mask, (-1, *K.int_shape(mask)[2:]))
