"""`to_categorical` and `normalize`."""

import numpy as np
import pytest

from kcore.errors import LabelError
from kcore.utils import normalize, to_categorical


@pytest.mark.parametrize(
    ("y", "classes", "shape"),
    [
        ([0, 2, 1], None, (3, 3)),
        ([[0], [2]], None, (2, 3)),
        ([[0, 1], [2, 0]], 4, (2, 2, 4)),
        ([[[1], [0]]], None, (1, 2, 2)),
        ([0.0, 1.0], None, (2, 2)),
        ([], 3, (0, 3)),
        ([[1]], 5, (1, 5)),
        (5, None, (6,)),
        (np.array([True, False]), None, (2, 2)),
    ],
)
def test_to_categorical(y, classes, shape):
    rows = to_categorical(y, classes)
    assert rows.shape == shape and rows.dtype == "float32"
    np.testing.assert_array_equal(rows.sum(axis=-1), np.ones(shape[:-1]))
    np.testing.assert_array_equal(rows.argmax(axis=-1) if len(rows) else rows[:, 0], np.reshape(y, shape[:-1]))


@pytest.mark.parametrize(("y", "classes"), [([0, 3], 3), ([-1, 0], 3), ([-1], None), ([], None)])
def test_to_categorical_refuses(y, classes):
    for builtin in (IndexError, ValueError):
        with pytest.raises(builtin):
            to_categorical(y, classes)
    with pytest.raises(LabelError, match="labels"):
        to_categorical(y, classes)


def test_normalize():
    np.testing.assert_allclose(normalize(np.array([[3.0, 4.0], [0, 0]])), [[0.6, 0.8], [0, 0]])
    np.testing.assert_allclose(normalize(np.array([3.0, 4.0]), order=1), [[3 / 7, 4 / 7]])
    x = np.random.RandomState(0).randn(3, 4, 5)
    np.testing.assert_allclose(np.linalg.norm(normalize(x, axis=1), axis=1), np.ones((3, 5)))
    np.testing.assert_allclose(np.abs(normalize(x, order=1)).sum(-1), np.ones((3, 4)))
