"""Whole recurrent layers by cuDNN: weights packed for it, sequences brought into its order, and its calls.

cuDNN wants ``(steps, batch, vector)``, so inputs and outputs are copied on the way, which also turns a sequence round
that is read from its end. All states and their gradients are given, zeros where there are none: it is what other
frameworks do, and the copies are small beside the layer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from kcore.errors import ExecutionError
from kcore.ops.recurrent import gradient_names, named_operands
from kcore_backends_cupy import cudnn_rnn
from kcore_backends_cupy.cudnn_rnn import Layer
from kcore_backends_cupy.kernels.moving import copy_launch, dense, fill_launch
from kcore_backends_cupy.launch import Launches, each, grid_stride
from kcore_backends_cupy.prelude import C_TYPES
from kcore_backends_cupy.recurrent_ops import own, recurrence

Array = Any

#: Which gate of Keras is the one that cuDNN counts as the first, second, ...: r, u, c of z, r, h.
_ORDER = {"CUDNN_LSTM": (0, 1, 2, 3), "CUDNN_GRU": (1, 0, 2), "CUDNN_RNN_TANH": (0,)}


class _Sequence:
    """A layer on memory, and the calls made so far."""

    def __init__(self, ctx: Any, ins: Sequence[Array], attrs: dict[str, Any]):
        self.ctx, self.calls, self.named = ctx, [], {}  # type: ignore[var-annotated]
        for name, array in named_operands(ins, own(attrs)).items():
            self.named[name], copies = dense(ctx, array)
            self.calls += copies
        self.library, self.layer = _layer(ctx, self.named, attrs)
        self.backwards = attrs["go_backwards"]
        self.dtype = str(self.named["x"].dtype)
        self.is_lstm = self.layer.wanted.cell == "CUDNN_LSTM"

    def new(self, *shape: int) -> Array:
        """Memory for the time of this operation."""
        return self.ctx.scratch(shape, self.dtype)

    def fill(self, target: Array, source: Array | None) -> None:
        """Copy, or write zeros where there is nothing to copy."""
        xp = self.ctx.xp
        self.calls.append(fill_launch(xp, target, 0) if source is None else copy_launch(xp, target, source))

    def state(self, source: Array | None) -> Array:
        """A state ``(batch, units)``: `source`, or zeros."""
        if source is not None:
            return source
        made = self.new(self.layer.wanted.batch, self.layer.wanted.units)
        self.fill(made, None)
        return made

    def by_step(self, array: Array, turned: bool = False) -> Array:
        """A view ``(steps, batch, vector)`` of ``(batch, steps, vector)``, the last step first if `turned`."""
        return (array[:, ::-1] if turned else array).transpose(1, 0, 2)

    def brought(self, source: Array | None, vector: int, turned: bool = False) -> Array:
        """A sequence in cuDNN's order; zeros where there is none."""
        view = None if source is None else self.by_step(source, turned)
        if view is not None and view.flags.c_contiguous:
            return view
        made = self.new(self.layer.wanted.steps, self.layer.wanted.batch, vector)
        self.fill(made, view)
        return made

    def target(self, out: Array | None, shape: tuple[int, ...]) -> Array:
        """Where cuDNN writes what goes to `out`: there, if that has no gaps."""
        return out if out is not None and out.flags.c_contiguous else self.new(*shape)

    def deliver(self, out: Array | None, made: Array) -> None:
        if out is not None and out.data.ptr != made.data.ptr:
            self.fill(out, made)

    def weights(self, space: Array, arrays: dict[str, Array | None], back: bool) -> None:
        """One launch that moves weights into the weight space or, `back`, gradients out of it.

        Args:
            space: bytes.
            arrays: "kernel", "recurrent" and "bias" as Keras has them; what is None is zeros, or is not wanted.
        """
        wanted, offsets = self.layer.wanted, (*self.layer.matrices, *self.layer.biases)
        given = {k: a for k, a in arrays.items() if a is not None}
        source = weights_source(wanted.cell, wanted.gates, self.dtype, arrays, back)
        count = wanted.gates * wanted.units * (wanted.features + wanted.units + 2)
        numbers = (wanted.features, wanted.units, *offsets)
        args = [space.view(self.dtype), *given.values(), *map(np.int64, numbers)]
        self.calls.append(each(self.ctx.xp, source, "rnn_weights", count, args))


def _layer(ctx: Any, named: dict[str, Array], attrs: dict[str, Any]) -> tuple[Any, Layer]:
    """The library and the layer, which wants the memory that was planned for it."""
    library, asked = cudnn_rnn.library(ctx.device), recurrence(attrs["sequence"], named, attrs)
    layer = library.layer(asked) if library is not None and asked is not None else None
    if layer is None or layer.weights != attrs["space"] or layer.reserve > attrs["reserve"] > 0:
        raise ExecutionError(
            f"GPU {ctx.device.number} cannot compute a recurrent layer as it was planned with cuDNN on another GPU or "
            "setting; KCORE_CUPY_LIBRARIES=0 leaves such layers to kcore's own kernels"
        )
    return library, layer


