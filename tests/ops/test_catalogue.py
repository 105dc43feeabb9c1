"""Every operation: values against NumPy, gradients of first and second order against finite differences."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

import numpy as np
import pytest

import kcore.ops
from kcore.graph import Tensor, all_ops, placeholder
from kcore.runtime.function import Function
from kcore.runtime.numpy_kernels import find_kernel
from kcore.testing.gradients import check_gradient

from .cases import CASES, Case

IDS = [f"{i}-{case.name}" for i, case in enumerate(CASES)]

# Where operations are tested that are not in the table: by module.
ELSEWHERE = {
    "kcore.ops.control": "tests/ops/test_control.py",
    "kcore.ops.conv": "tests/ops/test_conv.py",
    "kcore.ops.depthwise": "tests/ops/test_conv.py",
    "kcore.ops.pool": "tests/ops/test_pool.py",
    "kcore.ops.ctc": "tests/ops/test_ctc.py",
    "kcore.ops.ctc_decode": "tests/ops/test_ctc.py",
    "kcore.ops.recurrent": "tests/ops/test_recurrent.py",
    "kcore.ops.linalg": "tests/ops/test_linalg.py",
    "kcore.ops.random": "tests/runtime/test_random.py",
    "kcore.ops.scan": "tests/backend/test_control.py",
}
# Without inputs, there is nothing to differentiate by.
SOURCES = {"learning_phase", "full", "eye", "arange"}


def _run(case: Case, unknown: bool, dtype: str = "float64") -> tuple[list[Tensor], list[np.ndarray]]:
    arrays = [np.asarray(a) for a in case.arrays]
    arrays = [a.astype(dtype) if a.dtype.kind == "f" else a for a in arrays]
    inputs = [placeholder((None,) * a.ndim if unknown else a.shape, a.dtype.name, "x") for a in arrays]
    made = case.fn(*inputs)
    outputs = [made] if isinstance(made, Tensor) else list(made)
    return outputs, Function(inputs, outputs)(arrays)


@pytest.mark.parametrize("unknown", [False, True], ids=["known", "unknown"])
@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_value(case: Case, unknown: bool) -> None:
    outputs, values = _run(case, unknown)
    if case.reference is None:
        return
    expected = case.reference(*case.arrays)
    expected = list(expected) if isinstance(expected, tuple) else [expected]
    assert len(values) == len(expected)
    for tensor, value, wanted in zip(outputs, values, expected, strict=True):
        assert value.shape == np.shape(wanted)
        assert len(tensor.shape) == value.ndim
        assert all(d is None or d == n for d, n in zip(tensor.shape, value.shape, strict=True))
        assert tensor.dtype == value.dtype.name
        np.testing.assert_allclose(value, wanted, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_dtype_is_kept(case: Case, dtype: str) -> None:
    """No operation widens, and none is far off in lower precision."""
    outputs, values = _run(case, False, dtype)
    _, exact = _run(case, False)
    floats = any(np.asarray(a).dtype.kind == "f" for a in case.arrays)
    for tensor, value, wanted in zip(outputs, values, exact, strict=True):
        assert tensor.dtype == value.dtype.name
        if value.dtype.kind == "f" and case.name != "cast":
            assert value.dtype == (dtype if floats else "float32")
            rtol = 1e-4 if dtype == "float32" else 0.05
            np.testing.assert_allclose(value.astype("float64"), wanted, rtol=rtol, atol=rtol)


DIFFERENTIABLE = [(i, c) for i, c in zip(IDS, CASES, strict=True) if c.order]


@pytest.mark.parametrize("unknown", [False, True], ids=["known", "unknown"])
@pytest.mark.parametrize("case", [c for _, c in DIFFERENTIABLE], ids=[i for i, _ in DIFFERENTIABLE])
def test_gradient(case: Case, unknown: bool) -> None:
    check_gradient(case.fn, *case.arrays, order=case.order, unknown=unknown, **case.options)


def test_portable_kernels_agree_with_those_of_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """Operations with a NumPy kernel have a kernel for every array module too: it must give the same."""
    from kcore.runtime.numpy_device import NumpyDevice

    own = [c for c in CASES if any(find_kernel(name) for name in c.covers)]
    assert len(own) > 20
    expected = [_run(case, False)[1] for case in own]
    monkeypatch.setattr(NumpyDevice, "kernel", lambda self, name: None)
    for case, wanted in zip(own, expected, strict=True):
        for value, other in zip(_run(case, False)[1], wanted, strict=True):
            np.testing.assert_allclose(value, other, rtol=1e-10, atol=1e-12, err_msg=case.name)
        if case.order:
            check_gradient(case.fn, *case.arrays, order=1, **case.options)


ROOT = Path(__file__).resolve().parents[2]


def test_every_operation_has_a_gradient_test_or_says_that_it_has_none() -> None:
    for info in pkgutil.walk_packages(kcore.ops.__path__, "kcore.ops."):
        importlib.import_module(info.name)
    tested = {name for case in CASES for name in case.covers if case.order}
    compared = {name for case in CASES for name in case.covers}
    missing = []
    for name, op in all_ops().items():
        module = type(op).__module__
        if not module.startswith("kcore.ops.") or name in SOURCES:
            continue
        if module in ELSEWHERE:
            text = (ROOT / ELSEWHERE[module]).read_text(encoding="utf-8")
            if op.differentiable and "check_gradient" not in text:
                missing.append(f"{name} in {ELSEWHERE[module]}")
        elif name not in (tested if op.differentiable else compared):
            missing.append(name)
    assert not missing, f"no gradient test for {missing}: add a case to tests/ops/cases.py"


def test_cases_use_what_they_cover() -> None:
    """The table cannot claim an operation that its case does not build."""
    from kcore.grad import gradients
    from kcore.graph import nodes_of

    for case in CASES:
        inputs = [placeholder(np.shape(a), np.asarray(a).dtype.name, "x") for a in case.arrays]
        made = case.fn(*inputs)
        outputs = [made] if isinstance(made, Tensor) else list(made)
        if case.order:
            outputs += [g for g in gradients(outputs[0], inputs) if g is not None]
        names = {n.op.name for n in nodes_of(outputs)}
        assert set(case.covers) <= names, f"{case.name}: {set(case.covers) - names} do not occur"
