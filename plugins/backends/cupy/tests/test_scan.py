"""Loops as rows of launches: values beside the NumPy device, replay, random bodies."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from kcore import backend as K
from kcore.graph import placeholder
from kcore.runtime import devices
from kcore.runtime.function import Function
from kcore.runtime.numpy_device import NumpyDevice
from kcore_backends_cupy.capture import Segment

R = np.random.RandomState(0)
X, H, W = R.rand(3, 6, 4).astype("float32"), R.rand(3, 5).astype("float32"), R.rand(9, 5).astype("float32")


def recurrent(go_backwards, mask=None):
    """A cell of one's own, its gradients, and what they are given."""
    x, h, w = (placeholder(a.shape, "float32", n) for a, n in ((X, "x"), (H, "h"), (W, "w")))

    def step(inputs, states):
        new = K.tanh(K.dot(K.concatenate([inputs, states[0]]), w))
        return new * 2, [new]

    masks = None if mask is None else K.constant(mask)
    last, outputs, (state,) = K.rnn(step, x, [h], go_backwards=go_backwards, mask=masks, input_length=6)
    loss = K.sum(K.square(outputs)) + K.sum(last * state)
    return Function([x, h, w], [last, outputs, state, *K.gradients(loss, [x, h, w])])


def same_as_numpy(make, values, runs=3):
    function = make()
    ours = [function(values) for _ in range(runs)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(devices, "_current", NumpyDevice())
        reference = make()
        theirs = [reference(values) for _ in range(runs)]
    for a, b in zip(ours, theirs, strict=True):
        for x, y in zip(a, b, strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-5)
    return function.bound_plan([v.shape for v in values])._idle[0]


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("go_backwards", [False, True])
def test_a_loop_and_its_gradient_are_one_graph(emulated, check_sources, go_backwards, masked):
    mask = (R.rand(3, 6) > 0.3) if masked else None
    instance = same_as_numpy(lambda: recurrent(go_backwards, mask), [X, H, W])
    assert [type(call) for call in instance.calls] == [Segment]
    check_sources()


def test_folds_and_maps(emulated):
    x = placeholder((6, 4), "float32", "x")

    def make():
        return Function(
            [x],
            [
                K.foldl(lambda a, e: a * 0.5 + e, x),
                K.foldr(lambda a, e: a - e, x, K.zeros((4,))),
                K.map_fn(lambda e: K.exp(e) / K.sum(e), x),
            ],
        )

    instance = same_as_numpy(make, [X[0]])
    assert [type(call) for call in instance.calls] == [Segment]


def test_states_that_change_places(emulated):
    """New states that are old ones of the same step are read before they are overwritten."""
    x, a, b = (placeholder(s, "float32", "v") for s in ((2, 5, 3), (2, 3), (2, 3)))

    def make():
        step = lambda inputs, states: (inputs, [states[1], states[0] + inputs])  # noqa: E731
        _, outputs, states = K.rnn(step, x, [a, b], input_length=5)
        return Function([x, a, b], [outputs, *states])

    r = np.random.RandomState(1)
    same_as_numpy(make, [r.rand(*t.shape).astype("float32") for t in (x, a, b)])


def test_drawing_in_a_loop(emulated):
    """Each step draws on, and each run: the bits of the NumPy device."""
    x = placeholder((5, 8), "float32", "x")

    def make():
        return Function([x], [K.map_fn(lambda e: e + K.random_uniform((8,), seed=3), x)])

    instance = same_as_numpy(make, [R.rand(5, 8).astype("float32")], runs=5)
    assert [type(call) for call in instance.calls] == [Segment]


def test_a_body_that_prints(emulated, capsys):
    x = placeholder((2, 2), "float32", "x")
    f = Function([x], [K.map_fn(lambda e: K.print_tensor(e, "row ") * 2, x)])
    for _ in range(3):
        np.testing.assert_array_equal(f([np.eye(2, dtype="float32")])[0], 2 * np.eye(2))
    sys.stderr.flush()
    assert capsys.readouterr().err.count("row ") == 6
