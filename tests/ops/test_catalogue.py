"""Every operation: values against NumPy, gradients of first and second order against finite differences."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import kcore.backend  # noqa: F401  (registers every operation that the core brings)
from kcore.graph import Tensor, all_ops, placeholder
from kcore.runtime.function import Function
from kcore.testing.gradients import check_gradient

from .cases import CASES, Case

IDS = [f"{i}-{case.name}" for i, case in enumerate(CASES)]

# Operations whose gradients are tested elsewhere: the file that does it.
ELSEWHERE: dict[str, str] = {"scan": "tests/runtime/test_scan.py"}
# Operations without inputs to differentiate, and those that only make or mark values.
SOURCES = {"placeholder", "constant", "variable", "learning_phase", "full", "eye"}
# Tested in test_control.py.
for _family, _names in {
    "test_conv.py": ("conv", "conv_input_grad", "conv_kernel_grad"),
    "test_pool.py": ("max_pool", "max_pool_grad", "max_pool_gather", "avg_pool", "avg_pool_grad"),
}.items():
    ELSEWHERE |= dict.fromkeys(_names, f"tests/ops/{_family}")
ELSEWHERE |= {f"depthwise_{name}": "tests/ops/test_conv.py" for name in ("conv", "conv_input_grad", "conv_kernel_grad")}
ELSEWHERE |= dict.fromkeys(("identity", "print", "select"), "tests/ops/test_control.py")


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


def _root() -> Path:
    return Path(__file__).resolve().parents[2]


def test_every_operation_has_a_gradient_test_or_says_that_it_has_none() -> None:
    tested = {name for case in CASES for name in case.covers if case.order}
    compared = {name for case in CASES for name in case.covers}
    missing = []
    for name, op in all_ops().items():
        if name in SOURCES or not type(op).__module__.startswith("kcore.ops"):
            continue
        if name in ELSEWHERE:
            path = _root() / ELSEWHERE[name]
            if not path.exists() or name not in path.read_text(encoding="utf-8"):
                missing.append(f"{name} (not in {ELSEWHERE[name]})")
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
