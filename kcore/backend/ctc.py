"""Connectionist temporal classification: loss and decoding of softmax outputs (`kcore.ops.ctc` has the algorithm)."""

from __future__ import annotations

from kcore import config
from kcore import ops as O
from kcore.errors import ShapeError
from kcore.graph import Tensor
from kcore.ops.ctc import ctc_loss
from kcore.ops.ctc_decode import ctc_beam, ctc_greedy

__all__ = ["ctc_batch_cost", "ctc_decode", "ctc_label_dense_to_sparse"]


def ctc_batch_cost(y_true: Tensor, y_pred: Tensor, input_length: Tensor, label_length: Tensor) -> Tensor:
    """The CTC loss of each sample.

    Args:
        y_true: ``(samples, max_string_length)``, labels in ``[0, num_categories - 2]``; the last category is the blank.
        y_pred: ``(samples, time_steps, num_categories)``, probabilities (the output of a softmax).
        input_length: ``(samples, 1)``: how many time steps of each sample of `y_pred` count.
        label_length: ``(samples, 1)``: how many labels of each sample of `y_true` count.

    Returns:
        ``(samples, 1)``, the negative log-probability of the labels; infinite, with gradient 0, where a sample has
        too few time steps for its labels.

    Raises:
        ShapeError: the arguments do not fit each other.
        ExecutionError: when run, for labels or lengths out of range.
    """
    labels, lengths = O.cast(y_true, "int32"), _lengths("label_length", label_length)
    loss = ctc_loss(_scores(y_pred), labels, _lengths("input_length", input_length), lengths)
    return O.expand_dims(loss, 1)


def ctc_decode(
    y_pred: Tensor, input_length: Tensor, greedy: bool = True, beam_width: int = 100, top_paths: int = 1
) -> tuple[list[Tensor], Tensor]:
    """Label sequences from the output of a softmax.

    Args:
        y_pred: ``(samples, time_steps, num_categories)``, probabilities; the last category is the blank.
        input_length: ``(samples,)``: how many time steps of each sample count.
        greedy: True for the labels of the best path; False for a beam search without a dictionary.
        beam_width: without `greedy`: how many prefixes the search keeps.
        top_paths: without `greedy`: how many of the most probable sequences are returned.

    Returns:
        a list of tensors ``(samples, longest)`` of int64 labels, filled up with -1: one if `greedy`, else `top_paths`,
        the most probable first; and a tensor: if `greedy`, ``(samples, 1)``, the negative log-probability of the best
        path, else ``(samples, top_paths)``, log-probabilities of the sequences.
    """
    scores, lengths = _scores(y_pred), _lengths("input_length", input_length)
    if greedy:
        decoded, negative = ctc_greedy(scores, lengths)
        return [decoded], negative
    return ctc_beam(scores, lengths, beam_width, top_paths)


def ctc_label_dense_to_sparse(labels: Tensor, label_lengths: Tensor) -> Tensor:
    """Keep the labels that count.

    Values inside a graph are dense (see `to_dense`), so this is the sparse matrix with its zeros written out.

    Args:
        labels: ``(samples, max_string_length)``.
        label_lengths: ``(samples,)`` or ``(samples, 1)``.

    Returns:
        ``(samples, max_string_length)``: the labels, and 0 behind the length of each sample.

    Raises:
        ValueError: the ranks or the numbers of samples are others.
    """
    lengths = _lengths("label_lengths", label_lengths)
    if labels.ndim != 2 or (None not in (labels.shape[0], *lengths.shape) and labels.shape[0] != lengths.shape[0]):
        raise ShapeError(
            "ctc_label_dense_to_sparse needs labels (samples, max_string_length) and as many label_lengths, got "
            f"{labels.spec} and {label_lengths.spec}",
            shapes=(labels.shape, label_lengths.shape),
        )
    lengths = O.expand_dims(lengths, 1)
    positions = O.cumsum(O.creation.full_like(O.cast(labels, "int32"), 1), 1) - 1
    return O.where(positions < lengths, labels, O.creation.full_like(labels, 0))


def _scores(y_pred: Tensor) -> Tensor:
    if y_pred.ndim != 3:
        raise ShapeError(f"y_pred should be (samples, time_steps, num_categories), got {y_pred.spec}")
    return O.log(y_pred + config.epsilon())


def _lengths(name: str, lengths: Tensor) -> Tensor:
    """Lengths ``(samples,)`` or ``(samples, 1)`` as int32 ``(samples,)``."""
    if lengths.ndim == 2 and lengths.shape[1] in (1, None):
        lengths = O.squeeze(lengths, 1)
    if lengths.ndim != 1:
        raise ShapeError(f"{name} should be (samples,) or (samples, 1), got {lengths.spec}")
    return O.cast(lengths, "int32")
