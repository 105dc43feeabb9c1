"""Sums over leading axes: parts for the threads, whatever their number."""

import numpy as np
import pytest

from kcore import backend as K
from kcore.runtime.numpy_kernels.reductions import _ELEMENTS_PER_THREAD
from kcore.runtime.parallel import limit_threads


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("op", ["sum", "mean"])
def test_large_sums_of_rows(op: str, threads: int) -> None:
    x = np.random.default_rng(0).normal(size=(101, 83, 64 + threads))
    assert x.size > 2 * _ELEMENTS_PER_THREAD
    with limit_threads(threads):
        found = K.eval(getattr(K, op)(K.constant(x, dtype="float64"), axis=(0, 1)))
    np.testing.assert_allclose(found, getattr(np, op)(x, (0, 1)), rtol=1e-10, atol=1e-10)


def test_equal_runs_are_equal_to_the_bit() -> None:
    placeholder = K.placeholder((None, 128))
    total = K.function([placeholder], [K.sum(placeholder, axis=0)])
    x = np.random.default_rng(0).normal(size=(9000, 128)).astype("float32")
    np.testing.assert_array_equal(total([x])[0], total([x])[0])
