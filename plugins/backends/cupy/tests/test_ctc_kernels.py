"""CTC by blocks: losses and gradients beside the NumPy device."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kcore.graph import apply, placeholder
from kcore.ops import ctc  # noqa: F401 - registers the operation
from kcore.runtime import devices
from kcore.runtime.function import Function
from kcore.runtime.numpy_device import NumpyDevice
from kcore_backends_cupy.capture import Segment


def losses(arrays, device, outputs=2):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(devices, "_current", device)
        inputs = [placeholder(a.shape, a.dtype.name, "v") for a in arrays]
        f = Function(inputs, list(apply("ctc_loss", *inputs))[:outputs])
        first, *others = [f(arrays) for _ in range(3)]
    for other in others:
        for a, b in zip(first, other, strict=True):
            np.testing.assert_array_equal(a, b)
    return first, f.bound_plan([a.shape for a in arrays])._idle[0]


def case(batch, steps, classes, longest, seed, dtype="float64"):
    r = np.random.RandomState(seed)
    scores = r.randn(batch, steps, classes) * 2
    labels = r.randint(0, classes - 1, (batch, longest)).astype("int32")
    inputs, lengths = r.randint(0, steps + 1, batch), r.randint(0, longest + 1, batch).astype("int32")
    return [scores.astype(dtype), labels, inputs, lengths]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    batch=st.integers(1, 4),
    steps=st.integers(1, 9),
    classes=st.integers(2, 5),
    longest=st.integers(1, 4),
    seed=st.integers(0, 99),
)
def test_losses_and_gradients(emulated, batch, steps, classes, longest, seed):
    """Repeated labels, samples without steps or labels, and impossible ones included."""
    arrays = case(batch, steps, classes, longest, seed)
    ours, instance = losses(arrays, emulated)
    theirs, _ = losses(arrays, NumpyDevice())
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)
    assert [type(call) for call in instance.calls] == [Segment]


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_longer_than_a_block(emulated, check_sources, dtype):
    arrays = case(2, 60, 30, 150, 7, dtype)
    arrays[2][:], arrays[3][:] = 60, [20, 0]
    ours, _ = losses(arrays, emulated)
    theirs, _ = losses(arrays, NumpyDevice())
    (loss, _) = losses(arrays, emulated, outputs=1)
    np.testing.assert_array_equal(loss[0], ours[0])
    rtol = {"float16": 2e-3, "float32": 1e-5}[dtype]
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol)
    check_sources()


def test_labels_and_lengths_out_of_range_read_nothing_else(emulated):
    arrays = case(3, 5, 4, 3, 1)
    arrays[1][0, 0], arrays[1][1, 1] = -7, 100
    arrays[2][:], arrays[3][:] = [99, -3, 5], [99, 2, -1]
    (loss, gradient), _ = losses(arrays, emulated)
    assert not np.isnan(loss).any()
    assert np.isfinite(gradient).all()
