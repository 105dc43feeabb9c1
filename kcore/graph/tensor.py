"""`Tensor`: a symbolic value, on which ordinary Python operators build graph."""

from __future__ import annotations

from numbers import Number
from typing import TYPE_CHECKING, Any

from kcore.graph.misuse import NotAnArray
from kcore.graph.spec import Shape, Spec

if TYPE_CHECKING:
    from kcore.graph.node import Node


def _build(op: str, *inputs: Any, **attrs: Any) -> Tensor:
    from kcore.graph.node import apply

    return apply(op, *inputs, **attrs)


class TensorShape(tuple[int | None, ...]):
    """A shape that can also be asked as TensorFlow scripts do: ``x.get_shape().as_list()``."""

    def as_list(self) -> list[int | None]:
        """The shape as a list, None where unknown."""
        return list(self)


class Tensor(NotAnArray):
    """A handle on one output of a node.

    Handles are light and not unique: since equal nodes are one node, two layers can compute the same
    value, yet each needs a place for its own history. Compare values by `key`, handles by ``is``.
    What layers attach (``_keras_history``, ``_keras_mask`` ...) belongs to the handle.
    """

    _keras_history: tuple[Any, int, int]  # layer, number of its call, number of the output: set by layers
    _keras_mask: Tensor | None

    def __init__(self, node: Node, index: int = 0):
        self.node = node
        self.index = index

    # -- what is known of it -------------------------------------------------------------------------
    @property
    def key(self) -> tuple[Node, int]:
        """What identifies the value (the handle does not)."""
        return (self.node, self.index)

    @property
    def spec(self) -> Spec:
        return self.node.specs[self.index]

    @property
    def shape(self) -> Shape:
        return self.node.specs[self.index].shape

    @property
    def dtype(self) -> str:
        return self.node.specs[self.index].dtype

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def name(self) -> str:
        given = self.__dict__.get("_name") or self.node.attrs.get("name")
        return given or f"{self.node.op.name}_{self.node.serial}:{self.index}"

    @name.setter
    def name(self, value: str) -> None:
        self._name = value

    def get_shape(self) -> TensorShape:
        """The shape as a tuple, ``None`` where unknown (the name that TensorFlow scripts use)."""
        return TensorShape(self._keras_shape)

    @property
    def _keras_shape(self) -> Shape:
        return self.__dict__.get("_shape_override") or self.shape

    @_keras_shape.setter
    def _keras_shape(self, shape: Shape) -> None:
        self._shape_override = tuple(shape)

    @property
    def _uses_learning_phase(self) -> bool:
        override = self.__dict__.get("_phase_override")
        return self.node.uses_learning_phase if override is None else override

    @_uses_learning_phase.setter
    def _uses_learning_phase(self, value: bool) -> None:
        self._phase_override = bool(value)

    def handle(self) -> Tensor:
        """A fresh handle of the same value, with nothing attached."""
        return Tensor(self.node, self.index)

    def __repr__(self) -> str:
        return f"<kcore.Tensor {self.name} {self.spec}>"

    # -- operators -------------------------------------------------------------------------------------
    def __add__(self, other: Any) -> Tensor:
        return _build("add", self, other)

    def __radd__(self, other: Any) -> Tensor:
        return _build("add", other, self)

    def __sub__(self, other: Any) -> Tensor:
        return _build("subtract", self, other)

    def __rsub__(self, other: Any) -> Tensor:
        return _build("subtract", other, self)

    def __mul__(self, other: Any) -> Tensor:
        return _build("multiply", self, other)

    def __rmul__(self, other: Any) -> Tensor:
        return _build("multiply", other, self)

    def __truediv__(self, other: Any) -> Tensor:
        return _build("divide", self, other)

    def __rtruediv__(self, other: Any) -> Tensor:
        return _build("divide", other, self)

    def __floordiv__(self, other: Any) -> Tensor:
        return _build("floor_divide", self, other)

    def __rfloordiv__(self, other: Any) -> Tensor:
        return _build("floor_divide", other, self)

    def __mod__(self, other: Any) -> Tensor:
        return _build("mod", self, other)

    def __rmod__(self, other: Any) -> Tensor:
        return _build("mod", other, self)

    def __pow__(self, other: Any) -> Tensor:
        return _build("power", self, other)

    def __rpow__(self, other: Any) -> Tensor:
        return _build("power", other, self)

    def __matmul__(self, other: Any) -> Tensor:
        return _build("matmul", self, other)

    def __rmatmul__(self, other: Any) -> Tensor:
        return _build("matmul", other, self)

    def __neg__(self) -> Tensor:
        return _build("negative", self)

    def __pos__(self) -> Tensor:
        return self

    def __abs__(self) -> Tensor:
        return _build("abs", self)

    def __lt__(self, other: Any) -> Tensor:
        return _build("less", self, other)

    def __le__(self, other: Any) -> Tensor:
        return _build("less_equal", self, other)

    def __gt__(self, other: Any) -> Tensor:
        return _build("greater", self, other)

    def __ge__(self, other: Any) -> Tensor:
        return _build("greater_equal", self, other)

    def __and__(self, other: Any) -> Tensor:
        return _build("logical_and", self, other)

    def __rand__(self, other: Any) -> Tensor:
        return _build("logical_and", other, self)

    def __or__(self, other: Any) -> Tensor:
        return _build("logical_or", self, other)

    def __ror__(self, other: Any) -> Tensor:
        return _build("logical_or", other, self)

    def __invert__(self) -> Tensor:
        return _build("logical_not", self)

    def __eq__(self, other: Any) -> Any:
        """Element by element beside a number or an array; tensors are equal where they are one handle.

        So tensors can stand in lists and dictionaries. To compare their elements there is K.equal.
        """
        if isinstance(other, Number) or hasattr(other, "__array_interface__"):
            return _build("equal", self, other)
        return NotImplemented

    def __ne__(self, other: Any) -> Any:
        if isinstance(other, Number) or hasattr(other, "__array_interface__"):
            return _build("not_equal", self, other)
        return NotImplemented

    def __getitem__(self, item: Any) -> Tensor:
        from kcore.graph.index import index

        return index(self, item)

    __hash__ = object.__hash__