def weights_source(cell: str, gates: int, dtype: str, arrays: dict[str, Array | None], back: bool) -> str:
    """The source of `_Sequence.weights`: a thread has one element of the weight space, matrices before biases."""
    kind, bias = C_TYPES[dtype][0], arrays.get("bias")
    order = ", ".join(map(str, _ORDER[cell]))
    names = [f"o{i}" for i in range(4 * gates)]
    constant = "const " * (not back)
    parameters = [f"{'const ' if back else ''}{kind}* space"]
    parameters += [f"{constant}{kind}* {k}" for k, a in arrays.items() if a is not None]
    parameters += [f"i64 {n}" for n in ("features", "units", *names)]

    def move(name: str, index: str) -> str:
        if arrays.get(name) is None:
            return "" if back else "k_store(space, at, 0);"
        to, at, source, place = (name, index, "space", "at") if back else ("space", "at", name, index)
        return f"k_store({to}, {at}, k_load({source}, {place}));"

    second = move("bias", f"({gates} + from) * units + j") if bias is not None and bias.ndim == 2 else ""
    second = second or ("" if back else "k_store(space, at, 0);")
    body = f"""    const i64 starts[] = {{{", ".join(names)}}};
    const int order[] = {{{order}}};
    i64 columns = {gates} * units, of_input = columns * features, of_state = columns * units;
    if (i < of_input + of_state) {{
      bool input = i < of_input;
      i64 rest = input ? i : i - of_input, width = input ? features : units, gate = rest / (units * width);
      rest %= units * width;
      i64 at = starts[input ? gate : {gates} + gate] + rest, j = rest / width, k = rest % width, from = order[gate];
      if (input) {{ {move("kernel", "k * columns + from * units + j")} }}
      else {{ {move("recurrent", "k * columns + from * units + j")} }}
    }} else {{
      i64 rest = i - of_input - of_state, number = rest / units, j = rest % units;
      i64 at = starts[{2 * gates} + number] + j, from = order[number % {gates}];
      if (number < {gates}) {{ {move("bias", "from * units + j")} }}
      else {{ {second} }}
    }}"""
    return grid_stride("rnn_weights", ", ".join(parameters), body)


def forward(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Callable[[], Any]:
    """See `kcore_backends_cupy.recurrent_ops.CudnnSequence`."""
    sequence = _Sequence(ctx, ins, attrs)
    outputs, *last, reserve, space = outs
    layer, named = sequence.layer, sequence.named
    wanted = layer.wanted
    if space is None:
        space = ctx.scratch((attrs["space"],), "uint8")
    sequence.weights(space, {k: named.get(k) for k in ("kernel", "recurrent", "bias")}, back=False)
    x = sequence.brought(named["x"], wanted.features, sequence.backwards)
    by_step = None if outputs is None else sequence.by_step(outputs)
    y = sequence.target(by_step, (wanted.steps, wanted.batch, wanted.units))
    state = wanted.batch, wanted.units
    after = [sequence.target(out, state) for out in last]
    before = [sequence.state(named.get(f"{s}0")) for s in "hc"[: len(last)]]
    states = list(zip(before, after, strict=True))
    cell = states[1] if sequence.is_lstm else None
    sequence.calls.append(sequence.library.forward(ctx, layer, x, y, states[0], cell, space, reserve))
    for out, made in zip([by_step, *last], [y, *after], strict=True):
        sequence.deliver(out, made)
    return Launches(sequence.calls)


def backward(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Callable[[], Any]:
    """See `kcore_backends_cupy.recurrent_ops.CudnnSequenceGrad`."""
    *ins, space = ins
    sequence = _Sequence(ctx, ins, attrs)
    layer, named = sequence.layer, sequence.named
    wanted, gradients = layer.wanted, dict(zip(gradient_names(attrs), outs, strict=True))
    reserve = named["reserve"]
    if attrs["shared"]:  # cuDNN changes it, and another gradient wants it as it was
        kept, reserve = reserve, ctx.scratch(reserve.shape, "uint8")
        sequence.fill(reserve, kept)
    x = sequence.brought(named["x"], wanted.features, sequence.backwards)
    y = sequence.brought(named["outputs"], wanted.units)
    dy = sequence.brought(named.get("g_outputs"), wanted.units)
    to_x = None if gradients["x"] is None else sequence.by_step(gradients["x"], sequence.backwards)
    dx = sequence.target(to_x, (wanted.steps, wanted.batch, wanted.features))
    states = []
    for s in "hc"[: 1 + sequence.is_lstm]:
        target = sequence.target(gradients.get(f"{s}0"), (wanted.batch, wanted.units))
        states.append((sequence.state(named.get(f"{s}0")), sequence.state(named.get(f"g_{s}")), target))
    cell = states[1] if sequence.is_lstm else None
    library, calls = sequence.library, sequence.calls
    calls.append(library.backward_data(ctx, layer, (y, dy), dx, states[0], cell, space, reserve))
    sequence.deliver(to_x, dx)
    for s, (_, _, made) in zip("hc", states, strict=False):
        sequence.deliver(gradients.get(f"{s}0"), made)
    weights = {k: gradients.get(k) for k in ("kernel", "recurrent", "bias")}
    if any(a is not None for a in weights.values()):
        _to_weights(sequence, weights, x, y, states[0][0], reserve, attrs["space"])
    return Launches(calls)


def _to_weights(
    sequence: _Sequence, wanted: dict[str, Array | None], x: Array, y: Array, h: Array, reserve: Array, nbytes: int
) -> None:
    """The gradients of weights."""
    ctx, layer = sequence.ctx, sequence.layer
    space = ctx.scratch((nbytes,), "uint8")
    sequence.fill(space.view(sequence.dtype), None)  # cuDNN adds to it
    sequence.calls.append(sequence.library.backward_weights(ctx, layer, x, y, h, space, reserve))
    made = {k: sequence.target(a, a.shape) for k, a in wanted.items() if a is not None}
    sequence.weights(space, {k: made.get(k) for k in wanted}, back=True)
    for name, array in made.items():
        sequence.deliver(wanted[name], array)


KERNELS: dict[str, Callable[..., Any]] = {"cudnn_sequence": forward, "cudnn_sequence_grad": backward}
