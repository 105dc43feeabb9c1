"""Connectionist temporal classification: the loss of all alignments of a label sequence, and its gradient.

Graves, Fernandez, Gomez & Schmidhuber 2006, "Connectionist Temporal Classification". The blank is the last class,
repeated classes between blanks are one label, and the gradient is that of the loss with respect to unnormalized
scores, as of ``tf.nn.ctc_loss``. All sums of probabilities are made in logarithms and in float64: over a thousand steps
single precision would keep four digits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kcore.dtypes import is_integer
from kcore.errors import DataError, DTypeError, GradientError, ShapeError
from kcore.graph import Node, Op, Spec, Tensor, apply, register
from kcore.ops.common import require_float

Array = Any

NEVER = -1e30
"""The logarithm of probability 0 in sums. Finite, because the difference of two infinities is no number."""


def ctc_loss(scores: Tensor, labels: Tensor, input_length: Tensor, label_length: Tensor) -> Tensor:
    """The negative log-probability of each label sequence.

    Args:
        scores: ``(batch, steps, classes)``, unnormalized log-probabilities; the last class is the blank.
        labels: ``(batch, longest)``, integers in ``[0, classes - 2]``; what lies behind a label's length is ignored.
        input_length: ``(batch,)``, integers in ``[0, steps]``: how many steps of each sample count.
        label_length: ``(batch,)``, integers in ``[0, longest]``.

    Returns:
        ``(batch,)``; infinite, with gradient 0, where the steps are too few for the labels (each repetition of a
        label needs one step more).

    Raises:
        ShapeError, DTypeError: the operands do not fit each other.
        ExecutionError: when run, for a label or a length out of range.
    """
    return apply("ctc_loss", scores, labels, input_length, label_length)[0]


@register
class CTCLoss(Op):
    """Loss ``(batch,)`` and its gradient ``(batch, steps, classes)`` with respect to the scores."""

    name = "ctc_loss"
    optional_outputs = True

    def infer(self, scores: Spec, labels: Spec, inputs: Spec, lengths: Spec) -> tuple[Spec, Spec]:  # type: ignore[override]
        require_float(self.name, scores)
        batch = check_scores(self.name, scores, inputs)
        for what, spec in (("labels", labels), ("label_length", lengths)):
            if not is_integer(spec.dtype):
                raise DTypeError(f"{self.name} needs integer {what}, got {spec}", op=self.name)
        for spec, ndim in ((labels, 2), (lengths, 1)):
            if spec.ndim != ndim or not _agree(spec.shape[0], batch):
                raise ShapeError(
                    f"{self.name} expects labels (batch, longest) and label_length (batch,) beside scores {scores}, "
                    f"got {labels} and {lengths}",
                    shapes=(scores.shape, labels.shape, lengths.shape),
                    op=self.name,
                )
        return Spec((batch,), scores.dtype), scores

    def vjp(self, node: Node, *grads: Tensor | None) -> Sequence[Tensor | None]:
        to_loss, to_gradient = grads
        if to_gradient is not None:
            raise GradientError("the CTC loss can be differentiated once, not twice", op=self.name)
        if to_loss is None:
            return [None] * 4
        return [node.outputs[1] * to_loss[:, None, None], None, None, None]

    def kernel(self, xp: Any, out: Any, scores: Array, labels: Array, inputs: Array, lengths: Array) -> None:  # type: ignore[override]
        loss, gradient = out
        check_values(xp, scores, labels, inputs, lengths)
        log_p = log_softmax(xp, scores)
        alignment = _Alignment(xp, log_p, labels, inputs, lengths)
        alphas = alignment.forward()
        total = alignment.total(alphas)
        possible = total > NEVER / 2
        if loss is not None:
            loss[...] = xp.where(possible, -total, xp.inf)
        if gradient is not None:
            gradient[...] = alignment.gradient(alphas, total, possible)

    def cost(self, ins: Sequence[Spec], outs: Sequence[Spec], attrs: dict[str, Any]) -> int:
        scores, labels = ins[:2]
        return 20 * scores.shape[0] * scores.shape[1] * (2 * labels.shape[1] + 1) + 5 * scores.size  # type: ignore[operator]


def check_scores(op: str, scores: Spec, input_length: Spec) -> int | None:
    """The batch size as far as it is known; refuses scores that are not ``(batch, steps, classes)``."""
    if not is_integer(input_length.dtype):
        raise DTypeError(f"{op} needs an integer input_length, got {input_length}", op=op)
    if scores.ndim != 3 or input_length.ndim != 1 or not _agree(scores.shape[0], input_length.shape[0]):
        raise ShapeError(
            f"{op} expects scores (batch, steps, classes) and input_length (batch,), got {scores} and {input_length}",
            shapes=(scores.shape, input_length.shape),
            op=op,
        )
    return scores.shape[0] if scores.shape[0] is not None else input_length.shape[0]


def _agree(a: int | None, b: int | None) -> bool:
    return a is None or b is None or a == b


def check_values(xp: Any, scores: Array, labels: Array | None, inputs: Array, lengths: Array | None = None) -> None:
    """Refuse labels and lengths out of range."""
    _, steps, classes = scores.shape
    if bool(((inputs < 0) | (inputs > steps)).any()):
        raise DataError(
            f"input_length must lie in [0, {steps}], the number of steps; got {inputs}", argument="input_length"
        )
    if labels is None or lengths is None:
        return
    longest = labels.shape[1]
    if bool(((lengths < 0) | (lengths > longest)).any()):
        raise DataError(f"label_length must lie in [0, {longest}]; got {lengths}", argument="label_length")
    counted = xp.arange(longest)[None, :] < lengths[:, None]
    wrong = counted & ((labels < 0) | (labels >= classes - 1))
    if bool(wrong.any()):
        raise DataError(
            f"labels must lie in [0, {classes - 2}] (class {classes - 1} is the blank), got {labels[wrong][:5]}; "
            "is label_length right?",
            argument="labels",
        )


def log_softmax(xp: Any, scores: Array) -> Array:
    """Normalized log-probabilities in float64."""
    shifted = scores.astype("float64")
    shifted -= shifted.max(axis=-1, keepdims=True)
    shifted -= xp.log(xp.exp(shifted).sum(axis=-1, keepdims=True))
    return shifted


class _Alignment:
    """The states ``blank, l1, blank, l2, ..., blank`` of each sample, and paths through them.

    ``alpha[t, s]`` is the log-probability of all paths that are in state s at step t, emissions up to t included;
    ``beta[t, s]`` that of all ways to go on from there to an end, emissions after t only. So their sum is that of all
    paths through (t, s).
    """

    def __init__(self, xp: Any, log_p: Array, labels: Array, inputs: Array, lengths: Array):
        self.xp, self.log_p, self.inputs = xp, log_p, inputs
        batch, self.steps, self.classes = log_p.shape
        blank = self.classes - 1
        longest = labels.shape[1]
        counted = xp.arange(longest)[None, :] < lengths[:, None]
        self.states = xp.full((batch, 2 * longest + 1), blank, dtype="int64")
        self.states[:, 1::2] = xp.where(counted, labels, blank)
        emissions = xp.take_along_axis(log_p, self.states[:, None, :], axis=2)
        self.emissions = xp.ascontiguousarray(emissions.swapaxes(0, 1))  # (steps, batch, states)
        # A step over the blank between two labels is allowed where they differ.
        skips = xp.zeros(self.states.shape, dtype="bool")
        skips[:, 2:] = (self.states[:, 2:] != blank) & (self.states[:, 2:] != self.states[:, :-2])
        self.no_skip = xp.where(skips, 0.0, NEVER)
        position = xp.arange(2 * longest + 1)[None, :]
        last = 2 * lengths[:, None]
        self.ends = xp.where((position == last) | (position == last - 1), 0.0, NEVER)

    def forward(self) -> Array:
        """``alpha (steps, batch, states)``."""
        xp, emissions = self.xp, self.emissions
        steps, batch, count = emissions.shape
        # Two columns in front stand for the states before the first one.
        padded = xp.full((steps, batch, count + 2), NEVER)
        if steps:
            padded[0, :, 2:4] = emissions[0, :, :2]
        for t in range(1, steps):
            before = padded[t - 1]
            reached = _log_sum(xp, before[:, 2:], before[:, 1:-1], before[:, :-2] + self.no_skip)
            xp.add(reached, emissions[t], out=padded[t, :, 2:])
        return padded[:, :, 2:]

    def total(self, alphas: Array) -> Array:
        """``(batch,)``: the log-probability of the labels."""
        xp = self.xp
        batch = self.ends.shape[0]
        none_needed = xp.where(self.ends[:, 0] == 0, 0.0, NEVER)  # no steps: only the empty label fits
        if not self.steps:
            return none_needed
        at_end = alphas[xp.maximum(self.inputs - 1, 0), xp.arange(batch)] + self.ends
        top = at_end.max(axis=1)
        total = top + xp.log(xp.exp(at_end - top[:, None]).sum(axis=1))
        return xp.where(self.inputs > 0, total, none_needed)

    def gradient(self, alphas: Array, total: Array, possible: Array) -> Array:
        """``(batch, steps, classes)``: probabilities, less the share of the paths that emit each class."""
        xp = self.xp
        steps, batch, count = alphas.shape
        shares = xp.empty((batch, steps, count))
        ahead = xp.full((batch, count + 2), NEVER)  # beta + emission of the step after, and two columns behind
        skip = xp.full((batch, count), NEVER)
        skip[:, :-2] = self.no_skip[:, 2:]
        for t in reversed(range(steps)):
            beta = _log_sum(xp, ahead[:, :-2], ahead[:, 1:-1], ahead[:, 2:] + skip)
            beta = xp.where((self.inputs == t + 1)[:, None], self.ends, beta)
            xp.exp(alphas[t] + beta - total[:, None], out=shares[:, t])
            ahead[:, :-2] = xp.where((self.inputs > t)[:, None], beta + self.emissions[t], NEVER)
        rows = xp.arange(batch * steps).reshape(batch, steps, 1) * self.classes
        index = (rows + self.states[:, None, :]).reshape(-1)
        size = batch * steps * self.classes
        emitted = xp.bincount(index, weights=shares.reshape(-1), minlength=size).reshape(self.log_p.shape)
        counted = (xp.arange(steps)[None, :] < self.inputs[:, None]) & possible[:, None]
        return xp.where(counted[:, :, None], xp.exp(self.log_p) - emitted, 0.0)


def _log_sum(xp: Any, a: Array, b: Array, c: Array) -> Array:
    """``log(exp(a) + exp(b) + exp(c))``."""
    top = xp.maximum(xp.maximum(a, b), c)
    return top + xp.log(xp.exp(a - top) + xp.exp(b - top) + xp.exp(c - top))
