"""Recurrent layers on cuDNN, against a fake of the library that computes on the host what the real one documents.

`make_cudnn_rnn.py` compares the fake, and what kcore knows of the library, with NVIDIA's headers; PyTorch's layers
(`golden/`), which are cuDNN's on a GPU, confirm the fake's formulas and order of gates;
`check_cudnn_rnn.py` asks the real library, without a GPU, where it wants weights.
"""

from __future__ import annotations

import ctypes
import gc
import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kcore import backend as K
from kcore.errors import ExecutionError
from kcore.graph import Spec, apply, placeholder
from kcore.ops import recurrent
from kcore.ops.scan import fold_steps
from kcore.runtime import devices
from kcore.runtime.context import BindContext
from kcore.runtime.function import Function
from kcore.runtime.numpy_device import NumpyDevice
from kcore.utils import device_scope
from kcore_backends_cupy import cudnn_rnn, recurrent_ops
from kcore_backends_cupy.capture import Segment
from kcore_backends_cupy.cudnn_rnn import CudnnRnn, Recurrence
from kcore_backends_cupy.emulation import streams

RTOL = {"float64": 1e-10, "float32": 2e-5, "float16": 3e-2}
#: Operation, whether its bias has two rows.
LAYERS = [("lstm_sequence", False), ("gru_sequence", False), ("gru_sequence", True), ("rnn_sequence", False)]
COMPUTED = ("cudnnRNNForward", "cudnnRNNBackwardData_v8", "cudnnRNNBackwardWeights_v8")
LOOSE = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


class Fake(CudnnRnn):
    """The fake library; as the real one's, its calls are recorded while a graph is captured."""

    def run(self, name, *args):
        if name in COMPUTED:
            assert self._library.fake_stream() == streams.current_stream().ptr
            streams.launch(lambda: super(Fake, self).run(name, *args))
        else:
            super().run(name, *args)


@pytest.fixture(scope="session")
def path(build_fake):
    return build_fake("fake_cudnn_rnn.cc")


@pytest.fixture
def fake(path, emulated, monkeypatch):
    def find(device):
        made = Fake(path)
        made._library.fake_stream.restype = ctypes.c_size_t
        return made

    monkeypatch.setattr(cudnn_rnn, "find", find)
    library = ctypes.CDLL(path)
    library.fake_refuse(0)
    return library


def calls(fake):
    """How often each of the three was called."""
    return [fake.fake_calls(i) for i in range(3)]


def attributes(cases, op, reverse=False):
    return cases.attributes(op, ("tanh", "sigmoid"), reverse, after=op == "gru_sequence")


def names_of(op, names):
    return (*names, *(["c0"] if "h0" in names else []))


@LOOSE
@given(
    layer=st.sampled_from(LAYERS),
    names=st.sets(st.sampled_from(["bias", "h0"])),
    sizes=st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 5), st.integers(1, 5)),
    reverse=st.booleans(),
)
def test_values_and_gradients(fake, emulated, cases, layer, names, sizes, reverse):
    op, two_rows = layer
    given_arrays = cases.arrays(op, names_of(op, names), sizes, "float64", two_rows=two_rows)
    inputs, outs = cases.graph(op, given_arrays, attributes(cases, op, reverse))
    before = calls(fake)
    for ours, theirs in cases.on_both(inputs, outs, list(given_arrays.values()), emulated):
        np.testing.assert_allclose(ours, theirs, rtol=RTOL["float64"], atol=1e-10)
    assert calls(fake) == [n + 1 for n in before]


@pytest.mark.parametrize("dtype", RTOL)
def test_dtypes_and_source(fake, emulated, cases, check_sources, dtype):
    for (op, two_rows), reverse in itertools.product(LAYERS, (False, True)):
        given_arrays = cases.arrays(op, ("bias", "h0", "c0"), (2, 3, 3, 4), dtype, two_rows=two_rows)
        inputs, outs = cases.graph(op, given_arrays, attributes(cases, op, reverse))
        for ours, theirs in cases.on_both(inputs, outs, list(given_arrays.values()), emulated):
            scale = np.abs(theirs.astype("float64")).max()
            np.testing.assert_allclose(ours, theirs, rtol=RTOL[dtype], atol=RTOL[dtype] * scale)
    check_sources()


