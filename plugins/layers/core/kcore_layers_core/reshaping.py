"""Layers that only rearrange: `Flatten`, `Reshape`, `Permute`, `RepeatVector`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from kcore import backend as K
from kcore.engine import InputSpec, Layer
from kcore.errors import ShapeError
from kcore.shapes import positive_int, whole_numbers


class Flatten(Layer):
    """Put all axes but the first into one; manual 5.2.4.

    Args:
        data_format: "channels_last", or "channels_first": the channels of the input are axis 1 and are
            moved to the end before, so that the order of the result does not depend on the format
            (a model's weights can then be used with either). None for the configured format.
        kwargs: as for `Layer`.

    Input shape:
        (batch, ...), of rank 2 or more; all sizes but the batch known.

    Output shape:
        (batch, product of the other sizes)
    """

    def __init__(self, data_format: str | None = "channels_last", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.input_spec = InputSpec(min_ndim=2)  # Keras 2.1 refused 2, later versions leave it as it is
        self.data_format = K.normalize_data_format(data_format)

    def compute_output_shape(self, input_shape: Any) -> Any:
        if None in input_shape[1:]:
            raise ShapeError(
                f'The shape of the input to "Flatten" (layer {self.name}) is not fully defined (got '
                f"{input_shape[1:]}). Make sure to pass a complete `input_shape` or `batch_input_shape` argument to "
                "the first layer in your model."
            )
        return (input_shape[0], math.prod(input_shape[1:]))

    def call(self, inputs: Any) -> Any:
        self.compute_output_shape(K.int_shape(inputs))
        if self.data_format == "channels_first":
            inputs = K.permute_dimensions(inputs, (0, *range(2, K.ndim(inputs)), 1))
        return K.batch_flatten(inputs)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "data_format": self.data_format}


class Reshape(Layer):
    """Give the input another shape, without the batch axis; manual 5.2.6.

    Args:
        target_shape: sequence of ints; at most one -1, for the size that follows from the others.
        kwargs: as for `Layer`.

    Input shape:
        (batch, ...)

    Output shape:
        (batch, *target_shape)

    Example:
        >>> model = Sequential()
        >>> model.add(Reshape((3, 4), input_shape=(12,)))  # (None, 3, 4)
        >>> model.add(Reshape((-1, 2, 2)))  # (None, 3, 2, 2)
    """

    input_spec = InputSpec()  # one tensor

    def __init__(self, target_shape: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.target_shape = whole_numbers(target_shape, "target_shape", self)
        if self.target_shape.count(-1) > 1:
            raise ShapeError(
                f"Can only specify one unknown dimension (-1) in `target_shape`, given {self.target_shape}."
            )

    def _with_size_filled_in(self, input_sizes: tuple[int, ...]) -> tuple[int, ...]:
        total = math.prod(input_sizes)
        known = math.prod(size for size in self.target_shape if size != -1)
        fits = total == known if -1 not in self.target_shape else known != 0 and total % known == 0
        if not fits:
            raise ShapeError(
                f"total size of new array must be unchanged: layer {self.name} cannot reshape {input_sizes} "
                f"({total} elements) to {self.target_shape}.",
                shapes=(input_sizes, self.target_shape),
            )
        return tuple(total // known if size == -1 else size for size in self.target_shape)

    def compute_output_shape(self, input_shape: Any) -> Any:
        if None in input_shape[1:]:
            return (input_shape[0], *(None if size == -1 else size for size in self.target_shape))
        return (input_shape[0], *self._with_size_filled_in(input_shape[1:]))

    def call(self, inputs: Any) -> Any:
        sizes = self.compute_output_shape(K.int_shape(inputs))[1:]
        return K.reshape(inputs, (K.shape(inputs)[0], *(-1 if size is None else size for size in sizes)))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "target_shape": self.target_shape}


class Permute(Layer):
    """Exchange axes; manual 5.2.7.

    Args:
        dims: sequence of ints, for each axis of the output the axis of the input, counted from 1 (the
            batch axis, which stays, is not counted): `(2, 1)` exchanges the first two.
        kwargs: as for `Layer`.

    Input shape, output shape:
        (batch, ...); the same with the sizes exchanged.

    Example:
        >>> model = Sequential()
        >>> model.add(Permute((2, 1), input_shape=(10, 64)))  # (None, 64, 10)
    """

    def __init__(self, dims: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dims = whole_numbers(dims, "dims", self)
        if sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise ShapeError(
                f"Invalid permutation `dims` for Permute layer {self.name}: {self.dims}. It must contain each of "
                f"1 ... {len(self.dims)} once."
            )
        self.input_spec = InputSpec(ndim=len(self.dims) + 1)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (input_shape[0], *(input_shape[axis] for axis in self.dims))

    def call(self, inputs: Any) -> Any:
        return K.permute_dimensions(inputs, (0, *self.dims))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "dims": self.dims}


class RepeatVector(Layer):
    """Repeat a vector as the steps of a sequence; manual 5.2.8.

    Args:
        n: int > 0, number of steps.
        kwargs: as for `Layer`.

    Input shape:
        (batch, features)

    Output shape:
        (batch, n, features)
    """

    def __init__(self, n: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.n = positive_int(n, "n", self)
        self.input_spec = InputSpec(ndim=2)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (input_shape[0], self.n, input_shape[1])

    def call(self, inputs: Any) -> Any:
        return K.repeat(inputs, self.n)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "n": self.n}
