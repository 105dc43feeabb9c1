"""Portable kernels of the recurrent ops: the formulas, step by step, for any array module.

They are what a device without kernels of its own runs, and what tests compare the fast kernels with. Values of a
step are ``(batch, units)`` here; the reserve is transposed, since its layout belongs to the op
(``(steps, blocks, units, batch)``, see the op classes).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Array = Any
Operands = dict[str, Array]


def activate(xp: Any, name: str, z: Array) -> Array:
    """The activation `name` of ``z``."""
    if name == "tanh":
        return xp.tanh(z)
    if name == "sigmoid":
        return 0.5 * xp.tanh(0.5 * z) + 0.5
    if name == "hard_sigmoid":
        return xp.clip(0.2 * z + 0.5, 0, 1)
    if name == "relu":
        return xp.maximum(z, 0)
    if name == "softsign":
        return z / (1 + abs(z))
    if name == "softplus":
        return xp.logaddexp(z, xp.zeros_like(z))
    if name == "elu":
        return xp.maximum(z, 0) + xp.expm1(xp.minimum(z, 0))
    return z


def slope(xp: Any, name: str, y: Array) -> Array:
    """The derivative of the activation `name` where its output is ``y``."""
    if name == "tanh":
        return 1 - y * y
    if name == "sigmoid":
        return y - y * y
    if name == "hard_sigmoid":
        return 0.2 * ((y > 0) & (y < 1)).astype(y.dtype)
    if name == "relu":
        return (y > 0).astype(y.dtype)
    if name == "softsign":
        return (1 - abs(y)) ** 2
    if name == "softplus":
        return -xp.expm1(-y)
    if name == "elu":
        return xp.minimum(y, 0) + 1
    return xp.ones_like(y)


class _Steps:
    """Operands as the steps see them: in the order of processing, gates apart."""

    def __init__(self, xp: Any, named: Operands, gates: int, reverse: bool):
        self.xp, self.named, self.gates = xp, named, gates
        self.order = slice(None, None, -1) if reverse else slice(None)
        self.x = named["x"].swapaxes(0, 1)[self.order]
        self.kernels = self.split(named["kernel"])
        self.recurrents = self.split(named["recurrent"])
        self.units = named["recurrent"].shape[0]
        mask = named.get("mask")
        self.held = None if mask is None else (mask.swapaxes(0, 1)[self.order] == 0)[:, :, None]

    def split(self, weights: Array) -> list[Array]:
        """The columns of each gate."""
        return self.xp.split(weights, self.gates, axis=-1)

    def biases(self, row: int) -> list[Array]:
        """One row of the bias, gate by gate; zeros where there is none."""
        bias = self.named.get("bias")
        if bias is None or (bias.ndim == 1 and row > 0):
            return [self.xp.zeros((self.units,), self.x.dtype)] * self.gates
        return self.split(bias[row] if bias.ndim == 2 else bias)

    def drop(self, which: str, gate: int, value: Array) -> Array:
        """``value`` times the drop-out mask of a gate."""
        masks = self.named.get(which)
        return value if masks is None else value * masks[gate if masks.shape[0] > 1 else 0]

    def inputs(self, t: int, gate: int) -> Array:
        """The input of step t as the gate sees it."""
        return self.drop("input_dropout", gate, self.x[t])

    def state(self, h: Array, gate: int) -> Array:
        """The state as the gate sees it."""
        return self.drop("recurrent_dropout", gate, h)

    def initial(self, name: str) -> Array:
        given = self.named.get(name)
        return self.xp.zeros((self.x.shape[1], self.units), self.x.dtype) if given is None else given

    def hold(self, t: int, new: Array, old: Array) -> Array:
        """`new`, or `old` where step t is masked."""
        return new if self.held is None else self.xp.where(self.held[t], old, new)


def _steps(xp: Any, op: str, named: Operands, attrs: dict[str, Any]) -> _Steps:
    gates = {"lstm_sequence": 4, "gru_sequence": 3, "rnn_sequence": 1}[op]
    return _Steps(xp, named, gates, attrs["go_backwards"])


def forward(xp: Any, op: str, out: Sequence[Array | None], named: Operands, attrs: dict[str, Any]) -> None:
    """Fill the outputs of a sequence op; those that are None are not wanted."""
    steps = _steps(xp, op, named, attrs)
    outputs, *last, reserve = out
    states = [steps.initial(name) for name in ("h0", "c0")[: len(last)]]
    step = _FORWARD[op]
    for t in range(steps.x.shape[0]):
        new, kept = step(steps, t, states, attrs)
        states = [steps.hold(t, a, b) for a, b in zip(new, states, strict=True)]
        if outputs is not None:
            outputs[:, t] = states[0]
        if reserve is not None:
            for block, value in enumerate(kept):
                reserve[t, block] = value.T
    for target, state in zip(last, states, strict=True):
        if target is not None:
            target[...] = state


def _product(steps: _Steps, t: int, gate: int, h: Array) -> Array:
    z = steps.inputs(t, gate) @ steps.kernels[gate] + steps.state(h, gate) @ steps.recurrents[gate]
    return z + steps.biases(0)[gate]


def _lstm_step(steps: _Steps, t: int, states: list[Array], attrs: dict[str, Any]) -> tuple[list[Array], list[Array]]:
    xp, (h, c) = steps.xp, states
    inner, outer = attrs["recurrent_activation"], attrs["activation"]
    i, f, o = (activate(xp, inner, _product(steps, t, gate, h)) for gate in (0, 1, 3))
    g = activate(xp, outer, _product(steps, t, 2, h))
    new_c = f * c + i * g
    y = activate(xp, outer, new_c)
    return [o * y, new_c], [o, i, f, g, c, y]


def _gru_step(steps: _Steps, t: int, states: list[Array], attrs: dict[str, Any]) -> tuple[list[Array], list[Array]]:
    xp, (h,) = steps.xp, states
    inner, outer = attrs["recurrent_activation"], attrs["activation"]
    second = steps.biases(1)
    z, r = (activate(xp, inner, _product(steps, t, gate, h) + second[gate]) for gate in (0, 1))
    from_x = steps.inputs(t, 2) @ steps.kernels[2] + steps.biases(0)[2]
    if attrs["reset_after"]:
        u = steps.state(h, 2) @ steps.recurrents[2] + second[2]
        g = activate(xp, outer, from_x + r * u)
        kept = [g, z, r, u, h]
    else:
        g = activate(xp, outer, from_x + steps.state(r * h, 2) @ steps.recurrents[2])
        kept = [g, z, r, h]
    return [z * h + (1 - z) * g], kept


def _rnn_step(steps: _Steps, t: int, states: list[Array], attrs: dict[str, Any]) -> tuple[list[Array], list[Array]]:
    y = activate(steps.xp, attrs["activation"], _product(steps, t, 0, states[0]))
    return [y], [y]


_FORWARD = {"lstm_sequence": _lstm_step, "gru_sequence": _gru_step, "rnn_sequence": _rnn_step}


class _Gradients:
    """Sums of the gradients of the operands over the steps."""

    def __init__(self, steps: _Steps, out: dict[str, Array | None]):
        self.steps, self.out = steps, out
        for target in out.values():
            if target is not None:
                target[...] = 0
        self.x = None if out["x"] is None else out["x"].swapaxes(0, 1)[steps.order]
        self.kernels = self._parts("kernel")
        self.recurrents = self._parts("recurrent")
        bias = out.get("bias")
        rows = [] if bias is None else [bias] if bias.ndim == 1 else [bias[0], bias[1]]
        self.biases = [list(steps.split(row)) for row in rows]

    def _parts(self, name: str) -> list[Array] | None:
        target = self.out.get(name)
        return None if target is None else list(self.steps.split(target))

    def from_input(self, t: int, gate: int, dz: Array, row: int = 0) -> None:
        """Add what the gradient of a gate's pre-activation gives to the input, the kernel and the bias."""
        if self.x is not None:
            self.x[t] += self.steps.drop("input_dropout", gate, dz @ self.steps.kernels[gate].T)
        if self.kernels is not None:
            self.kernels[gate] += self.steps.inputs(t, gate).T @ dz
        self.to_bias(row, gate, dz)

    def to_bias(self, row: int, gate: int, dz: Array) -> None:
        if row < len(self.biases):
            self.biases[row][gate] += dz.sum(axis=0)

    def from_state(self, gate: int, dz: Array, h: Array) -> Array:
        """Add what it gives to the recurrent weights; returns what it gives to the state."""
        if self.recurrents is not None:
            self.recurrents[gate] += self.steps.state(h, gate).T @ dz
        return self.steps.drop("recurrent_dropout", gate, dz @ self.steps.recurrents[gate].T)


