"""What tensors are asked for as if they were arrays or numbers: answered where there is an answer, else refused.

A tensor has no values while the graph is built. Each refusal says which function of `kcore.backend` does it.
"""

from __future__ import annotations

from typing import Any

from kcore.errors import ArgumentError, GraphError

#: NumPy's functions that are operators: they work, as when the operator is written.
OPERATORS = {
    "absolute": "abs",
    "add": "add",
    "bitwise_and": "logical_and",
    "bitwise_or": "logical_or",
    "divide": "divide",
    "equal": "equal",
    "floor_divide": "floor_divide",
    "greater": "greater",
    "greater_equal": "greater_equal",
    "invert": "logical_not",
    "less": "less",
    "less_equal": "less_equal",
    "logical_and": "logical_and",
    "logical_or": "logical_or",
    "matmul": "matmul",
    "multiply": "multiply",
    "negative": "negative",
    "not_equal": "not_equal",
    "power": "power",
    "remainder": "mod",
    "subtract": "subtract",
}
_SAME = (
    "all any arange argmax argmin clip concatenate cos cumprod cumsum dot exp expand_dims eye gather log max maximum "
    "mean min minimum ones_like prod repeat reshape round sign sin sqrt square squeeze stack std sum tanh tile "
    "transpose var zeros_like"
)
#: NumPy's other functions and methods of arrays, and what to write instead.
INSTEAD = {name: f"K.{name}" for name in _SAME.split()} | {
    "amax": "K.max",
    "amin": "K.min",
    "around": "K.round",
    "astype": "K.cast(x, dtype)",
    "copy": "the tensor itself: no function changes it",
    "expm1": "K.exp(x) - 1",
    "flatten": "K.flatten(x)",
    "hstack": "K.concatenate",
    "isnan": "K.not_equal(x, x)",
    "item": "K.eval(x), or K.function for a function of inputs",
    "log1p": "K.log(1 + x)",
    "norm": "K.sqrt(K.sum(K.square(x)))",
    "numpy": "K.eval(x), or K.function for a function of inputs",
    "ravel": "K.flatten(x)",
    "rint": "K.round",
    "split": "slices, such as x[:, :n]",
    "swapaxes": "K.permute_dimensions",
    "take": "K.gather",
    "tolist": "K.eval(x), or K.function for a function of inputs",
    "vstack": "K.concatenate",
    "where": "K.switch(condition, a, b)",
    # methods of the tensors and variables of other backends
    "T": "K.transpose(x)",
    "assign": "K.set_value(variable, value), or K.update(variable, tensor) among the updates of a function",
    "assign_add": "K.update_add(variable, tensor) among the updates of a function",
    "dimshuffle": "K.permute_dimensions",
    "eval": "K.eval(x)",
    "get_value": "K.get_value(variable)",
    "set_shape": "K.reshape, or `output_shape` of a Lambda",
    "set_value": "K.set_value(variable, value)",
}
_REDUCTIONS = {"add": "K.sum", "multiply": "K.prod", "maximum": "K.max", "minimum": "K.min", "logical_and": "K.all"}


class NotAnArray:
    """Base of `Tensor`: the protocols of arrays, numbers and containers."""

    __array_priority__ = 1000  # NumPy arrays leave mixed operations to us
    __slots__ = ()

    shape: Any

    # -- NumPy -----------------------------------------------------------------------------------------
    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method == "__call__" and ufunc.__name__ in OPERATORS and not set(kwargs) - {"out"}:
            from kcore.graph.node import apply

            return apply(OPERATORS[ufunc.__name__], *inputs)
        instead = _REDUCTIONS.get(ufunc.__name__) if method == "reduce" else INSTEAD.get(ufunc.__name__)
        raise self._has_no_values(f"np.{ufunc.__name__}", instead)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if function.__name__ == "shape":
            return self.shape
        if function.__name__ == "ndim":
            return len(self.shape)
        raise self._has_no_values(f"np.{function.__name__}", INSTEAD.get(function.__name__))

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise self._has_no_values("an array", "the functions of kcore.backend, or K.eval(x) for its present value")

    def _has_no_values(self, what: str, instead: str | None) -> GraphError:
        return GraphError(
            f"{self!r} is symbolic and has no values while the graph is built, as {what} needs. "
            f"Use {instead or 'the functions of kcore.backend'}."
        )

    # -- numbers and truth -------------------------------------------------------------------------------
    def __float__(self) -> float:
        raise self._has_no_values(
            "a Python number", "the functions of kcore.backend (K.exp for math.exp), or K.eval(x) for its present value"
        )

    __int__ = __complex__ = __round__ = __float__  # type: ignore[assignment]

    def __bool__(self) -> bool:
        raise GraphError(
            f"{self!r} has no truth value while the graph is built. Use K.switch(condition, a, b) to choose "
            "between tensors, or K.eval(x) for its present value."
        )

    # -- containers --------------------------------------------------------------------------------------
    def __iter__(self) -> Any:
        if not self.shape or self.shape[0] is None:
            raise GraphError(
                f"cannot iterate over {self!r}: {self._unknown_length()}. Use K.map_fn, K.foldl or K.rnn for a loop "
                "over it, or functions of kcore.backend on the whole tensor."
            )
        return (self[i] for i in range(self.shape[0]))  # type: ignore[index]

    def __len__(self) -> int:
        if not self.shape or self.shape[0] is None:
            raise GraphError(f"{self!r} has no length: {self._unknown_length()}. Use K.shape(x)[0], which is a tensor.")
        return self.shape[0]

    def _unknown_length(self) -> str:
        return "its first dimension is unknown" if self.shape else "it is a scalar"

    def __contains__(self, item: Any) -> bool:
        raise GraphError(f"{self!r} has no values while the graph is built. Use K.any(K.equal(x, value)) for `in`.")

    def __setitem__(self, item: Any, value: Any) -> None:
        raise ArgumentError(
            f"{self!r} cannot be changed in place. Make a new tensor, with K.switch(condition, a, b), K.concatenate or "
            "a product with a mask; a variable takes a whole new value by K.set_value or K.update."
        )

    def __delitem__(self, item: Any) -> None:
        raise ArgumentError(f"{self!r} cannot be changed in place. Use a slice, such as x[1:], or K.concatenate.")

    # -- others ------------------------------------------------------------------------------------------
    def __getattr__(self, name: str) -> Any:
        message = f"{type(self).__name__!r} object has no attribute {name!r}"
        if name in INSTEAD:  # asked for often with names of our own: short
            message += f". Use {INSTEAD[name]} (K is kcore.backend)."
        raise AttributeError(message)

    def __format__(self, spec: str) -> str:
        if spec:
            raise self._has_no_values(f"the format {spec!r}", "K.eval(x), or a metric, which fit prints")
        return str(self)

    def __copy__(self) -> Any:
        return self

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise ArgumentError(
            f"{self!r} belongs to this program and can be neither pickled nor copied deeply. For models there are "
            "model.save(path) and load_model(path), clone_model(model), and get_weights() with set_weights()."
        )
