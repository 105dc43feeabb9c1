"""Batch normalization in training, in parts that join what comes before and after them.

As one operation it would be three passes over the batch that know nothing of their neighbours. Before operations are
grouped, it becomes the sums that give the statistics, and an elementwise operation that normalizes, which joins the
activation, and the addition of a residual branch. Its gradient becomes sums, which end the group that computes what
they add up, and an elementwise operation. Where a rectifier follows directly, the gradient computes again which
elements were positive, instead of reading the rectifier's result.

So a convolution's result is read twice on the way forward, and twice on the way back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from kcore.compile import Graph, rewrite
from kcore.graph import Node, Op, Spec, Tensor, apply, register
from kcore.graph.op import get_op
from kcore.origin import inherit

Axes = tuple[int, ...]
Now = Callable[[Tensor], Tensor]


def exact(dtype: str) -> str:
    """The dtype of numbers for a channel that are not rounded further than an element's arithmetic needs."""
    return "float64" if dtype == "float64" else "float32"


def _of_channels(x: Spec, axes: Axes, dtype: str) -> Spec:
    return Spec(tuple(n for i, n in enumerate(x.shape) if i not in axes), dtype)


@register
class BatchMoments(Op):
    """Mean (in double precision), biased variance and ``1 / sqrt(variance + epsilon)`` of `x` over `axes`."""

    name = "batch_moments"
    differentiable = False

    def infer(self, x: Spec, *, axes: Axes, epsilon: float) -> tuple[Spec, ...]:  # type: ignore[override]
        return tuple(_of_channels(x, axes, dtype) for dtype in ("float64", exact(x.dtype), exact(x.dtype)))

    def cost(self, ins: Sequence[Spec], outs: Sequence[Spec], attrs: dict[str, Any]) -> int:
        return 4 * ins[0].size


@register
class BatchNormalize(Op):
    """``(x - mean) * (inv * gamma) + beta``."""

    name = "batch_normalize"
    elementwise = True
    inplace = (0,)
    differentiable = False

    def infer(self, x: Spec, mean: Spec, inv: Spec, gamma: Spec, beta: Spec) -> Spec:  # type: ignore[override]
        return x

    def cost(self, ins: Sequence[Spec], outs: Sequence[Spec], attrs: dict[str, Any]) -> int:
        return 4 * ins[0].size


@register
class BatchNormSums(Op):
    """What the gradient of batch normalization needs to know of all elements.

    With ``xhat = (x - mean) * inv`` the results are ``sum(g * xhat)`` and ``sum(g)``, the gradients for gamma and beta,
    and the means of the same. With `gamma` and `beta`, `g` counts only where ``xhat * gamma + beta`` is positive: where
    a rectifier let it pass.
    """

    name = "batch_norm_sums"
    ends_group = True
    differentiable = False

    def infer(self, x: Spec, g: Spec, mean: Spec, inv: Spec, *rectified: Spec, axes: Axes) -> tuple[Spec, ...]:  # type: ignore[override]
        return tuple(_of_channels(x, axes, dtype) for dtype in (x.dtype, x.dtype, exact(x.dtype), exact(x.dtype)))

    def cost(self, ins: Sequence[Spec], outs: Sequence[Spec], attrs: dict[str, Any]) -> int:
        return 4 * ins[0].size


@register
class BatchNormReturn(Op):
    """``inv * gamma * (g - level - xhat * along)``, with the last two results of `batch_norm_sums`; see there."""

    name = "batch_norm_return"
    elementwise = True
    inplace = (0, 1)
    differentiable = False

    def infer(self, g: Spec, x: Spec, *others: Spec) -> Spec:  # type: ignore[override]
        return x

    def cost(self, ins: Sequence[Spec], outs: Sequence[Spec], attrs: dict[str, Any]) -> int:
        return 7 * ins[0].size


