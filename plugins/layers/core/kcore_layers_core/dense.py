"""`Dense`: the fully connected layer."""

from __future__ import annotations

from typing import Any

from kcore import activations, constraints, initializers, regularizers
from kcore import backend as K
from kcore.engine import InputSpec, Layer
from kcore.errors import ShapeError
from kcore.shapes import positive_int


class Dense(Layer):
    """`output = activation(dot(input, kernel) + bias)`; manual 5.2.1.

    Of an input with more than two axes the last one is multiplied.

    Args:
        units: int > 0, size of the output.
        activation: name, function or None (none: the output is linear).
        use_bias: boolean.
        kernel_initializer, bias_initializer: how the weights start.
        kernel_regularizer, bias_regularizer: penalties on the weights, or None.
        activity_regularizer: penalty on the output, or None.
        kernel_constraint, bias_constraint: applied to the weights after each update, or None.
        kwargs: as for `Layer`; also `input_dim`, int, instead of `input_shape=(input_dim,)`.

    Input shape:
        (batch, ..., input_dim)

    Output shape:
        (batch, ..., units)

    Weights:
        kernel (input_dim, units); bias (units,).

    Example:
        >>> model = Sequential()
        >>> model.add(Dense(32, input_shape=(16,)))  # arrays of shape (*, 16) to arrays of shape (*, 32)
        >>> model.add(Dense(32))
    """

    def __init__(
        self,
        units: int,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        if "input_shape" not in kwargs and "input_dim" in kwargs:
            kwargs["input_shape"] = (kwargs.pop("input_dim"),)
        super().__init__(**kwargs)
        self.units = positive_int(units, "units", self)
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.activity_regularizer = regularizers.get(activity_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.input_spec = InputSpec(min_ndim=2)
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        input_dim = input_shape[-1]
        if input_dim is None:
            raise ShapeError(
                f"Layer {self.name} (Dense) must know the last dimension of its input, but got shape {input_shape}."
            )
        self.kernel = self.add_weight(
            name="kernel",
            shape=(input_dim, self.units),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias",
                shape=(self.units,),
                initializer=self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )
        self.input_spec = InputSpec(min_ndim=2, axes={-1: input_dim})
        super().build(input_shape)

    def call(self, inputs: Any) -> Any:
        output = K.dot(inputs, self.kernel)
        if self.bias is not None:
            output = output + self.bias
        return output if self.activation is None else self.activation(output)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "units": self.units,
            "activation": activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "kernel_initializer": initializers.serialize(self.kernel_initializer),
            "bias_initializer": initializers.serialize(self.bias_initializer),
            "kernel_regularizer": regularizers.serialize(self.kernel_regularizer),
            "bias_regularizer": regularizers.serialize(self.bias_regularizer),
            "activity_regularizer": regularizers.serialize(self.activity_regularizer),
            "kernel_constraint": constraints.serialize(self.kernel_constraint),
            "bias_constraint": constraints.serialize(self.bias_constraint),
        }
