"""Groups that are computed four elements at a time: when, and the same values to the bit as one by one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kcore import backend as K
from kcore.graph import apply, placeholder
from kcore.runtime.function import Function
from kcore_backends_cupy import fours
from kcore_backends_cupy.capture import taken_apart

FEW = [HealthCheck.function_scoped_fixture]


def kernels(f: Function, shapes: list[tuple[int, ...]]) -> list[str]:
    bound = f.bound_plan(shapes)
    assert bound is not None
    return [getattr(call, "name", "") for call in taken_apart(bound.acquire().calls)]


def both(make: Any, arrays: list[np.ndarray], patch: pytest.MonkeyPatch) -> list[str]:
    """The kernels, after a comparison with the same one element at a time."""
    shapes = [a.shape for a in arrays]
    found = []
    for smallest in (4, 1 << 40):
        patch.setattr(fours, "SMALLEST", smallest)
        inputs = [placeholder(a.shape, a.dtype.name, "x") for a in arrays]
        f = Function(inputs, make(*inputs))
        found.append((kernels(f, shapes), f(arrays), f(arrays)))
    (names, ours, again), (plain, wanted, _) = found
    assert "fours" not in plain
    for a, b, c in zip(ours, wanted, again, strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(a, c)
    return names


@settings(max_examples=30, suppress_health_check=FEW, deadline=None)
@given(data=st.data())
def test_operands_of_any_layout(emulated: Any, data: st.DataObject) -> None:
    shape = tuple(data.draw(st.lists(st.sampled_from([1, 2, 3, 4, 8, 12]), min_size=1, max_size=4)))
    r = np.random.RandomState(0)
    arrays = [r.standard_normal(shape).astype("float32")]
    for _ in range(2):
        repeated = [1 if data.draw(st.booleans()) else n for n in shape]
        arrays.append(r.standard_normal(repeated[data.draw(st.integers(0, len(shape) - 1)) :]).astype("float32"))
    turned = data.draw(st.permutations(range(len(shape))))
    given_turned = np.ascontiguousarray(arrays[0].transpose(turned))
    back = tuple(int(i) for i in np.argsort(turned))

    def make(x: Any, a: Any, b: Any, t: Any) -> list[Any]:
        return [x * a + K.tanh(b) - apply("transpose", t, perm=back), x + a]

    with pytest.MonkeyPatch.context() as patch:
        both(make, [*arrays, given_turned], patch)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8", "int64", "bool"])
def test_dtypes(dtype: str, emulated: Any, check_sources: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    values = (np.random.RandomState(0).rand(6, 8) * 5).astype(dtype)

    def make(x: Any, channels: Any) -> list[Any]:
        return [apply("maximum", x, channels), K.cast(x, "float32") * 2.0]

    assert set(both(make, [values, values[0]], monkeypatch)) == {"fours"}
    check_sources()


def test_which_groups(emulated: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    big, row = np.ones((6, 8), "float32"), np.ones((6, 1), "float32")
    assert both(lambda x, y: [x * y], [big, row], monkeypatch) == ["fours"]
    assert both(lambda x: [x[:, 1:5] * 2.0], [big], monkeypatch) == ["fours"]
    assert both(lambda x: [x[:, :3] * 2.0], [big], monkeypatch) == ["group"]
    assert both(lambda x: [K.exp(x)], [np.ones((2, 3), "float32")], monkeypatch) == ["group"]


def test_small_groups_have_a_thread_for_each_element(emulated: Any) -> None:
    x = placeholder(((1 << 18) - 4,), "float32", "x")
    assert kernels(Function([x], [K.exp(x)]), [((1 << 18) - 4,)]) == ["group"]
    x = placeholder((1 << 18,), "float32", "x")
    assert kernels(Function([x], [K.exp(x)]), [(1 << 18,)]) == ["fours"]


def test_updates_in_place_are_one_launch(emulated: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fours, "SMALLEST", 4)
    variables = [K.variable(np.arange(n), dtype="float32") for n in (40, 8)]
    f = Function([], [], [(v, K.square(v) + 1.0) for v in variables])
    assert kernels(f, []) == [""]  # merged
    for _ in range(3):
        wanted = [K.get_value(v) ** 2 + 1 for v in variables]
        f([])
        for v, value in zip(variables, wanted, strict=True):
            np.testing.assert_array_equal(K.get_value(v), value)
        for v in variables:
            K.set_value(v, np.arange(v.shape[0]))
