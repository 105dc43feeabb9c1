"""The compiled LSTM and GRU beside the core's NumPy kernels in float64, the operations that they belong to, threads."""

from __future__ import annotations

import subprocess
import sys
import types
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kcore import backend as K
from kcore.errors import PluginWarning
from kcore.graph import get_op, placeholder
from kcore.ops import recurrent
from kcore.ops.recurrent import gradient_names
from kcore.runtime import parallel
from kcore.runtime.context import BindContext
from kcore.runtime.numpy_device import NumpyDevice
from kcore_kernels_numba import announce, gru, hooks, lstm, supported

COMPILED = {
    "lstm_sequence": lstm.lstm_sequence,
    "lstm_sequence_grad": lstm.lstm_sequence_grad,
    "gru_sequence": gru.gru_sequence,
    "gru_sequence_grad": gru.gru_sequence_grad,
}
STATES = {"lstm_sequence": ("h", "c"), "gru_sequence": ("h",)}
GATES = {"lstm_sequence": 4, "gru_sequence": 3}
OPTIONS = {"activation": "tanh", "recurrent_activation": "hard_sigmoid", "go_backwards": False}


def operands(op: str, sizes: tuple[int, ...], names: tuple[str, ...], rows: int = 1, seed: int = 0) -> dict[str, Any]:
    """Random operands in float64."""
    batch, steps, features, units = sizes
    rng, gates = np.random.default_rng(seed), GATES[op]
    shapes: dict[str, tuple[int, ...]] = {
        "x": (batch, steps, features),
        "kernel": (features, gates * units),
        "recurrent": (units, gates * units),
        "bias": (gates * units,) if rows == 1 else (2, gates * units),
        "h0": (batch, units),
        "c0": (batch, units),
    }
    wanted = ("x", "kernel", "recurrent", *names)
    found = {name: rng.standard_normal(shape) * 0.5 for name, shape in shapes.items() if name in wanted}
    if "mask" in names:
        found["mask"] = rng.random((batch, steps)) > 0.4
    return found


def run(kernels: Any, op: str, given_: dict[str, Any], options: dict[str, Any], dtype: str) -> dict[str, np.ndarray]:
    """Outputs of a sequence op and of its gradient, as kernels bound to memory compute them."""
    arrays = {n: a if a.dtype == bool else np.ascontiguousarray(a, dtype) for n, a in given_.items()}
    batch, steps, _ = arrays["x"].shape
    units = len(arrays["recurrent"])
    attrs = {**OPTIONS, **options, "operands": tuple(n for n in arrays if n not in ("x", "kernel", "recurrent"))}
    ctx = BindContext(NumpyDevice())
    blocks = get_op(op).reserve_blocks(attrs)
    shapes = {"outputs": (batch, steps, units), **dict.fromkeys(STATES[op], (batch, units))}
    outs = {name: np.full(shape, np.nan, dtype) for name, shape in shapes.items()}
    reserve = np.full((steps, blocks, units, batch), np.nan, dtype)
    ins = list(arrays.values())
    kernels(op)(ctx, [*outs.values(), reserve], ins, attrs)()
    rng = np.random.default_rng(9)
    names = ("g_outputs", *(f"g_{state}" for state in STATES[op]))
    cotangents = {n: rng.standard_normal(a.shape).astype(dtype) for n, a in zip(names, outs.values())}
    attrs = attrs | {"cotangents": tuple(cotangents)}
    gradients = {f"d_{n}": np.full(arrays[n].shape, np.nan, dtype) for n in gradient_names(attrs)}
    ins = [*ins, outs["outputs"], reserve, *cotangents.values()]
    ctx.begin_instruction()
    kernels(f"{op}_grad")(ctx, list(gradients.values()), ins, attrs)()
    return outs | gradients


def assert_as_numpy(op: str, arrays: dict[str, Any], **options: Any) -> None:
    found = run(COMPILED.get, op, arrays, options, "float32")
    wanted = run(supported.numpy_kernel_of, op, arrays, options, "float64")
    for name, value in found.items():
        scale = max(1, abs(wanted[name]).max(initial=0))  # a sum of large terms is as exact as they are
        np.testing.assert_allclose(value, wanted[name], rtol=2e-4, atol=3e-5 * scale, err_msg=f"{op} {name} {options}")


