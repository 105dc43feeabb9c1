"""Max and average pooling and their gradients. Every element is computed by one thread, in the order of the taps:
nothing is added atomically, and two runs are equal to the bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kcore.runtime.windows import attrs_window, expand
from kcore_backends_cupy.kernels.windowed import Sweep, at, looks, meets, sweep_launch
from kcore_backends_cupy.launch import Launches

# The number of real inputs under a position.
_COUNT = "int count = " + " * ".join(
    f"k_max<int>(k_min<int>(z{v} * kj{v} - kb{v} + kt{v}, kl{v}) - k_max<int>(z{v} * kj{v} - kb{v}, 0), 1)"
    for v in "dhw"
)
# The tap of the first maximum of a window; none where it is not a number.
_FIRST = "int first = -1; " + looks(f"if (first < 0 && k_load(x, {at('x')}) == k_load(y, {at('y', '')})) first = t;")


def max_pool(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Callable[[], Any]:
    x = expand(ins[0])
    body = "result = -K_INF; " + looks(f"result = k_max(result, k_load(x, {at('x')}));")
    return sweep_launch(ctx, "max_pool", body, outs[0], _sweep(attrs, x, expand(outs[0])), x=x)


def max_pool_grad(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Callable[[], Any]:
    """The first maximum of each window is looked up once; then each input adds up what its windows give it."""
    x, y, g = (expand(a) for a in ins)
    sweep = _sweep(attrs, x, y)
    first = ctx.scratch(y.shape, "int32")
    look_up = sweep_launch(ctx, "first_maximum", _FIRST + " result = first;", first, sweep, x=x, y=y)
    body = meets(f"if (first[{at('first')}] == t) result += k_load(g, {at('g')});")
    return Launches([look_up, sweep_launch(ctx, "max_pool_grad", body, outs[0], sweep, first=first, g=g)])


def max_pool_gather(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Callable[[], Any]:
    x, y, u = (expand(a) for a in ins)
    body = f"{_FIRST} " + looks(f"if (t == first) result = k_load(u, {at('u')});")
    return sweep_launch(ctx, "max_pool_gather", body, outs[0], _sweep(attrs, x, y), x=x, y=y, u=u)


def avg_pool(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Callable[[], Any]:
    x = expand(ins[0])
    body = "int count = 0; " + looks(f"result += k_load(x, {at('x')}); ++count;") + " if (count) result /= count;"
    return sweep_launch(ctx, "avg_pool", body, outs[0], _sweep(attrs, x, expand(outs[0])), x=x)


def avg_pool_grad(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Callable[[], Any]:
    g, out = expand(ins[0]), expand(outs[0])
    body = meets(f"{_COUNT}; result += k_load(g, {at('g')}) / count;")
    return sweep_launch(ctx, "avg_pool_grad", body, out, _sweep(attrs, out, g), g=g)


def _sweep(attrs: Any, image: Any, over: Any) -> Sweep:
    """The window over `image` whose positions are those of `over`."""
    rank = len(attrs["pool"])
    spatial = {1: image.shape[2:3], 2: image.shape[2:4], 3: image.shape[1:4]}[rank]
    return Sweep(attrs_window(attrs, spatial, attrs["pool"]), image.shape[1:4], over.shape[1:4])


KERNELS: dict[str, Callable[..., Any]] = {
    "max_pool": max_pool,
    "max_pool_grad": max_pool_grad,
    "max_pool_gather": max_pool_gather,
    "avg_pool": avg_pool,
    "avg_pool_grad": avg_pool_grad,
}
