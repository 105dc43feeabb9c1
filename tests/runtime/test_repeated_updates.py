"""Several updates of one variable in one function."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from kcore import backend as K


def test_increments_add_up() -> None:
    x, a, b = K.variable([1.0]), K.placeholder((1,)), K.placeholder((1,))
    f = K.function([a, b], [x], [K.update_add(x, a), K.update_sub(x, b), K.update_add(x, a)])
    assert_array_equal(f([[10], [3]])[0], [1])
    assert_array_equal(K.get_value(x), [18])


def test_moving_averages_follow_each_other() -> None:
    x, a, b = K.variable([4.0]), K.placeholder((1,)), K.placeholder((1,))
    f = K.function([a, b], [], [K.moving_average_update(x, v, 0.75) for v in (a, b)])
    f([[8], [16]])
    assert_allclose(K.get_value(x), [(4 * 0.75 + 8 * 0.25) * 0.75 + 16 * 0.25])


def test_everything_else_is_read_as_it_was_before() -> None:
    x, y = K.variable([1.0]), K.variable([10.0])
    f = K.function([], [], [K.update_add(x, y), K.update(y, x), K.update_add(x, 2 * x)])
    f([])
    assert_array_equal(K.get_value(x), [13])  # 1 + 10 + 2 * 1
    assert_array_equal(K.get_value(y), [1])


def test_an_increment_after_an_assignment_continues_from_it() -> None:
    x = K.variable([1.0])
    K.function([], [], [K.update(x, [5.0]), K.update_add(x, 1.0)])([])
    assert_array_equal(K.get_value(x), [6])


def test_one_update_in_two_lists_happens_once() -> None:
    x = K.variable([1.0])
    update = K.update_add(x, 1.0)
    K.function([], [], [update, [update]])([])
    assert_array_equal(K.get_value(x), [2])


def test_two_assignments_are_warned_of_and_the_last_holds() -> None:
    x = K.variable([1.0], name="state")
    with pytest.warns(UserWarning, match="variable 'state' is given two new values.*K.update_add"):
        f = K.function([], [], [K.update(x, [2.0]), (x, K.constant([3.0]))])
    f([])
    assert_array_equal(K.get_value(x), [3])


def test_the_same_assignment_twice_is_one() -> None:
    x = K.variable([1.0])
    f = K.function([], [], [(x, x * 2), (x, x * 2)])
    f([])
    assert_array_equal(K.get_value(x), [2])


def test_shapes_and_kinds_are_refused() -> None:
    x = K.variable(np.zeros((2, 3)), name="w")
    for make in (K.update, K.update_add, K.update_sub):
        with pytest.raises(ValueError, match=r"'w' of shape \(2, 3\) cannot be updated to float32\(4, 2, 3\)"):
            make(x, K.zeros((4, 2, 3)))
    with pytest.raises(ValueError, match="moving_average_update needs a variable"):
        K.moving_average_update(x * 2, x, 0.9)
