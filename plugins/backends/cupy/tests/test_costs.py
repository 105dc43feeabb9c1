"""The count of what launches cost: on paper, and on the emulated device."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kcore import backend as K
from kcore.graph import placeholder
from kcore.ops.linalg import orthonormal_columns
from kcore.runtime import devices
from kcore.runtime.function import Function
from kcore_backends_cupy import CupyDevice, costs


@pytest.fixture
def paper(monkeypatch: pytest.MonkeyPatch) -> CupyDevice:
    monkeypatch.setenv("KCORE_CUPY_EMULATE", "paper")
    device = CupyDevice()
    monkeypatch.setattr(devices, "_current", device)
    return device


def counted(inputs: list[Any], outputs: list[Any], updates: Any = ()) -> list[costs.Cost]:
    bound = Function(inputs, outputs, updates).bound_plan([t.shape for t in inputs])
    assert bound is not None
    return costs.costs(bound.acquire())


def test_a_model_that_fits_no_memory_here(paper: CupyDevice) -> None:
    x, w = placeholder((64, 512, 512, 256), "float32", "x"), placeholder((3, 3, 256, 16), "float32", "w")
    repack, conv, after = counted([x, w], [K.relu(K.conv2d(x, w, padding="same"))])
    assert (repack.kind, repack.name, repack.moved) == ("kernel", "copy", 2 * 4 * w.spec.size)
    made = 64 * 512 * 512 * 16
    assert (conv.kind, conv.what, conv.flops) == ("cuDNN", "conv", 2 * made * 9 * 256)
    assert conv.moved == 4 * (x.spec.size + w.spec.size + made)
    assert conv.seconds == pytest.approx(2e-6 + conv.flops / 67e12)
    assert (after.moved, after.flops) == (2 * 4 * made, made)
    assert after.seconds == pytest.approx(2e-6 + after.moved / (0.85 * 3.35e12))


def test_operands_that_are_repeated_are_read_once(paper: CupyDevice) -> None:
    x, b = placeholder((4096, 256), "float32", "x"), placeholder((256,), "float32", "b")
    (cost,) = counted([x, b], [K.tanh(x + b)])
    assert cost.moved == 4 * (2 * 4096 * 256 + 256)
    assert (cost.number, cost.kind, cost.blocks) == (0, "kernel", 1024)


def test_few_blocks_get_their_share(paper: CupyDevice) -> None:
    assert costs.expected(0, 67 * 10**9, 66) == pytest.approx(2e-6 + 2e-3)
    assert costs.expected(0, 67 * 10**9, 132) == costs.expected(0, 67 * 10**9) == pytest.approx(2e-6 + 1e-3)
    assert costs.expected(10**9, 0, 33) == costs.expected(10**9, 0) < costs.expected(10**9, 0, 16)
    assert costs.expected(0, 10**9, dtype="float64") > costs.expected(0, 10**9)


def test_merged_launches_are_one(paper: CupyDevice) -> None:
    x = placeholder((8,), "float32", "x")
    variables = [K.variable(np.ones(n), dtype="float32") for n in (1000, 50)]
    (cost,) = counted([x], [], [(v, K.square(v) * 3.0) for v in variables])
    assert cost.what.startswith("2 x ") and cost.moved == 2 * (4 * 1050 + 4) and cost.flops == 2 * 1050


def test_calls_of_cupy_are_counted_by_their_operands(paper: CupyDevice) -> None:
    x = placeholder((12, 5), "float32", "x")
    (cost,) = counted([x], [orthonormal_columns(x)])
    assert (cost.kind, cost.moved) == ("CuPy", 2 * 4 * 60)
    assert cost.seconds == pytest.approx(2e-6 + cost.moved / (0.85 * 3.35e12))


def test_the_same_launches_with_kernels(emulated: CupyDevice) -> None:
    """What is counted is what would run, in the order of a run."""
    x, w = placeholder((40, 30), "float32", "x"), placeholder((30, 20), "float32", "w")
    out = K.softmax(K.dot(x, w))
    f = Function([x, w], [out, *K.gradients(K.sum(out * out), [w])])
    bound = f.bound_plan([(40, 30), (30, 20)])
    assert bound is not None
    instance = bound.acquire()
    found = costs.costs(instance)
    (segment,) = instance.calls
    assert [type(c.call) for c in found] == [type(launch) for launch in segment.launches]
    assert [c.blocks for c in found] == [int(np.prod(launch.grid)) for launch in segment.launches]
    assert sum(c.flops for c in found) == pytest.approx(3 * 40 * 30 * 20, rel=0.8)


def test_measured_beside_expected(emulated: CupyDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock that the emulated device has none of."""
    monkeypatch.setattr(emulated.xp.cuda, "get_elapsed_time", lambda start, end: 40.0, raising=False)
    x = placeholder((40, 30), "float32", "x")
    bound = Function([x], [K.sum(K.exp(x))]).bound_plan([(40, 30)])
    assert bound is not None
    instance = bound.acquire()
    found = costs.costs(instance)
    measured = costs.measure(instance, found)
    assert measured == [pytest.approx(2e-3)] * len(found)
    text = costs.table(found, measured).splitlines()
    assert len(text) == len(found) + 2 and "measured" in text[0] and "2000.0" in text[1]
    assert "measured" not in costs.table(found)