def parts(layer, space):
    """Matrices and biases in a weight space, by PyTorch's names: in its order of gates, which it gives to cuDNN."""
    gates, features, units = layer.wanted.gates, layer.wanted.features, layer.wanted.units
    found = {}
    for side, of, columns in ((0, "ih", features), (gates, "hh", units)):
        for g in range(gates):
            for kind, starts, width in (("weight", layer.matrices, columns), ("bias", layer.biases, 1)):
                start = starts[side + g]
                found[f"{kind}_{of}_l0", g] = space[start : start + units * width].reshape(units, width)
    return found


@pytest.mark.parametrize("cell", ["CUDNN_LSTM", "CUDNN_GRU", "CUDNN_RNN_TANH"])
def test_the_fake_computes_what_pytorch_computes(fake, emulated, cell):
    golden = np.load(Path(__file__).with_name("golden") / "recurrent.npz")
    golden = {k.partition(".")[2]: golden[k] for k in golden.files if k.startswith(f"{cell}.")}
    (steps, batch, features), units = golden["x"].shape, golden["hx"].shape[1]
    library, ctx = cudnn_rnn.library(emulated), BindContext(emulated)
    layer = library.layer(Recurrence(cell, "float64", batch, steps, features, units))

    weights = np.zeros(layer.weights // 8)
    for (name, g), part in parts(layer, weights).items():
        part[:] = golden[name][g * units : (g + 1) * units].reshape(part.shape)
    space, gradients = emulated.asarray(weights), emulated.asarray(np.zeros_like(weights))
    reserve = emulated.empty((layer.reserve,), "uint8")
    written = {
        k: emulated.empty(golden[k].shape, "float64") for k in ("y", "hy", "cy", "dx", "dhx", "dcx") if k in golden
    }
    arrays = {k: emulated.asarray(a) for k, a in golden.items()} | written

    def states(*names):
        """The arrays of h, and those of c or None."""
        return [tuple(arrays[n.format(s)] for n in names) if f"{s}x" in golden else None for s in "hc"]

    library.forward(ctx, layer, arrays["x"], arrays["y"], *states("{}x", "{}y"), space, reserve)()
    back = states("{}x", "d{}y", "d{}x")
    library.backward_data(ctx, layer, (arrays["y"], arrays["dy"]), arrays["dx"], *back, space, reserve)()
    library.backward_weights(ctx, layer, arrays["x"], arrays["y"], arrays["hx"], gradients, reserve)()
    for name, array in written.items():
        np.testing.assert_allclose(array.get(), golden[name], rtol=1e-11, atol=1e-13)
    for (name, g), part in parts(layer, gradients.get()).items():
        wanted = golden[f"d{name}"][g * units : (g + 1) * units].reshape(part.shape)
        np.testing.assert_allclose(part, wanted, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("wanted", range(5))
def test_one_gradient_alone(fake, emulated, cases, layer, wanted):
    """What nobody asks for is left out, and nothing else changes."""
    op, two_rows = layer
    given_arrays = cases.arrays(op, ("bias", "h0"), (2, 3, 3, 4), "float64", two_rows=two_rows)
    inputs, outs = cases.graph(op, given_arrays, attributes(cases, op))
    gradients = outs[1 + 1 + (op == "lstm_sequence") :]
    before = calls(fake)
    ((ours, theirs),) = cases.on_both(inputs, [gradients[wanted]], list(given_arrays.values()), emulated)
    np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-12)
    is_weight = list(given_arrays)[wanted] in ("kernel", "recurrent", "bias")
    assert [a - b for a, b in zip(calls(fake), before, strict=True)] == [1, 1, is_weight]


@pytest.mark.parametrize("op", ["lstm_sequence", "gru_sequence"])
def test_prediction_needs_no_reserve(fake, emulated, cases, op):
    given_arrays = cases.arrays(op, ("bias", "h0", "c0"), (2, 3, 3, 4), "float32")
    inputs, outs = cases.graph(op, given_arrays, attributes(cases, op))
    for some in (outs[:1], outs[1:2], outs[: 2 + (op == "lstm_sequence")]):
        for ours, theirs in cases.on_both(inputs, some, list(given_arrays.values()), emulated):
            np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
        assert fake.fake_training() == 0


def network(seed=0):
    """Two layers on top of each other, the second from the end: placeholders, loss, weights."""
    r = np.random.RandomState(seed)
    x = placeholder((4, 5, 3), "float64", "x")
    shapes = ((3, 24), (6, 24), (24,), (6, 12), (4, 12), (2, 12))
    weights = [K.variable(0.4 * r.standard_normal(s), dtype="float64") for s in shapes]
    lstm, gru = {"recurrent_activation": "sigmoid"}, {"recurrent_activation": "sigmoid", "reset_after": True}
    sequence = recurrent.lstm(x, *weights[:3], **lstm)[0]
    _, last = recurrent.gru(sequence, *weights[3:], go_backwards=True, **gru)
    return x, K.mean(K.square(last)), weights


def test_training_is_one_graph(fake, emulated):
    """Weights are packed, layers computed and gradients unpacked, step for step as on the NumPy device."""
    data, losses, plans = np.random.RandomState(1).standard_normal((4, 5, 3)), [], []
    for device in (emulated, NumpyDevice()):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(devices, "_current", device)
            x, loss, weights = network()
            gradients = K.gradients(loss, weights)
            step = Function([x], [loss], [(w, w - 0.5 * g) for w, g in zip(weights, gradients, strict=True)])
            losses.append([step([data])[0].item() for _ in range(6)])
            plans.append(step)
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-9)
    assert losses[0][-1] < losses[0][0]
    ((_, call),) = plans[0].bound_plan([data.shape])._idle[0]._calls
    assert isinstance(call, Segment)
    assert call.graphs == 1
    assert "cudnn_sequence_grad(" in plans[0].show()
    assert sum("rnn_weights" in getattr(x, "name", "") for x in call.launches) <= 4


