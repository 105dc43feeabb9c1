"""`PReLU`: a rectifier whose slope below zero is learned."""

from __future__ import annotations

from typing import Any

from kcore import backend as K
from kcore import constraints, initializers, regularizers
from kcore.engine import InputSpec, Layer
from kcore.errors import ShapeError
from kcore.shapes import whole_numbers


class PReLU(Layer):
    """``x`` where ``x >= 0``, else ``alpha * x`` with a learned array ``alpha`` (manual, 5.9.2).

    Args:
        alpha_initializer, alpha_regularizer, alpha_constraint: of the slopes.
        shared_axes: axes (the first after the batch is 1) along which one slope is shared: ``[1, 2]`` for images
            ``(batch, height, width, channels)`` gives one a channel. By default each element has its own.

    References:
        He, Zhang, Ren and Sun, Delving Deep into Rectifiers (2015).
    """

    input_spec = InputSpec()  # one tensor

    def __init__(
        self,
        alpha_initializer: Any = "zeros",
        alpha_regularizer: Any = None,
        alpha_constraint: Any = None,
        shared_axes: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        self.alpha_initializer = initializers.get(alpha_initializer)
        self.alpha_regularizer = regularizers.get(alpha_regularizer)
        self.alpha_constraint = constraints.get(alpha_constraint)
        if shared_axes is None:
            self.shared_axes = None
        else:
            self.shared_axes = list(whole_numbers(shared_axes, "shared_axes", self))

    def build(self, input_shape: Any) -> None:
        shape = list(input_shape[1:])
        for axis in self.shared_axes or ():
            if not 1 <= axis < len(input_shape):
                raise ShapeError(
                    f"layer {self.name} (PReLU): shared_axes {self.shared_axes} must be between 1 (0 is the batch) "
                    f"and {len(input_shape) - 1} for an input of shape {tuple(input_shape)}"
                )
            shape[axis - 1] = 1
        self.alpha = self.add_weight(
            name="alpha",
            shape=tuple(shape),
            initializer=self.alpha_initializer,
            regularizer=self.alpha_regularizer,
            constraint=self.alpha_constraint,
        )
        own = {axis: input_shape[axis] for axis in range(1, len(input_shape)) if axis not in (self.shared_axes or ())}
        self.input_spec = InputSpec(ndim=len(input_shape), axes=own)
        self.built = True

    def call(self, inputs: Any, mask: Any = None) -> Any:
        return K.relu(inputs) - self.alpha * K.relu(-inputs)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        config = {
            "alpha_initializer": initializers.serialize(self.alpha_initializer),
            "alpha_regularizer": regularizers.serialize(self.alpha_regularizer),
            "alpha_constraint": constraints.serialize(self.alpha_constraint),
            "shared_axes": self.shared_axes,
        }
        return {**super().get_config(), **config}