@settings(max_examples=60, deadline=None)
@given(
    op=st.sampled_from(tuple(GATES)),
    sizes=st.tuples(st.integers(1, 9), st.integers(1, 7), st.integers(1, 20), st.integers(1, 20)),
    names=st.sets(st.sampled_from(("bias", "states", "mask"))),
    inner=st.sampled_from(supported.ACTIVATIONS),
    outer=st.sampled_from(("tanh", "sigmoid", "softsign")),
    reverse=st.booleans(),
    after=st.booleans(),
    rows=st.integers(1, 2),
)
def test_values_and_gradients_are_those_of_the_numpy_kernels(op, sizes, names, inner, outer, reverse, after, rows):
    states = ("h0", "c0") if op == "lstm_sequence" else ("h0",)
    wanted = [n for n in ("bias",) if n in names] + [s for s in states if "states" in names]
    wanted += ["mask"] if "mask" in names else []
    options = {"activation": outer, "recurrent_activation": inner, "go_backwards": reverse}
    if op == "gru_sequence":
        options["reset_after"] = after
    if inner in ("hard_sigmoid", "relu"):
        sizes = (*sizes[:1], min(sizes[1], 2), *sizes[2:])  # the kinks: rounding may fall to either side of them
    arrays = operands(op, sizes, tuple(wanted), rows if after and op == "gru_sequence" else 1, seed=sum(sizes))
    if inner in ("linear", "relu"):  # gates without a bound: small, so that nothing explodes
        arrays = {n: a if n == "mask" else a * 0.5 for n, a in arrays.items()}
    assert_as_numpy(op, arrays, **options)


@pytest.mark.parametrize("op", GATES)
@pytest.mark.parametrize("sizes", [(70, 5, 33, 40), (1, 30, 64, 65), (37, 12, 3, 128), (5, 3, 200, 7)])
def test_tiles_panels_and_chunks_that_do_not_come_out_even(op, sizes):
    options = {"recurrent_activation": "sigmoid"} | ({"reset_after": False} if op == "gru_sequence" else {})
    arrays = operands(op, sizes, ("bias",))
    arrays |= {name: arrays[name] * 0.3 for name in ("kernel", "recurrent")}
    assert_as_numpy(op, arrays, **options)


@pytest.mark.parametrize("op", GATES)
def test_the_kink_of_the_hard_sigmoid(op):
    """Saturated gates have the slope 0, the others 0.2."""
    arrays = operands(op, (3, 1, 4, 5), ("bias",))
    arrays["bias"] = np.tile([-9.0, 9.0, 0.1, -0.2, 0.3], GATES[op])
    assert_as_numpy(op, arrays, **({"reset_after": False} if op == "gru_sequence" else {}))


# -- through the operations -------------------------------------------------------------------------------------


def graph(op: str, batch: int | None = None, **options: Any) -> tuple[Any, list[np.ndarray]]:
    """A function of outputs and gradients, and arrays for it: large enough for the compiled kernels."""
    arrays = operands(op, (12, 10, 40, 48), ("bias",))
    arrays = {n: (a * 0.3).astype("float32") for n, a in arrays.items()}
    tensors = [placeholder(a.shape, "float32", n) for n, a in arrays.items()]
    outputs = (recurrent.lstm if op == "lstm_sequence" else recurrent.gru)(*tensors, **options)
    return K.function(tensors, [outputs[0], *K.gradients(K.sum(K.square(outputs[0])), tensors)]), list(arrays.values())


@pytest.fixture
def bound(monkeypatch):
    """Names of the operations whose compiled kernel is bound."""
    names: list[str] = []
    for module in (lstm, gru):
        for op in (n for n in COMPILED if hasattr(module, n)):

            def bind(*args: Any, op: str = op) -> Any:
                names.append(op)
                return COMPILED[op](*args)

            monkeypatch.setattr(module, op, bind)
    return names


@pytest.mark.parametrize("op", GATES)
def test_functions_use_the_compiled_kernels(op, bound):
    function, arrays = graph(op)
    function(arrays)
    assert bound == [op, f"{op}_grad"]


@pytest.mark.parametrize("op", GATES)
def test_equal_runs_are_equal_to_the_bit(op):
    function, arrays = graph(op)
    first = [a.copy() for a in function(arrays)]
    for _ in range(5):
        assert all(np.array_equal(a, b) for a, b in zip(first, function(arrays)))


@pytest.mark.parametrize("op", GATES)
def test_threads_change_nothing_but_the_order_of_the_sums_of_weights(op):
    results = []
    for threads in (1, 2, 3):
        with parallel.limit_threads(threads):
            function, arrays = graph(op)
            results.append(function(arrays))
    for outputs, dx, *weights in results[1:]:
        np.testing.assert_array_equal(outputs, results[0][0])
        np.testing.assert_array_equal(dx, results[0][1])
        for a, b in zip(weights, results[0][2:]):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_only_what_is_wanted_is_computed(bound):
    arrays = {n: (a * 0.3).astype("float32") for n, a in operands("lstm_sequence", (12, 10, 40, 48), ("bias",)).items()}
    tensors = [placeholder(a.shape, "float32", n) for n, a in arrays.items()]
    _, h, _ = recurrent.lstm(*tensors)
    loss = K.sum(K.square(h))
    everything = K.function(tensors, K.gradients(loss, tensors))(list(arrays.values()))
    for number, tensor in enumerate(tensors):
        (alone,) = K.function(tensors, K.gradients(loss, [tensor]))(list(arrays.values()))
        np.testing.assert_array_equal(alone, everything[number])
    assert len(bound) == 2 * (1 + len(tensors))


