"""Convolution by cuDNN: graphs validated by the real frontend, and values by a fake of it that computes on the host."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

import kcore.backend.conv  # noqa: F401  (registers the operations)
from kcore import backend as K
from kcore.runtime.function import Function
from kcore_backends_cupy import CupyDevice, cublaslt, cudnn
from kcore_backends_cupy.capture import Segment
from kcore_backends_cupy.cudnn import Convolution, Cudnn
from kcore_backends_cupy.workspace import workspace

RTOL = {"float16": 5e-3, "float32": 2e-5, "float64": 1e-12}
LOOSE = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def fake(emulated, monkeypatch):
    """The fake frontend, for all convolutions that are no products of matrices."""
    spec = importlib.util.spec_from_file_location("fake_cudnn", Path(__file__).with_name("fake_cudnn.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(cudnn, "find", lambda device: Cudnn(module, device.xp))
    return module


@st.composite
def windows(draw):
    """A window over one to three dimensions, of more than one tap: attributes, spatial shape, size and positions."""
    rank = draw(st.integers(1, 3))
    size, strides, dilation = (tuple(draw(st.integers(1, most)) for _ in range(rank)) for most in (3, 3, 2))
    padding = tuple((draw(st.integers(0, 2)), draw(st.integers(0, 2))) for _ in range(rank))
    extents = [(k - 1) * d + 1 for k, d in zip(size, dilation, strict=True)]
    spatial = tuple(draw(st.integers(e, e + 4)) for e in extents)
    positions = tuple(
        (n + lo + hi - e) // s + 1 for n, (lo, hi), e, s in zip(spatial, padding, extents, strides, strict=True)
    )
    return {"strides": strides, "dilation": dilation, "padding": padding}, spatial, size, positions


@LOOSE
@given(windows(), st.sampled_from([1, 3]), st.sampled_from([2, 5]), st.sampled_from(list(RTOL)), st.integers(0, 99))
def test_values(fake, both, window, channels, filters, dtype, seed):
    attrs, spatial, size, positions = window
    r = np.random.RandomState(seed)
    x, w, g = (
        r.uniform(-1, 1, shape).astype(dtype)
        for shape in ((2, *spatial, channels), (*size, channels, filters), (2, *positions, filters))
    )
    for name, arrays, more in (
        ("conv", (x, w), {}),
        ("conv_input_grad", (g, w), {"spatial": spatial}),
        ("conv_kernel_grad", (x, g), {"kernel_size": size}),
    ):
        ours, theirs = both(name, *arrays, **more, **attrs)
        np.testing.assert_allclose(ours, theirs, rtol=RTOL[dtype], atol=20 * RTOL[dtype])


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_a_step_is_one_graph(fake, data_format):
    """Uneven "same" padding, both gradients, repacked weights: captured and replayed, plans made once."""
    r = np.random.RandomState(0)
    shape = (2, 8, 8, 3) if data_format == "channels_last" else (2, 3, 8, 8)
    x, w, v = K.placeholder(shape), K.variable(r.rand(3, 3, 3, 4)), K.variable(r.rand(1, 1, 4, 2))
    y = K.conv2d(x, w, strides=(2, 2), padding="same", data_format=data_format)
    loss = K.mean(K.square(K.conv2d(y, v, data_format=data_format)))
    gradients = K.gradients(loss, [x, w, v])
    step = Function([x], [loss, gradients[0]], [(p, p - 0.01 * g) for p, g in zip([w, v], gradients[1:], strict=True)])
    data = r.rand(*shape).astype("float32")
    losses = [step([data])[0].item() for _ in range(5)]
    assert losses == sorted(losses, reverse=True)
    assert sorted(fake.executed[:3]) == ["dgrad", "fprop", "wgrad"]
    assert len(fake.executed) == 5 * 3  # the convolution of one tap is a product of matrices
    assert len(fake.built) == 3
    ((_, call),) = step.bound_plan([shape])._idle[0]._calls
    assert isinstance(call, Segment)
    assert fake.built[0].window["pre_padding"] == [0, 0]
    assert fake.built[0].window["post_padding"] == [1, 1]


def _one(kind="fprop", **more):
    sizes = {"image": (2, 8, 9, 3), "loss": (2, 4, 5, 16), "weights": (16, 3, 3, 3)}
    window = {"before": (0, 1), "after": (1, 1), "strides": (2, 2), "dilation": (1, 1)}
    return Convolution(**{"kind": kind, "dtype": "float32", **sizes, **window, **more})


def test_float32_is_float32(fake, emulated):
    """Ways that round to TF32 only where that is allowed; never ways that add up in an order of chance."""
    library = cudnn.library(emulated)
    exact, tf32, half = library.plan(_one()), library.plan(_one(tf32=True)), library.plan(_one(dtype="float16"))
    names = [{note.name for note in graph.notes} for graph in (exact, tf32, half)]
    assert names[0] == {"NONDETERMINISTIC", "TENSOR_CORE", "DOWN_CONVERT_INPUTS", "REDUCED_PRECISION_REDUCTION"}
    assert names[1] == names[2] == {"NONDETERMINISTIC"}
    assert half.io.name == "HALF"
    assert half.compute.name == "FLOAT"
    assert library.plan(_one()) is exact


def test_plans_are_bounded(fake, emulated, monkeypatch):
    monkeypatch.setattr(cudnn, "KEPT", 2)
    library = cudnn.library(emulated)
    first = library.plan(_one())
    library.plan(_one("dgrad"))
    assert library.plan(_one()) is first
    library.plan(_one("wgrad"))
    assert len(library._plans) == 2
    assert library.plan(_one()) is first


def test_what_cudnn_cannot_do_is_done_here(fake, both):
    fake.supported = False
    x, w = np.random.rand(2, 6, 3).astype("float32"), np.random.rand(3, 3, 4).astype("float32")
    ours, theirs = both("conv", x, w, strides=(1,), dilation=(1,), padding="same")
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)
    assert not fake.executed


def test_a_failure_of_cudnn_is_said_and_survived(fake, both, monkeypatch):
    def fail(self):
        raise RuntimeError("CUDNN_STATUS_INTERNAL_ERROR")

    monkeypatch.setattr(fake.pygraph, "build_plans", fail)
    x, w = np.random.rand(2, 6, 3).astype("float32"), np.random.rand(3, 3, 4).astype("float32")
    with pytest.warns(UserWarning, match="cuDNN fails at .*kcore computes itself: CUDNN_STATUS_INTERNAL_ERROR"):
        ours, theirs = both("conv", x, w, strides=(1,), dilation=(1,), padding="same")
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)


def test_no_images(fake, both):
    x, w = np.zeros((0, 6, 3), "float32"), np.random.rand(3, 3, 4).astype("float32")
    ours, theirs = both("conv", x, w, strides=(1,), dilation=(1,), padding="same")
    assert ours.shape == theirs.shape == (0, 6, 4)


def test_the_frontend_without_cudnn(emulated, monkeypatch):
    """A warning that says what to install; without the frontend, silence."""

    class Frontend:
        @staticmethod
        def create_handle():
            raise RuntimeError("Unable to find symbol cudnnCreate")

    emulated.emulated = False
    monkeypatch.setitem(sys.modules, "cudnn", Frontend)
    with pytest.warns(UserWarning, match=r"symbol cudnnCreate. pip install .*\[cudnn-cu12\]"):
        assert cudnn.find(emulated) is None
    monkeypatch.setitem(sys.modules, "cudnn", None)
    assert cudnn.find(emulated) is None


# All that validation needs of cuDNN itself: the frontend asks for its version, and makes a handle.
STUB = """
#include <stddef.h>
extern "C" size_t cudnnGetVersion() { return 92800; }
extern "C" int cudnnCreate(void** handle) { *handle = 0; return 0; }
extern "C" int cudnnDestroy(void*) { return 0; }
"""

VALIDATE = """
import cudnn
from kcore_backends_cupy.cudnn import Convolution, describe

