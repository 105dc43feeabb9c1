"""to_categorical and normalize."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kcore.utils import normalize, to_categorical


@given(hnp.arrays("int64", hnp.array_shapes(min_dims=1, max_dims=3), elements=st.integers(0, 6)))
def test_to_categorical_marks_each_class(y):
    wanted = y[..., 0] if y.ndim > 1 and y.shape[-1] == 1 else y
    one_hot = to_categorical(y, 7)
    assert one_hot.dtype == "float32"
    assert one_hot.shape == (*wanted.shape, 7)
    np.testing.assert_array_equal(one_hot.argmax(axis=-1), wanted)
    np.testing.assert_array_equal(one_hot.sum(axis=-1), np.ones(wanted.shape))
    assert to_categorical(y).shape[-1] == y.max() + 1


def test_to_categorical_of_a_scalar_and_of_floats():
    np.testing.assert_array_equal(to_categorical(2, 4), [0, 0, 1, 0])
    np.testing.assert_array_equal(to_categorical([1.0, 0.0]), [[0, 1], [1, 0]])


@pytest.mark.parametrize(("y", "classes"), [([0, 3], 3), ([-1, 0], None), ([-1], 3)])
def test_class_numbers_outside_are_refused(y, classes):
    with pytest.raises(ValueError, match="expected 0 to"):
        to_categorical(y, classes)


def test_no_class_numbers():
    assert to_categorical([], 3).shape == (0, 3)
    with pytest.raises(ValueError, match="num_classes"):
        to_categorical([])


@pytest.mark.parametrize("order", [1, 2, np.inf])
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_normalize(axis, order):
    x = np.random.RandomState(0).normal(size=(3, 4))
    x[0] = 0
    norms = np.linalg.norm(normalize(x, axis, order), order, axis)
    np.testing.assert_allclose(norms[norms != 0], 1)
    assert (normalize(x)[0] == 0).all()