def test_operands_that_are_views_or_read_only():
    arrays = operands("lstm_sequence", (6, 4, 5, 8), ("bias", "h0", "c0"))
    usual = run(COMPILED.get, "lstm_sequence", arrays, {}, "float32")

    def strange(op: str) -> Any:
        def bind(ctx: Any, outs: Any, ins: Any, attrs: Any) -> Any:
            views = []
            for array in ins:
                view = np.repeat(array, 2, axis=-1)[..., ::2] if array.ndim < 4 else array
                view.flags.writeable = False
                views.append(view)
            return COMPILED[op](ctx, outs, views, attrs)

        return bind

    for name, value in run(strange, "lstm_sequence", arrays, {}, "float32").items():
        np.testing.assert_array_equal(value, usual[name])


@pytest.mark.parametrize("op", GATES)
def test_nan_goes_through(op):
    function, arrays = graph(op)
    arrays[0][3, 5, 0] = np.nan
    outputs = function(arrays)[0]
    assert (
        np.isnan(outputs[3, 5:]).all()
        and np.isfinite(outputs[3, :5]).all()
        and np.isfinite(np.delete(outputs, 3, 0)).all()
    )


# -- what is left to NumPy --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"dtype": "float64"},
        {"activation": "elu"},
        {"recurrent_activation": "softplus"},
        {"input_dropout": True},
        {"recurrent_dropout": True},
        {"steps": 1},
    ],
)
def test_what_the_compiled_kernels_do_not_take(change, bound):
    change = dict(change)
    dtype, steps = change.pop("dtype", "float32"), change.pop("steps", 20)
    arrays = {n: a.astype(dtype) for n, a in operands("lstm_sequence", (8, steps, 40, 48), ("bias",)).items()}
    tensors = [placeholder(a.shape, dtype, n) for n, a in arrays.items()]
    for name, size in (("input_dropout", 40), ("recurrent_dropout", 48)):
        if name in change:
            change[name] = K.constant(np.ones((4, 8, size)), dtype)
    outputs = recurrent.lstm(*tensors, **change)[0]
    K.function(tensors, [outputs])(list(arrays.values()))
    assert not bound


def test_numba_is_imported_for_a_kernel_only():
    program = (
        "import sys, numpy as np\n"
        "from kcore import backend as K\n"
        "from kcore.ops import recurrent\n"
        "from kcore.plugins import hooks\n"
        "x = K.placeholder((4, 5))\n"
        "K.function([x], [K.dot(x, K.transpose(x))])([np.ones((4, 5))])\n"
        "(kernels,) = hooks.call('kcore_device_kernels', device='numpy')\n"
        "assert {'lstm_sequence', 'max_pool', 'depthwise_conv_kernel_grad'} < set(kernels)\n"
        "assert hooks.call('kcore_device_kernels', device='cupy') == []\n"
        "print('numba' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_without_a_working_numba_numpy_computes_and_a_warning_says_why(monkeypatch):
    def broken(name: str) -> Any:
        raise ImportError("Numba needs NumPy 2.4 or less")

    function, arrays = graph("lstm_sequence")
    wanted = function(arrays)
    hooks._compiled.cache_clear()
    monkeypatch.setattr(hooks, "import_module", broken)
    try:
        function, arrays = graph("lstm_sequence", go_backwards=False)
        with pytest.warns(PluginWarning, match=r"numba does not work here \(Numba needs NumPy 2.4 or less\)") as warned:
            found = function(arrays)
    finally:
        hooks._compiled.cache_clear()
    assert len(warned) == 1
    for a, b in zip(found, wanted):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)


def test_compiling_is_announced_once_on_a_terminal(monkeypatch, capsys):
    program = announce.Announcer()
    function = types.SimpleNamespace(py_func=types.SimpleNamespace(__module__="kcore_kernels_numba.lstm"))
    other = types.SimpleNamespace(py_func=types.SimpleNamespace(__module__="somebody.s"))
    for terminal in (True, False):
        monkeypatch.setattr(sys.stderr, "isatty", lambda terminal=terminal: terminal)
        for dispatcher in (other, function, function):
            program.on_start(types.SimpleNamespace(data={"dispatcher": dispatcher}))
        assert capsys.readouterr().err == (
            "kcore: compiling lstm for this machine, which takes seconds, once\n" * terminal
        )
        program.told.clear()
