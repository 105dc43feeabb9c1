"""Rewrites around convolutions, before operations are grouped: fewer passes over large results.

Scales go into the kernel. Batch normalization in the test phase multiplies each channel by a number and adds another
one: ``(conv(x, w) + b) * s + t`` is ``conv(x, w * s) + (b * s + t)``, a pass over the kernel instead of two over the
result. It is part of every run, because the weights may change between runs, and so it is done where the kernel is the
smaller of both.

Maxima come first. Biases and activations that never decrease leave the order of elements as it is: ``max(relu(x + b))``
is ``relu(max(x) + b)``, to the bit, with a quarter of the elements or fewer. Where a gradient is computed it reads the
larger ones, and they are left as they are.

Zeros around images are padding of the convolution that reads them (which operations see to themselves, when they are
simplified), and what is inside of them is all that their gradient's convolution needs to compute.
"""

from __future__ import annotations

from collections import Counter

from kcore.compile.specialize import Graph
from kcore.graph import Node, Tensor, apply
from kcore.graph.node import make_node
from kcore.ops.conv import inside_zeros
from kcore.origin import inherit

Memo = dict[tuple[Node, int], Tensor]

SMALLER = 4  # the result must be at least this many times as large as the kernel


def fold_channels(graph: Graph) -> Graph:
    """The graph with scales of channels folded into the convolutions before them, and maxima taken early."""
    nodes = graph.nodes()
    if not any(node.op.name in _RULES for node in nodes):
        return graph
    wanted = graph.wanted
    readers = Counter(t.key for node in nodes for t in node.inputs)
    readers.update(t.key for t in wanted)
    memo: Memo = {}
    for node in nodes:
        rule = _RULES.get(node.op.name)
        folded = None if rule is None else rule(node, readers, memo)
        if folded is not None:
            memo[node, 0] = folded
            readers[folded.key] = readers[node, 0]
        elif any(t.key in memo for t in node.inputs):
            new = make_node(node.op, tuple(memo.get(t.key, t) for t in node.inputs), node.attrs, node.origin)
            for i in range(len(node.specs)):
                memo[node, i] = Tensor(new, i)
                readers[new, i] = readers[node, i]
    return graph.rewritten([memo.get(t.key, t) for t in wanted]) if memo else graph


def _one_bias(node: Node, readers: Counter[tuple[Node, int]], memo: Memo) -> Tensor | None:
    """What the addition `node` becomes where two biases of channels follow each other behind a convolution."""
    for biased, bias in (node.inputs, node.inputs[::-1]):
        before = memo.get(biased.key)  # only what a scale was folded into
        if before is None or before.node.op.name != "add" or readers[biased.key] != 1:
            continue
        result, first = before.node.inputs
        if _is_of_channels(bias, biased) and _is_of_channels(first, biased) and result.spec == node.specs[0]:
            with inherit(node.origin):
                return result + (first + memo.get(bias.key, bias))
    return None


def _folded(node: Node, readers: Counter[tuple[Node, int]], memo: Memo) -> Tensor | None:
    """What the multiplication `node` becomes, or None where it is not one of a convolution by a scale of channels."""
    for scaled, scale in (node.inputs, node.inputs[::-1]):
        if readers[scaled.key] != 1 or not _is_of_channels(scale, scaled):
            continue
        bias, result = None, scaled
        if scaled.node.op.name == "add":
            result, bias = sorted(scaled.node.inputs, key=lambda t: _is_of_channels(t, scaled))
            if not _is_of_channels(bias, scaled):
                continue
        if readers[result.key] == 1 and result.spec == node.specs[0] and _pays(result.node):
            with inherit(node.origin):
                scale = memo.get(scale.key, scale)
                product = _scaled(memo.get(result.key, result).node, scale)
                return product if bias is None else product + memo.get(bias.key, bias) * scale
    return None


def _maximum_first(node: Node, readers: Counter[tuple[Node, int]], memo: Memo) -> Tensor | None:
    """What max pooling, or the maximum over positions, becomes where biases and activations come before it."""
    source = memo.get(node.inputs[0].key, node.inputs[0])
    if not source.spec.size or readers[node, 1] or source.ndim - 1 in node.attrs.get("axes", ()):
        return None
    after: list[tuple[Node, Tensor | None]] = []
    while readers[source.key] <= 1:
        bias = None
        if source.node.op.name == "add":
            first, bias = sorted(source.node.inputs, key=lambda t: _is_of_channels(t, source))
            if not _is_of_channels(bias, source) or first.spec != source.spec:
                break
        elif source.node.op.name not in ("relu", "clip"):
            break
        after.append((source.node, bias))
        source = source.node.inputs[0] if bias is None else first
    if not after:
        return None
    with inherit(node.origin):
        result = Tensor(make_node(node.op, (source,), node.attrs, node.origin), 0)
        for step, bias in reversed(after):
            if bias is None:
                result = apply(step.op.name, result, **step.attrs)
            else:
                result = result + apply("reshape", bias, shape=(bias.spec.size,))
    return result


def _is_of_channels(t: Tensor, result: Tensor) -> bool:
    """Whether `t` has one number for each channel (the last axis) of `result`."""
    channels = result.shape[-1] if result.ndim else None
    return 0 < t.ndim <= result.ndim and t.shape[-1] == channels == t.spec.size and t.dtype == result.dtype


def _pays(node: Node) -> bool:
    return node.op.name in ("conv", "depthwise_conv") and node.specs[0].size >= SMALLER * node.inputs[1].spec.size


def _scaled(convolution: Node, scale: Tensor) -> Tensor:
    """The convolution with its kernel multiplied by `scale`."""
    x, kernel = convolution.inputs
    # conv: (*size, inputs, channels); depthwise: (*size, inputs, multiplier), with inputs * multiplier channels.
    shape = kernel.shape[-1:] if convolution.op.name == "conv" else kernel.shape[-2:]
    return apply(convolution.op.name, x, kernel * apply("reshape", scale, shape=shape), **convolution.attrs)


def _inside_zeros(node: Node, readers: Counter[tuple[Node, int]], memo: Memo) -> Tensor | None:
    """What a slice becomes that takes the gradient of images from the gradient of the same with zeros around them."""
    source = memo.get(node.inputs[0].key, node.inputs[0])
    if source.node.op.name not in ("conv_input_grad", "depthwise_conv_input_grad") or readers[source.key] != 1:
        return None
    with inherit(node.origin):
        return inside_zeros(source.node, node.attrs["items"])


_RULES = {
    "multiply": _folded,
    "add": _one_bias,
    "max_pool": _maximum_first,
    "max": _maximum_first,
    "slice": _inside_zeros,
}
