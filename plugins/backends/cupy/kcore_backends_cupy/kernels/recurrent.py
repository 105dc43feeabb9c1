"""LSTM, GRU and SimpleRNN over whole sequences: a product and one fused kernel a step, all of them launches.

The product of the inputs is one for all steps, and so is each gradient of weights; what is left in the loop is the
product of the state with the recurrent weights and the cell (`recurrent_cells`). A GRU that resets before the product
has two of each. The ops and the meaning of their operands: `kcore.ops.recurrent`. The reserve is the plugin's own
business between forward and backward: its blocks are ``(batch, units)`` here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, partial
from typing import Any

import numpy as np

from kcore.graph import get_op
from kcore.ops.recurrent import gradient_names, named_operands
from kcore_backends_cupy.kernels import recurrent_cells as cells
from kcore_backends_cupy.kernels.moving import copy_launch, dense, fill_launch
from kcore_backends_cupy.kernels.products import matmul
from kcore_backends_cupy.kernels.reduce import reduction
from kcore_backends_cupy.kernels.single import elementwise
from kcore_backends_cupy.launch import Launches, each, grid_stride
from kcore_backends_cupy.prelude import C_TYPES

Array = Any
_GATES = {"lstm_sequence": 4, "gru_sequence": 3, "rnn_sequence": 1}


class _Layer:
    """The operands of a recurrent layer, and the calls made so far."""

    def __init__(self, ctx: Any, op: str, ins: Sequence[Array], attrs: dict[str, Any]):
        self.ctx, self.op, self.attrs, self.gates = ctx, op, attrs, _GATES[op]
        self.calls: list[Any] = []
        self.named: dict[str, Array] = {}
        for name, array in named_operands(ins, attrs).items():
            self.named[name], copies = dense(ctx, array)
            self.calls += copies
        self.x = self.named["x"]
        self.batch, self.steps, self.features = self.x.shape
        self.units = self.named["recurrent"].shape[0]
        self.dtype = str(self.x.dtype)
        self.acc_dtype = "float64" if self.dtype == "float64" else "float32"
        self.after = bool(attrs.get("reset_after"))
        self.masked = "mask" in self.named
        self._functions = cells.functions(
            C_TYPES[self.dtype][1], attrs["activation"], attrs.get("recurrent_activation", "linear")
        )

    @cached_property
    def _dropped(self) -> Array:
        return self.new(self.gates, self.batch, self.units)

    def place(self, t: int) -> int:
        """Where step `t` of the processing lies in the input."""
        return self.steps - 1 - t if self.attrs["go_backwards"] else t

    def new(self, *shape: int, dtype: str | None = None) -> Array:
        """Memory for the time of this call."""
        return self.ctx.scratch(shape, dtype or self.dtype)

    def states(self, array: Array | None, dtype: str | None = None) -> Array:
        """A state ``(batch, units)`` that starts as `array`, or as zeros."""
        made = self.new(self.batch, self.units, dtype=dtype)
        self.fill(made, array)
        return made

    def fill(self, target: Array, source: Array | None) -> None:
        xp = self.ctx.xp
        self.calls.append(fill_launch(xp, target, 0) if source is None else copy_launch(xp, target, source))

    def cell(self, name: str, body: str, arrays: dict[str, Array | None], count: int = 0, **numbers: int) -> None:
        """Append the launch of a cell; arrays that are None are no parameters."""
        given = {k: a for k, a in arrays.items() if a is not None}
        numbers |= {"steps": self.steps, "units": self.units, "batch": self.batch}
        parameters = [f"{C_TYPES[str(a.dtype)][0]}* {k}" for k, a in given.items()] + [f"i64 {k}" for k in numbers]
        source = self._functions + grid_stride(name, ", ".join(parameters), body)
        args = [*given.values(), *(np.int64(v) for v in numbers.values())]
        launch = each(self.ctx.xp, source, name, count or self.batch * self.units, args)
        launch.touched = [self._one_step(a) for a in given.values()]
        self.calls.append(launch)

    def _one_step(self, a: Array) -> Array:
        """As much of an array as a step reads or writes of it."""
        whole = a.size >= self.steps * self.batch * self.units and a.flags.c_contiguous
        return a.reshape(-1)[: a.size // self.steps] if whole else a

    def product(self, out: Array, a: Array, b: Array) -> None:
        if out.size:
            self.calls.append(matmul(self.ctx, [out], [a, b], {}))

    def multiply(self, out: Array, a: Array, b: Array) -> None:
        if out.size:
            self.calls.append(elementwise(self.ctx, [out], [a, b], {}, name="multiply"))

    def sum(self, out: Array, x: Array) -> None:
        """Over the first axis."""
        if out.size:
            self.calls.append(reduction(self.ctx, [out], [x], {"axes": (0,), "keepdims": False}, name="sum"))

    def by_gate(self, columns: Array) -> Array:
        """``(rows, gates * units)`` as ``(gates, rows, units)``."""
        return columns.reshape(columns.shape[0], self.gates, self.units).transpose(1, 0, 2)

    def masks(self, name: str, gates: slice) -> Array | None:
        """The drop-out masks of some gates: ``(1 or gates, batch, units or features)``."""
        masks = self.named.get(name)
        return masks if masks is None or masks.shape[0] == 1 else masks[gates]

    def inputs(self) -> Array:
        """What the gates see of the inputs: ``(1 or gates, batch * steps, features)``."""
        masks = self.named.get("input_dropout")
        if masks is None:
            return self.x.reshape(1, -1, self.features)
        made = self.new(masks.shape[0], self.batch, self.steps, self.features)
        self.multiply(made, self.x[None], masks[:, :, None])
        return made.reshape(masks.shape[0], -1, self.features)

    def from_inputs(self) -> Array:
        """``x W`` for all steps and gates."""
        made = self.new(self.batch * self.steps, self.gates * self.units)
        x, kernel = self.inputs(), self.named["kernel"]
        if x.shape[0] == 1:
            self.product(made, x[0], kernel)
        else:
            self.product(self.by_gate(made), x, self.by_gate(kernel))
        return made

    def from_state(self, out: Array, h: Array, gates: slice) -> None:
        """``h U`` for some gates, into their columns of `out` ``(batch, gates * units)``."""
        masks, recurrent = self.masks("recurrent_dropout", gates), self.named["recurrent"]
        if masks is not None:
            dropped = self._dropped[: masks.shape[0]]
            self.multiply(dropped, h[None], masks)
            if masks.shape[0] > 1:
                self.product(self.by_gate(out)[gates], dropped, self.by_gate(recurrent)[gates])
                return
            h = dropped[0]
        columns = slice(gates.start * self.units, gates.stop * self.units)
        self.product(out[:, columns], h, recurrent[:, columns])


def forward(ctx: Any, outs: Any, ins: Any, attrs: Any, op: str) -> Callable[[], Any]:
    """See `kcore.ops.recurrent`."""
    if not ins[0].size:
        return get_op(op).bind(ctx, outs, ins, attrs)
    layer = _Layer(ctx, op, ins, attrs)
    outputs, *last, reserve = outs
    named, bias = layer.named, layer.named.get("bias")
    zx = layer.from_inputs()
    zh = layer.new(layer.batch, layer.gates * layer.units)
    states = {"state_h": layer.states(named.get("h0"))}
    if op == "lstm_sequence":
        states["state_c"] = layer.states(named.get("c0"), layer.acc_dtype)
    arrays = {"zx": zx, "zh": zh, "bias": bias, "mask": named.get("mask"), "outputs": outputs, "reserve": reserve}
    arrays |= states
    options = bias is not None, layer.masked, outputs is not None, reserve is not None
    before = op == "gru_sequence" and not layer.after
    if before:
        gates = {"gate_z": layer.new(*states["state_h"].shape), "gate_r": layer.new(*states["state_h"].shape)}
        reset = layer.new(*states["state_h"].shape)
        first = {k: v for k, v in arrays.items() if k in ("zx", "zh", "bias", "state_h")} | gates | {"reset": reset}
        arrays |= gates
    body = {
        "lstm_sequence": partial(cells.lstm_step, *options),
        "rnn_sequence": partial(cells.rnn_step, *options),
        "gru_sequence": partial(cells.gru_before_step, *options)
        if before
        else partial(cells.gru_after_step, options[0], bias is not None and bias.ndim == 2, *options[1:]),
    }[op]()
    for t in range(layer.steps):
        at = {"t": t, "p": layer.place(t)}
        if t == 0 and "h0" not in named:
            layer.fill(zh, None)  # no state, no product
        else:
            layer.from_state(zh, states["state_h"], slice(0, 2 if before else layer.gates))
        if before:
            layer.cell("gru_gates", cells.gru_gates(options[0]), first, **at)
            if t or "h0" in named:
                layer.from_state(zh, reset, slice(2, 3))
        layer.cell(op, body, arrays, **at)
    for target, state in zip(last, states.values(), strict=True):
        if target is not None:
            layer.fill(target, state)
    return Launches(layer.calls)


def backward(ctx: Any, outs: Any, ins: Any, attrs: Any, op: str) -> Callable[[], Any]:
    """See `kcore.ops.recurrent`."""
    if not ins[0].size:
        return get_op(f"{op}_grad").bind(ctx, outs, ins, attrs)
    layer = _Layer(ctx, op, ins, attrs)
    wanted = dict(zip(gradient_names(attrs), outs, strict=True))
    named, units, gates = layer.named, layer.units, layer.gates
    before = op == "gru_sequence" and not layer.after
    dz = layer.new(layer.batch * layer.steps, gates * units)
    ds = layer.new(*dz.shape) if layer.after else dz  # on the side of the state
    arrays = _carried(layer, slice(0, 2 if before else gates)) | {"dz": dz, "ds": ds if layer.after else None}
    masks = arrays["dropped"]
    options = 0 if masks is None else masks.shape[0], "g_outputs" in named, layer.masked
    body = {
        "lstm_sequence": cells.lstm_back,
        "rnn_sequence": cells.rnn_back,
        "gru_sequence": cells.gru_before_back if before else cells.gru_after_back,
    }[op](*options)
    if before:
        last = layer.masks("recurrent_dropout", slice(2, 3))
        second = {k: arrays[k] for k in ("mask", "reserve", "carried", "dz")}
        second |= {"reset": layer.new(layer.batch, units), "dropped": last}
        reset_body = cells.gru_reset_back(last is not None, layer.masked)
    shape = layer.batch, layer.steps, gates * units
    for t in reversed(range(layer.steps)):
        p = layer.place(t)
        layer.cell(f"{op}_grad", body, arrays, t=t, p=p)
        if before:
            layer.product(second["reset"], dz.reshape(shape)[:, p, 2 * units :], named["recurrent"][:, 2 * units :].T)
            layer.cell("gru_reset_grad", reset_body, second, t=t, p=p)
        if t or wanted.get("h0") is not None:
            _to_state(layer, arrays["back"], ds, p, slice(0, 2 if before else gates))
    if wanted.get("h0") is not None:
        finish = cells.collected(options[0]) + "\n    k_store(out, i, dh);"
        final = {k: arrays[k] for k in ("carried", "back", "dropped")} | {"out": wanted["h0"]}
        layer.cell("to_initial_state", finish, final)
    if wanted.get("c0") is not None:
        layer.fill(wanted["c0"], arrays["carried_c"])
    _to_weights(layer, wanted, dz, ds)
    return Launches(layer.calls)


def _carried(layer: _Layer, gates: slice) -> dict[str, Array | None]:
    """What the steps of the backward pass read and hand on."""
    named = layer.named
    masks = layer.masks("recurrent_dropout", gates)
    back = layer.new(1 if masks is None else masks.shape[0], layer.batch, layer.units)
    layer.fill(back, None)
    arrays = {"carried": layer.states(named.get("g_h"), layer.acc_dtype), "back": back, "dropped": masks}
    if layer.op == "lstm_sequence":
        arrays["carried_c"] = layer.states(named.get("g_c"), layer.acc_dtype)
    return arrays | {k: named.get(k) for k in ("reserve", "g_outputs", "mask")}


def _to_state(layer: _Layer, back: Array, ds: Array, p: int, gates: slice) -> None:
    """The product with the recurrent weights, turned round; for each gate apart where masks differ."""
    recurrent, steps = layer.named["recurrent"], layer.steps
    if back.shape[0] > 1:
        by_gate = ds.reshape(layer.batch, steps, layer.gates, layer.units)[:, p].transpose(1, 0, 2)
        layer.product(back, by_gate[gates], layer.by_gate(recurrent)[gates].transpose(0, 2, 1))
        return
    columns = slice(gates.start * layer.units, gates.stop * layer.units)
    layer.product(back[0], ds.reshape(layer.batch, steps, -1)[:, p, columns], recurrent[:, columns].T)


def _to_weights(layer: _Layer, wanted: dict[str, Array | None], dz: Array, ds: Array) -> None:
    """Gradients of inputs, weights and bias from those of all gates of all steps: a product each."""
    named = layer.named
    masks = named.get("input_dropout")
    if wanted["x"] is not None:
        _to_inputs(layer, wanted["x"], dz, masks)
    if wanted["kernel"] is not None:
        x = layer.inputs()
        if x.shape[0] == 1:
            layer.product(wanted["kernel"], x[0].T, dz)
        else:
            layer.product(layer.by_gate(wanted["kernel"]), x.transpose(0, 2, 1), layer.by_gate(dz))
    if wanted["recurrent"] is not None:
        _to_recurrent(layer, wanted["recurrent"], ds)
    bias = wanted.get("bias")
    if bias is not None:
        layer.sum(bias if bias.ndim == 1 else bias[0], dz)
        if bias.ndim == 2:
            layer.sum(bias[1], ds)


def _to_inputs(layer: _Layer, out: Array, dz: Array, masks: Array | None) -> None:
    kernel, flat = layer.named["kernel"], out.reshape(-1, layer.features)
    if masks is None or masks.shape[0] == 1:
        layer.product(flat, dz, kernel.T)
        if masks is not None:
            layer.multiply(out, out, masks[0][:, None])
        return
    parts = layer.new(layer.gates, layer.batch, layer.steps, layer.features)
    by_gate = parts.reshape(layer.gates, -1, layer.features)
    layer.product(by_gate, layer.by_gate(dz), layer.by_gate(kernel).transpose(0, 2, 1))
    layer.multiply(parts, parts, masks[:, :, None])
    layer.sum(flat, by_gate)


def _to_recurrent(layer: _Layer, out: Array, ds: Array) -> None:
    """The product of the states before all steps with the gradients; a GRU that resets before the product has
    ``r * h`` in the place of the last gate's state."""
    named, units, gates = layer.named, layer.units, layer.gates
    with_reset = layer.op == "gru_sequence" and not layer.after
    states = layer.new(layer.batch, layer.steps, units)
    reset = layer.new(*states.shape) if with_reset else None
    body = cells.states_before("h0" in named, layer.attrs["go_backwards"], with_reset)
    arrays = {"before": states, "reset": reset, "outputs": named["outputs"], "h0": named.get("h0")}
    arrays |= {"reserve": named["reserve"] if with_reset else None}
    if states.size:
        layer.cell("states_before", body, arrays, count=states.size)
    groups = [(states, slice(0, 2)), (reset, slice(2, 3))] if with_reset else [(states, slice(0, gates))]
    for h, chosen in groups:
        masks = layer.masks("recurrent_dropout", chosen)
        if masks is not None:
            dropped = layer.new(masks.shape[0], *h.shape)
            layer.multiply(dropped, h[None], masks[:, :, None])
            h = dropped
        h = h.reshape(-1, layer.batch * layer.steps, units)
        if h.shape[0] == 1:
            columns = slice(chosen.start * units, chosen.stop * units)
            layer.product(out[:, columns], h[0].T, ds[:, columns])
        else:
            layer.product(layer.by_gate(out)[chosen], h.transpose(0, 2, 1), layer.by_gate(ds)[chosen])


KERNELS: dict[str, Callable[..., Any]] = {
    **{op: partial(forward, op=op) for op in _GATES},
    **{f"{op}_grad": partial(backward, op=op) for op in _GATES},
}
