"""`Lambda`: any function as a layer."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from kcore import backend as K
from kcore.engine import Layer
from kcore.errors import ArgumentError, ShapeError
from kcore.saving import function_config, function_from_config
from kcore.shapes import plain


class Lambda(Layer):
    """Apply a function of tensors; manual 5.2.9.

    Args:
        function: function of the input tensor (or list of tensors) that returns a tensor or a list; it may
            also take `mask`.
        output_shape: tuple (without the batch axis) or function of the input shape that returns the whole
            shape; found out from the function itself by default.
        mask: tensor, or function `(inputs, mask)` that returns the output's mask; without it the output has none,
            whatever the inputs have.
        arguments: dictionary, further keyword arguments for the function.
        kwargs: as for `Layer`.

    Example:
        >>> model.add(Lambda(lambda x: x ** 2))
    """

    def __init__(
        self,
        function: Callable[..., Any],
        output_shape: Any = None,
        mask: Any = None,
        arguments: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not callable(function):
            raise ArgumentError(
                f"`function` of layer {self.name} (Lambda) must be a function of tensors, such as K.square or "
                f"lambda x: x * 2. Received: {function!r}"
            )
        self.function = function
        self._function_takes_mask = _takes_mask(function)
        if not isinstance(arguments, (Mapping, type(None))):
            raise ArgumentError(
                f"`arguments` of layer {self.name} (Lambda) must be a dict. Received: {arguments!r:.200}"
            )
        self.arguments = dict(arguments) if arguments else {}
        self.mask = mask
        self.supports_masking = mask is not None
        output_shape = plain(output_shape)
        if output_shape is not None and not callable(output_shape) and not isinstance(output_shape, (tuple, list)):
            raise ShapeError(
                f"In Lambda, `output_shape` must be None, a list, a tuple, or a function. Layer {self.name} was given "
                f"{output_shape!r}."
            )
        self._output_shape = tuple(output_shape) if isinstance(output_shape, list) else output_shape
        self._seen_shapes: dict[Any, Any] = {}

    def call(self, inputs: Any, mask: Any = None) -> Any:
        arguments = dict(self.arguments)
        if self._function_takes_mask:
            arguments["mask"] = mask
        output = self.function(inputs, **arguments)
        self._seen_shapes[_key(_shapes(inputs))] = _shapes(output)
        return output

    def compute_output_shape(self, input_shape: Any) -> Any:
        if self._output_shape is None:
            return self._inferred(input_shape)
        if callable(self._output_shape):
            shape = self._output_shape(input_shape)
            if not isinstance(shape, (tuple, list)):
                raise ShapeError(
                    f"`output_shape` function of layer {self.name} must return a tuple or a list of tuples; it "
                    f"returned {shape!r}."
                )
            return shape if isinstance(shape, list) and shape and isinstance(shape[0], (tuple, list)) else tuple(shape)
        first = input_shape[0]
        batch = first[0] if isinstance(first, (tuple, list)) else first
        return (batch, *self._output_shape)

    def _inferred(self, input_shape: Any) -> Any:
        """What the function makes of placeholders of this shape."""
        key = _key(input_shape)
        if key not in self._seen_shapes:
            several = isinstance(input_shape, list)
            self.call([K.placeholder(shape) for shape in input_shape] if several else K.placeholder(input_shape))
        return self._seen_shapes[key]

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return self.mask(inputs, mask) if callable(self.mask) else self.mask

    def get_config(self) -> dict[str, Any]:
        function, function_type = function_config(self.function)
        if callable(self._output_shape):
            output_shape, output_shape_type = function_config(self._output_shape)
        else:
            output_shape, output_shape_type = self._output_shape, "raw"
        return {
            **super().get_config(),
            "function": function,
            "function_type": function_type,
            "output_shape": output_shape,
            "output_shape_type": output_shape_type,
            "arguments": self.arguments,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
        """A layer from what `get_config` returned.

        Args:
            config: dictionary.
            custom_objects: dictionary; functions by their own names, or by the layer's name.

        Raises:
            ValueError: a function is not known, or is bytecode that was not allowed.
        """
        config = dict(config)
        layer_name = config.get("name")
        # Keras 2.2 and later also say which module a function came from; it is never imported here.
        for key in ("module", "output_shape_module", "mask_module"):
            config.pop(key, None)
        for what in ("function", "output_shape", "mask"):
            kind = config.pop(f"{what}_type", "raw")
            if what in config and kind != "raw":
                config[what] = function_from_config(config[what], kind, layer_name, what, custom_objects)
        if isinstance(config.get("output_shape"), list):
            config["output_shape"] = tuple(config["output_shape"])
        config["arguments"] = {name: _restored(value) for name, value in (config.get("arguments") or {}).items()}
        return cls(**config)


def _takes_mask(function: Callable[..., Any]) -> bool:
    try:
        return "mask" in inspect.signature(function).parameters
    except (TypeError, ValueError):  # a builtin that does not say
        return False


def _shapes(tensors: Any) -> Any:
    if isinstance(tensors, (list, tuple)):
        return [K.int_shape(x) for x in tensors]
    return K.int_shape(tensors)


def _key(shape: Any) -> Any:
    return tuple(_key(part) if isinstance(part, (list, tuple)) else part for part in shape)


def _restored(value: Any) -> Any:
    """An argument as it was: arrays are written to JSON as dictionaries."""
    if isinstance(value, Mapping) and value.get("type") == "ndarray":
        return np.array(value["value"])
    return value