def backward(xp: Any, op: str, out: dict[str, Array | None], named: Operands, attrs: dict[str, Any]) -> None:
    """Fill the gradients of the operands; those that are None are not wanted."""
    steps = _steps(xp, op, named, attrs)
    gradients = _Gradients(steps, out)
    count = 2 if op == "lstm_sequence" else 1
    carried = [xp.zeros_like(steps.initial("h0")) if named.get(n) is None else named[n] for n in ("g_h", "g_c")[:count]]
    g_outputs, outputs = named.get("g_outputs"), named["outputs"]
    step = _BACKWARD[op]
    for t in reversed(range(steps.x.shape[0])):
        if g_outputs is not None:
            carried[0] = carried[0] + g_outputs[:, t]
        before = outputs[:, t - 1] if t else steps.initial("h0")
        kept = [block.T for block in named["reserve"][t]]
        flowing = carried if steps.held is None else [xp.where(steps.held[t], 0, g) for g in carried]
        new = step(gradients, t, before, kept, flowing, attrs)
        passed = [0] * count if steps.held is None else [xp.where(steps.held[t], g, 0) for g in carried]
        carried = [a + b for a, b in zip(new, passed, strict=True)]
    for name, gradient in zip(("h0", "c0"), carried, strict=False):
        target = out.get(name)
        if target is not None:
            target[...] = gradient


