"""Batch normalization (Ioffe and Szegedy 2015, https://arxiv.org/abs/1502.03167).

In training the statistics come from the batch itself: ``batch_norm`` and its gradient are operations of their own,
since a composition would pass over the data a dozen times. In inference they are given: one scale, one shift.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kcore.errors import ShapeError
from kcore.graph import Node, Op, Spec, Tensor, apply, as_tensors, dim_of, may_equal, register
from kcore.ops.common import as_tensor, broadcast_shapes, normalize_axes, require_float
from kcore.ops.creation import full
from kcore.ops.elementwise import rsqrt, square
from kcore.ops.movement import expand_dims, reshape
from kcore.ops.reduce import count, reduce_mean, reduce_sum, reduced_shape

Axes = tuple[int, ...]
Grads = Sequence["Tensor | None"]


@register
class BatchNorm(Op):
    """``(x - mean) / sqrt(variance + epsilon) * gamma + beta`` with the mean and variance over `axes`.

    Outputs: the normalized tensor; mean, (biased) variance and ``1 / sqrt(variance + epsilon)``, each of the
    shape of `x` without `axes`, which is the shape of `gamma` and `beta` too.
    """

    name = "batch_norm"

    def infer(self, x: Spec, gamma: Spec, beta: Spec, *, axes: Axes, epsilon: float) -> tuple[Spec, ...]:  # type: ignore[override]
        require_float(self.name, x)
        statistics = Spec(reduced_shape(x, axes, False), x.dtype)
        for weight in (gamma, beta):
            if not may_equal(weight.shape, statistics.shape):
                raise ShapeError(
                    f"batch_norm over axes {axes} of {x} needs weights of shape {statistics.shape}, got {weight}",
                    shapes=(x.shape, weight.shape),
                    op=self.name,
                )
        return x, statistics, statistics, statistics

    def vjp(self, node: Node, g: Tensor | None, g_mean: Any, g_var: Any, g_inv: Any) -> Grads:  # type: ignore[override]
        x, gamma, _ = node.inputs
        _, mean, _, inv = node.outputs
        axes: Axes = node.attrs["axes"]
        parts: list[Tensor] = []
        g_gamma = g_beta = None
        if g is not None:
            gx, g_gamma, g_beta = apply("batch_norm_grad", x, gamma, mean, inv, g, axes=axes)
            parts.append(gx)
        if g_inv is not None:  # inv = (variance + epsilon) ** -1/2
            through = g_inv * (-0.5 * inv * square(inv))
            g_var = through if g_var is None else g_var + through
        n = count(x, axes)
        if g_var is not None:
            parts.append(expand_dims(g_var / n, axes) * (2 * (x - expand_dims(mean, axes))))
        if g_mean is not None:
            parts.append(expand_dims(g_mean / n, axes) + apply("multiply", x, 0))
        total = parts[0]
        for part in parts[1:]:
            total = total + part
        return [total, g_gamma, g_beta]

    def kernel(self, xp: Any, outs: Any, x: Any, gamma: Any, beta: Any, *, axes: Axes, epsilon: float) -> None:  # type: ignore[override]
        y, mean, var, inv = outs
        if not x.size:  # the mean of no elements, of which NumPy would warn
            for statistic in (mean, var, inv):
                statistic[...] = float("nan")
            return
        xp.mean(x, axis=axes, out=mean)
        xp.subtract(x, xp.expand_dims(mean, axes), out=y)
        xp.mean(xp.square(y), axis=axes, out=var)
        xp.add(var, var.dtype.type(epsilon), out=inv)
        xp.sqrt(inv, out=inv)
        xp.reciprocal(inv, out=inv)
        xp.multiply(y, xp.expand_dims(inv * gamma, axes), out=y)
        xp.add(y, xp.expand_dims(beta, axes), out=y)


@register
class BatchNormGrad(Op):
    """The gradients of ``batch_norm`` for `x`, `gamma` and `beta` from that of the normalized tensor.

    With ``xhat = (x - mean) * inv`` and the projection ``P(v) = v - mean(v) - xhat * mean(v * xhat)`` they are
    ``gamma * inv * P(g)``, ``sum(g * xhat)`` and ``sum(g)``.
    """

    name = "batch_norm_grad"
    zero_in = (4,)

    def infer(self, x: Spec, gamma: Spec, mean: Spec, inv: Spec, g: Spec, *, axes: Axes) -> tuple[Spec, ...]:  # type: ignore[override]
        return x, mean, mean

    def vjp(self, node: Node, v: Tensor | None, v_gamma: Any, v_beta: Any) -> Grads:  # type: ignore[override]
        x, gamma, mean, inv, g = node.inputs
        axes: Axes = node.attrs["axes"]

        def up(t: Tensor) -> Tensor:
            return expand_dims(t, axes)

        centred = x - up(mean)
        xhat = centred * up(inv)
        g_g: list[Tensor] = []
        g_xhat: list[Tensor] = []
        g_gamma = g_inv = None
        if v is not None:
            scale = up(gamma * inv)
            along_v, along_g = reduce_mean(v * xhat, axes, True), reduce_mean(g * xhat, axes, True)
            g_g.append(scale * (v - reduce_mean(v, axes, True) - xhat * along_v))
            inner = reduce_sum(v * (g - reduce_mean(g, axes, True) - xhat * along_g), axes)
            g_gamma, g_inv = inv * inner, gamma * inner
            g_xhat.append(-(scale * (g * along_v + v * along_g)))
        if v_gamma is not None:
            g_g.append(up(v_gamma) * xhat)
            g_xhat.append(up(v_gamma) * g)
        if v_beta is not None:
            g_g.append(up(v_beta) + apply("multiply", g, 0))
        g_x = g_mean = None
        if g_xhat:
            total = sum(g_xhat[1:], g_xhat[0])
            g_x = total * up(inv)
            g_mean = -reduce_sum(g_x, axes)
            through = reduce_sum(total * centred, axes)
            g_inv = through if g_inv is None else g_inv + through
        return [g_x, g_gamma, g_mean, g_inv, sum(g_g[1:], g_g[0])]

    def kernel(self, xp: Any, outs: Any, x: Any, gamma: Any, mean: Any, inv: Any, g: Any, *, axes: Axes) -> None:  # type: ignore[override]
        gx, g_gamma, g_beta = outs
        n = x.size // max(mean.size, 1)
        xp.subtract(x, xp.expand_dims(mean, axes), out=gx)
        xp.sum(g, axis=axes, out=g_beta)
        xp.sum(gx * g, axis=axes, out=g_gamma)
        xp.multiply(g_gamma, inv, out=g_gamma)
        scale = gamma * inv
        xp.multiply(gx, xp.expand_dims(-scale * inv * g_gamma / n, axes), out=gx)
        xp.subtract(gx, xp.expand_dims(scale * g_beta / n, axes), out=gx)
        xp.add(gx, xp.expand_dims(scale, axes) * g, out=gx)


def normalize_batch(
    x: Any, gamma: Any, beta: Any, axes: Sequence[int], epsilon: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Batch normalization with the statistics of the batch itself.

    Args:
        x: a float tensor.
        gamma, beta: scale and shift, of the shape of `x` without `axes` (or with as many elements); None for none.
        axes: what the statistics are taken over.
        epsilon: added to the variance.

    Returns:
        the normalized tensor, the mean and the (biased) variance, both of the shape of `x` without `axes`.
    """
    x = as_tensor(x)
    over = normalize_axes("batch_norm", axes, x.ndim)
    kept = [dim_of(x, i) for i in range(x.ndim) if i not in over]
    gamma = full(kept, 1.0, x.dtype) if gamma is None else _weight(x, gamma, kept)
    beta = full(kept, 0.0, x.dtype) if beta is None else _weight(x, beta, kept)
    y, mean, var, _ = apply("batch_norm", x, gamma, beta, axes=over, epsilon=float(epsilon))
    return y, mean, var


def _weight(x: Tensor, weight: Any, kept: list[Any]) -> Tensor:
    _, weight = as_tensors((x, weight))
    return weight if weight.ndim == len(kept) else reshape(weight, kept)


def apply_batch_norm(x: Any, mean: Any, var: Any, beta: Any, gamma: Any, epsilon: float) -> Tensor:
    """``(x - mean) / sqrt(var + epsilon) * gamma + beta`` with given statistics, all broadcast; None for none."""
    x, mean, var, *weights = as_tensors((x, mean, var, *(t for t in (beta, gamma) if t is not None)))
    require_float("batch_normalization", x.spec)
    broadcast_shapes("batch_normalization", *(t.spec for t in (x, mean, var, *weights)))
    scale = rsqrt(var + epsilon)
    if gamma is not None:
        scale = scale * gamma
    shift = -(mean * scale) if beta is None else beta - mean * scale
    return x * scale + shift
