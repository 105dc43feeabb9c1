"""Execution and steering: functions, gradients, choices, loops, printing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from kcore import dtypes, grad
from kcore import ops as O
from kcore.backend import state
from kcore.backend.variables import update
from kcore.errors import ArgumentError, GraphError, ShapeError
from kcore.graph import Tensor, apply, as_tensors
from kcore.graph import constant as make_constant
from kcore.ops.common import as_tensor
from kcore.ops.control import select
from kcore.ops.scan import fold_steps
from kcore.runtime.function import Function
from kcore.runtime.variable import Update, Variable
from kcore.shapes import listed

__all__ = [
    "foldl",
    "foldr",
    "function",
    "gradients",
    "in_test_phase",
    "in_train_phase",
    "map_fn",
    "print_tensor",
    "stop_gradient",
    "switch",
]

# -- functions and gradients ------------------------------------------------------------------------------


def function(
    inputs: Sequence[Tensor], outputs: Sequence[Tensor], updates: Sequence[Any] | None = None, **kwargs: Any
) -> Function:
    """A callable that computes tensors.

    Args:
        inputs: list of the tensors that are given at each call: placeholders, others, or the learning phase.
        outputs: list of the tensors to compute.
        updates: list of updates, as `update` returns them; carried out after the outputs are computed.
        kwargs: `name`, for messages.

    Returns:
        a function of one argument, the list of the values of `inputs`, that returns a list of NumPy arrays.

    Raises:
        TypeError: `inputs` or `outputs` is no list.
        ValueError: an unknown keyword argument, an element that is no tensor, or a new value of another shape.
    """
    name = kwargs.pop("name", None) or "function"
    if kwargs:
        raise ArgumentError(f"Invalid argument(s) {', '.join(map(repr, kwargs))} passed to K.function; it takes `name`")
    for what, tensors in (("inputs", inputs), ("outputs", outputs)):
        if not isinstance(tensors, (list, tuple)):
            raise ArgumentError(f"`{what}` of a backend function should be a list or tuple, got {tensors!r}")
        for i, tensor in enumerate(tensors):
            if not isinstance(tensor, Tensor):
                raise GraphError(f"`{what}[{i}]` of a backend function should be a tensor, got {tensor!r}")
    return Function(
        inputs, outputs, list(_pairs([] if updates is None else listed(updates, "updates", "updates"))), name
    )


def _pairs(updates: Iterable[Any]) -> Iterable[tuple[Variable, Tensor]]:
    """Updates from a list that may hold lists of them."""
    for item in updates:
        if isinstance(item, Update):
            yield item
        elif isinstance(item, tuple) and len(item) == 2 and isinstance(item[0], Variable):
            yield update(*item)
        elif isinstance(item, (list, tuple)):
            yield from _pairs(item)
        else:
            raise GraphError(f"an update should be a pair (variable, new value), as K.update returns it; got {item!r}")


def gradients(loss: Tensor, variables: Tensor | Sequence[Tensor]) -> list[Tensor | None]:
    """The gradients of (the sum of) `loss` with respect to each of `variables`; None where it does not depend on it."""
    for tensor in loss if isinstance(loss, (list, tuple)) else [loss]:
        if not isinstance(tensor, Tensor):
            raise GraphError(f"`loss` should be a tensor, got {tensor!r}")
    wrt = [variables] if isinstance(variables, Tensor) else listed(variables, "variables", "tensors")
    for i, tensor in enumerate(wrt):
        if not isinstance(tensor, Tensor):
            raise GraphError(f"`variables[{i}]` should be a tensor or variable, got {tensor!r}")
    return grad.gradients(loss, wrt)


def stop_gradient(variables: Any) -> Any:
    """`variables` (a tensor, or a list of tensors) as constants: no gradient flows through what is returned."""
    if isinstance(variables, (list, tuple)):
        return [apply("stop_gradient", v) for v in variables]
    return apply("stop_gradient", variables)


def print_tensor(x: Tensor, message: str = "") -> Tensor:
    """`x`; whenever the returned tensor is computed, `message` and the value are printed to standard error."""
    return apply("print", x, message=str(message))


# -- choices ----------------------------------------------------------------------------------------------


def switch(condition: Any, then_expression: Any, else_expression: Any) -> Tensor:
    """One of two tensors.

    Args:
        condition: a scalar (bool or int), which chooses as a whole; or a tensor of the leading dimensions of the
            expressions, which chooses elementwise.
        then_expression, else_expression: tensors of the same shape, or functions without arguments that return them.

    Raises:
        ValueError: `condition` has more dimensions than the expressions.
    """
    condition = _as_bool(condition)
    then_tensor, else_tensor = _called(then_expression), _called(else_expression)
    if condition.ndim == 0:
        return select(condition, then_tensor, else_tensor)
    ndim = max(t.ndim if isinstance(t, Tensor) else 0 for t in (then_tensor, else_tensor))
    if condition.ndim > ndim:
        raise ShapeError(
            f"Rank of `condition` should be less than or equal to rank of `then_expression` and `else_expression`. "
            f"ndim(condition)={condition.ndim}, ndim(then_expression)={ndim}"
        )
    if condition.ndim < ndim:
        condition = O.expand_dims(condition, tuple(range(condition.ndim, ndim)))
    return O.where(condition, then_tensor, else_tensor)


def _as_bool(condition: Any) -> Tensor:
    tensor = condition if isinstance(condition, Tensor) else make_constant(condition)
    return O.cast(tensor, "bool")


def _called(expression: Any) -> Any:
    return expression() if callable(expression) and not isinstance(expression, Tensor) else expression


def in_train_phase(x: Any, alt: Any, training: Any = None) -> Tensor:
    """`x` in the training phase, else `alt`.

    Args:
        x, alt: tensors of the same shape, or functions without arguments that return them.
        training: the phase: a bool, an int or a scalar tensor; by default the learning phase.
    """
    if training is None:
        training = state.learning_phase()
    if isinstance(training, Tensor):
        return switch(training, x, alt)
    return _called(x if training else alt)


def in_test_phase(x: Any, alt: Any, training: Any = None) -> Tensor:
    """`x` in the test phase, else `alt` (see `in_train_phase`)."""
    return in_train_phase(alt, x, training=training)


# -- loops ------------------------------------------------------------------------------------------------


def map_fn(fn: Callable[[Any], Any], elems: Any, name: str | None = None, dtype: Any = None) -> Any:
    """Apply a function to each element along the first axis.

    Args:
        fn: takes one element (a list of elements if `elems` is a list) and returns a tensor, or several.
        elems: a tensor, or a list of tensors of the same length.
        name: for messages.
        dtype: of the result (a sequence of dtypes if `fn` returns several tensors); by default as `fn` makes it.

    Returns:
        the results, stacked along a new first axis.

    Raises:
        ValueError: a scalar has no elements; the lengths differ; `dtype` has not one dtype for each result.
    """
    several = isinstance(elems, (list, tuple))
    sequences = _sequences("map_fn", elems if several else [elems])
    returned: list[bool] = []

    def step(_: list[Tensor], elements: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        result = fn(elements if several else elements[0])
        returned.append(isinstance(result, (list, tuple)))
        return [], list(result) if returned[-1] else [result]

    _, stacked = fold_steps(step, [], sequences)
    kinds = list(dtype) if isinstance(dtype, (list, tuple)) else [dtype] * len(stacked)
    if len(kinds) != len(stacked):
        raise GraphError(f"map_fn needs a dtype for each result: `fn` returned {len(stacked)}, `dtype` is {dtype!r}")
    results = [t if kind is None else O.cast(t, dtypes.canonical(kind)) for t, kind in zip(stacked, kinds, strict=True)]
    if name is not None:
        for tensor in results:
            tensor.name = name
    return results if returned[0] else results[0]


def foldl(fn: Callable[[Any, Any], Tensor], elems: Any, initializer: Any = None, name: str | None = None) -> Tensor:
    """Combine the elements along the first axis, from the first to the last.

    Args:
        fn: ``fn(accumulated, element)``, such as ``lambda acc, x: acc + x``.
        elems: a tensor.
        initializer: what is accumulated at the start; by default the first element.
        name: for messages.

    Raises:
        ValueError: `elems` is a scalar, or has no elements and there is no `initializer`; `fn` changes the shape or
            dtype of what is accumulated.
    """
    return _fold("foldl", fn, elems, initializer, name)


def foldr(fn: Callable[[Any, Any], Tensor], elems: Any, initializer: Any = None, name: str | None = None) -> Tensor:
    """Combine the elements along the first axis, from the last to the first (see `foldl`)."""
    return _fold("foldr", fn, elems, initializer, name)


def _sequences(function: str, elems: Sequence[Any]) -> list[Tensor]:
    """What a loop goes along: tensors with at least one axis."""
    sequences = [as_tensor(e) for e in elems]
    for tensor in sequences:
        if tensor.ndim == 0:
            raise ShapeError(f"{function} goes along the first axis of its elements, and {tensor.spec} has none")
    return sequences


def _fold(function: str, fn: Callable[[Any, Any], Tensor], elems: Any, initializer: Any, name: str | None) -> Tensor:
    reverse = function == "foldr"
    (elems,) = _sequences(function, [elems])
    if initializer is None:
        if elems.shape[0] == 0:
            raise ShapeError(f"{function} of no elements ({elems.spec}) needs an `initializer` to start with")
        initializer, elems = (elems[-1], elems[:-1]) if reverse else (elems[0], elems[1:])

    def step(carried: list[Tensor], elements: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        return [fn(carried[0], elements[0])], []

    start, _ = as_tensors((initializer, elems))
    (result,), _ = fold_steps(step, [start], [elems], reverse=reverse)
    if name is not None:
        result.name = name
    return result
