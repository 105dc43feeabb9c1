"""The looks at kernels that run on the host: each kind of mistake is found, and right kernels pass."""

from __future__ import annotations

import inspect
import operator

import numpy as np
import pytest

from kcore import backend as K
from kcore.graph import placeholder
from kcore.runtime import devices
from kcore.runtime.function import Function
from kcore_backends_cupy import CupyDevice
from kcore_backends_cupy.emulation import kernels, streams
from kcore_backends_cupy.emulation.arrays import api
from kcore_backends_cupy.emulation.compiler import ORDER, compiler
from kcore_backends_cupy.prelude import PRELUDE

pytestmark = pytest.mark.skipif(compiler() is None, reason="there is no g++")


@pytest.fixture
def xp(monkeypatch):
    monkeypatch.setenv("KCORE_CUPY_EMULATE", "check")
    return CupyDevice().xp


def run(xp, body, *args, grid=(1,), block=(32,), parameters="float* x, i64 n", bound=""):
    """Launch a kernel with this body on `args`, by default 32 floats and their number; the array afterwards."""
    code = f'{PRELUDE}extern "C" __global__ void {bound}f({parameters}) {{ {body} }}'
    args = args or (xp.asarray(np.arange(32, dtype="float32")), np.int64(32))
    xp.RawModule(code=code).get_function("f")(grid, block, args)
    return args[0].get()


I = "int i = threadIdx.x; "


def test_right_kernels_pass(xp):
    np.testing.assert_array_equal(run(xp, I + "x[i] = x[i] + 1;"), np.arange(1, 33))
    reverse = "__shared__ float s[32];" + I + "s[i] = x[i]; __syncthreads(); x[i] = s[n - 1 - i];"
    np.testing.assert_array_equal(run(xp, reverse), np.arange(32)[::-1])
    local = I + "float v[4] = {1, 2, 3, 4}; float* p = v; x[i] = p[(int)x[i] % 4];"
    np.testing.assert_array_equal(run(xp, local), np.tile([1, 2, 3, 4], 8))


def test_accesses_outside_of_arrays(xp):
    with pytest.raises(RuntimeError, match=r"thread \(31, 0, 0\) of block \(0, 0, 0\) reads 4 bytes at byte 128 of an"):
        run(xp, I + "if (i == n - 1) x[i] = x[i + 1];")
    with pytest.raises(RuntimeError, match=r"thread \(0, 0, 0\) .* writes 4 bytes at byte -4 of an array of 128"):
        run(xp, I + "x[i - 1] = 0;")
    whole = xp.asarray(np.zeros(64, "float32"))  # within the memory, and not within what was given
    with pytest.raises(RuntimeError, match="byte 128 of an array of 128"):
        run(xp, I + "x[i + 16] = 0;", whole[:32], np.int64(32))
    with pytest.raises(RuntimeError, match="outside of the launch's arrays"):
        run(xp, I + "*(float*)(i * 4ll) = 0;")


def test_the_same_barriers_for_all_threads(xp):
    with pytest.raises(RuntimeError, match=r"thread \(3, 0, 0\) of block \(0, 0, 0\) waits at the barrier of line 0"):
        run(xp, I + "if (i == 3) return; __syncthreads(); x[i] = 0;")
    with pytest.raises(RuntimeError, match="barrier"):
        run(xp, I + "if (i < 16) {\n __syncthreads(); x[i] = 0; } else {\n __syncthreads(); x[i] = 1; }")
    # The fault is over with the launch.
    np.testing.assert_array_equal(run(xp, I + "__syncthreads(); x[i] = 2;"), np.full(32, 2))


def test_misaligned_accesses(xp):
    with pytest.raises(RuntimeError, match="reads 8 bytes at byte 4 of an array of 128, which is not aligned"):
        run(xp, I + "x[0] = *(double*)(x + 1);", block=(1,))
    vector = "struct alignas(16) four { float a, b, c, d; }; four v = ((four*)(x + {}))[1]; x[0] = v.a + v.d;"
    run(xp, vector.replace("{}", "4"), block=(1,))
    with pytest.raises(RuntimeError, match="reads 16 bytes at byte 24 .* not aligned"):
        run(xp, vector.replace("{}", "2"), block=(1,))


