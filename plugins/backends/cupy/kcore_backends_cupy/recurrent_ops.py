"""Whole recurrent layers on cuDNN: two operations of this device, and the rewrite that puts them into a graph.

cuDNN keeps between forward and backward what it likes, as much of it as it says (its reserve space), and its weights in
a block of its own. So the choice is made before memory is planned: the operations of `kcore.ops.recurrent` are replaced
by operations whose last two outputs are these blocks. Where only the gradient's operation is in a graph, or only what
it reads (the bodies of a loop and of its gradient), nothing is replaced, and the step kernels compute.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kcore.graph import Node, Op, Spec, Tensor, get_op, nodes_of, register
from kcore.graph.node import make_node
from kcore.ops.recurrent import gradient_names, named_operands, operand_names
from kcore_backends_cupy import cudnn_rnn
from kcore_backends_cupy.cudnn_rnn import Layer, Recurrence
from kcore_backends_cupy.precision import tf32_allowed

Attrs = dict[str, Any]

#: What cuDNN's cells compute: operation -> cell, and the attributes of it.
CELLS: dict[str, tuple[str, Attrs]] = {
    "lstm_sequence": ("CUDNN_LSTM", {"activation": "tanh", "recurrent_activation": "sigmoid"}),
    "gru_sequence": (
        "CUDNN_GRU", {"activation": "tanh", "recurrent_activation": "sigmoid", "reset_after": True},
    ),
    "rnn_sequence": ("CUDNN_RNN_TANH", {"activation": "tanh"}),
}  # fmt: skip
_UNKNOWN = {"mask", "input_dropout", "recurrent_dropout"}
_DTYPES = {"float16", "float32", "float64"}
_OWN = ("sequence", "reserve", "space", "shared")


def recurrence(op: str, named: dict[str, Any], attrs: Attrs) -> Recurrence | None:
    """A layer in cuDNN's words; None where it has none for it.

    Args:
        op: name of the forward operation.
        named: its operands, arrays or specs of known shape.
        attrs: its attributes.
    """
    cell, needed = CELLS[op]
    x, units = named["x"], named["recurrent"].shape[0]
    if any(attrs.get(k) != v for k, v in needed.items()) or _UNKNOWN & named.keys() or str(x.dtype) not in _DTYPES:
        return None
    batch, steps, features = x.shape
    sizes = batch, steps, features, units
    # It counts steps in 16 bits, and elements in 32.
    if 0 in sizes or steps >= 1 << 16 or batch * steps * max(features, units) >= 1 << 31:
        return None
    return Recurrence(cell, str(x.dtype), *sizes, tf32_allowed())


class _OnCudnn(Op):
    """What both have in common.

    Attributes of nodes: those of the operation that is replaced, `sequence` (name of the forward one), `reserve` and
    `space` (bytes of the two blocks); of the gradient, `shared`: whether others read the reserve, too.
    """

    optional_outputs = True

    def cost(self, ins: Sequence[Spec], outs: Sequence[Spec], attrs: Attrs) -> int:
        return get_op(self.replaced(attrs)).cost(ins, outs, own(attrs))

    def replaced(self, attrs: Attrs) -> str:
        """Name of the operation that it computes."""
        raise NotImplementedError


def own(attrs: Attrs) -> Attrs:
    """The attributes of the operation that was replaced."""
    return {k: v for k, v in attrs.items() if k not in _OWN}


@register
class CudnnSequence(_OnCudnn):
    """Outputs, last states, reserve space, weight space."""

    name = "cudnn_sequence"

    def replaced(self, attrs: Attrs) -> str:
        return attrs["sequence"]

    def infer(self, *ins: Spec, **attrs: Any) -> tuple[Spec, ...]:
        *values, _ = get_op(self.replaced(attrs)).infer(*ins, **own(attrs))
        return (*values, Spec((attrs["reserve"],), "uint8"), Spec((attrs["space"],), "uint8"))


@register
class CudnnSequenceGrad(_OnCudnn):
    """Gradients as of the operation that is replaced. Inputs: that one's, with cuDNN's reserve; the weight space."""

    name = "cudnn_sequence_grad"

    def replaced(self, attrs: Attrs) -> str:
        return f"{attrs['sequence']}_grad"

    def infer(self, *ins: Spec, **attrs: Any) -> tuple[Spec, ...]:
        named = named_operands(ins[:-1], own(attrs))
        return tuple(named[name] for name in gradient_names(attrs))


# -- the rewrite ------------------------------------------------------------------------------------------------


def on_cudnn(device: Any, wanted: list[Tensor]) -> list[Tensor]:
    """The tensors of a graph with the recurrent layers that cuDNN computes on it."""
    nodes = nodes_of(wanted)
    if not any(node.op.name in CELLS for node in nodes):
        return wanted
    library = cudnn_rnn.library(device)
    if library is None:
        return wanted
    layers: dict[Node, Layer] = {}
    readers = _readers(nodes, wanted)
    for node in nodes:
        if node.op.name in CELLS and _is_closed(node, readers):
            asked = recurrence(node.op.name, named_operands([t.spec for t in node.inputs], node.attrs), node.attrs)
            layer = None if asked is None else library.layer(asked)
            if layer is not None:
                layers[node] = layer
    return _replaced(nodes, wanted, layers, readers) if layers else wanted


def _readers(nodes: Sequence[Node], wanted: Sequence[Tensor]) -> dict[Any, list[tuple[Node | None, int]]]:
    """Who reads the reserves, and as which of its inputs; None where it is wanted itself."""
    found: dict[Any, list[tuple[Node | None, int]]] = {}
    reserves = {(node, len(node.specs) - 1) for node in nodes if node.op.name in CELLS}
    uses: list[tuple[Node | None, Sequence[Tensor]]] = [(None, wanted), *((n, n.inputs) for n in nodes)]
    for reader, tensors in uses:
        for i, t in enumerate(tensors):
            if t.key in reserves:
                found.setdefault(t.node, []).append((reader, i))
    return found


def _is_closed(node: Node, readers: dict[Any, list[tuple[Node | None, int]]]) -> bool:
    """Whether the reserve of a layer is read by its gradients alone."""
    for reader, position in readers.get(node, []):
        if reader is None or reader.op.name != f"{node.op.name}_grad":
            return False
        names = operand_names(reader.attrs)
        known = dict(zip(names, reader.inputs, strict=True))
        if names[position] != "reserve" or known["outputs"].key != (node, 0):
            return False
    return True


def _replaced(nodes: Sequence[Node], wanted: Sequence[Tensor], layers: dict[Node, Layer], readers: Any) -> list[Tensor]:
    memo: dict[Any, Tensor] = {}
    for node in nodes:
        op, attrs, inputs = node.op, node.attrs, tuple(memo.get(t.key, t) for t in node.inputs)
        source = _source(node)
        if node in layers:
            op, reserve = get_op("cudnn_sequence"), layers[node].reserve if node in readers else 0
            attrs = attrs | {"sequence": node.op.name, "reserve": reserve, "space": layers[node].weights}
        elif source in layers:
            op, made = get_op("cudnn_sequence_grad"), memo[source, 0].node
            inputs = (*inputs, Tensor(made, len(made.specs) - 1))
            shared = len({reader for reader, _ in readers[source]}) > 1
            attrs = attrs | {k: made.attrs[k] for k in ("sequence", "reserve", "space")} | {"shared": shared}
        elif not any(t.key in memo for t in node.inputs):
            continue
        new = make_node(op, inputs, attrs, node.origin)
        memo.update(((node, i), Tensor(new, i)) for i in range(len(node.specs)))
    return [memo.get(t.key, t) for t in wanted]


def _source(node: Node) -> Node | None:
    """The layer whose gradient a node computes."""
    if not node.op.name.endswith("_sequence_grad") or "cotangents" not in node.attrs:
        return None
    return dict(zip(operand_names(node.attrs), node.inputs, strict=True))["reserve"].node
