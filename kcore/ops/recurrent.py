"""Whole recurrent layers as one op each: LSTM, GRU and SimpleRNN over all steps of a sequence.

A standard layer builds its op with `lstm`, `gru` or `simple_rnn`; there is no faster way, and the result equals that of
``K.rnn`` over the cell within rounding::

    from kcore.ops import recurrent

    if recurrent.supports(activation_name, recurrent_activation_name):
        outputs, h, c = recurrent.lstm(x, kernel, recurrent_kernel, bias, initial_state=(h0, c0), mask=mask,
                                       activation="tanh", recurrent_activation="hard_sigmoid")

``outputs`` is ``(batch, steps, units)`` in the order of processing (``go_backwards`` reads the sequence from its end,
and its first output belongs to the last step, as ``K.rnn`` has it); take ``outputs`` for ``return_sequences``, ``h``
otherwise: what is not used is not computed. Weights are those of Keras 2.1.6: gates i, f, c, o of an LSTM and z, r, h
of a GRU beside each other in the columns. Activations outside `ACTIVATIONS` (a user's function, an advanced layer) and
cells of one's own take the general path, ``K.rnn``.

*Masks.* ``mask`` (batch, steps) marks with 0 the steps in which a sample keeps its state; its output there is its
previous output, and ``h0`` before any step.

*Drop-out.* The masks of Keras' recurrent drop-out are constant over time and are operands: ``input_dropout`` of shape
``(gates, batch, features)`` (implementation 1: one mask per gate) or ``(1, batch, features)`` (implementation 2), and
``recurrent_dropout`` of shape ``(gates or 1, batch, units)``, as the cells make them of ``K.dropout(ones, rate)``.
Without drop-out leave them away: gates with masks of their own need products of their own. A layer that drops out in
training only writes ``K.in_train_phase(lstm(..., input_dropout=...)[0], lstm(...)[0])``; the plan keeps one of them.

*Derivatives.* First derivatives are ops with hand-written kernels. Second derivatives are those of the same recurrence
written step by step in ordinary ops (`kcore.ops.recurrent_steps`): exact, and slower.

Papers: Hochreiter & Schmidhuber 1997 (LSTM); Cho et al. 2014, arXiv:1406.1078 (GRU); Gal & Ghahramani 2016,
arXiv:1512.05287 (drop-out). Manual: "Recurrent layers" (5.6).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from kcore.errors import DTypeError, GraphError, ShapeError
from kcore.graph import Node, Op, Spec, Tensor, apply, may_equal, register
from kcore.ops import recurrent_portable

ACTIVATIONS = ("linear", "tanh", "sigmoid", "hard_sigmoid", "relu", "softsign", "softplus", "elu")
"""The activations that the ops know."""

_ALWAYS = ("x", "kernel", "recurrent")
_OPTIONAL = ("bias", "h0", "c0", "mask", "input_dropout", "recurrent_dropout")
_NO_GRADIENT = ("mask", "input_dropout", "recurrent_dropout")

Attrs = dict[str, Any]


def supports(*activations: str) -> bool:
    """Whether the ops know all these activations (names, as in `kcore.activations`)."""
    return all(name in ACTIVATIONS for name in activations)


def operand_names(attrs: Attrs) -> tuple[str, ...]:
    """Names of the inputs of a sequence op, in order; for a gradient op those of the forward op come first."""
    names = _ALWAYS + tuple(attrs["operands"])
    if "cotangents" in attrs:
        names += ("outputs", "reserve", *attrs["cotangents"])
    return names


def named_operands(ins: Sequence[Any], attrs: Attrs) -> dict[str, Any]:
    """The inputs of a sequence op by name."""
    return dict(zip(operand_names(attrs), ins, strict=True))


def gradient_names(attrs: Attrs) -> tuple[str, ...]:
    """Names of the outputs of a gradient op: the operands that have a gradient."""
    return _ALWAYS + tuple(name for name in attrs["operands"] if name not in _NO_GRADIENT)


# -- what users of the ops call -----------------------------------------------------------------------------


def lstm(
    x: Tensor,
    kernel: Tensor,
    recurrent: Tensor,
    bias: Tensor | None = None,
    initial_state: tuple[Tensor, Tensor] | None = None,
    mask: Tensor | None = None,
    input_dropout: Tensor | None = None,
    recurrent_dropout: Tensor | None = None,
    activation: str = "tanh",
    recurrent_activation: str = "hard_sigmoid",
    go_backwards: bool = False,
) -> tuple[Tensor, Tensor, Tensor]:
    """A long short-term memory over a whole sequence.

    Args:
        x: ``(batch, steps, features)``.
        kernel: ``(features, 4*units)``; columns of the gates i, f, c, o.
        recurrent: ``(units, 4*units)``.
        bias: ``(4*units,)``, or None.
        initial_state: ``(h, c)``, each ``(batch, units)``; None for zeros.
        mask: ``(batch, steps)``, bool or 0 and 1; None to use every step.
        input_dropout, recurrent_dropout: ``(4 or 1, batch, features)`` and ``(4 or 1, batch, units)``: factors of
            the inputs and of the previous state, per gate or shared; no gradient flows to them.
        activation, recurrent_activation: names out of `ACTIVATIONS`.
        go_backwards: whether to begin at the end of the sequence.

    Returns:
        outputs ``(batch, steps, units)``, last h and last c ``(batch, units)``.

    Raises:
        ShapeError, DTypeError: operands do not fit each other.
    """
    h0, c0 = initial_state if initial_state is not None else (None, None)
    given = {"bias": bias, "h0": h0, "c0": c0, "mask": mask}
    given |= {"input_dropout": input_dropout, "recurrent_dropout": recurrent_dropout}
    attrs = {"activation": activation, "recurrent_activation": recurrent_activation, "go_backwards": go_backwards}
    return _build("lstm_sequence", (x, kernel, recurrent), given, attrs)[:3]


def gru(
    x: Tensor,
    kernel: Tensor,
    recurrent: Tensor,
    bias: Tensor | None = None,
    initial_state: Tensor | None = None,
    mask: Tensor | None = None,
    input_dropout: Tensor | None = None,
    recurrent_dropout: Tensor | None = None,
    activation: str = "tanh",
    recurrent_activation: str = "hard_sigmoid",
    reset_after: bool = False,
    go_backwards: bool = False,
) -> tuple[Tensor, Tensor]:
    """A gated recurrent unit over a whole sequence.

    Args:
        x: ``(batch, steps, features)``.
        kernel: ``(features, 3*units)``; columns of the gates z, r, h.
        recurrent: ``(units, 3*units)``.
        bias: ``(3*units,)``, or ``(2, 3*units)`` (for the input and for the state) with `reset_after`; or None.
        initial_state: ``(batch, units)``; None for zeros.
        mask, input_dropout, recurrent_dropout, activation, recurrent_activation, go_backwards: as of `lstm`, with
            3 gates.
        reset_after: False: ``h~ = f(W x + U (r*h))`` (the default of Keras 2.1.6); True: ``h~ = f(W x + r*(U h))``
            (that of CuDNN).

    Returns:
        outputs ``(batch, steps, units)`` and last h ``(batch, units)``.

    Raises:
        ShapeError, DTypeError: operands do not fit each other.
    """
    given = {"bias": bias, "h0": initial_state, "mask": mask}
    given |= {"input_dropout": input_dropout, "recurrent_dropout": recurrent_dropout}
    attrs = {"activation": activation, "recurrent_activation": recurrent_activation, "go_backwards": go_backwards}
    return _build("gru_sequence", (x, kernel, recurrent), given, attrs | {"reset_after": bool(reset_after)})[:2]


def simple_rnn(
    x: Tensor,
    kernel: Tensor,
    recurrent: Tensor,
    bias: Tensor | None = None,
    initial_state: Tensor | None = None,
    mask: Tensor | None = None,
    input_dropout: Tensor | None = None,
    recurrent_dropout: Tensor | None = None,
    activation: str = "tanh",
    go_backwards: bool = False,
) -> tuple[Tensor, Tensor]:
    """``h = f(x W + h U + b)`` over a whole sequence. Arguments and results as of `gru`, with one gate."""
    given = {"bias": bias, "h0": initial_state, "mask": mask}
    given |= {"input_dropout": input_dropout, "recurrent_dropout": recurrent_dropout}
    attrs = {"activation": activation, "go_backwards": go_backwards}
    return _build("rnn_sequence", (x, kernel, recurrent), given, attrs)[:2]


def _build(op: str, always: tuple[Tensor, ...], given: dict[str, Tensor | None], attrs: Attrs) -> Any:
    operands = tuple(name for name in _OPTIONAL if given.get(name) is not None)
    attrs["go_backwards"] = bool(attrs["go_backwards"])
    return apply(op, *always, *(given[name] for name in operands), operands=operands, **attrs)


# -- the ops --------------------------------------------------------------------------------------------------


class _Sequence(Op):
    """What the forward ops have in common.

    Attributes:
        gates: how many gates have columns in the weights.
        states: names of the states.
        reserve: how many ``(units, batch)`` blocks per step the backward pass needs.
    """

    gates: ClassVar[int]
    states: ClassVar[tuple[str, ...]] = ("h",)
    optional_outputs = True

    def reserve_blocks(self, attrs: Attrs) -> int:
        """How many ``(units, batch)`` blocks of each step the backward pass needs."""
        raise NotImplementedError

    def infer(self, *ins: Spec, **attrs: Any) -> tuple[Spec, ...]:
        named = named_operands(ins, attrs)
        batch, steps, units = _check_operands(self.name, named, attrs, self.gates)
        dtype = named["x"].dtype
        outputs, state = Spec((batch, steps, units), dtype), Spec((batch, units), dtype)
        reserve = Spec((steps, self.reserve_blocks(attrs), units, batch), dtype)
        return (outputs, *(state for _ in self.states), reserve)

    def vjp(self, node: Node, *grads: Tensor | None) -> Sequence[Tensor | None]:
        *given, to_reserve = grads
        if to_reserve is not None:
            raise GraphError(f"the reserve of {self.name} is private to its gradient and has none itself", op=self.name)
        names = ("g_outputs", *(f"g_{state}" for state in self.states))
        cotangents = {name: g for name, g in zip(names, given, strict=True) if g is not None}
        attrs = node.attrs | {"cotangents": tuple(cotangents)}
        ins = (*node.inputs, node.outputs[0], node.outputs[-1], *cotangents.values())
        by_name = dict(zip(gradient_names(attrs), apply(f"{self.name}_grad", *ins, **attrs), strict=True))
        return [by_name.get(name) for name in operand_names(node.attrs)]

    def kernel(self, xp: Any, out: Any, *ins: Any, **attrs: Any) -> None:
        recurrent_portable.forward(xp, self.name, out, named_operands(ins, attrs), attrs)

    def cost(self, ins: Sequence[Spec], outs: Sequence[Spec], attrs: Attrs) -> int:
        x, kernel, recurrent = ins[:3]
        return 2 * x.shape[0] * x.shape[1] * (kernel.size + recurrent.size)  # type: ignore[operator]


class _SequenceGrad(Op):
    """What the gradient ops have in common. Inputs: those of the forward op, its outputs and reserve, cotangents."""

    forward: ClassVar[str]
    optional_outputs = True

    def infer(self, *ins: Spec, **attrs: Any) -> tuple[Spec, ...]:
        named = named_operands(ins, attrs)
        return tuple(named[name] for name in gradient_names(attrs))

    def vjp(self, node: Node, *grads: Tensor | None) -> Sequence[Tensor | None]:
        from kcore.ops.recurrent_steps import second_gradients  # builds on grad.py, which builds on the ops

        wanted = {name: g for name, g in zip(gradient_names(node.attrs), grads, strict=True) if g is not None}
        by_name = second_gradients(self.forward, named_operands(node.inputs, node.attrs), node.attrs, wanted)
        return [by_name.get(name) for name in operand_names(node.attrs)]

    def kernel(self, xp: Any, out: Any, *ins: Any, **attrs: Any) -> None:
        by_name = dict(zip(gradient_names(attrs), out, strict=True))
        recurrent_portable.backward(xp, self.forward, by_name, named_operands(ins, attrs), attrs)

    def cost(self, ins: Sequence[Spec], outs: Sequence[Spec], attrs: Attrs) -> int:
        x, kernel, recurrent = ins[:3]
        return 4 * x.shape[0] * x.shape[1] * (kernel.size + recurrent.size)  # type: ignore[operator]


@register
class LSTMSequence(_Sequence):
    """Outputs, last h, last c, reserve. Reserve blocks: o, i, f, candidate, c before the step, f(c) after it."""

    name = "lstm_sequence"
    gates = 4
    states = ("h", "c")

    def reserve_blocks(self, attrs: Attrs) -> int:
        return 6


@register
class LSTMSequenceGrad(_SequenceGrad):
    name = "lstm_sequence_grad"
    forward = "lstm_sequence"


@register
class GRUSequence(_Sequence):
    """Outputs, last h, reserve. Reserve blocks: candidate, z, r, with `reset_after` U h + b, h before the step."""

    name = "gru_sequence"
    gates = 3

    def reserve_blocks(self, attrs: Attrs) -> int:
        return 5 if attrs["reset_after"] else 4


@register
class GRUSequenceGrad(_SequenceGrad):
    name = "gru_sequence_grad"
    forward = "gru_sequence"


@register
class RNNSequence(_Sequence):
    """Outputs, last h, reserve. Reserve block: the output of the activation."""

    name = "rnn_sequence"
    gates = 1

    def reserve_blocks(self, attrs: Attrs) -> int:
        return 1


@register
class RNNSequenceGrad(_SequenceGrad):
    name = "rnn_sequence_grad"
    forward = "rnn_sequence"


# -- checks -----------------------------------------------------------------------------------------------------


def _check_operands(op: str, named: dict[str, Spec], attrs: Attrs, gates: int) -> tuple[Any, Any, Any]:
    """Refuse operands that do not fit; returns batch, steps and units as far as they are known."""
    for key in ("activation", "recurrent_activation"):
        if key in attrs and attrs[key] not in ACTIVATIONS:
            raise GraphError(
                f"{op} has no {key} {attrs[key]!r}, only {', '.join(ACTIVATIONS)}; use K.rnn with the cell", op=op
            )
    for name, spec in named.items():
        if name != "mask" and (spec.dtype != named["x"].dtype or not spec.dtype.startswith("float")):
            raise DTypeError(
                f"{op}: {name} is {spec}, but x is {named['x']}; both must have the same floating dtype",
                dtypes=(spec.dtype, named["x"].dtype),
                op=op,
            )
    if named["x"].ndim != 3 or named["recurrent"].ndim != 2:
        raise ShapeError(
            f"{op} expects x (batch, steps, features) and recurrent (units, {gates}*units), "
            f"got {named['x']} and {named['recurrent']}",
            shapes=(named["x"].shape, named["recurrent"].shape),
            op=op,
        )
    batch, steps, features = named["x"].shape
    if 0 in (steps, features):
        missing = "time step" if steps == 0 else "feature"
        raise ShapeError(
            f"{op} needs at least one {missing}, and x {named['x']} (batch, steps, features) has none",
            shapes=(named["x"].shape,),
            op=op,
        )
    units = named["recurrent"].shape[0]
    if units is None:
        raise ShapeError(f"{op}: the number of units must be known, got recurrent {named['recurrent']}", op=op)
    columns = gates * units
    bias = (2, columns) if attrs.get("reset_after") and named.get("bias", named["x"]).ndim == 2 else (columns,)
    masks = tuple(named[k].shape[0] if k in named and named[k].ndim == 3 and named[k].shape[0] == gates else 1
                  for k in ("input_dropout", "recurrent_dropout"))  # fmt: skip
    expected = {
        "kernel": (features, columns),
        "recurrent": (units, columns),
        "bias": bias,
        "h0": (batch, units),
        "c0": (batch, units),
        "mask": (batch, steps),
        "input_dropout": (masks[0], batch, features),
        "recurrent_dropout": (masks[1], batch, units),
    }
    for name, spec in named.items():
        if name in expected and not may_equal(spec.shape, expected[name]):
            raise ShapeError(
                f"{op}: {name} has shape {spec.shape}, expected {expected[name]} beside x {named['x'].shape} "
                f"and recurrent {named['recurrent'].shape}",
                shapes=(spec.shape, expected[name]),
                op=op,
            )
    if "mask" in named and batch is None:
        batch = named["mask"].shape[0]
    return batch, steps, units