@pytest.mark.parametrize("order", ["0", "1", "7"])
def test_races(xp, monkeypatch, order):
    monkeypatch.setenv(ORDER, order)
    shared = "__shared__ float s[32];" + I
    with pytest.raises(RuntimeError, match=r"touched with no barrier between \(shared\)"):
        run(xp, shared + "s[i] = x[i]; if (n < 0) __syncthreads(); x[i] = s[(i + 1) % 32];")
    with pytest.raises(RuntimeError, match=r"\(shared\)"):  # the next round writes while others still read
        run(xp, shared + "for (int k = 0; k < 2; ++k) { s[i] = x[i]; __syncthreads(); x[i] = s[(i + 1) % 32]; }")
    with pytest.raises(RuntimeError, match="touched with no barrier between$"):
        run(xp, I + "x[i / 2] = i;")
    with pytest.raises(RuntimeError, match="touched with no barrier between$"):
        run(xp, I + "x[i] = x[(i + 1) % 32];")
    with pytest.raises(RuntimeError, match="of block [01] touched with no barrier"):  # a barrier is for one block
        run(xp, I + "if (blockIdx.x == 1) x[i] = 0; __syncthreads(); if (blockIdx.x == 0) x[i] = 1;", grid=(2,))
    run(xp, shared + "s[i] = x[i]; __syncthreads(); x[i] = s[(i + 1) % 32];", grid=(1,))


def test_every_thread_runs_once_in_any_order(xp, monkeypatch):
    count = "i64 i = (blockIdx.y * gridDim.x + blockIdx.x) * 12 + threadIdx.y * 3 + threadIdx.x; x[i] += 1;"
    for order in (0, 1, 2, 3, 12345):
        monkeypatch.setenv(ORDER, str(order))
        for barrier in ("", "__syncthreads();"):
            zeros = xp.asarray(np.zeros(180, "float32"))
            found = run(xp, count + barrier, zeros, np.int64(180), grid=(5, 3), block=(3, 4))
            np.testing.assert_array_equal(found, np.ones(180))


def test_shared_memory_holds_nothing_at_first(xp):
    found = run(xp, "__shared__ float s[32];" + I + "float v = s[i]; __syncthreads(); s[i] = 1; x[i] = v;", grid=(1,))
    assert np.isnan(found).all()


def test_what_a_launch_refuses(xp):
    with pytest.raises(TypeError, match="'i64 n' of kernel f was given a int32 of int32"):
        run(xp, "", xp.asarray(np.zeros(3, "float32")), np.int32(3))
    with pytest.raises(TypeError, match=r"'float\* x' of kernel f was given a ndarray of float64"):
        run(xp, "", xp.asarray(np.zeros(3, "float64")), np.int64(3))
    with pytest.raises(RuntimeError, match="2 parameters, and got 1"):
        run(xp, "", xp.asarray(np.zeros(3, "float32")))
    for grid, block in (((1, 65536), (1,)), ((1, 1, 65536), (1,)), ((2**31,), (1,)), ((1,), (1025,)), ((1,), (0,)),
                        ((0,), (1,)), ((1,), (1, 1, 65)), ((1,), (64, 32))):  # fmt: skip
        with pytest.raises(RuntimeError, match="CUDA_ERROR_INVALID_VALUE"):
            run(xp, "", grid=grid, block=block)
    with pytest.raises(RuntimeError, match="at most 32 threads"):
        run(xp, "", block=(64,), bound="__launch_bounds__(32) ")
    with pytest.raises(RuntimeError, match="too much shared data"):
        run(xp, "__shared__ float s[12289];" + I + "s[i] = x[i]; __syncthreads(); x[i] = s[n - 1 - i];")
    with pytest.raises(RuntimeError, match="not found"):
        xp.RawModule(code=PRELUDE).get_function("f")


def test_a_graph_keeps_no_array_alive(xp):
    code = f'{PRELUDE}extern "C" __global__ void f(float* x) {{ x[0] = 1; }}'
    stream, x = xp.cuda.Stream(non_blocking=True), xp.empty((4,), "float32")
    with stream:
        stream.begin_capture()
        xp.RawModule(code=code).get_function("f")((1,), (1,), (x,))
        graph = stream.end_capture()
    graph.launch()
    del x
    with pytest.raises(RuntimeError, match="outlived its arrays"):
        graph.launch()


