"""Recurrent layers as launches: values and gradients beside the NumPy device, replay, source for GPUs."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kcore.grad import vector_jacobian
from kcore.graph import apply, placeholder
from kcore.ops import recurrent
from kcore.runtime import devices
from kcore.runtime.function import Function
from kcore.runtime.numpy_device import NumpyDevice
from kcore_backends_cupy.capture import Segment

GATES = {"lstm_sequence": 4, "gru_sequence": 3, "rnn_sequence": 1}
RTOL = {"float64": 1e-10, "float32": 2e-4, "float16": 3e-2}
ACTIVATIONS = [("tanh", "hard_sigmoid"), ("softsign", "sigmoid"), ("relu", "softplus"), ("elu", "linear")]


def arrays(op: str, names: tuple[str, ...], sizes: tuple[int, ...], dtype: str, **options: Any) -> dict[str, Any]:
    """Random operands, in the order of the op."""
    batch, steps, features, units = sizes
    gates, masks = GATES[op], options.get("masks", 1)
    shapes = {
        "x": (batch, steps, features),
        "kernel": (features, gates * units),
        "recurrent": (units, gates * units),
        "bias": (2, gates * units) if options.get("two_rows") else (gates * units,),
        "h0": (batch, units),
        "c0": (batch, units),
        "mask": (batch, steps),
        "input_dropout": (masks, batch, features),
        "recurrent_dropout": (masks, batch, units),
    }
    r = np.random.RandomState(math.prod(sizes) + len(names))
    found = {}
    for name, shape in shapes.items():
        if name in ("x", "kernel", "recurrent", *names) and (name != "c0" or op == "lstm_sequence"):
            value = r.standard_normal(shape) * 0.6
            if name == "mask":
                value = r.rand(*shape) > 0.4
            elif "dropout" in name:
                value = (r.rand(*shape) > 0.3) / 0.7
            found[name] = value if name == "mask" else value.astype(dtype)
    return found


def graph(op: str, given: dict[str, Any], attrs: dict[str, Any]) -> tuple[list[Any], list[Any]]:
    """Placeholders; outputs and the gradients of all operands for random gradients of the outputs."""
    inputs = [placeholder(a.shape, a.dtype.name, n) for n, a in given.items()]
    attrs = attrs | {"operands": tuple(list(given)[3:])}
    outs = apply(op, *inputs, **attrs)[:-1]
    r = np.random.RandomState(3)
    seeds = [apply("cast", r.standard_normal(o.shape), dtype=o.dtype) for o in outs]
    names = recurrent.gradient_names(attrs)
    wrt = [t for t, n in zip(inputs, given, strict=True) if n in names]
    return inputs, [*outs, *vector_jacobian(list(outs), seeds, wrt)]


def on_both(inputs: list[Any], outs: list[Any], values: list[Any], device: Any) -> list[tuple[Any, Any]]:
    """Results of the device, and of NumPy's."""
    made = []
    for chosen in (device, NumpyDevice()):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(devices, "_current", chosen)
            made.append(Function(inputs, outs)(values))
    return list(zip(*made, strict=True))


def attributes(op: str, pair: tuple[str, str], reverse: bool, after: bool) -> dict[str, Any]:
    attrs: dict[str, Any] = {"activation": pair[0], "go_backwards": reverse}
    if op != "rnn_sequence":
        attrs["recurrent_activation"] = pair[1]
    return attrs | ({"reset_after": after} if op == "gru_sequence" else {})


OPTIONAL = ("bias", "h0", "mask", "input_dropout", "recurrent_dropout")


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    op=st.sampled_from(list(GATES)),
    names=st.sets(st.sampled_from(OPTIONAL)),
    sizes=st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 5), st.integers(1, 5)),
    pair=st.sampled_from(ACTIVATIONS[:2]),
    flags=st.tuples(st.booleans(), st.booleans(), st.booleans(), st.booleans()),
)
def test_values_and_gradients(emulated, op, names, sizes, pair, flags):
    reverse, after, two_rows, own_masks = flags
    after = after and op == "gru_sequence"
    options = {"masks": GATES[op] if own_masks else 1, "two_rows": after and two_rows}
    given = arrays(op, (*names, *(["c0"] if "h0" in names else [])), sizes, "float64", **options)
    inputs, outs = graph(op, given, attributes(op, pair, reverse, after))
    for ours, theirs in on_both(inputs, outs, list(given.values()), emulated):
        np.testing.assert_allclose(ours, theirs, rtol=RTOL["float64"], atol=1e-10)


@pytest.mark.parametrize("dtype", RTOL)
def test_dtypes_activations_and_source(emulated, check_sources, dtype):
    cases = [("lstm_sequence", False), ("rnn_sequence", False), ("gru_sequence", False), ("gru_sequence", True)]
    for (op, after), pair in itertools.product(cases, ACTIVATIONS):
        given = arrays(op, (*OPTIONAL, "c0"), (2, 3, 3, 4), dtype, masks=GATES[op], two_rows=after)
        inputs, outs = graph(op, given, attributes(op, pair, False, after))
        for ours, theirs in on_both(inputs, outs, list(given.values()), emulated):
            scale = np.abs(theirs.astype("float64")).max()
            np.testing.assert_allclose(ours, theirs, rtol=RTOL[dtype], atol=RTOL[dtype] * scale)
    check_sources()


@pytest.mark.parametrize("op", GATES)
def test_a_whole_pass_is_one_graph(emulated, op):
    """Forward and backward, for the manual's defaults: launches and nothing else, replayed."""
    given = arrays(op, ("bias", "mask"), (2, 5, 3, 4), "float32")
    inputs, outs = graph(op, given, attributes(op, ACTIVATIONS[0], False, False))
    f = Function(inputs, outs)
    first, *others = [f(list(given.values())) for _ in range(3)]
    for other in others:
        for a, b in zip(first, other, strict=True):
            np.testing.assert_array_equal(a, b)
    (instance,) = f.bound_plan([a.shape for a in given.values()])._idle
    assert [type(call) for _, call in instance._calls] == [Segment]


@pytest.mark.parametrize("op", GATES)
@pytest.mark.parametrize("sizes", [(0, 3, 2, 2), (2, 0, 2, 2)])
def test_nothing_to_do(emulated, op, sizes):
    """No samples, or no steps: states stay, and their gradients with them; those of weights are zero."""
    given = arrays(op, ("bias", "h0", "c0"), sizes, "float32")
    inputs, outs = graph(op, given, attributes(op, ACTIVATIONS[0], False, False))
    values = Function(inputs, outs)(list(given.values()))
    states = 1 + (op == "lstm_sequence")
    assert values[0].shape == (*sizes[:2], 2)
    if not sizes[1]:
        np.testing.assert_array_equal(values[1], given["h0"])
    for weights in values[2 + states : 2 + states + 3]:
        assert not weights.any()
