"""Variables: named values that live from call to call."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any

from kcore import dtypes
from kcore.errors import ShapeError, warn
from kcore.graph import Op, Shape, Spec, Tensor, get_op, register
from kcore.graph.node import make_node
from kcore.origin import current_place
from kcore.runtime.devices import current_device


class VariableState:
    """The memory behind a variable. Its array is made at first need and then stays the same array, so that
    plans can be bound to it; new values are copied into it."""

    __slots__ = ("_array", "_initial", "_lock", "device", "spec")

    def __init__(self, spec: Spec, initial: Callable[[], Any]):
        self.spec = spec
        self.device = current_device().at(current_place())
        self._initial: Callable[[], Any] | None = initial
        self._array: Any = None
        self._lock = threading.RLock()

    @property
    def array(self) -> Any:
        """The device array; drawn or copied from the initial value when first read."""
        if self._array is None:
            with self._lock:
                if self._array is None:
                    assert self._initial is not None
                    initial = self._initial()
                    with self.device.here():
                        array = self.device.empty(self.spec.sizes, self.spec.dtype)
                        array[...] = self.device.asarray(initial, self.spec.dtype)
                    self._array, self._initial = array, None
        return self._array

    def assign(self, value: Any, give: bool = False) -> None:
        """Copy `value` (of the variable's shape) into the memory; the initial value is never computed.

        With `give`, `value` may become the memory, where there is none yet.
        """
        with self._lock, self.device.here():
            if self._array is None:
                self._initial = None
                if give:
                    self._array = self.device.asarray(value, self.spec.dtype)
                    return
                self._array = self.device.empty(self.spec.sizes, self.spec.dtype)
            self._array[...] = self.device.asarray(value)


@register
class VariableOp(Op):
    """The present value of a variable."""

    name = "variable"

    def infer(self, *, state: VariableState, name: str) -> Spec:  # type: ignore[override]
        return state.spec

    def kernel(self, xp: Any, out: Any, *, state: VariableState, name: str) -> None:  # type: ignore[override]
        out[...] = state.array


class Variable(Tensor):
    """A tensor that keeps its value between calls and can be updated.

    Args:
        shape, dtype: fixed for its life.
        initial: computes the first value, when it is first read.
        name: what saved files call it.
        constraint: a function that an optimizer applies to each new value, or None.
        trainable: whether optimizers should train it.
    """

    def __init__(
        self,
        shape: Shape,
        dtype: str,
        initial: Callable[[], Any],
        name: str,
        constraint: Callable[[Tensor], Tensor] | None = None,
        trainable: bool = True,
    ):
        if None in shape:
            raise ShapeError(f"variable {name!r} needs a complete shape, got {shape}")
        spec = Spec(tuple(shape), dtypes.canonical(dtype))
        self.state = VariableState(spec, initial)
        super().__init__(make_node(_VARIABLE, (), {"state": self.state, "name": name}))
        self.constraint = constraint
        self.trainable = trainable

    def get(self) -> Any:
        """The present value, as a NumPy array of its own."""
        return self.state.device.to_host(self.state.array)

    def set(self, value: Any, give: bool = False) -> None:
        """Give a new value of the same shape.

        Args:
            value: array or nested sequence.
            give: whether the array, which must be contiguous, may be kept and written into: nobody else has it.

        Raises:
            ShapeError: the shape is another.
        """
        shape = getattr(value, "shape", None)
        if shape is None:
            value = self.state.device.asarray(value, self.dtype)
            shape = value.shape
        if tuple(shape) != self.shape:
            raise ShapeError(f"variable {self.name!r} has shape {self.shape}; it cannot take a value of shape {shape}")
        self.state.assign(value, give)

    def eval(self) -> Any:
        """The present value (the name that TensorFlow scripts use)."""
        return self.get()

    def __repr__(self) -> str:
        return f"<kcore.Variable {self.name!r} {self.spec}>"


class Update(tuple[Variable, Tensor]):
    """The pair of a variable and its new value, for the updates of a function.

    Attributes:
        step: how the new value follows from the value before it; None for an assignment. Several updates of one
            variable in one function are carried out in the order of the list: each continues from the value that the
            one before it left, while everything else that they read is as it was before the call.
    """

    step: Callable[[Tensor], Tensor] | None

    def __new__(cls, variable: Variable, value: Tensor, step: Callable[[Tensor], Tensor] | None = None) -> Update:
        self = super().__new__(cls, (variable, value))
        self.step = step
        return self


def combined(updates: Iterable[tuple[Variable, Tensor]]) -> list[tuple[Variable, Tensor]]:
    """One new value for each variable: those of several updates one after the other.

    Warns where an assignment makes an update before it pointless.
    """
    seen: set[int] = set()
    values: dict[Any, tuple[Variable, Tensor]] = {}
    for update in updates:
        if id(update) in seen:  # a layer's list and its model's can both hold it
            continue
        seen.add(id(update))
        variable, value = update
        before = values.get(variable.key)
        step = getattr(update, "step", None)
        if before is not None and step is not None:
            value = step(before[1])
        elif before is not None and before[1].key != value.key:
            warn(
                f"variable {variable.name!r} is given two new values in one function, and the last one holds. Leave "
                "one out, or use K.update_add, K.update_sub or K.moving_average_update, which add to each other"
            )
        values[variable.key] = (variable, value)
    return list(values.values())


_VARIABLE = get_op("variable")