def test_two_gradients_of_one_layer(fake, emulated, cases):
    """cuDNN uses a reserve up: two losses, each with a gradient of its own."""
    given_arrays = cases.arrays("lstm_sequence", ("bias",), (2, 3, 3, 4), "float64")
    inputs = [placeholder(a.shape, "float64", n) for n, a in given_arrays.items()]
    outputs, h, c = recurrent.lstm(*inputs, recurrent_activation="sigmoid")
    wanted = [g for y in (K.sum(K.square(outputs)), K.sum(h * c)) for g in K.gradients(y, inputs)]
    before = calls(fake)
    for ours, theirs in cases.on_both(inputs, wanted, list(given_arrays.values()), emulated):
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-12)
    assert [a - b for a, b in zip(calls(fake), before, strict=True)] == [1, 2, 2]


def test_second_derivatives(fake, emulated, cases):
    given_arrays = cases.arrays("gru_sequence", ("bias",), (2, 3, 2, 2), "float64")
    inputs = [placeholder(a.shape, "float64", n) for n, a in given_arrays.items()]
    outputs, _ = recurrent.gru(*inputs, recurrent_activation="sigmoid", reset_after=True)
    first = K.gradients(K.sum(K.square(outputs)), inputs[1])[0]
    wanted = K.gradients(K.sum(K.square(first)), inputs)
    for ours, theirs in cases.on_both(inputs, [first, *wanted], list(given_arrays.values()), emulated):
        np.testing.assert_allclose(ours, theirs, rtol=1e-8, atol=1e-10)


def test_layers_inside_of_loops(fake, emulated, cases):
    """Between a loop and its gradient, reserves are values of the graph: there the step kernels compute. A loop
    without a gradient may use cuDNN."""
    r = np.random.RandomState(0)
    xs, w, u = (placeholder(s, "float64", "p") for s in ((3, 2, 4, 3), (3, 8), (2, 8)))
    values = [r.standard_normal(t.shape) for t in (xs, w, u)]

    def step(carried, elements):
        _, h, _ = recurrent.lstm(elements[0], w, u, recurrent_activation="sigmoid")
        return [carried[0] + h], [h]

    carried, (stacked,) = fold_steps(step, [0.0 * xs[0, :, 0, :2]], [xs])
    loss = K.sum(K.square(carried[0])) + K.sum(stacked)
    before = calls(fake)
    for ours, theirs in cases.on_both([xs, w, u], [loss, *K.gradients(loss, [xs, w, u])], values, emulated):
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-12)
    assert calls(fake) == before
    for ours, theirs in cases.on_both([xs, w, u], [loss], values, emulated):
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-12)
    assert calls(fake) == [before[0] + 3, *before[1:]]


