"""Products of matrices: cut for threads, transposed views, all sizes."""

import numpy as np
import pytest

from kcore.runtime import blas
from kcore.runtime.numpy_kernels.products import SPLIT_FLOPS, bind_product
from kcore.runtime.parallel import limit_threads, parallel_blocks


@pytest.mark.parametrize("shape", [(3, 4, 5), (32, 512, 512), (129, 784, 512), (784, 128, 512), (1, 4096, 4096)])
@pytest.mark.parametrize("transposed", [(False, False), (True, False), (False, True)])
@pytest.mark.parametrize("threads", [1, 3])
def test_values(shape, transposed, threads):
    m, k, n = shape
    rng = np.random.RandomState(0)
    a = rng.rand(k, m).astype("float32").T if transposed[0] else rng.rand(m, k).astype("float32")
    b = rng.rand(n, k).astype("float32").T if transposed[1] else rng.rand(k, n).astype("float32")
    out = np.full((m, n), np.nan, "float32")
    with limit_threads(threads):
        bind_product(a, b, out)()
    np.testing.assert_allclose(out, a.astype("float64") @ b.astype("float64"), rtol=1e-4)


def test_blas_has_its_threads_back():
    before = blas.get_threads()
    side = 300
    assert 2 * side**3 > SPLIT_FLOPS
    a = np.ones((side, side), "float32")
    out = np.empty_like(a)
    bind_product(a, a, out)()
    assert blas.get_threads() == before
    assert (out == side).all()


@pytest.mark.parametrize("threads", [1, 2])
def test_blas_has_one_thread_in_a_block(threads):
    """Also where kcore itself has one thread: the threads of BLAS would spin between the products of small blocks."""
    before = blas.get_threads()
    seen = []
    with limit_threads(threads):
        parallel_blocks(lambda worker, block: seen.append(blas.get_threads()), 4)
    assert seen == [1 if before is not None else None] * 4
    assert blas.get_threads() == before