def test_every_value_of_a_plan_has_memory_of_its_own(monkeypatch):
    """So that an access beyond its end meets nothing; but what is written over a value that dies still is."""
    x = placeholder((6, 5), "float32", "x")
    y = K.dot(x, K.transpose(x))
    made = [K.softmax(K.cumsum(y, axis=0)), K.sum(K.cumsum(y, axis=1)), K.dot(y, x)]
    found = {}
    for name, value in (("KCORE_CUPY_EMULATE", "check"), ("KCORE_CUPY_POOL", "0")):
        with monkeypatch.context() as patch:
            patch.setenv("KCORE_CUPY_EMULATE", "1")
            patch.setenv(name, value)
            device = CupyDevice()
            patch.setattr(devices, "_current", device)
            function = Function([x], made)
            found[name] = function([np.arange(30).reshape(6, 5) / 30])
            instance = function.bound_plan([(6, 5)])._idle[0]
            slots = {place.slot for place in instance.plan.places.values() if place.kind == "slot"}
            assert len(slots) > 2 and not instance._arenas
            assert {_owner(a) for a in instance._slots.values()} == {a.nbytes + 256 for a in instance._slots.values()}
            assert len(instance._slots) == len(slots)
    for a, b in zip(*found.values(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_training_step_has_the_same_bits_in_any_order(monkeypatch):
    """Of blocks, and of threads between barriers; with lookups, products, normalization, softmax and running sums."""
    monkeypatch.setenv("KCORE_CUPY_EMULATE", "check")
    monkeypatch.setattr(devices, "_current", CupyDevice())
    r = np.random.RandomState(0)
    index, target = placeholder((20, 30), "int32", "index"), placeholder((600, 5), "float32", "target")
    table, w = K.variable(r.rand(40, 8)), K.variable(r.rand(8, 5))
    rows = K.reshape(K.gather(table, index), (600, 8))
    y = K.normalize_batch_in_training(rows, K.ones((8,)), K.zeros((8,)), [0])[0]
    scores = K.dot(K.cumsum(y, axis=0), w)
    loss = K.mean(K.categorical_crossentropy(target, K.softmax(scores)))
    step = K.function([index, target], [loss, scores, *K.gradients(loss, [table, w])])
    given = [r.randint(0, 40, (20, 30)), np.eye(5)[r.randint(0, 5, 600)]]
    runs = []
    for order in (0, 1, 2, 77):
        monkeypatch.setenv(ORDER, str(order))
        runs.append(step(given))
    for other in runs[1:]:
        for a, b in zip(other, runs[0], strict=True):
            np.testing.assert_array_equal(a, b)


def _owner(array):
    return kernels._memory(array._a).nbytes


def test_the_stand_in_takes_what_cupy_takes(xp):
    """Parameters of what the plugin calls have CuPy's names and order."""
    xp.cuda.Graph = streams.Graph  # which nobody makes by its name
    called = api()["called"]
    missing = {"cuda.set_allocator", "cuda.runtime.runtimeGetVersion", "cuda.alloc_pinned_memory"}
    missing |= {"cuda.compiler.compile_using_nvrtc", "cuda.nvrtc.getVersion"}
    for name in called.keys() - missing:
        ours = [p for p in inspect.signature(operator.attrgetter(name)(xp)).parameters if p != "self"]
        assert [p for p in called[name] if p in ours] == ours, name


def test_streams_and_events_belong_to_a_device(xp):
    with xp.cuda.Device(1):
        stream, event = xp.cuda.Stream(), xp.cuda.Event()
        event.record(stream)
    with pytest.raises(RuntimeError, match="does not match with the current device"), stream:
        pass
    with pytest.raises(RuntimeError, match="of different devices"):
        event.record(xp.cuda.Stream())
    with pytest.raises(RuntimeError, match="legacy"):
        xp.cuda.get_current_stream().begin_capture()
    xp.cuda.Stream().wait_event(event)  # waiting may cross devices