@pytest.mark.parametrize(
    ("op", "names", "changed"),
    [
        ("lstm_sequence", ("mask",), {}),
        ("lstm_sequence", ("input_dropout",), {}),
        ("gru_sequence", ("recurrent_dropout",), {}),
        ("lstm_sequence", (), {"recurrent_activation": "hard_sigmoid"}),
        ("lstm_sequence", (), {"activation": "relu"}),
        ("gru_sequence", (), {"reset_after": False}),
        ("rnn_sequence", (), {"activation": "relu"}),
    ],
)
def test_what_cudnn_does_not_know_is_done_here(fake, emulated, cases, op, names, changed):
    given_arrays = cases.arrays(op, names, (2, 3, 3, 4), "float64")
    inputs, outs = cases.graph(op, given_arrays, attributes(cases, op) | changed)
    before = calls(fake)
    for ours, theirs in cases.on_both(inputs, outs, list(given_arrays.values()), emulated):
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-10)
    assert calls(fake) == before


def test_sizes_beyond_cudnn():
    """Steps are counted in 16 bits there; nothing is computed with nothing."""

    def asked(*shape, units=2):
        named = {"x": Spec(shape, "float32"), "recurrent": Spec((units, units), "float32")}
        return recurrent_ops.recurrence("rnn_sequence", named, {"activation": "tanh"})

    assert asked(2, 65535, 3) == Recurrence("CUDNN_RNN_TANH", "float32", 2, 65535, 3, 2)
    assert asked(2, 65536, 3) is None
    assert asked(40000, 60000, 1, units=1) is None
    assert asked(0, 4, 3) is asked(2, 0, 3) is asked(2, 4, 0) is asked(2, 4, 3, units=0) is None


@pytest.mark.parametrize("status", [3000, 3007])
def test_a_layer_that_cudnn_refuses_is_computed_here(fake, emulated, cases, status):
    fake.fake_refuse(status)
    alive, before = fake.fake_alive(), calls(fake)
    given_arrays = cases.arrays("lstm_sequence", ("bias",), (2, 3, 3, 4), "float64")
    inputs, outs = cases.graph("lstm_sequence", given_arrays, attributes(cases, "lstm_sequence"))
    for ours, theirs in cases.on_both(inputs, outs, list(given_arrays.values()), emulated):
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-12)
    gc.collect()
    assert calls(fake) == before
    assert fake.fake_alive() == alive


def test_a_failure_of_cudnn_is_said_and_survived(fake, emulated, cases):
    fake.fake_refuse(4000)
    given_arrays = cases.arrays("gru_sequence", ("bias",), (2, 3, 3, 4), "float64")
    inputs, outs = cases.graph("gru_sequence", given_arrays, attributes(cases, "gru_sequence"))
    words = r"cuDNN fails at Recurrence\(.*kcore computes itself: .*v8 fails with status 4000: FAKE_STATUS, the fake"
    with pytest.warns(UserWarning, match=words):
        found = cases.on_both(inputs, outs, list(given_arrays.values()), emulated)
    for ours, theirs in found:
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-12)


def test_a_failure_at_run_time_says_what_helps(fake, emulated):
    library = cudnn_rnn.library(emulated)
    words = "cuDNN: cudnnSetStream fails with status 2000: FAKE_STATUS, the fake refuses. KCORE_CUPY_LIBRARIES=0 leaves"
    library._handle = None
    with pytest.raises(ExecutionError, match=words):
        library.execute("cudnnRNNForward", (), 0)


def test_float32_is_float32(fake, emulated):
    """Units that round to TF32 only where that is allowed."""
    library = cudnn_rnn.library(emulated)
    for dtype, tf32, math in (
        ("float32", False, 3),
        ("float32", True, 0),
        ("float16", False, 1),
        ("float64", False, 0),
    ):
        assert library.layer(Recurrence("CUDNN_LSTM", dtype, 2, 3, 4, 5, tf32)) is not None
        assert fake.fake_math() == math


