"""Biases before batch normalization in training: they move the mean, and nothing else.

``batch_norm(x + b)`` is ``batch_norm(x)`` with ``b`` added to the mean that it tells, so the pass that adds ``b`` to
every element is left out. The loss does not depend on ``b``: its gradient, a sum over elements that add up to zero but
for rounding, becomes zero, which saves another pass (and an optimizer that divides by the size of gradients no longer
trains ``b`` on rounding errors).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kcore.compile.rewrite import Now, rewrite
from kcore.compile.specialize import Graph
from kcore.graph import Node, Tensor, apply, constant
from kcore.origin import inherit


class _Biased(NamedTuple):
    """An addition of a bias that only batch normalization reads."""

    source: Tensor
    bias: Tensor


def absorb_biases(graph: Graph) -> Graph:
    """The graph without biases whose only readers are batch normalizations and their gradients."""
    nodes = graph.nodes()
    if not any(node.op.name == "batch_norm" for node in nodes):
        return graph
    readers: dict[Node, list[Node]] = {}
    for node in nodes:
        for t in node.inputs:
            readers.setdefault(t.node, []).append(node)
    kept = {t.node for t in graph.wanted}
    biased: dict[Node, _Biased] = {}
    for node in nodes:
        if node.op.name == "add" and node not in kept:
            found = _biased(node, readers.get(node, []))
            if found is not None:
                biased[node] = found
    raw_means: dict[Node, Tensor] = {}  # of a normalization: the mean without its bias

    def rule(node: Node, now: Now) -> Sequence[Tensor] | None:
        if node.op.name == "sum":
            return _sum_of_gradient(node)
        if node.op.name not in _NORMALIZATIONS or node.inputs[0].node not in biased:
            return None
        source, bias = biased[node.inputs[0].node]
        operands = [now(source), *map(now, node.inputs[1:])]
        with inherit(node.origin):
            if node.op.name == "batch_norm_grad":
                operands[2] = raw_means[node.inputs[2].node]
                return apply(node.op, *operands, **node.attrs)
            y, mean, var, inv = apply(node.op, *operands, **node.attrs)
            raw_means[node] = mean
            return y, mean + apply("reshape", now(bias), shape=mean.shape), var, inv

    return rewrite(graph, rule)


_NORMALIZATIONS = ("batch_norm", "batch_norm_grad")


def _biased(node: Node, readers: list[Node]) -> _Biased | None:
    """The parts of the addition `node` if batch normalization over all that a bias is repeated along reads it alone."""
    normalizations = [r for r in readers if r.op.name == "batch_norm"]
    if not normalizations or not all(_normalizes(r, node, normalizations) for r in readers):
        return None
    axes = normalizations[0].attrs["axes"]
    if any(r.attrs["axes"] != axes for r in readers):
        return None
    for source, bias in (node.inputs, node.inputs[::-1]):
        shape = (1,) * (source.ndim - bias.ndim) + bias.spec.sizes
        wanted = tuple(1 if i in axes else n for i, n in enumerate(node.specs[0].sizes))
        if source.spec == node.specs[0] and shape == wanted and bias.dtype == source.dtype:
            return _Biased(source, bias)
    return None


def _normalizes(reader: Node, node: Node, normalizations: list[Node]) -> bool:
    """Whether `reader` is a batch normalization of `node`, or the gradient of one, and reads it in no other place."""
    if reader.op.name not in _NORMALIZATIONS or [t.node for t in reader.inputs].count(node) != 1:
        return False
    return reader.inputs[0].node is node and (
        reader.op.name == "batch_norm" or _is_own_gradient(reader, reader.inputs[2].node)
    )


def _is_own_gradient(gradient: Node, normalization: Node) -> bool:
    """Whether `gradient` has the statistics that `normalization` took of the same values."""
    x, _, mean, inv, _ = gradient.inputs
    return (
        normalization.op.name == "batch_norm"
        and normalization.inputs[0].key == x.key
        and normalization.attrs["axes"] == gradient.attrs["axes"]
        and (mean.key, inv.key) == ((normalization, 1), (normalization, 3))
    )


def _sum_of_gradient(node: Node) -> tuple[Tensor, ...] | None:
    """Zeros for the sum of what batch normalization passes back, over what it normalizes."""
    gradient, index = node.inputs[0].node, node.inputs[0].index
    if gradient.op.name != "batch_norm_grad" or index or node.attrs["axes"] != gradient.attrs["axes"]:
        return None
    if not _is_own_gradient(gradient, gradient.inputs[2].node):
        return None
    return (constant(np.zeros(node.specs[0].sizes, node.specs[0].dtype)),)
