"""Variables, constants, placeholders; what they are; their values."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from kcore import config, dtypes
from kcore import ops as O
from kcore.backend import state
from kcore.errors import ArgumentError, DTypeError, ShapeError
from kcore.graph import Tensor, encode_shape, may_equal, shape_of
from kcore.graph import constant as make_constant
from kcore.graph import placeholder as make_placeholder
from kcore.ops.common import no_python_bool, number
from kcore.ops.creation import full, full_like
from kcore.runtime.devices import current_device
from kcore.runtime.evaluate import evaluate
from kcore.runtime.variable import Update, Variable
from kcore.shapes import listed, positive_int, whole_number

__all__ = [
    "arange",
    "batch_get_value",
    "batch_set_value",
    "cast",
    "constant",
    "count_params",
    "dtype",
    "eval",
    "eye",
    "get_value",
    "identity",
    "int_shape",
    "is_keras_tensor",
    "is_placeholder",
    "is_tensor",
    "is_variable",
    "moving_average_update",
    "ndim",
    "ones",
    "ones_like",
    "placeholder",
    "set_value",
    "shape",
    "update",
    "update_add",
    "update_sub",
    "variable",
    "zeros",
    "zeros_like",
]


def _dtype(dtype: Any) -> str:
    return config.floatx() if dtype is None else dtypes.canonical(dtype)


# -- making -----------------------------------------------------------------------------------------------


def variable(
    value: Any,
    dtype: str | None = None,
    name: str | None = None,
    constraint: Callable[[Tensor], Tensor] | None = None,
) -> Variable:
    """A variable with an initial value.

    Args:
        value: an array, a number or a nested sequence; or a tensor that depends on no placeholder, such as
            `random_uniform` returns, which is computed when the variable is first read.
        dtype: `floatx` by default.
        name: for saved files and messages.
        constraint: a function that optimizers apply to each new value.
    """
    kind = _dtype(dtype)
    if isinstance(value, Tensor):
        if not value.spec.known:
            raise ShapeError(f"a variable needs an initial value of known shape, got {value.spec}")
        dims: Any = value.shape
        tensor = value if value.dtype == kind else O.cast(value, kind)

        def initial() -> Any:
            return evaluate([tensor], current_device())[0]
    else:
        try:
            array = np.array(_dense_array(value), dtype=kind)
        except (TypeError, ValueError) as error:
            raise DTypeError(f"cannot make a {kind} variable of {value!r:.200}: {error}") from None
        dims = array.shape

        def initial() -> Any:
            return array

    return Variable(dims, kind, initial, name or f"variable_{state.get_uid('variable')}", constraint)


def _dense_array(value: Any) -> Any:
    return value.toarray() if hasattr(value, "toarray") else value


def constant(
    value: Any, dtype: str | None = None, shape: Sequence[int] | None = None, name: str | None = None
) -> Tensor:
    """A tensor of fixed value.

    Args:
        value: a number or a nested sequence.
        dtype: `floatx` by default.
        shape: a shape to fill with a single number, or to give to the elements.
        name: for messages.
    """
    tensor = make_constant(_dense_array(value), dtype=_dtype(dtype), shape=None if shape is None else tuple(shape))
    if name is not None:
        tensor.name = name
    return tensor


def placeholder(
    shape: Sequence[int | None] | None = None,
    ndim: int | None = None,
    dtype: str | None = None,
    sparse: bool = False,
    name: str | None = None,
) -> Tensor:
    """A tensor whose value is given at each call of a `function`.

    Args:
        shape: ints and None (any length); goes before `ndim`.
        ndim: the number of dimensions, all of any length.
        dtype: `floatx` by default.
        sparse: whether sparse matrices are given for it.
        name: for messages.

    Raises:
        ValueError: neither `shape` nor `ndim` is given.
    """
    if shape is None:
        if ndim is None:
            raise ShapeError("placeholder needs a shape, such as (None, 10), or ndim, the number of dimensions")
        shape = (None,) * positive_int(ndim, "ndim", "placeholder", least=0)
    dims = tuple(
        None if d is None else whole_number(d, "shape", "placeholder")
        for d in listed(shape, "shape", "ints", "placeholder")
    )
    return make_placeholder(dims, _dtype(dtype), name or f"placeholder_{state.get_uid('placeholder')}", bool(sparse))


def zeros(shape: Any, dtype: str | None = None, name: str | None = None) -> Tensor:
    """A variable filled with 0; a tensor if a dimension of `shape` is one."""
    return _filled(shape, 0.0, dtype, name)


def ones(shape: Any, dtype: str | None = None, name: str | None = None) -> Tensor:
    """A variable filled with 1; a tensor if a dimension of `shape` is one."""
    return _filled(shape, 1.0, dtype, name)


def _filled(shape: Any, value: float, dtype: str | None, name: str | None) -> Tensor:
    dims, extra = encode_shape(shape)
    if extra:
        return full(shape, value, _dtype(dtype))
    if -1 in dims:
        raise ShapeError(f"cannot fill a tensor of shape {shape!r}: give each dimension as an int, or K.shape(x)[i]")
    return variable(np.full(dims, value, _dtype(dtype)), dtype, name)


def eye(size: int, dtype: str | None = None, name: str | None = None) -> Variable:
    """A variable that holds the identity matrix with `size` rows."""
    return variable(np.eye(size), dtype, name)


def zeros_like(x: Any, dtype: str | None = None, name: str | None = None) -> Tensor:
    """A tensor of 0 with the shape of `x`, and its dtype unless another is given."""
    return _filled_like(x, 0, dtype, name)


def ones_like(x: Any, dtype: str | None = None, name: str | None = None) -> Tensor:
    """A tensor of 1 with the shape of `x`, and its dtype unless another is given."""
    return _filled_like(x, 1, dtype, name)


def _filled_like(x: Any, value: int, dtype: str | None, name: str | None) -> Tensor:
    tensor = full_like(_tensor(x), value, None if dtype is None else dtypes.canonical(dtype))
    if name is not None:
        tensor.name = name
    return tensor


def identity(x: Any, name: str | None = None) -> Tensor:
    """A tensor with the content of `x`."""
    from kcore.graph import apply

    tensor: Tensor = apply("identity", _tensor(x))
    if name is not None:
        tensor.name = name
    return tensor


def arange(start: Any, stop: Any = None, step: int = 1, dtype: str = "int32") -> Tensor:
    """The numbers ``start, start + step, ...`` below `stop` (with one argument: from 0 up to it), 1-D.

    Args:
        start, stop: numbers or scalar tensors.
        step: a number.
        dtype: of the elements; where this is "int32" and one of the numbers is a float, the result is of `floatx`.
    """
    from kcore.graph import apply, static_int

    dtype = dtypes.canonical(dtype)
    if dtype == "bool":
        raise DTypeError("arange makes numbers, not bool; use K.cast on its result")
    start, stop, step = (_bound(*given) for given in (("start", start), ("stop", stop), ("step", step)))
    if start is None or step is None:
        raise ArgumentError(f"arange needs a number to begin with and a step, got start={start!r}, step={step!r}")
    if dtype == "int32" and any(isinstance(value, float) for value in (start, stop, step)):
        dtype = config.floatx()

    if stop is None:
        start, stop = 0, start
    if step == 0:
        raise ArgumentError("arange needs a step that is not 0")
    if isinstance(start, Tensor):
        known = static_int(start)
        if known is None:  # only the number of elements must be found out: count from 0
            return arange(0, stop - start, step, dtype) + cast(start, dtype)
        start = known
    known = static_int(stop) if isinstance(stop, Tensor) else stop
    attrs = {"start": start, "stop": known, "step": step, "dtype": dtype}
    return apply("arange", **attrs) if known is not None else apply("arange", stop, **attrs)


def _bound(name: str, value: Any) -> Any:
    """An argument of `arange`: None, a number, or a scalar tensor of numbers."""
    if value is None:
        return None
    if not isinstance(value, Tensor):
        return number("arange", name, value)
    if value.ndim or value.dtype == "bool" or name == "step":
        expected = "a number" if name == "step" else "a number or a scalar tensor of numbers"
        raise ShapeError(f"arange: {name} must be {expected}, got {value.spec}", shapes=(value.shape,))
    return value


def cast(x: Any, dtype: str) -> Tensor:
    """`x` converted to `dtype` ("float16", "float32", "float64", "int32", "bool", ...)."""
    no_python_bool("cast", x)
    return O.cast(_tensor(x), dtype)


def _tensor(x: Any) -> Tensor:
    return x if isinstance(x, Tensor) else make_constant(x)


# -- what they are ----------------------------------------------------------------------------------------


def is_tensor(x: Any) -> bool:
    """Whether `x` is a symbolic tensor (variables are)."""
    return isinstance(x, Tensor)


def is_variable(x: Any) -> bool:
    """Whether `x` is a variable."""
    return isinstance(x, Variable)


def is_keras_tensor(x: Any) -> bool:
    """Whether `x` comes from a layer or from `Input`.

    Raises:
        ValueError: `x` is no symbolic tensor.
    """
    if not isinstance(x, Tensor):
        raise ArgumentError(f"Unexpectedly found an instance of type `{type(x)}`. Expected a symbolic tensor instance.")
    return hasattr(x, "_keras_history")


def is_placeholder(x: Any) -> bool:
    """Whether `x` is a placeholder."""
    return isinstance(x, Tensor) and x.node.op.name == "placeholder"


def shape(x: Any) -> Tensor:
    """The shape of `x` as a 1-D int32 tensor; its elements can be dimensions of other shapes."""
    return shape_of(_tensor(x))


def int_shape(x: Any) -> tuple[int | None, ...]:
    """The shape of `x` as a tuple of ints, None where unknown."""
    return x._keras_shape if isinstance(x, Tensor) else tuple(np.shape(x))


def ndim(x: Any) -> int:
    """The number of dimensions of `x`."""
    return x.ndim if isinstance(x, Tensor) else np.ndim(x)


def dtype(x: Any) -> str:
    """The name of the element type of `x`."""
    return x.dtype if isinstance(x, Tensor) else dtypes.canonical(np.asarray(x).dtype)


def count_params(x: Any) -> int:
    """The number of elements of `x`, whose shape must be known."""
    dims = int_shape(x)
    if None in dims:
        raise ShapeError(f"the number of elements of {x!r} is not known: its shape is {dims}")
    return math.prod(dims)  # type: ignore[arg-type]


# -- values -----------------------------------------------------------------------------------------------


def eval(x: Any) -> Any:
    """The present value of a variable, or of a tensor that depends on no placeholder, as a NumPy array."""
    if isinstance(x, Variable):
        return x.get()
    device = current_device()
    return device.to_host(evaluate([_tensor(x)], device)[0])


def get_value(x: Any) -> Any:
    """The present value of a variable as a NumPy array."""
    return eval(x)


def batch_get_value(ops: Iterable[Any]) -> list[Any]:
    """The present values of several variables as NumPy arrays."""
    return [eval(x) for x in ops]


def set_value(x: Variable, value: Any) -> None:
    """Give a variable a new value.

    Args:
        x: the variable.
        value: an array (or nested sequence) of its shape.
    """
    _require_variable("set_value", x)
    x.set(np.asarray(_dense_array(value)))


def batch_set_value(tuples: Iterable[tuple[Variable, Any]]) -> None:
    """Give several variables new values: pairs ``(variable, value)``."""
    for x, value in tuples:
        set_value(x, value)


def update(x: Variable, new_x: Any) -> Update:
    """The update of `x` to `new_x`, for the list of updates of a `function`.

    Raises:
        ValueError: `x` is no variable, or `new_x` has another shape.
    """
    _require_variable("update", x)
    return Update(x, _new_value(x, new_x))


def update_add(x: Variable, increment: Any) -> Update:
    """The update of `x` to ``x + increment``. Several of one variable in one function add up."""
    return _stepwise("update_add", x, lambda current: current + increment)


def update_sub(x: Variable, decrement: Any) -> Update:
    """The update of `x` to ``x - decrement``. Several of one variable in one function add up."""
    return _stepwise("update_sub", x, lambda current: current - decrement)


def moving_average_update(x: Variable, value: Any, momentum: float) -> Update:
    """The update of `x` to ``momentum * x + (1 - momentum) * value``.

    Several of one variable in one function follow each other, as of a batch normalization that two inputs share.
    There is no correction for the value that `x` starts with: see the decisions in docs/architecture.md.

    Args:
        x: a variable.
        value: a tensor of its shape.
        momentum: the weight of the past, in ``[0, 1]``; a number, or a scalar tensor.

    Raises:
        ValueError: `x` is no variable, `value` has another shape, or `momentum` is no number.
    """
    _require_variable("moving_average_update", x)
    value, past = _new_value(x, value), momentum
    if not isinstance(past, Tensor):
        past = number("moving_average_update", "momentum", past)
    elif past.ndim:
        raise ShapeError(f"moving_average_update: momentum must be a number, got {past.spec}", shapes=(past.shape,))
    return _stepwise("moving_average_update", x, lambda current: current - (current - value) * (1.0 - past))


def _stepwise(function: str, x: Variable, step: Callable[[Tensor], Tensor]) -> Update:
    _require_variable(function, x)
    return Update(x, _new_value(x, step(x)), lambda current: _new_value(x, step(current)))


def _new_value(x: Variable, value: Any) -> Tensor:
    new = O.cast(value if isinstance(value, Tensor) else make_constant(value, dtype=x.dtype), x.dtype)
    if not may_equal(new.shape, x.shape):
        raise ShapeError(
            f"variable {x.name!r} of shape {x.shape} cannot be updated to {new.spec}", shapes=(x.shape, new.shape)
        )
    return new


def _require_variable(function: str, x: Any) -> None:
    if not isinstance(x, Variable):
        raise ArgumentError(f"{function} needs a variable, made by K.variable or add_weight; got {x!r}")