def test_layers_are_kept_and_bounded(fake, emulated, monkeypatch):
    monkeypatch.setattr(cudnn_rnn, "KEPT", 2)
    library, alive = cudnn_rnn.library(emulated), fake.fake_alive()
    layers = [library.layer(Recurrence("CUDNN_GRU", "float32", 2, steps, 4, 5)) for steps in (1, 2, 1, 3)]
    assert layers[0] is layers[2]
    assert len(library._layers) == 2
    each = (fake.fake_alive() - alive) // 3
    del layers
    gc.collect()
    assert fake.fake_alive() - alive == 2 * each


def test_a_part_on_another_gpu(fake, emulated, cases):
    """Each GPU has a handle of its own."""
    x, w, u = (placeholder(s, "float64", "p") for s in ((2, 3, 3), (3, 8), (2, 8)))
    with device_scope("/gpu:1"):
        h = recurrent.lstm(x, w, u, recurrent_activation="sigmoid")[1]
    other = recurrent.lstm(x, w, u, recurrent_activation="sigmoid")[1] * 2.0
    values = [np.random.RandomState(i).standard_normal(t.shape) for i, t in enumerate((x, w, u))]
    wanted = [h + other, *K.gradients(K.sum(h * other), [x, w])]
    for ours, theirs in cases.on_both([x, w, u], wanted, values, emulated):
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-12)


def test_no_samples(fake, emulated, cases):
    given_arrays = cases.arrays("lstm_sequence", ("bias", "h0", "c0"), (0, 3, 2, 2), "float32")
    inputs, outs = cases.graph("lstm_sequence", given_arrays, attributes(cases, "lstm_sequence"))
    before = calls(fake)
    assert Function(inputs, outs)(list(given_arrays.values()))[0].shape == (0, 3, 2)
    assert calls(fake) == before


# -- finding the library ----------------------------------------------------------------------------------------


def test_a_machine_without_the_library(emulated, monkeypatch):
    emulated.emulated = False
    monkeypatch.setattr(cudnn_rnn, "in_wheels", lambda *names: iter(["/nowhere/libcudnn.so.9"]))
    assert cudnn_rnn.find(emulated) is None


def test_a_library_that_does_not_start_is_named(emulated, monkeypatch):
    def start(path):
        raise ExecutionError("cuDNN: cudnnCreate fails with status 1001")

    emulated.emulated = False
    monkeypatch.setattr(cudnn_rnn, "in_wheels", lambda *names: iter(["libcudnn.so.9"]))
    monkeypatch.setattr(cudnn_rnn, "CudnnRnn", start)
    with pytest.warns(UserWarning, match=r"libcudnn.so.9 is not used for recurrent layers, .*: cuDNN: cudnnCreate"):
        assert cudnn_rnn.find(emulated) is None


def test_a_library_without_the_calls_is_named(emulated, monkeypatch, build_fake):
    """An old one, or one that is something else."""
    emulated.emulated = False
    path = build_fake("fake_cublaslt.cc")
    monkeypatch.setattr(cudnn_rnn, "in_wheels", lambda *names: iter([path]))
    with pytest.warns(UserWarning, match="not used for recurrent layers.* has no cudnnCreate"):
        assert cudnn_rnn.find(emulated) is None


def test_libraries_can_be_left_out(emulated, monkeypatch, path):
    emulated.emulated = False
    monkeypatch.setattr(cudnn_rnn, "in_wheels", lambda *names: iter([path]))
    assert cudnn_rnn.find(emulated) is not None
    monkeypatch.setenv("KCORE_CUPY_LIBRARIES", "0")
    assert cudnn_rnn.find(emulated) is None


def test_the_other_gpu_must_want_as_much(fake, emulated):
    attrs = {"sequence": "lstm_sequence", "space": 12, "reserve": 0, "operands": (), "activation": "tanh"}
    attrs |= {"recurrent_activation": "sigmoid", "go_backwards": False}
    x, w, u = (placeholder(s, "float32", "p") for s in ((2, 3, 3), (3, 8), (2, 8)))
    f = Function([x, w, u], [apply("cudnn_sequence", x, w, u, **attrs)[1]])
    with pytest.raises(ExecutionError, match="as it was planned with cuDNN on another GPU.*KCORE_CUPY_LIBRARIES=0"):
        f([np.zeros(t.shape, "float32") for t in (x, w, u)])
