"""Decoding of CTC outputs: the best path, and prefix beam search.

Graves 2012, "Supervised Sequence Labelling with Recurrent Neural Networks", chapter 7. As ``tf.nn.ctc_greedy_decoder``
and ``tf.nn.ctc_beam_search_decoder`` (with ``merge_repeated=False``), for all samples of a batch at once: the only
Python loop runs over the steps. After each step the beam is exactly the `beam_width` most probable prefixes that the
last beam leads to; TensorFlow, which evicts one by one, keeps others at times where a beam is too narrow.

How long the decoded sequences are follows from the data, so these operations have no static shape.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kcore.errors import GraphError
from kcore.graph import Op, Spec, Tensor, apply, register
from kcore.ops.common import require_float
from kcore.ops.ctc import NEVER, check_scores, check_values, log_softmax

Array = Any


def ctc_greedy(scores: Tensor, input_length: Tensor) -> tuple[Tensor, Tensor]:
    """The labels on the best path: the best class of each step, repetitions merged, blanks removed.

    Args:
        scores: ``(batch, steps, classes)``, log-probabilities; the last class is the blank.
        input_length: ``(batch,)`` integers: how many steps of each sample count.

    Returns:
        labels ``(batch, longest)`` int64, filled up with -1; and ``(batch, 1)``, the negative sum of the best scores.
    """
    return apply("ctc_greedy", scores, input_length)


def ctc_beam(
    scores: Tensor, input_length: Tensor, beam_width: int = 100, top_paths: int = 1
) -> tuple[list[Tensor], Tensor]:
    """The most probable label sequences that a beam search finds.

    Args:
        scores: ``(batch, steps, classes)``, unnormalized log-probabilities; the last class is the blank.
        input_length: ``(batch,)`` integers.
        beam_width: how many prefixes are kept after each step.
        top_paths: how many sequences are returned, at most `beam_width`.

    Returns:
        `top_paths` tensors of labels ``(batch, longest)`` int64, filled up with -1, the most probable first; and their
        log-probabilities ``(batch, top_paths)``, minus infinity where there are not so many sequences.
    """
    *paths, log_p = apply("ctc_beam", scores, input_length, beam_width=int(beam_width), top_paths=int(top_paths))
    return paths, log_p


@register
class CTCGreedy(Op):
    """Labels of the best path, and the negative sum of its scores."""

    name = "ctc_greedy"
    differentiable = False
    data_dependent = True

    def infer(self, scores: Spec, input_length: Spec) -> tuple[Spec, Spec]:  # type: ignore[override]
        require_float(self.name, scores)
        batch = check_scores(self.name, scores, input_length)
        return Spec((batch, None), "int64"), Spec((batch, 1), scores.dtype)

    def evaluate(self, ctx: Any, ins: Sequence[Array], attrs: dict[str, Any]) -> list[Array]:
        xp, (scores, inputs) = ctx.xp, ins
        check_values(xp, scores, None, inputs)
        _, steps, classes = scores.shape
        counted = xp.arange(steps)[None, :] < inputs[:, None]
        best = scores.argmax(axis=2)
        negative = -xp.where(counted, scores.max(axis=2), 0).sum(axis=1, keepdims=True).astype(scores.dtype)
        new = counted & (best != classes - 1)
        new[:, 1:] &= best[:, 1:] != best[:, :-1]
        return [_packed(xp, best, new), negative]


def _packed(xp: Any, values: Array, kept: Array) -> Array:
    """The kept values of each row moved to its front, the rest -1, as wide as the longest row."""
    order = xp.argsort(~kept, axis=1, kind="stable")
    counts = kept.sum(axis=1)
    longest = int(counts.max()) if counts.size else 0
    front = xp.take_along_axis(values, order, axis=1)[:, :longest]
    return xp.where(xp.arange(longest)[None, :] < counts[:, None], front, -1).astype("int64")


@register
class CTCBeam(Op):
    """`top_paths` label arrays and their log-probabilities."""

    name = "ctc_beam"
    differentiable = False
    data_dependent = True

    def infer(self, scores: Spec, input_length: Spec, *, beam_width: int, top_paths: int) -> tuple[Spec, ...]:  # type: ignore[override]
        require_float(self.name, scores)
        batch = check_scores(self.name, scores, input_length)
        if not 1 <= top_paths <= beam_width:
            raise GraphError(f"top_paths must lie in [1, beam_width = {beam_width}], got {top_paths}", op=self.name)
        return (*(Spec((batch, None), "int64") for _ in range(top_paths)), Spec((batch, top_paths), scores.dtype))

    def evaluate(self, ctx: Any, ins: Sequence[Array], attrs: dict[str, Any]) -> list[Array]:
        scores, inputs = ins
        check_values(ctx.xp, scores, None, inputs)
        search = _BeamSearch(ctx.xp, log_softmax(ctx.xp, scores), inputs, attrs["beam_width"])
        for t in range(scores.shape[1]):
            search.step(t)
        paths, log_p = search.best(attrs["top_paths"])
        return [*paths, log_p.astype(scores.dtype)]


class _BeamSearch:
    """The beams of all samples: arrays ``(batch, width)``, one entry for each prefix that is kept.

    A prefix has two log-probabilities: of the paths that end in a blank, and of those that end in its last label. It is
    known by a 64-bit hash of its labels, from which that of a longer prefix follows; so a prefix that comes from the
    beam by itself and as the extension of another one is recognized without a tree.

    Attributes:
        in_blank, in_label: the two log-probabilities.
        last: the last label; -1 of the empty prefix.
        own, parent: hashes of the prefix and of the prefix without its last label.
        history: per step, which entry of the beam before each entry comes from, and the label it appended or -1.
    """

    def __init__(self, xp: Any, log_p: Array, inputs: Array, width: int):
        self.xp, self.log_p, self.inputs = xp, log_p, inputs
        batch, self.classes = log_p.shape[0], log_p.shape[2]
        self.width = width
        self.in_blank = xp.full((batch, width), NEVER)
        self.in_blank[:, 0] = 0.0
        self.in_label = xp.full((batch, width), NEVER)
        self.last = xp.full((batch, width), -1, dtype="int64")
        # Entries that stand for no prefix have hashes that no prefix has, and no last label.
        numbers = xp.arange(width, dtype="uint64")[None, :]
        self.nobody = _extended_hash(numbers << numbers.dtype.type(32), numbers)
        self.own = xp.broadcast_to(self.nobody, (batch, width)).copy()
        self.parent = xp.zeros((batch, width), dtype="uint64")
        self.history: list[tuple[Array, Array]] = []
        self.rows = xp.arange(batch)[:, None]

    def step(self, t: int) -> None:
        """Read step t of all samples that have one."""
        xp, labels, width = self.xp, self.classes - 1, self.width
        log_p = self.log_p[:, t]
        total = xp.logaddexp(self.in_blank, self.in_label)
        # What the label log_p[last] adds: after the same label only if a blank lies between.
        staying = xp.where(self.last >= 0, self.in_label + self._emission(log_p, self.last), NEVER)
        extended = total[:, :, None] + log_p[:, None, :labels]
        again = xp.maximum(self.last, 0)[:, :, None]
        repeated = (self.in_blank + self._emission(log_p, self.last))[:, :, None]
        same = xp.take_along_axis(extended, again, axis=2)
        xp.put_along_axis(extended, again, xp.where(self.last[:, :, None] >= 0, repeated, same), axis=2)
        # An extension that is in the beam already adds to that entry instead of making a new one.
        match = (self.parent[:, :, None] == self.own[:, None, :]) & (self.last >= 0)[:, :, None]
        child, source = match.any(axis=2), match.argmax(axis=2)
        joined = extended[self.rows, source, xp.maximum(self.last, 0)]
        in_label = xp.where(child, xp.logaddexp(staying, joined), staying)
        sample, entry = xp.nonzero(child)
        extended[sample, source[sample, entry], self.last[sample, entry]] = NEVER
        in_blank = total + log_p[:, labels:]
        everything = xp.concatenate([xp.logaddexp(in_blank, in_label), extended.reshape(len(total), -1)], axis=1)
        chosen = xp.argpartition(-everything, width - 1, axis=1)[:, :width]
        self._keep(t, chosen, in_blank, in_label, everything)

    def _emission(self, log_p: Array, labels: Array) -> Array:
        return self.xp.take_along_axis(log_p, self.xp.maximum(labels, 0), axis=1)

    def _keep(self, t: int, chosen: Array, in_blank: Array, in_label: Array, everything: Array) -> None:
        """Replace the beam of each sample that has a step t by its best candidates."""
        xp, labels, width = self.xp, self.classes - 1, self.width
        old = chosen < width
        grown = xp.maximum(chosen - width, 0)
        source = xp.where(old, chosen, grown // labels)
        label = xp.where(old, -1, grown % labels)
        slot = xp.where(old, chosen, 0)
        grown_own = _extended_hash(self.own[self.rows, source], label)
        alive = everything[self.rows, chosen] > NEVER / 2
        fresh = {
            "in_blank": xp.where(old, in_blank[self.rows, slot], NEVER),
            "in_label": xp.where(old, in_label[self.rows, slot], everything[self.rows, chosen]),
            "last": xp.where(alive, xp.where(old, self.last[self.rows, source], label), -1),
            "parent": xp.where(old, self.parent[self.rows, source], self.own[self.rows, source]),
            "own": xp.where(alive, xp.where(old, self.own[self.rows, source], grown_own), self.nobody),
        }
        runs = (self.inputs > t)[:, None]
        for name, value in fresh.items():
            setattr(self, name, xp.where(runs, value, getattr(self, name)))
        self.history.append((xp.where(runs, source, xp.arange(width)[None, :]), xp.where(runs, label, -1)))

    def best(self, count: int) -> tuple[list[Array], Array]:
        """The labels of the `count` most probable prefixes, and their log-probabilities."""
        xp = self.xp
        total = xp.logaddexp(self.in_blank, self.in_label)
        order = xp.argsort(-total, axis=1, kind="stable")[:, :count]
        log_p = total[self.rows, order]
        log_p = xp.where(log_p > NEVER / 2, log_p, -xp.inf)
        steps = len(self.history)
        appended = xp.full((steps, *order.shape), -1, dtype="int64")
        entry = order
        for t in reversed(range(steps)):
            source, label = self.history[t]
            appended[t] = label[self.rows, entry]
            entry = source[self.rows, entry]
        values = appended.transpose(1, 2, 0)
        return [_packed(xp, values[:, k], values[:, k] >= 0) for k in range(count)], log_p


def _extended_hash(own: Array, label: Array) -> Array:
    """Hashes of prefixes longer by one label: a step of splitmix64, so that equal hashes mean equal prefixes."""
    word = own.dtype.type
    mixed = own + (label + 1).astype(own.dtype) * word(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> word(30))) * word(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> word(27))) * word(0x94D049BB133111EB)
    return mixed ^ (mixed >> word(31))
