"""Recurrent layers as launches: values and gradients beside the NumPy device, replay, source for GPUs."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kcore.runtime.function import Function
from kcore_backends_cupy.capture import Segment

GATES = {"lstm_sequence": 4, "gru_sequence": 3, "rnn_sequence": 1}
RTOL = {"float64": 1e-10, "float32": 2e-4, "float16": 3e-2}
ACTIVATIONS = [("tanh", "hard_sigmoid"), ("softsign", "sigmoid"), ("relu", "softplus"), ("elu", "linear")]


OPTIONAL = ("bias", "h0", "mask", "input_dropout", "recurrent_dropout")


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    op=st.sampled_from(list(GATES)),
    names=st.sets(st.sampled_from(OPTIONAL)),
    sizes=st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 5), st.integers(1, 5)),
    pair=st.sampled_from(ACTIVATIONS[:2]),
    flags=st.tuples(st.booleans(), st.booleans(), st.booleans(), st.booleans()),
)
def test_values_and_gradients(emulated, cases, op, names, sizes, pair, flags):
    reverse, after, two_rows, own_masks = flags
    after = after and op == "gru_sequence"
    options = {"masks": GATES[op] if own_masks else 1, "two_rows": after and two_rows}
    given = cases.arrays(op, (*names, *(["c0"] if "h0" in names else [])), sizes, "float64", **options)
    inputs, outs = cases.graph(op, given, cases.attributes(op, pair, reverse, after))
    for ours, theirs in cases.on_both(inputs, outs, list(given.values()), emulated):
        np.testing.assert_allclose(ours, theirs, rtol=RTOL["float64"], atol=1e-10)


@pytest.mark.parametrize("dtype", RTOL)
def test_dtypes_activations_and_source(emulated, cases, check_sources, dtype):
    layers = [("lstm_sequence", False), ("rnn_sequence", False), ("gru_sequence", False), ("gru_sequence", True)]
    for (op, after), pair in itertools.product(layers, ACTIVATIONS):
        given = cases.arrays(op, (*OPTIONAL, "c0"), (2, 3, 3, 4), dtype, masks=GATES[op], two_rows=after)
        inputs, outs = cases.graph(op, given, cases.attributes(op, pair, False, after))
        for ours, theirs in cases.on_both(inputs, outs, list(given.values()), emulated):
            scale = np.abs(theirs.astype("float64")).max()
            np.testing.assert_allclose(ours, theirs, rtol=RTOL[dtype], atol=RTOL[dtype] * scale)
    check_sources()


@pytest.mark.parametrize("op", GATES)
def test_a_whole_pass_is_one_graph(emulated, cases, op):
    """Forward and backward, for the manual's defaults: launches and nothing else, replayed."""
    given = cases.arrays(op, ("bias", "mask"), (2, 5, 3, 4), "float32")
    inputs, outs = cases.graph(op, given, cases.attributes(op, ACTIVATIONS[0], False, False))
    f = Function(inputs, outs)
    first, *others = [f(list(given.values())) for _ in range(3)]
    for other in others:
        for a, b in zip(first, other, strict=True):
            np.testing.assert_array_equal(a, b)
    (instance,) = f.bound_plan([a.shape for a in given.values()])._idle
    assert [type(call) for _, call in instance._calls] == [Segment]


@pytest.mark.parametrize("op", GATES)
def test_no_samples(emulated, cases, op):
    """Gradients of weights are zero."""
    given = cases.arrays(op, ("bias", "h0", "c0"), (0, 3, 2, 2), "float32")
    inputs, outs = cases.graph(op, given, cases.attributes(op, ACTIVATIONS[0], False, False))
    values = Function(inputs, outs)(list(given.values()))
    states = 1 + (op == "lstm_sequence")
    assert values[0].shape == (0, 3, 2)
    for weights in values[2 + states : 2 + states + 3]:
        assert not weights.any()
