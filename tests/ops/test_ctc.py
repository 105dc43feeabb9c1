"""The CTC loss and its decoders: against sums over all paths, golden values, and a search with a dictionary."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kcore import backend as K
from kcore.errors import DTypeError, ExecutionError, GradientError, GraphError, ShapeError
from kcore.graph import Tensor, placeholder
from kcore.ops.ctc import ctc_loss
from kcore.ops.ctc_decode import ctc_beam, ctc_greedy
from kcore.testing.gradients import check_gradient

GOLDEN = np.load(Path(__file__).parent / "golden" / "ctc.npz")

Path_ = tuple[int, ...]


def evaluate(make: Any, *arrays: np.ndarray) -> list[np.ndarray]:
    """The tensors that `make` builds on placeholders for the arrays, computed."""
    inputs = [placeholder((None,) * (a.ndim - 1) + a.shape[-1:], a.dtype.name, "x") for a in arrays]
    made = make(*inputs)
    return K.function(inputs, [made] if isinstance(made, Tensor) else list(made))(list(arrays))


def log_softmax(scores: np.ndarray) -> np.ndarray:
    return scores - np.log(np.exp(scores).sum(axis=-1, keepdims=True))


def probabilities(scores: np.ndarray) -> dict[Path_, float]:
    """The probability of every label sequence: the sum over all paths of ``(steps, classes)`` that give it."""
    p, blank = np.exp(log_softmax(scores)), scores.shape[1] - 1
    total: dict[Path_, float] = {}
    for path in itertools.product(range(blank + 1), repeat=len(scores)):
        labels = tuple(k for k, _ in itertools.groupby(path) if k != blank)
        total[labels] = total.get(labels, 0.0) + float(np.prod([p[t, k] for t, k in enumerate(path)]))
    return total


def problem(seed: int, batch: int, steps: int, classes: int, longest: int) -> tuple[np.ndarray, ...]:
    """Scores, labels, input lengths and label lengths (shorter ones too)."""
    rng = np.random.default_rng(seed)
    scores = rng.standard_normal((batch, steps, classes)) * 2
    labels = rng.integers(0, classes - 1, (batch, longest))
    return scores, labels, rng.integers(0, steps + 1, batch), rng.integers(0, longest + 1, batch)


SIZES = {
    "seed": st.integers(0, 10_000),
    "batch": st.integers(1, 3),
    "steps": st.integers(1, 5),
    "classes": st.integers(2, 4),
}


# -- loss --------------------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(longest=st.integers(1, 4), **SIZES)
def test_loss_is_a_sum_over_alignments(seed: int, batch: int, steps: int, classes: int, longest: int) -> None:
    scores, labels, inputs, lengths = problem(seed, batch, steps, classes, longest)
    (loss,) = evaluate(ctc_loss, scores, labels, inputs, lengths)
    for i in range(batch):
        expected = probabilities(scores[i, : inputs[i]]).get(tuple(labels[i, : lengths[i]]), 0.0)
        np.testing.assert_allclose(np.exp(-loss[i]), expected, atol=1e-14, rtol=1e-10)


def test_gradient() -> None:
    scores, labels, _, _ = problem(5, 4, 6, 4, 3)
    labels[0] = 1  # repetitions need a blank between them
    inputs, lengths = np.array([6, 5, 4, 6]), np.array([3, 2, 0, 1])
    check_gradient(ctc_loss, scores, labels, inputs, lengths, order=1)


def test_second_gradient_is_refused() -> None:
    scores = placeholder((2, 3, 4), "float32", "scores")
    labels, lengths = placeholder((2, 1), "int32", "labels"), placeholder((2,), "int32", "lengths")
    (gradient,) = K.gradients(ctc_loss(scores, labels, lengths, lengths), [scores])
    with pytest.raises(GradientError, match="once"):
        K.gradients(K.sum(K.square(gradient)), [scores])


def test_too_few_steps() -> None:
    """Two equal labels need three steps. The loss says so; the gradient does not spoil the other samples."""
    scores, _, _, _ = problem(1, 2, 3, 3, 2)
    labels, inputs, lengths = np.array([[1, 1], [1, 1]]), np.array([2, 3]), np.array([2, 2])

    def make(*tensors: Tensor) -> list[Tensor]:
        loss = ctc_loss(*tensors)
        return [loss, K.gradients(loss, [tensors[0]])[0]]

    loss, gradient = evaluate(make, scores, labels, inputs, lengths)
    assert loss[0] == np.inf
    assert np.isfinite(loss[1])
    assert not gradient[0].any()
    assert gradient[1].any()


def test_steps_beyond_the_length_do_not_count() -> None:
    scores, labels, _, _ = problem(2, 2, 6, 4, 3)
    inputs, lengths = np.array([4, 4]), np.array([2, 1])

    def make(*tensors: Tensor) -> list[Tensor]:
        loss = ctc_loss(*tensors)
        return [loss, K.gradients(loss, [tensors[0]])[0]]

    loss, gradient = evaluate(make, scores, labels, inputs, lengths)
    labels[:, 2] = -7  # beyond every label length: ignored
    again, _ = evaluate(make, scores[:, :4].copy(), labels, inputs, lengths)
    np.testing.assert_allclose(loss, again)
    assert not gradient[:, 4:].any()
    np.testing.assert_allclose(gradient.sum(axis=2), 0, atol=1e-12)


def test_improbable_labels_over_many_steps() -> None:
    """The only alignments that fit have probabilities far below the smallest float64."""
    steps, count = 400, 60
    scores = np.zeros((1, steps, 3), "float32")
    scores[:, :, 2] = 30.0
    labels = np.tile([0, 1], count // 2)[None, :]

    def make(*tensors: Tensor) -> list[Tensor]:
        loss = ctc_loss(*tensors)
        return [loss, K.gradients(loss, [tensors[0]])[0]]

    loss, gradient = evaluate(make, scores, labels, np.array([steps]), np.array([count]))
    # Nearly all mass is on alignments with one step per label: choose(steps, count) of them, exp(-30) per label.
    expected = 30 * count - sum(np.log((steps - k) / (k + 1)) for k in range(count))
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
    assert np.isfinite(gradient).all()
    np.testing.assert_allclose(-gradient[0, :, :2].sum(), count, rtol=1e-4)


def test_golden_loss() -> None:
    y_pred, labels = GOLDEN["y_pred"], GOLDEN["labels"].astype("float32")
    lengths = [GOLDEN[name][:, None] for name in ("input_length", "label_length")]

    def make(p: Tensor, y: Tensor, inputs: Tensor, counts: Tensor) -> list[Tensor]:
        loss = K.ctc_batch_cost(y, p, inputs, counts)
        return [loss, K.gradients(loss, [p])[0]]

    loss, gradient = evaluate(make, y_pred, labels, *lengths)
    assert loss.shape == GOLDEN["loss"].shape
    np.testing.assert_allclose(loss, GOLDEN["loss"], rtol=1e-5)
    # Of log(p + epsilon), where p is nearly 0: compared beside the largest.
    np.testing.assert_allclose(gradient, GOLDEN["gradient"], rtol=1e-4, atol=1e-5 * np.abs(GOLDEN["gradient"]).max())


# -- decoding ----------------------------------------------------------------------------------------------------


def reference_beam(log_p: np.ndarray, width: int) -> list[tuple[Path_, float]]:
    """Prefix beam search with a dictionary: labels -> log-probabilities of ending in a blank, and in a label."""
    blank = log_p.shape[1] - 1
    beam: dict[Path_, tuple[float, float]] = {(): (0.0, -np.inf)}
    for now in log_p:
        new = {}
        for prefix, (in_blank, in_label) in beam.items():
            if prefix and prefix[:-1] in beam:
                before = beam[prefix[:-1]]
                same = prefix[-2:-1] == prefix[-1:]
                in_label_now = np.logaddexp(in_label, before[0] if same else np.logaddexp(*before))
            else:
                in_label_now = in_label
            emitted = now[prefix[-1]] if prefix else -np.inf
            new[prefix] = (np.logaddexp(in_blank, in_label) + now[blank], in_label_now + emitted)
        for prefix, (in_blank, in_label) in beam.items():
            for label in range(blank):
                if (*prefix, label) not in beam:
                    start = in_blank if prefix[-1:] == (label,) else np.logaddexp(in_blank, in_label)
                    new[(*prefix, label)] = (-np.inf, start + now[label])
        beam = dict(sorted(new.items(), key=lambda item: -np.logaddexp(*item[1]))[:width])
    return [(prefix, float(np.logaddexp(*p))) for prefix, p in beam.items()]


def unpadded(row: np.ndarray) -> Path_:
    return tuple(int(k) for k in row if k >= 0)


@settings(max_examples=40, deadline=None)
@given(width=st.sampled_from([1, 2, 3, 5, 10, 400]), **SIZES)
def test_beam_search(seed: int, batch: int, steps: int, classes: int, width: int) -> None:
    scores, _, inputs, _ = problem(seed, batch, steps, classes, 1)
    count = min(width, 3)

    def make(s: Tensor, lengths: Tensor) -> list[Tensor]:
        paths, log_p = ctc_beam(s, lengths, width, count)
        return [*paths, log_p]

    *paths, log_p = evaluate(make, scores, inputs)
    for i in range(batch):
        expected = reference_beam(log_softmax(scores[i, : inputs[i]]), width)[:count]
        for k in range(count):
            if k < len(expected) and np.isfinite(expected[k][1]):
                np.testing.assert_allclose(log_p[i, k], expected[k][1], rtol=1e-10)
                assert unpadded(paths[k][i]) == expected[k][0]
            else:
                assert log_p[i, k] == -np.inf


def test_a_wide_beam_finds_the_most_probable_labels() -> None:
    scores, _, _, _ = problem(3, 2, 5, 3, 1)

    def make(s: Tensor, lengths: Tensor) -> list[Tensor]:
        paths, log_p = ctc_beam(s, lengths, 100, 4)
        return [*paths, log_p]

    *paths, log_p = evaluate(make, scores, np.array([5, 4]))
    for i, steps in enumerate((5, 4)):
        best = sorted(probabilities(scores[i, :steps]).items(), key=lambda item: -item[1])[:4]
        assert [unpadded(p[i]) for p in paths] == [labels for labels, _ in best]
        np.testing.assert_allclose(np.exp(log_p[i]), [p for _, p in best])


@settings(max_examples=30, deadline=None)
@given(**SIZES)
def test_greedy(seed: int, batch: int, steps: int, classes: int) -> None:
    scores, _, inputs, _ = problem(seed, batch, steps, classes, 1)
    decoded, score = evaluate(ctc_greedy, scores, inputs)
    expected = []
    for i in range(batch):
        best = scores[i, : inputs[i]].argmax(axis=1)
        expected.append(tuple(int(k) for k, _ in itertools.groupby(best) if k != classes - 1))
        np.testing.assert_allclose(score[i, 0], -scores[i, : inputs[i]].max(axis=1).sum())
        assert unpadded(decoded[i]) == expected[i]
    assert decoded.shape == (batch, max(map(len, expected)))
    assert decoded.dtype == np.int64


def padded(decoded: np.ndarray, like: np.ndarray) -> np.ndarray:
    """The later original fills up to the number of steps, 2.1.6 to the longest sequence."""
    return np.pad(decoded, ((0, 0), (0, like.shape[1] - decoded.shape[1])), constant_values=-1)


def test_golden_greedy() -> None:
    def make(p: Tensor, lengths: Tensor) -> list[Tensor]:
        (decoded,), score = K.ctc_decode(p, lengths)
        return [decoded, score]

    decoded, score = evaluate(make, GOLDEN["y_pred"], GOLDEN["input_length"])
    np.testing.assert_array_equal(padded(decoded, GOLDEN["greedy"]), GOLDEN["greedy"])
    np.testing.assert_allclose(score, GOLDEN["greedy_score"], rtol=1e-5)


@pytest.mark.parametrize(("width", "count"), [(400, 3), (1, 1)])
def test_golden_beam(width: int, count: int) -> None:
    def make(p: Tensor, lengths: Tensor) -> list[Tensor]:
        paths, log_p = K.ctc_decode(p, lengths, greedy=False, beam_width=width, top_paths=count)
        return [*paths, log_p]

    *paths, log_p = evaluate(make, GOLDEN["y_pred"], GOLDEN["input_length"])
    np.testing.assert_allclose(log_p, GOLDEN[f"beam_{width}_score"], rtol=1e-4)
    for i, path in enumerate(paths):
        np.testing.assert_array_equal(path, GOLDEN[f"beam_{width}_{i}"])


def test_dense_to_sparse() -> None:
    (kept,) = evaluate(K.ctc_label_dense_to_sparse, GOLDEN["labels"], GOLDEN["label_length"])
    np.testing.assert_array_equal(kept, GOLDEN["dense"])
    (again,) = evaluate(K.ctc_label_dense_to_sparse, GOLDEN["labels"], GOLDEN["label_length"][:, None])
    np.testing.assert_array_equal(again, kept)


# -- what is refused -----------------------------------------------------------------------------------------------


def test_shapes_and_dtypes_are_refused() -> None:
    scores, labels = placeholder((2, 5, 4), "float32", "s"), placeholder((2, 3), "int32", "l")
    lengths = placeholder((2,), "int32", "n")
    with pytest.raises(ShapeError, match=r"\(3, 3\)"):
        ctc_loss(scores, placeholder((3, 3), "int32", "l"), lengths, lengths)
    with pytest.raises(ShapeError, match=r"\(2, 5\)"):
        ctc_loss(placeholder((2, 5), "float32", "s"), labels, lengths, lengths)
    with pytest.raises(DTypeError, match="labels"):
        ctc_loss(scores, placeholder((2, 3), "float32", "l"), lengths, lengths)
    with pytest.raises(DTypeError, match="input_length"):
        ctc_greedy(scores, placeholder((2,), "float32", "n"))
    with pytest.raises(ShapeError, match="y_pred"):
        K.ctc_decode(labels, lengths)
    with pytest.raises(ShapeError, match="label_length"):
        K.ctc_batch_cost(labels, scores, lengths, labels)
    with pytest.raises(GraphError, match="top_paths"):
        K.ctc_decode(scores, lengths, greedy=False, beam_width=2, top_paths=3)


@pytest.mark.numpy_only  # a GPU cannot stop for a label
@pytest.mark.parametrize(
    ("labels", "inputs", "lengths", "message"),
    [
        ([[0, 3]], [3], [2], "blank"),
        ([[0, -1]], [3], [2], "blank"),
        ([[0, 1]], [4], [2], "input_length"),
        ([[0, 1]], [3], [3], "label_length"),
    ],
)
def test_values_out_of_range(labels: list, inputs: list, lengths: list, message: str) -> None:
    arrays = [np.zeros((1, 3, 4)), *(np.array(a) for a in (labels, inputs, lengths))]
    with pytest.raises((ExecutionError, ValueError), match=message):
        evaluate(ctc_loss, *arrays)