def split(graph: Graph) -> Graph:
    """The graph with batch normalizations in parts."""
    nodes = graph.nodes()
    if not any(_splits(node) for node in nodes):
        return graph
    readers = Counter(t.key for node in nodes for t in node.inputs)
    readers.update(t.key for t in graph.wanted)
    moments: dict[Node, tuple[Tensor, Tensor]] = {}  # of a normalization: mean and inverse deviation, not rounded

    def rule(node: Node, now: Now) -> Sequence[Tensor] | None:
        if not _splits(node):
            return None
        with inherit(node.origin):
            return _gradient(node, now) if node.op.name == "batch_norm_grad" else _forward(node, now)

    def _forward(node: Node, now: Now) -> Sequence[Tensor]:
        x, gamma, beta = map(now, node.inputs)
        order, axes = _neighbours(x, node.attrs["axes"])
        x = _turned(x, order)
        mean, var, inv = apply("batch_moments", x, axes=axes, epsilon=node.attrs["epsilon"])
        moments[node] = mean, inv
        along = [_along(t, x, axes) for t in (mean, inv, gamma, beta)]
        y = _turned(apply("batch_normalize", x, *along), _back(order))
        return y, *(_cast(t, x.dtype) for t in (mean, var, inv))

    def _gradient(node: Node, now: Now) -> Sequence[Tensor]:
        x, gamma, mean, inv, g = map(now, node.inputs)
        order, axes = _neighbours(x, node.attrs["axes"])
        rectified: tuple[Tensor, ...] = ()
        forward = node.inputs[2].node
        if forward in moments and forward.inputs[0].key == node.inputs[0].key:
            mean, inv = moments[forward]
            if _is_rectified(node.inputs[4], forward, readers):
                g, rectified = now(node.inputs[4].node.inputs[1]), tuple(map(now, forward.inputs[1:]))
        x, g = _turned(x, order), _turned(g, order)
        mean, inv, gamma, *rest = (_along(t, x, axes) for t in (mean, inv, gamma, *rectified))
        g_gamma, g_beta, *means = apply("batch_norm_sums", x, g, mean, inv, *rest, axes=axes)
        means = [_along(t, x, axes) for t in means]
        gx = apply("batch_norm_return", g, x, mean, inv, gamma, *means, *rest[1:])
        return _turned(gx, _back(order)), g_gamma, g_beta

    return rewrite(graph, rule)


def _is_rectified(g: Tensor, normalization: Node, readers: Counter[Any]) -> bool:
    """Whether `g` came back to `normalization` through a rectifier right behind it, and is of no other use."""
    if g.node.op.name != "relu_grad" or readers[g.key] > 1:
        return False
    rectifier = g.node.inputs[0].node
    return rectifier.op.name == "relu" and rectifier.inputs[0].key == (normalization, 0)


def _splits(node: Node) -> bool:
    """Whether `node` is a normalization, or its gradient, of something."""
    return node.op.name in ("batch_norm", "batch_norm_grad") and bool(node.specs[0].size)


def _neighbours(x: Tensor, axes: Axes) -> tuple[Axes, Axes]:
    """An order of dimensions in which those of the channels are neighbours (see `channels_of`), and `axes` in it."""
    from kcore_backends_cupy.kernels.batch_norm import channels_of

    if channels_of(x.spec.sizes, axes) is not None:
        return tuple(range(x.ndim)), axes
    kept = tuple(i for i in range(x.ndim) if i not in axes)
    return (*axes, *kept), tuple(range(len(axes)))


def _back(order: Axes) -> Axes:
    return tuple(order.index(i) for i in range(len(order)))


def _turned(t: Tensor, order: Axes) -> Tensor:
    return t if order == tuple(range(t.ndim)) else apply("transpose", t, perm=order)


def _along(t: Tensor, x: Tensor, axes: Axes) -> Tensor:
    """A number for each channel, seen so that it is broadcast to `x`."""
    if t.ndim == x.ndim or axes == tuple(range(len(axes))):
        return t
    return apply("reshape", t, shape=tuple(1 if i in axes else n for i, n in enumerate(x.shape)))


def _cast(t: Tensor, dtype: str) -> Tensor:
    return t if t.dtype == dtype else apply(get_op("cast"), t, dtype=dtype)
