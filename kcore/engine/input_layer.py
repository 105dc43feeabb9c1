"""`Input` and `InputLayer`: where tensors enter a model."""

from __future__ import annotations

from typing import Any

from kcore import backend as K
from kcore.engine.layer import Layer, dtype_name
from kcore.engine.node import Node
from kcore.errors import ArgumentError, ShapeError
from kcore.graph import Tensor


class InputLayer(Layer):
    """The layer behind `Input`: it holds the placeholder, or another tensor, that a model starts from.

    Args:
        input_shape: tuple, the shape of one sample, without the batch axis.
        batch_size: int, the fixed batch size that goes with it, or None.
        batch_input_shape: tuple, the shape with the batch axis, instead of the two above.
        dtype: string, `K.floatx()` by default.
        input_tensor: existing tensor to use instead of a new placeholder; where it is not a placeholder
            the model is fed nothing for it.
        sparse: boolean, noted in the configuration.
        name: string.
    """

    def __init__(
        self,
        input_shape: tuple[int | None, ...] | None = None,
        batch_size: int | None = None,
        batch_input_shape: tuple[int | None, ...] | None = None,
        dtype: str | None = None,
        input_tensor: Tensor | None = None,
        sparse: bool = False,
        name: str | None = None,
    ) -> None:
        super().__init__(name=f"input_{K.get_uid('input')}" if name is None else name)
        if input_tensor is not None and not isinstance(input_tensor, Tensor):
            raise ArgumentError(f"the `tensor` of an Input must be a tensor. Received: {input_tensor!r:.200}")
        if input_shape is not None and batch_input_shape is not None:
            raise ShapeError(
                "Only provide the input_shape OR batch_input_shape argument to InputLayer, not both at the same time."
            )
        if batch_input_shape is None and input_shape is not None:
            batch_input_shape = (batch_size, *input_shape)
        if batch_input_shape is None:
            if input_tensor is None:
                raise ShapeError("An InputLayer needs an `input_shape` or a `batch_input_shape`, such as (None, 784).")
            batch_input_shape = input_tensor._keras_shape
        self.trainable = False
        self.built = True
        self.sparse = sparse
        self.supports_masking = True
        self.batch_input_shape = tuple(batch_input_shape)
        if input_tensor is None:
            self.dtype = dtype_name(dtype) or K.floatx()
            self.is_placeholder = True
            input_tensor = K.placeholder(self.batch_input_shape, dtype=self.dtype, sparse=sparse, name=self.name)
        else:
            self.dtype = input_tensor.dtype
            self.is_placeholder = K.is_placeholder(input_tensor)
            input_tensor = input_tensor.handle()
            input_tensor._keras_shape = self.batch_input_shape
        node = Node.of_call(self, [], [input_tensor], [], [None])
        # As in Keras 2, the input of an input layer is the placeholder itself.
        node.input_tensors, node.input_masks = [input_tensor], [None]
        node.input_shapes = [self.batch_input_shape]

    def get_config(self) -> dict[str, Any]:
        return {
            "batch_input_shape": self.batch_input_shape,
            "dtype": self.dtype,
            "sparse": self.sparse,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> InputLayer:
        """An input layer from what `get_config` returned, or from what later versions of the format write."""
        known = ("batch_input_shape", "input_shape", "batch_size", "dtype", "sparse", "name")
        if config.get("ragged"):
            raise ArgumentError(f"Input layer {config.get('name')!r} takes ragged tensors, which kcore does not have.")
        return cls(**{key: value for key, value in config.items() if key in known})


def Input(
    shape: tuple[int | None, ...] | None = None,
    batch_shape: tuple[int | None, ...] | None = None,
    name: str | None = None,
    dtype: str | None = None,
    sparse: bool = False,
    tensor: Tensor | None = None,
) -> Tensor:
    """A tensor that a model can start from.

    Args:
        shape: tuple of ints and Nones, the shape of one sample: `(32,)` for batches of vectors of 32.
        batch_shape: tuple with the batch axis, instead of `shape`: `(10, 32)`, or `(None, 32)`.
        name: string, the input's name, which dictionaries of data use; unique in a model.
        dtype: string, `K.floatx()` by default.
        sparse: boolean, whether sparse data will be given.
        tensor: existing tensor to wrap; no placeholder is made then.

    Returns:
        A tensor.

    Raises:
        ValueError: neither shape nor tensor, or a shape that is none.

    Example:
        >>> x = Input(shape=(32,))
        >>> y = Dense(16, activation="softmax")(x)
        >>> model = Model(x, y)
    """
    if shape is None and batch_shape is None and tensor is None:
        raise ShapeError(
            "Please provide to Input either a `shape` or a `batch_shape` argument. Note that `shape` does not include "
            "the batch dimension: Input(shape=(784,)) takes batches of vectors of 784 numbers."
        )
    if batch_shape is None and shape is not None:
        batch_shape = (None, *_as_shape(shape))
    layer = InputLayer(
        batch_input_shape=None if batch_shape is None else _as_shape(batch_shape),
        name=name,
        dtype=dtype,
        sparse=sparse,
        input_tensor=tensor,
    )
    return layer._inbound_nodes[0].output_tensors[0]


def _as_shape(shape: Any) -> tuple[int | None, ...]:
    try:
        sizes = tuple(shape)
        if all(size is None or (size == int(size) and size >= 0) for size in sizes):
            return tuple(None if size is None else int(size) for size in sizes)
    except (TypeError, ValueError):
        pass
    raise ShapeError(f"a shape is a tuple of ints and Nones, such as (784,) or (None, 28, 28, 1); received {shape!r}")


def input_layer_of(x: Tensor) -> Layer:
    """The input layer behind a tensor; a new one where a model is cut out of a larger one."""
    layer = x._keras_history[0]
    if isinstance(layer, InputLayer):
        return layer
    stand_in = InputLayer(batch_input_shape=x._keras_shape, input_tensor=x)
    stand_in.is_placeholder = True
    return stand_in
