"""Gradients of `gather` stay rows and indices until something needs the table (`kcore.ops.rows`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from kcore import backend as K
from kcore.runtime.function import Function
from kcore.testing.gradients import check_gradient

ROWS, WIDTH = 1000, 4
TABLE_BYTES = ROWS * WIDTH * 8


def table(seed: int = 0) -> Any:
    return K.variable(np.random.default_rng(seed).normal(size=(ROWS, WIDTH)), dtype="float64")


def loss_of(read: Any) -> Any:
    return K.sum(K.square(read) * read)


def gradient_of(w: np.ndarray, *indices: np.ndarray) -> np.ndarray:
    g = np.zeros_like(w)
    for i in indices:
        np.add.at(g, i, 3 * w[i] ** 2)
    return g


def names(f: Function) -> set[str]:
    (plan,) = (b.plan for b in f._plans.values() if b is not None)
    return {node.op.name for instruction in plan.instructions for node in instruction.nodes}


def working_memory(f: Function) -> int:
    (plan,) = (b.plan for b in f._plans.values() if b is not None)
    return plan.arena_bytes


INDICES = np.array([[3, 999, 3], [0, 3, -1]], "int32")  # with duplicates, one of them counted from the end

STEPS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "w - lr * g": lambda w, g, lr: w - lr * g,
    "w + (-g) * lr": lambda w, g, lr: w + (-g) * lr,
    "w - g / 10": lambda w, g, lr: w - g / (1.0 / lr),
    "w - 0.1 * g": lambda w, g, lr: w - 0.1 * g,
}


@pytest.mark.parametrize("rule", STEPS)
def test_a_step_touches_the_rows_that_were_read_and_needs_no_table(rule: str) -> None:
    w, lr, i = table(), K.variable(0.1, dtype="float64"), K.placeholder((None, 3), dtype="int32")
    (g,) = K.gradients(loss_of(K.gather(w, i)), [w])
    f = K.function([i], [], [K.update(w, STEPS[rule](w, g, lr))])
    before = K.get_value(w)
    f([INDICES])
    assert_allclose(K.get_value(w), before - 0.1 * gradient_of(before, INDICES), rtol=1e-12)
    assert "gather_grad" not in names(f)
    assert "scatter_add" in names(f)
    assert working_memory(f) < TABLE_BYTES / 4


def test_a_table_that_is_read_twice() -> None:
    w, i, j = table(), K.placeholder((3,), dtype="int32"), K.placeholder((2, 2), dtype="int32")
    (g,) = K.gradients(loss_of(K.gather(w, i)) + loss_of(K.gather(w, j)), [w])
    f = K.function([i, j], [], [K.update(w, w - 0.5 * g)])
    before, a, b = K.get_value(w), np.array([5, 5, 7], "int32"), np.array([[7, 1], [5, 2]], "int32")
    f([a, b])
    assert_allclose(K.get_value(w), before - 0.5 * gradient_of(before, a, b), rtol=1e-12)
    assert "gather_grad" not in names(f)
    assert working_memory(f) < TABLE_BYTES / 4


def test_the_state_of_momentum_is_made_in_its_own_memory() -> None:
    w, m, i = table(), table(1), K.placeholder((3,), dtype="int32")
    momentum = K.variable(0.9, dtype="float64")
    (g,) = K.gradients(loss_of(K.gather(w, i)), [w])
    v = momentum * m - 0.1 * g
    f = K.function([i], [], [K.update(m, v), K.update(w, w + v)])
    w0, m0, index = K.get_value(w), K.get_value(m), np.array([1, 1, 8], "int32")
    f([index])
    wanted = 0.9 * m0 - 0.1 * gradient_of(w0, index)
    assert_allclose(K.get_value(m), wanted, rtol=1e-12)
    assert_allclose(K.get_value(w), w0 + wanted, rtol=1e-12)
    assert working_memory(f) < TABLE_BYTES / 4


def test_a_state_whose_old_value_is_asked_for_stays_whole_until_it_was_read() -> None:
    w, m, i = table(), table(1), K.placeholder((3,), dtype="int32")
    (g,) = K.gradients(loss_of(K.gather(w, i)), [w])
    f = K.function([i], [m, K.sum(m)], [K.update(m, 0.9 * m - 0.1 * g)])
    m0, index = K.get_value(m), np.array([1, 1, 8], "int32")
    old, total = f([index])
    assert_allclose(old, m0)
    assert_allclose(total, m0.sum())
    assert_allclose(K.get_value(m), 0.9 * m0 - 0.1 * gradient_of(K.get_value(w), index), rtol=1e-12)


@pytest.mark.parametrize("what", ["regularizer", "clipped", "norm", "square"])
def test_what_needs_the_table_gets_it(what: str) -> None:
    w, i = table(), K.placeholder((3,), dtype="int32")
    loss = loss_of(K.gather(w, i))
    if what == "regularizer":
        loss = loss + 0.5 * K.sum(K.square(w))
    (g,) = K.gradients(loss, [w])
    step = {
        "regularizer": lambda g: 0.1 * g,
        "clipped": lambda g: K.clip(g, -0.1, 0.1),
        "norm": lambda g: g / K.sqrt(K.sum(K.square(g))),
        "square": lambda g: 0.1 * g + K.square(g),
    }[what]
    f = K.function([i], [], [K.update(w, w - step(g))])
    w0, index = K.get_value(w), np.array([1, 1, 8], "int32")
    f([index])
    dense = gradient_of(w0, index) + (w0 if what == "regularizer" else 0)
    wanted = {
        "regularizer": 0.1 * dense,
        "clipped": np.clip(dense, -0.1, 0.1),
        "norm": dense / np.sqrt((dense**2).sum()),
        "square": 0.1 * dense + dense**2,
    }[what]
    assert_allclose(K.get_value(w), w0 - wanted, rtol=1e-10, atol=1e-14)


def test_a_gradient_that_is_an_output_is_a_table() -> None:
    w, i = table(), K.placeholder((None,), dtype="int32")
    (g,) = K.gradients(loss_of(K.gather(w, i)), [w])
    index = np.array([2, 2, 4], "int32")
    value, scaled = K.function([i], [g, 2 * g])([index])
    assert_allclose(value, gradient_of(K.get_value(w), index))
    assert_allclose(scaled, 2 * value)


def test_no_index_at_all() -> None:
    w, i = table(), K.placeholder((None,), dtype="int32")
    (g,) = K.gradients(loss_of(K.gather(w, i)), [w])
    before = K.get_value(w)
    K.function([i], [], [K.update(w, w - 0.1 * g)])([np.zeros(0, "int32")])
    assert_allclose(K.get_value(w), before)


def test_second_derivatives_through_the_rewrites() -> None:
    i = np.array([0, 2, 2], "int32")

    def fn(x: Any) -> Any:
        (g,) = K.gradients(loss_of(K.gather(x, K.constant(i, dtype="int32"))), [x])
        return K.square(x - 0.5 * g)

    check_gradient(fn, np.random.default_rng(0).normal(size=(4, 2)))


FORMS: list[Callable[[Any, Any], Any]] = [
    lambda total, term: total + term,
    lambda total, term: total - term,
    lambda total, term: term - total,
    lambda total, term: -(total + term / 2.0),
]


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.data())
def test_any_sum_of_scaled_gradients(data: Any) -> None:
    """Random sums of gradients of several reads, constants and tables, against arrays."""
    w0 = np.random.default_rng(0).normal(size=(6, 2))
    w = K.variable(w0, dtype="float64")
    tensor, wanted = w * 1.0, w0
    for _ in range(data.draw(st.integers(1, 4))):
        index = np.array(data.draw(st.lists(st.integers(-6, 5), min_size=0, max_size=5)), "int32")
        (g,) = K.gradients(loss_of(K.gather(w, K.constant(index, dtype="int32"))), [w])
        scale = data.draw(st.sampled_from([1.0, -0.5, 2.0, 0.1]))
        term, value = scale * g, scale * gradient_of(w0, index)
        combine = FORMS[data.draw(st.integers(0, len(FORMS) - 1))]
        tensor, wanted = combine(tensor, term), combine(wanted, value)
    assert_allclose(K.function([], [tensor])([])[0], wanted, rtol=1e-9, atol=1e-9)
