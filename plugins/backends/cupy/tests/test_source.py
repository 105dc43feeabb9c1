"""All generated source compiles with NVRTC for the architectures that users have; no GPU is needed."""

from __future__ import annotations

import numpy as np
import pytest

from kcore import backend as K
from kcore.graph import all_ops, apply, placeholder
from kcore.runtime.context import BindContext
from kcore.runtime.function import Function
from kcore_backends_cupy import expressions
from kcore_backends_cupy.kernels import find_kernel

FLOATS = ("float16", "float32", "float64")
ATTRS = {
    "cast": {"dtype": "int32"},
    "clip": {"low": -0.5, "high": float("inf")},
    "leaky_relu": {"alpha": 0.3},
    "elu": {"alpha": 1.5},
}


def _elementwise():
    return sorted(name for name, op in all_ops().items() if op.elementwise and type(op).__module__.startswith("kcore."))


def _arity(name):
    op = all_ops()[name]
    code = (op.infer if name in ("where", "masked", "relu_grad", "clip", "cast") else type(op).infer).__code__
    return sum(v not in ("self", *ATTRS.get(name, ())) for v in code.co_varnames[: code.co_argcount])


@pytest.mark.parametrize("dtype", [*FLOATS, "int32", "uint8", "bool"])
def test_every_elementwise_operation(dtype, sources, check_sources):
    """All of them in one kernel for each dtype, and their values beside NumPy's."""
    x, y = placeholder((4, 5), dtype, "x"), placeholder((5,), dtype, "y")
    made = []
    for name in _elementwise():
        if dtype == "bool" and name in ("negative", "subtract"):
            continue
        if not dtype.startswith("float") and name in ("power", "reciprocal"):
            continue  # of integers: NumPy refuses negative exponents and has a warning for 1 / 0
        operands = {1: (x,), 2: (x, y), 3: (x, y, x)}[_arity(name)]
        try:
            made.append(apply(name, *operands, **ATTRS.get(name, {})))
        except Exception as error:
            pytest.fail(f"{name}: {error}")
    Function([x, y], made)([np.ones((4, 5), dtype), np.ones(5, dtype)])
    check_sources()


def test_a_literal_of_each_kind():
    assert expressions.literal(float("inf"), "float32") == "((float)K_INF)"
    assert expressions.literal(-(2**63), "int64") == "(-9223372036854775807LL - 1)"
    assert expressions.literal(0.1, "float32") == "((float)0.10000000149011612)"


@pytest.mark.parametrize("dtype", FLOATS)
def test_kernels_with_barriers(dtype, sources, check_sources):
    """Reductions of each kind and length, softmax, products, batch normalization and its gradient."""
    x, w = placeholder((40, 3, 50), dtype, "x"), placeholder((50, 4), dtype, "w")
    long = placeholder((1 << 15,), dtype, "long")
    made = [apply(name, x, axes=(0, 1), keepdims=False) for name in ("sum", "mean", "max", "min", "prod", "all", "any")]
    made += [apply("sum", x, axes=(2,), keepdims=True), apply("sum", long, axes=(0,), keepdims=False)]
    made += [apply("softmax", x, axis=2), apply("log_softmax", x, axis=2), K.dot(x, w)]
    ones = placeholder((50,), dtype, "ones")
    y, mean, _, inv = apply("batch_norm", x, ones, ones, axes=(0, 1), epsilon=1e-3)
    made += [y, *apply("batch_norm_grad", x, ones, mean, inv, y, axes=(0, 1))]
    r = np.random.RandomState(0)
    arrays = [r.uniform(0.5, 1.5, t.shape).astype(dtype) for t in (x, w, long, ones)]
    values = Function([x, w, long, ones], made)(arrays)
    rtol = {"float16": 2e-2, "float32": 1e-5, "float64": 1e-12}[dtype]
    exact = [a.astype("float64") for a in arrays]
    np.testing.assert_allclose(values[0], exact[0].sum((0, 1)), rtol=rtol)
    np.testing.assert_allclose(values[8], exact[2].sum(), rtol=rtol)
    np.testing.assert_allclose(values[11], exact[0] @ exact[1], rtol=rtol)
    assert {"reduce", "softmax", "product", "moments_sums", "norm_sums"} <= set(sources.values())
    check_sources()


def test_kernels_of_a_training_step(sources, check_sources):
    """Drop-out, embedding, gather and its gradient, copies of views, reductions: what a model compiles."""
    index = placeholder((6, 3), "int32", "index")
    table = K.variable(np.random.rand(10, 4))
    rows = K.gather(table, index)
    dropped = K.dropout(rows, 0.5, seed=1)
    padded = K.temporal_padding(K.permute_dimensions(dropped, (0, 2, 1)), (1, 2))
    loss = K.mean(K.square(K.concatenate([padded, K.tile(padded, [1, 2, 1])], axis=1)))
    (gradient,) = K.gradients(loss, [table])
    step = K.function([index], [loss], updates=[K.update(table, table - 0.1 * gradient)])
    given = np.random.randint(0, 10, (6, 3)).astype("int32")
    for _ in range(3):  # by itself, captured, replayed
        step([given])
    names = set(sources.values())
    assert {"group", "gather", "gather_grad", "mask", "copy", "advance"} <= names
    check_sources()


@pytest.mark.parametrize("dtype", FLOATS)
def test_the_largest_tiles(dtype, emulated, sources, check_sources):
    """Products and convolutions with 8 x 8 elements for each thread; bound and compiled, not run."""
    ctx = BindContext(emulated)
    a, b, c = (emulated.empty(s, dtype) for s in ((2048, 64), (64, 2048), (2048, 2048)))
    for out, left, right in ((c, a, b), (c, b.T, a.T), (b, a.T, c)):
        find_kernel("matmul")(ctx, [out], [left, right], {})
    x, w, y = (emulated.empty(s, dtype) for s in ((16, 32, 32, 64), (3, 3, 64, 256), (16, 32, 32, 256)))
    window = {"strides": (1, 1), "padding": "same", "dilation": (1, 1)}
    find_kernel("conv")(ctx, [y], [x, w], window)
    find_kernel("conv_input_grad")(ctx, [x], [y, w], {**window, "spatial": (32, 32)})
    find_kernel("conv_kernel_grad")(ctx, [w], [x, y], {**window, "kernel_size": (3, 3)})
    assert any("x[8], y[8]" in source for source in sources)
    check_sources()
