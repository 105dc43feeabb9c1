"""Max and average pooling and their gradients. Every element is computed by one thread, in the order of the taps:
nothing is added atomically, and two runs are equal to the bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kcore.runtime.windows import attrs_window, expand
from kcore_backends_cupy.kernels.windowed import Sweep, at, looks, meets, sweep_launch
from kcore_backends_cupy.prelude import C_TYPES

# The number of real inputs under a position.
_COUNT = "int count = " + " * ".join(
    f"k_max<int>(k_min<int>(z{v} * kj{v} - kb{v} + kt{v}, kl{v}) - k_max<int>(z{v} * kj{v} - kb{v}, 0), 1)"
    for v in "dhw"
)
# The maximum under a position, and its winner: the number of the first tap that has it.
_BEST = "int winner = -1; {real} best = -K_INF; " + looks(
    f"auto v = k_load(x, {at('x')}); if (winner < 0 || v > best) winner = t; best = k_max(best, v);"
)


def max_pool(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Callable[[], Any]:
    (y, winner), x = outs, expand(ins[0])
    best = _BEST.replace("{real}", C_TYPES[str(x.dtype)][1])
    out = winner if y is None else y
    sweep = _sweep(attrs, x, expand(out))
    if y is None or winner is None:
        body = f"{best} result = {'winner' if y is None else 'best'};"
        return sweep_launch(ctx, "max_pool", body, out, sweep, x=x)
    winner = expand(winner)
    body = f"{best} result = best; k_store(winners, {at('winners', '')}, winner);"
    return sweep_launch(ctx, "max_pool", body, y, sweep, written={"winners": winner}, x=x)


def max_pool_grad(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Callable[[], Any]:
    (winner, g), out = (expand(a) for a in ins[:2]), expand(outs[0])
    body = meets(f"if (winner[{at('winner')}] == t) result += k_load(g, {at('g')});")
    return sweep_launch(ctx, "max_pool_grad", body, out, _sweep(attrs, out, g), winner=winner, g=g)


def max_pool_gather(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Callable[[], Any]:
    winner, u = (expand(a) for a in ins)
    body = f"int first = winner[{at('winner', '')}]; " + looks(f"if (t == first) result = k_load(u, {at('u')});")
    return sweep_launch(ctx, "max_pool_gather", body, outs[0], _sweep(attrs, u, winner), winner=winner, u=u)


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
