"""Nodes of the graph, and `apply`, which makes them.

Nodes are immutable and hash-consed: building an equal pure node twice gives the same node, so common
subexpressions cost nothing. The table holds weak references; a graph that nobody uses disappears.
"""

from __future__ import annotations

import itertools
import threading
import weakref
from collections.abc import Iterable
from typing import Any

from kcore import dtypes
from kcore.errors import GraphError
from kcore.graph.constant import constant
from kcore.graph.op import Op, get_op
from kcore.graph.spec import Spec
from kcore.graph.tensor import Tensor
from kcore.origin import Origin, current_origin

_serials = itertools.count()
_table: weakref.WeakValueDictionary[Any, Node] = weakref.WeakValueDictionary()
_lock = threading.RLock()


class Node:
    """One application of an operation.

    Attributes:
        op: the operation.
        inputs: the tensors it reads.
        attrs: its attributes (hashable values).
        specs: shape and dtype of each output.
        origin: the user's line that made it, or None.
        serial: nodes are numbered as they are made; an input's number is lower than its reader's.
        uses_learning_phase: whether its value can depend on the learning phase.
    """

    uses_learning_phase: bool

    __slots__ = ("__weakref__", "attrs", "inputs", "op", "origin", "serial", "specs", "uses_learning_phase")

    def __init__(
        self,
        op: Op,
        inputs: tuple[Tensor, ...],
        attrs: dict[str, Any],
        specs: tuple[Spec, ...],
        origin: Origin | None,
    ):
        self.op = op
        self.inputs = inputs
        self.attrs = attrs
        self.specs = specs
        self.origin = origin
        self.serial = next(_serials)
        self.uses_learning_phase = op.name == "learning_phase" or any(t.node.uses_learning_phase for t in inputs)

    @property
    def outputs(self) -> tuple[Tensor, ...]:
        """Fresh handles on all outputs."""
        return tuple(Tensor(self, i) for i in range(len(self.specs)))

    def __repr__(self) -> str:
        args = ", ".join(str(t.spec) for t in self.inputs)
        return f"<node {self.serial} {self.op.name}({args}) -> {', '.join(map(str, self.specs))}>"


def as_tensors(values: Iterable[Any]) -> tuple[Tensor, ...]:
    """Operands as tensors. Numbers and arrays take the dtype of the tensors beside them, as far as it can hold them.

    NumPy makes float64 of nearly everything: ``x / np.sqrt(d)`` and ``x - np.array([104.0, 117.0])`` are float32 where
    the tensor `x` is. Among arrays alone, Python numbers take the dtype of the arrays.
    """
    values = tuple(values)
    tensors = [v.dtype for v in values if isinstance(v, Tensor)]
    if len(tensors) == len(values):
        return values
    known = tensors or [dtypes.canonical(v.dtype) for v in values if hasattr(v, "dtype")]
    like = dtypes.promote(*known) if known else None
    return tuple(v if isinstance(v, Tensor) else constant(v, like=like) for v in values)


def apply(op: str | Op, *inputs: Any, **attrs: Any) -> Any:
    """Build (or find) the node of `op` on `inputs`; return its output, or a tuple of its outputs.

    Args:
        op: the operation or its registered name.
        inputs: tensors, NumPy arrays or Python numbers.
        attrs: its attributes; all hashable.

    Raises:
        ShapeError, DTypeError: the operation refuses these inputs.
    """
    if isinstance(op, str):
        op = get_op(op)
    node = make_node(op, as_tensors(inputs), attrs)
    if len(node.specs) == 1:
        return Tensor(node, 0)
    return node.outputs


_UNSET: Any = object()


def make_node(op: Op, inputs: tuple[Tensor, ...], attrs: dict[str, Any], origin: Origin | None = _UNSET) -> Node:
    """The node of `op` on tensors: an equal one that exists already, or a new one."""
    key = None
    if op.pure:
        key = (op.name, tuple((t.node.serial, t.index) for t in inputs), tuple(sorted(attrs.items())))
        try:
            known = _table.get(key)
        except TypeError:
            raise GraphError(f"attributes of operation {op.name!r} must be hashable, given {attrs!r}") from None
        if known is not None:
            return known
    inferred = op.infer(*[t.spec for t in inputs], **attrs)
    specs = (inferred,) if isinstance(inferred, Spec) else tuple(inferred)
    if origin is _UNSET:
        origin = current_origin()
    node = Node(op, inputs, attrs, specs, origin)
    if key is not None:
        with _lock:
            node = _table.setdefault(key, node)
    return node
