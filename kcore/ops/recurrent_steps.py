"""The recurrences of `kcore.ops.recurrent`, written step by step in ordinary ops.

This is what second derivatives are made of: the gradient of a fused gradient is that of the gradient of the same
recurrence in a loop (`scan`). It also is the general path that tests compare the fused ops with.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from kcore import ops as O
from kcore.grad import vector_jacobian
from kcore.graph import Tensor, apply
from kcore.ops.creation import full_like
from kcore.ops.recurrent import gradient_names
from kcore.ops.scan import fold_steps

Attrs = dict[str, Any]
Named = dict[str, Tensor]

_GATES = {"lstm_sequence": 4, "gru_sequence": 3, "rnn_sequence": 1}
_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "linear": lambda z: z,
    "tanh": O.tanh,
    "sigmoid": O.sigmoid,
    "hard_sigmoid": O.hard_sigmoid,
    "relu": O.relu,
    "softsign": O.softsign,
    "softplus": O.softplus,
    "elu": lambda z: O.elu(z, 1.0),
}


def run_steps(op: str, operands: Named, attrs: Attrs) -> list[Tensor]:
    """What a sequence op computes (without its reserve), as a loop over the steps.

    Args:
        op: ``"lstm_sequence"``, ``"gru_sequence"`` or ``"rnn_sequence"``.
        operands: its inputs by name (`kcore.ops.recurrent.named_operands`).
        attrs: its attributes.

    Returns:
        outputs ``(batch, steps, units)``, last h ``(batch, units)``, and last c of an LSTM.
    """
    cell = _Cell(op, operands, attrs)
    x = O.transpose(operands["x"], (1, 0, 2))
    mask = operands.get("mask")
    sequences = [x] if mask is None else [x, O.transpose(O.not_equal(mask, 0), (1, 0))]
    names = ("h0", "c0") if op == "lstm_sequence" else ("h0",)
    initial = [operands[name] if name in operands else cell.zeros() for name in names]

    def step(states: list[Tensor], elements: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        new = cell.step(elements[0], states)
        if mask is not None:
            keeps = O.expand_dims(elements[1], (1,))
            new = [O.where(keeps, a, b) for a, b in zip(new, states, strict=True)]
        return new, [new[0]]

    last, (outputs,) = fold_steps(step, initial, sequences, reverse=attrs["go_backwards"])
    if attrs["go_backwards"]:  # a loop stacks in the order of its sequences, the ops in that of processing
        outputs = O.reverse(outputs, 0)
    return [O.transpose(outputs, (1, 0, 2)), *last]


class _Cell:
    """One step of a recurrence."""

    def __init__(self, op: str, operands: Named, attrs: Attrs):
        self.operands, self.attrs = operands, attrs
        self.units: int = operands["recurrent"].shape[0]  # type: ignore[assignment]
        self.gates = _GATES[op]
        self.step = {"lstm_sequence": self._lstm, "gru_sequence": self._gru, "rnn_sequence": self._rnn}[op]
        self.outer = _ACTIVATIONS[attrs["activation"]]
        self.inner = _ACTIVATIONS[attrs.get("recurrent_activation", "linear")]

    def zeros(self) -> Tensor:
        """A state of zeros ``(batch, units)``."""
        x = self.operands["x"]
        column = full_like(x[:, 0, :1], 0)
        return O.tile(column, (1, self.units))

    def _columns(self, name: str, gate: int) -> Tensor:
        return self.operands[name][..., gate * self.units : (gate + 1) * self.units]

    def _dropped(self, name: str, gate: int, value: Tensor) -> Tensor:
        masks = self.operands.get(name)
        return value if masks is None else value * masks[gate if masks.shape[0] == self.gates else 0]

    def _from_input(self, gate: int, x: Tensor) -> Tensor:
        z = O.dot(self._dropped("input_dropout", gate, x), self._columns("kernel", gate))
        return z if "bias" not in self.operands else z + self._bias(0, gate)

    def _from_state(self, gate: int, h: Tensor) -> Tensor:
        return O.dot(self._dropped("recurrent_dropout", gate, h), self._columns("recurrent", gate))

    def _bias(self, row: int, gate: int) -> Tensor:
        columns = self._columns("bias", gate)
        return columns[row] if columns.ndim == 2 else columns

    def _rnn(self, x: Tensor, states: Sequence[Tensor]) -> list[Tensor]:
        return [self.outer(self._from_input(0, x) + self._from_state(0, states[0]))]

    def _lstm(self, x: Tensor, states: Sequence[Tensor]) -> list[Tensor]:
        h, c = states
        z = [self._from_input(gate, x) + self._from_state(gate, h) for gate in range(4)]
        c = self.inner(z[1]) * c + self.inner(z[0]) * self.outer(z[2])
        return [self.inner(z[3]) * self.outer(c), c]

    def _gru(self, x: Tensor, states: Sequence[Tensor]) -> list[Tensor]:
        (h,) = states
        two_rows = "bias" in self.operands and self.operands["bias"].ndim == 2
        from_state = [self._from_state(gate, h) for gate in range(2)]
        if two_rows:
            from_state = [part + self._bias(1, gate) for gate, part in enumerate(from_state)]
        z, r = (self.inner(self._from_input(gate, x) + from_state[gate]) for gate in range(2))
        if self.attrs["reset_after"]:
            part = self._from_state(2, h)
            part = r * (part + self._bias(1, 2) if two_rows else part)
        else:
            part = self._from_state(2, r * h)
        return [z * h + (1 - z) * self.outer(self._from_input(2, x) + part)]


def second_gradients(op: str, operands: Named, attrs: Attrs, given: Named) -> dict[str, Tensor | None]:
    """The vjp of a gradient op.

    Args:
        op: the forward op.
        operands: inputs of the gradient op by name: those of the forward op, its outputs and reserve, cotangents.
        attrs: attributes of the gradient op.
        given: gradients of the outputs of the gradient op, by the name of the operand that each belongs to.

    Returns:
        gradients of operands and cotangents, by name.
    """
    # Fresh nodes: a path between two operands (tied weights, say) is no business of this op.
    leaves = {name: apply("identity", t) for name, t in operands.items() if name not in ("outputs", "reserve")}
    cotangents = attrs["cotangents"]
    results = run_steps(op, leaves, attrs)
    by_cotangent = dict(zip(("g_outputs", "g_h", "g_c"), results, strict=False))
    names = [name for name in gradient_names(attrs) if name in given]
    first = vector_jacobian(
        [by_cotangent[c] for c in cotangents], [leaves[c] for c in cotangents], [leaves[n] for n in names]
    )
    pairs = [(g, given[name]) for name, g in zip(names, first, strict=True) if g is not None]
    wrt = [*gradient_names(attrs), *cotangents]
    second = vector_jacobian([g for g, _ in pairs], [gg for _, gg in pairs], [leaves[n] for n in wrt])
    return dict(zip(wrt, second, strict=True))
