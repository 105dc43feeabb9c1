"""Products by cuBLASLt, against a fake of the library that computes on the host what the real one documents.

`make_cublaslt.py` compares the fake, and what kcore knows of the library, with NVIDIA's headers.
"""

from __future__ import annotations

import ctypes
import gc

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from kcore import backend as K
from kcore.errors import ExecutionError
from kcore.graph import placeholder
from kcore.runtime.function import Function
from kcore_backends_cupy import cublaslt
from kcore_backends_cupy.capture import Segment
from kcore_backends_cupy.cublaslt import CublasLt, Layout, Operand, layout
from kcore_backends_cupy.emulation import streams
from kcore_backends_cupy.kernels import products

RTOL = {"float16": 2e-3, "float32": 2e-6, "float64": 1e-13}
LOOSE = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


class Fake(CublasLt):
    """The fake library; as the real one's, its products are recorded while a graph is captured."""

    def run(self, name, *args):
        if name == "cublasLtMatmul":
            assert args[-1] == streams.current_stream().ptr
            streams.launch(lambda: super(Fake, self).run(name, *args))
        else:
            super().run(name, *args)


@pytest.fixture(scope="session")
def path(build_fake):
    return build_fake("fake_cublaslt.cc")


@pytest.fixture
def fake(path, emulated, monkeypatch):
    """All products, however small, are offered to the fake."""
    made = Fake(path)
    monkeypatch.setattr(cublaslt, "find", lambda device: made)
    monkeypatch.setattr(products, "SMALLEST", 1)
    library = ctypes.CDLL(path)
    library.fake_unwilling(0)
    return library


@st.composite
def matrices(draw):
    """Two operands, each as it is or as a transposed view, with up to two batch dimensions."""
    batch = draw(st.lists(st.integers(1, 3), max_size=2))
    m, n, k = (draw(st.integers(1, 9)) for _ in range(3))
    left = (*([1] * len(batch) if draw(st.booleans()) else batch), m, k)
    right = (*batch[draw(st.integers(0, len(batch))) :], k, n)
    return left, right, draw(st.booleans()), draw(st.booleans()), draw(st.integers(0, 99))


@LOOSE
@given(matrices(), st.sampled_from(list(RTOL)))
def test_values(fake, shapes, dtype):
    left, right, turn_left, turn_right, seed = shapes
    r = np.random.RandomState(seed)
    tensors, arrays, operands = [], [], []
    for shape, turn in ((left, turn_left), (right, turn_right)):
        given_shape = (*shape[:-2], shape[-1], shape[-2]) if turn else shape
        tensor = placeholder(given_shape, dtype, "operand")
        array = r.uniform(-1, 1, given_shape).astype(dtype)
        perm = (*range(len(shape) - 2), len(shape) - 1, len(shape) - 2)
        tensors.append(K.permute_dimensions(tensor, perm) if turn else tensor)
        operands.append(array.transpose(perm) if turn else array)
        arrays.append((tensor, array))
    f = Function([t for t, _ in arrays], [tensors[0] @ tensors[1]])
    wanted = np.matmul(*(x.astype("float64") for x in operands))
    for _ in range(3):
        (got,) = f([a for _, a in arrays])
        np.testing.assert_allclose(got, wanted, rtol=RTOL[dtype], atol=10 * RTOL[dtype])


def _product(m, k, n, dtype="float32"):
    x, y = placeholder((m, k), dtype, "x"), placeholder((k, n), dtype, "y")
    a, b = np.random.rand(m, k).astype(dtype), np.random.rand(k, n).astype(dtype)
    return Function([x, y], [K.dot(x, y)]), [a, b]


@pytest.mark.parametrize("dtype", list(RTOL))
def test_the_library_is_called(fake, dtype):
    before = fake.fake_matmuls()
    f, arrays = _product(4, 5, 6, dtype)
    np.testing.assert_allclose(f(arrays)[0], arrays[0] @ arrays[1], rtol=10 * RTOL[dtype])
    assert fake.fake_matmuls() == before + 1
    assert fake.fake_compute() == (70 if dtype == "float64" else 68)


def test_tf32_only_where_it_is_asked_for(fake, monkeypatch):
    for allowed, compute in ((False, 68), (True, 77)):
        monkeypatch.setattr(cublaslt, "tf32_allowed", lambda allowed=allowed: allowed)
        f, arrays = _product(4, 5, 6)
        f(arrays)
        assert fake.fake_compute() == compute


def test_a_graph_holds_products(fake):
    """Forward and gradients of two layers, captured and replayed; descriptors go with the plan."""
    alive = fake.fake_alive()
    x = placeholder((4, 5), "float32", "x")
    w, v = K.variable(np.random.rand(5, 6)), K.variable(np.random.rand(6, 3))
    loss = K.mean(K.square(K.dot(K.tanh(K.dot(x, w)), v)))
    grads = K.gradients(loss, [w, v])
    step = Function([x], [loss], [(p, p - 0.1 * g) for p, g in zip([w, v], grads, strict=True)])
    data = np.random.rand(4, 5).astype("float32")
    before = fake.fake_matmuls()
    losses = [step([data])[0].item() for _ in range(5)]
    assert losses == sorted(losses, reverse=True)
    assert fake.fake_matmuls() == before + 5 * 5
    ((_, call),) = step.bound_plan([data.shape])._idle[0]._calls
    assert isinstance(call, Segment)
    assert fake.fake_alive() > alive
    del step, call, loss, grads
    gc.collect()
    assert fake.fake_alive() == alive