def _lstm_back(
    to: _Gradients, t: int, h: Array, kept: list[Array], grads: list[Array], attrs: dict[str, Any]
) -> list[Array]:
    xp = to.steps.xp
    inner, outer = attrs["recurrent_activation"], attrs["activation"]
    o, i, f, g, c, y = kept
    dh, dc = grads
    dc = dc + dh * o * slope(xp, outer, y)
    gates = (dc * g * slope(xp, inner, i), dc * c * slope(xp, inner, f), dc * i * slope(xp, outer, g),
             dh * y * slope(xp, inner, o))  # fmt: skip
    before = xp.zeros_like(h)
    for gate, dz in enumerate(gates):
        to.from_input(t, gate, dz)
        before = before + to.from_state(gate, dz, h)
    return [before, dc * f]


def _gru_back(
    to: _Gradients, t: int, h: Array, kept: list[Array], grads: list[Array], attrs: dict[str, Any]
) -> list[Array]:
    xp = to.steps.xp
    inner, outer = attrs["recurrent_activation"], attrs["activation"]
    g, z, r = kept[:3]
    (dh,) = grads
    dg = dh * (1 - z) * slope(xp, outer, g)
    dz = dh * (h - g) * slope(xp, inner, z)
    before = dh * z
    if attrs["reset_after"]:
        dr = dg * kept[3] * slope(xp, inner, r)
        before = before + to.from_state(2, dg * r, h)
        to.to_bias(1, 2, dg * r)
    else:
        reset = to.from_state(2, dg, r * h)
        dr = reset * h * slope(xp, inner, r)
        before = before + reset * r
    for gate, gradient in ((0, dz), (1, dr)):
        to.from_input(t, gate, gradient)
        to.to_bias(1, gate, gradient)
        before = before + to.from_state(gate, gradient, h)
    to.from_input(t, 2, dg)
    return [before]


def _rnn_back(
    to: _Gradients, t: int, h: Array, kept: list[Array], grads: list[Array], attrs: dict[str, Any]
) -> list[Array]:
    dz = grads[0] * slope(to.steps.xp, attrs["activation"], kept[0])
    to.from_input(t, 0, dz)
    return [to.from_state(0, dz, h)]


_BACKWARD = {"lstm_sequence": _lstm_back, "gru_sequence": _gru_back, "rnn_sequence": _rnn_back}
