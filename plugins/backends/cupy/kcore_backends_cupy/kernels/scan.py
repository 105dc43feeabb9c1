"""Loops (`K.rnn`, `K.map_fn`, `K.foldl`, ...): the launches of the body once for each step, with copies between.

The number of steps is known when a plan is bound, so a loop is a row of launches like everything else, and a graph
holds it whole. A body with an operation that is no launch (one that prints, say) runs between graphs, step by step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kcore_backends_cupy.capture import taken_apart
from kcore_backends_cupy.kernels.moving import copy_launch
from kcore_backends_cupy.launch import Launches


def scan(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Callable[[], Any]:
    """See `kcore.ops.scan`."""
    body, xp = attrs["body"], ctx.xp
    constants, initial, sequences = body.split(ins)
    inner = ctx.bind_graph(body.inputs, body.outputs, given=dict(enumerate(constants)))
    _, carried, elements = body.split(inner.inputs)
    new, made = inner.outputs[: body.carries], inner.outputs[body.carries :]
    last, stacks = outs[: body.carries], outs[body.carries :]
    # New values that are read from carried memory must be saved before that memory changes.
    saved = {i: ctx.device.empty(a.shape, str(a.dtype)) for i, a in enumerate(new) if inner.reads_input(i)}
    before_change = [copy_launch(xp, save, new[i]) for i, save in saved.items()]
    carry_on = [copy_launch(xp, buffer, saved.get(i, new[i])) for i, buffer in enumerate(carried)]
    step = [*taken_apart(inner.calls), *before_change]
    steps = range(sequences[0].shape[0])
    calls = [copy_launch(xp, buffer, value) for buffer, value in zip(carried, initial, strict=True)]
    for t in reversed(steps) if attrs["reverse"] else steps:
        calls += [copy_launch(xp, element, sequence[t]) for element, sequence in zip(elements, sequences, strict=True)]
        calls += step
        calls += [copy_launch(xp, stack[t], value) for stack, value in zip(stacks, made, strict=True)]
        calls += carry_on
    calls += [copy_launch(xp, out, buffer) for out, buffer in zip(last, carried, strict=True)]
    return Launches(calls)


KERNELS: dict[str, Callable[..., Any]] = {"scan": scan}