def test_a_product_without_an_algorithm_is_computed_here(fake):
    fake.fake_unwilling(1)
    alive, before = fake.fake_alive(), fake.fake_matmuls()
    f, arrays = _product(4, 5, 6)
    np.testing.assert_allclose(f(arrays)[0], arrays[0] @ arrays[1], rtol=1e-5)
    assert fake.fake_matmuls() == before
    assert fake.fake_alive() == alive


def test_an_error_of_the_library_is_said(path):
    with pytest.raises(ExecutionError, match="cublasLtMatmulDescSetAttribute fails with status 7: the fake refuses"):
        Fake(path)._set("MatmulDesc", ctypes.c_void_p(), "CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT", ctypes.c_int(1))


def test_layouts():
    assert layout(3, 4, 1, 3) == Layout(3, 4, 3, False)
    assert layout(3, 4, 4, 1) == Layout(4, 3, 4, True)
    assert layout(3, 4, 1, 9) == Layout(3, 4, 9, False)  # a part of a larger matrix
    assert layout(3, 1, 1, 0) == Layout(3, 1, 3, False)
    assert layout(3, 4, 8, 2) is None
    assert layout(3, 4, 1, 0) is None  # one column, repeated


def test_where_the_library_is_looked_for():
    """That of CuPy's version first; on the host, nowhere."""
    found = list(cublaslt.candidates(12))
    assert found.index("libcublasLt.so.12") < found.index("libcublasLt.so.13")
    found = list(cublaslt.candidates(13))
    assert found.index("libcublasLt.so.13") < found.index("libcublasLt.so.12")


class Device:
    """As much of a device as tells its version of CUDA."""

    emulated = on_paper = False

    class xp:
        class cuda:
            class runtime:
                runtimeGetVersion = staticmethod(lambda: 13000)


def test_a_machine_without_the_library(monkeypatch):
    monkeypatch.setattr(cublaslt, "candidates", lambda major: iter(["/nowhere/libcublasLt.so.13"]))
    assert cublaslt.find(Device) is None


def test_a_library_that_does_not_start_is_named(monkeypatch):
    def start(path):
        raise ExecutionError("cuBLASLt: cublasLtCreate fails with status 1")

    monkeypatch.setattr(cublaslt, "candidates", lambda major: iter(["libcublasLt.so.13"]))
    monkeypatch.setattr(cublaslt, "CublasLt", start)
    with pytest.warns(UserWarning, match=r"libcublasLt.so.13 is not used .*: cuBLASLt: cublasLtCreate fails"):
        assert cublaslt.find(Device) is None


class WithoutHandle(CublasLt):
    """The real library on a machine without a GPU: descriptors need none."""

    def made(self, name, *args):
        return ctypes.c_void_p() if name == "cublasLtCreate" else super().made(name, *args)


def _real():
    for path in cublaslt.candidates(13):
        try:
            return WithoutHandle(path)
        except OSError:
            continue
    pytest.skip("cuBLASLt is not installed: pip install nvidia-cublas")


def test_the_real_library_takes_our_descriptors():
    """What is set is what can be read back; the library checks the size of each attribute."""
    library = _real()
    value, written = ctypes.c_int64(), ctypes.c_size_t()

    def read(kind, target, attribute, size):
        value.value = 0
        library.run(
            f"cublasLt{kind}GetAttribute", target, ctypes.c_int(attribute), ctypes.byref(value),
            ctypes.c_size_t(size), ctypes.byref(written),
        )  # fmt: skip
        return value.value

    descriptor = library._descriptor("float64", True, False)
    assert [read("MatmulDesc", descriptor, a, 4) for a in (0, 1, 3, 4)] == [70, 1, 1, 0]
    made = library._layout(Operand(None, Layout(3, 4, 5, False), 60), "float16", 7)
    assert [read("MatrixLayout", made, a, s) for a, s in ((0, 4), (2, 8), (3, 8), (4, 8), (5, 4), (6, 8))] == [
        2, 3, 4, 5, 7, 60,
    ]  # fmt: skip
    preference = library.made("cublasLtMatmulPreferenceCreate")
    library._prefer(preference, (16, 32, 64))
    assert [read("MatmulPreference", preference, a, 4) for a in (5, 6, 7, 8)] == [16, 32, 64, 64]
    assert read("MatmulPreference", preference, 1, 8) == cublaslt.WORKSPACE
    library._destroy([("MatmulPreference", preference), ("MatrixLayout", made), ("MatmulDesc", descriptor)])
