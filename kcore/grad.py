"""Reverse-mode differentiation as a graph transformation.

The gradient of a graph is more graph, made of the same operations, so it can be differentiated again.
Each operation says in its `vjp` how gradients of its outputs become gradients of its inputs; here they
are only carried from node to node, last node first, and summed where paths meet.
"""

from __future__ import annotations

from collections.abc import Sequence

from kcore.dtypes import is_float
from kcore.errors import GraphError
from kcore.graph import Node, Tensor, apply, depends_on, dims_of, encode_shape
from kcore.origin import inherit

Key = tuple[Node, int]


def gradients(loss: Tensor | Sequence[Tensor], wrt: Sequence[Tensor]) -> list[Tensor | None]:
    """Gradients of the sum of all elements of `loss` with respect to each tensor of `wrt`.

    Args:
        loss: a float tensor of any shape, or several, whose sums are added.
        wrt: tensors or variables.

    Returns:
        a tensor of the shape of each of `wrt`, or None where `loss` does not depend on it.

    Raises:
        GraphError: an operation on the way has no gradient, or `loss` is not a float tensor.
    """
    losses = [loss] if isinstance(loss, Tensor) else list(loss)
    for tensor in losses:
        if not is_float(tensor.dtype):
            raise GraphError(f"only float tensors can be differentiated, and {tensor!r} is not one")
    return vector_jacobian(losses, [_ones_like(t) for t in losses], wrt)


def vector_jacobian(
    outputs: Sequence[Tensor], cotangents: Sequence[Tensor], wrt: Sequence[Tensor]
) -> list[Tensor | None]:
    """The product of `cotangents` (one for each of `outputs`, of its shape) with the Jacobian of `outputs`.

    Returns:
        a tensor of the shape of each of `wrt`, or None where no output depends on it.
    """
    active = depends_on(outputs, wrt)
    pending: dict[Key, list[Tensor]] = {}
    for tensor, cotangent in zip(outputs, cotangents, strict=True):
        if tensor.node in active:
            pending.setdefault(tensor.key, []).append(cotangent)
    for node in sorted(active, key=lambda n: n.serial, reverse=True):
        if any(t.node in active for t in node.inputs):
            _propagate(node, active, pending)
    return [_total(pending, t.key) for t in wrt]


def _propagate(node: Node, active: set[Node], pending: dict[Key, list[Tensor]]) -> None:
    grads = [_total(pending, (node, i)) for i in range(len(node.specs))]
    if all(g is None for g in grads):
        return
    with inherit(node.origin):  # an error in a gradient shows the line that made the operation
        in_grads = node.op.vjp(node, *grads)
    if len(in_grads) != len(node.inputs):
        raise GraphError(
            f"vjp of operation {node.op.name!r} gave {len(in_grads)} gradients for {len(node.inputs)} inputs"
        )
    for source, grad in zip(node.inputs, in_grads, strict=True):
        if grad is not None and source.node in active and is_float(source.dtype):
            pending.setdefault(source.key, []).append(grad)


def _total(pending: dict[Key, list[Tensor]], key: Key) -> Tensor | None:
    """The sum of the gradients that reached a value; kept, so that it is built once."""
    parts = pending.get(key)
    if not parts:
        return None
    while len(parts) > 1:
        parts[:2] = [apply("add", parts[0], parts[1])]
    return parts[0]


def _ones_like(x: Tensor) -> Tensor:
    shape, extra = encode_shape(dims_of(x))
    return apply("full", *extra, shape=shape, value=1.0, dtype=x.dtype)
