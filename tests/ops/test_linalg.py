"""The operation orthonormal_columns."""

import numpy as np
import pytest

from kcore import backend as K
from kcore.errors import DTypeError, ShapeError
from kcore.ops.linalg import orthonormal_columns


@pytest.mark.parametrize(("dtype", "accuracy"), [("float16", 2e-3), ("float32", 1e-6), ("float64", 1e-13)])
@pytest.mark.parametrize("shape", [(4, 4), (9, 3), (1, 1)])
def test_columns_are_orthonormal_and_span_those_of_the_input(shape, dtype, accuracy):
    matrix = np.random.RandomState(2).normal(size=shape).astype(dtype)
    q = K.eval(orthonormal_columns(K.constant(matrix, dtype=dtype)))
    assert q.dtype == dtype and q.shape == shape
    q, matrix = q.astype("float64"), matrix.astype("float64")
    np.testing.assert_allclose(q.T @ q, np.eye(shape[1]), atol=4 * accuracy)
    np.testing.assert_allclose(q @ (q.T @ matrix), matrix, atol=20 * accuracy)
    assert (np.diagonal(q.T @ matrix) > 0).all()


def test_unknown_rows():
    x = K.placeholder(shape=(None, 3))
    (q,) = K.function([x], [orthonormal_columns(x)])([np.random.RandomState(1).normal(size=(7, 3))])
    np.testing.assert_allclose(q.T @ q, np.eye(3), atol=1e-6)


def test_wrong_input():
    for shape in ((3,), (3, 4), (2, 3, 3)):
        with pytest.raises(ShapeError, match="rows"):
            orthonormal_columns(K.placeholder(shape=shape))
    with pytest.raises(DTypeError, match="int32"):
        orthonormal_columns(K.placeholder(shape=(3, 3), dtype="int32"))


def test_no_gradient():
    x = K.variable(np.eye(3))
    assert K.gradients(K.sum(orthonormal_columns(x)), [x]) == [None]