for rank in (2, 3):
    for dtype in ("float16", "float32", "float64"):
        for kind in ("fprop", "dgrad", "wgrad"):
            wanted = Convolution(
                kind, dtype, image=(2, *(8, 9, 7)[:rank], 3), loss=(2, *(4, 4, 3)[:rank], 16),
                weights=(16, *(3,) * rank, 3), before=(0,) * rank, after=(1, 0, 0)[:rank], strides=(2,) * rank,
                dilation=(1,) * rank, alignment=4,
            )
            graph = describe(cudnn, wanted)
            for number, role in enumerate(wanted.roles, start=1):
                tensor = graph.query_tensor_attributes_of_uid(number)
                shape = getattr(wanted, role)
                assert tensor.get_dim() == [shape[0], shape[-1], *shape[1:-1]]
                assert tensor.get_stride()[1] == 1
                assert tensor.get_stride()[-1] == shape[-1]
                assert tensor.get_alignment() == 4
                print(rank, dtype, kind, role)
"""


@pytest.mark.skipif(shutil.which("g++") is None, reason="there is no g++")
@pytest.mark.skipif(importlib.util.find_spec("cudnn") is None, reason="pip install nvidia-cudnn-frontend")
def test_the_real_frontend_validates_our_graphs(tmp_path):
    library = str(tmp_path / "libcudnn.so.9")
    subprocess.run(["g++", "-shared", "-fPIC", "-x", "c++", "-", "-o", library], input=STUB, text=True, check=True)
    environment = {**os.environ, "LD_LIBRARY_PATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", VALIDATE], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 2 * 3 * 3 * 3


def test_libraries_can_be_left_out(emulated, monkeypatch):
    emulated.emulated = False
    monkeypatch.setenv("KCORE_CUPY_LIBRARIES", "0")
    assert cudnn.find(emulated) is None
    assert cublaslt.find(emulated) is None


def test_plans_share_a_workspace(fake, emulated):
    """One block for each GPU, which grows; what was given before stays alive with its calls."""
    first, second = workspace(emulated, 100), workspace(emulated, 50)
    assert first is second
    assert workspace(emulated, 1000).size == 1000
    assert workspace(emulated, 0).size == 1000
    assert workspace(CupyDevice(), 0).size == 1
