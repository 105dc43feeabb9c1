"""Groups with rows: values beside the NumPy device, and how few launches a loss takes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kcore import backend as K
from kcore.graph import apply, placeholder
from kcore.runtime import devices
from kcore.runtime.function import Function
from kcore.runtime.numpy_device import NumpyDevice
from kcore_backends_cupy.capture import taken_apart

RTOL = {"float16": 1e-2, "float32": 2e-5, "float64": 1e-11}


def compare(make, values, device, rtol=1e-11, runs=3):
    """Results of a function on this device and on NumPy's; returns the launches."""
    f = make()
    ours = [f(values) for _ in range(runs)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(devices, "_current", NumpyDevice())
        theirs = make()(values)
    for results in ours:
        for a, b in zip(results, theirs, strict=True):
            np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol)
    (instance,) = f.bound_plan([v.shape for v in values])._idle
    return taken_apart(instance.calls)


REDUCTIONS = ("sum", "mean", "max", "min", "prod", "logsumexp")


def grow(data, tensors, elements):
    """One more tensor, made of those there are."""
    whole = [t for t in tensors if t.shape == elements]
    x = data.draw(st.sampled_from(whole))
    kind = data.draw(st.sampled_from(["reduce", "map", "binary", "row", "position", "pick"]))
    if kind == "reduce":
        keep = data.draw(st.booleans())
        return apply(data.draw(st.sampled_from(REDUCTIONS)), x, axes=(len(elements) - 1,), keepdims=keep)
    if kind == "map":
        return apply(data.draw(st.sampled_from(["softmax", "log_softmax"])), x, axis=len(elements) - 1)
    if kind == "position":
        return apply("cast", apply("argmax", x, axis=len(elements) - 1), dtype="float64")
    if kind == "pick":
        index = apply("cast", apply("argmin", x, axis=len(elements) - 1), dtype="int32")
        picked = apply("pick", data.draw(st.sampled_from(whole)), index)
        return data.draw(st.sampled_from([picked, apply("pick_grad", picked, index, x)]))
    others = [t for t in tensors if t.shape in (elements, (*elements[:-1], 1), elements[-1:], ())]
    if kind == "row":
        x = data.draw(st.sampled_from(tensors))
        others = [t for t in tensors if t.shape == x.shape]
    return apply(data.draw(st.sampled_from(["add", "subtract", "maximum"])), x, data.draw(st.sampled_from(others)))


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lead=st.lists(st.integers(1, 4), min_size=0, max_size=2),
    columns=st.sampled_from([2, 3, 4, 5, 17]),
    steps=st.integers(1, 8),
    data=st.data(),
)
def test_any_group(emulated, lead, columns, steps, data):
    """Also where there are as many rows as columns, so that a row value could be taken for a row."""
    elements = (*lead, columns)
    r = np.random.RandomState(columns)
    shapes = [elements, elements, (*lead, 1), (columns,), tuple(lead)]
    values = [r.uniform(-1, 1, s) for s in shapes]
    inputs = [placeholder(v.shape, "float64", "v") for v in values]
    tensors = list(inputs)
    for _ in range(steps):
        tensors.append(grow(data, tensors, elements))
    made = tensors[len(inputs) :]
    kept = data.draw(st.sets(st.sampled_from(range(len(made)))))
    outs = [t for i, t in enumerate(made) if i in kept or i == len(made) - 1]
    compare(lambda: Function(inputs, outs), values, emulated)


CLASSES = np.random.RandomState(0).randint(0, 10, 16)
SCORES = np.random.RandomState(1).randn(16, 10).astype("float32")
TARGETS = {"categorical": np.eye(10, dtype="float32")[CLASSES], "sparse": CLASSES.astype("float32")[:, None]}


def losses(kind, from_logits):
    scores = placeholder((16, 10), "float32", "scores")
    target = placeholder(TARGETS["sparse" if kind == "sparse" else "categorical"].shape, "float32", "target")
    output = scores if from_logits else (K.sigmoid if kind == "binary" else K.softmax)(scores)
    if kind == "sparse":
        each = K.sparse_categorical_crossentropy(target, output, from_logits=from_logits)
        right = K.equal(K.cast(K.argmax(output), "float32"), K.flatten(target))
    elif kind == "binary":
        each = K.mean(K.binary_crossentropy(target, output, from_logits=from_logits), axis=-1)
        right = K.all(K.equal(target, K.round(output)), axis=-1)
    else:
        each = K.categorical_crossentropy(target, output, from_logits=from_logits)
        right = K.equal(K.argmax(output), K.argmax(target))
    loss = K.mean(each)
    accuracy = K.mean(K.cast(right, "float32"))
    return Function([scores, target], [loss, accuracy, *K.gradients(loss, [scores])])


@pytest.mark.parametrize("from_logits", [False, True])
@pytest.mark.parametrize("kind", ["categorical", "sparse", "binary"])
def test_a_loss_its_gradient_and_accuracy(emulated, check_sources, kind, from_logits):
    """From the scores on: one kernel for the rows, and one for each mean over the samples."""
    values = [SCORES, TARGETS["sparse" if kind == "sparse" else "categorical"]]
    launches = compare(lambda: losses(kind, from_logits), values, emulated, 2e-5)
    assert len(launches) <= 5
    check_sources()


@pytest.mark.parametrize("dtype", RTOL)
def test_dtypes_and_lengths(emulated, check_sources, dtype):
    """Rows of one block's threads, of fewer and of more than a warp's; integers and truth values."""
    for shape in ((3, 1024), (5, 2), (2, 3, 40), (1, 1025)):
        x = placeholder(shape, dtype, "x")
        value = np.random.RandomState(2).uniform(0.5, 1.5, shape).astype(dtype)
        axis = len(shape) - 1

        def make(x=x, axis=axis):
            above = x > 1
            counted = [K.sum(K.cast(above, t), axis=axis) for t in ("int32", "uint8")]
            y = K.log(K.softmax(x * 2)) + K.logsumexp(x, axis=axis, keepdims=True)
            return Function(
                [x],
                [K.all(above, axis=axis), K.any(above, axis=axis), *counted, y, K.mean(y, axis=axis), K.max(y * y, -1)],
            )

        compare(make, [value], emulated, RTOL[dtype])
    check_sources()


def test_what_is_not_a_number_and_positions(emulated):
    x = placeholder((4, 6), "float32", "x")
    value = np.random.RandomState(3).randint(0, 3, (4, 6)).astype("float32")
    value[1, 3], value[2, 1:3] = np.inf, np.nan

    def make():
        y = x + 1
        return Function([x], [K.argmax(y), K.argmin(y), K.max(y, axis=1), K.min(y, axis=1)])

    assert len(compare(make, [value], emulated)) == 1


def test_values_are_written_over_dying_operands(emulated):
    """Rows that take over the memory of what they read, in several groups one after the other."""
    x, w = placeholder((8, 8), "float32", "x"), placeholder((8, 8), "float32", "w")

    def make():
        y = x
        for _ in range(3):
            y = K.dot(K.softmax(y), w)
            total = K.sum(y, axis=-1)
            y = y - K.expand_dims(total) * K.max(y, axis=-1, keepdims=True) + total
        return Function([x, w], [y, K.sum(y, axis=-1)])

    r = np.random.RandomState(4)
    compare(make, [r.randn(8, 8).astype("float32"), r.randn(8, 8).astype("float32")], emulated, 1e-3)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    shape=st.lists(st.integers(1, 4), min_size=1, max_size=4).map(tuple),
    name=st.sampled_from(["sum", "mean", "prod", "all", "any"]),
    keep=st.booleans(),
    twice=st.booleans(),
    data=st.data(),
)
def test_a_group_that_ends_with_a_reduction(emulated, shape, name, keep, twice, data):
    """Along any axes, of a value that others read too, or not."""
    axes = tuple(sorted(data.draw(st.sets(st.integers(0, len(shape) - 1), min_size=1))))
    r = np.random.RandomState(len(shape))
    values = [r.uniform(-1, 1, shape), r.uniform(-1, 1, shape[-1:])]
    x, y = (placeholder(v.shape, "float64", "v") for v in values)

    def make():
        z = K.maximum(x * y, 0.0)
        reduced = apply(name, z * z if twice else z, axes=axes, keepdims=keep)
        return Function([x, y], [reduced, z + 1, *([z] if twice else [])])

    compare(make, values, emulated)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int32"])
@pytest.mark.parametrize(
    ("shape", "axes"), [((3, 20000), (1,)), ((20000, 3), (0,)), ((300, 40), (0, 1)), ((500, 33), (0,))]
)
def test_long_reductions_of_what_a_group_computes(emulated, check_sources, dtype, shape, axes):
    """In parts, each element once: the group also writes its value, over an operand's memory."""
    value = np.random.RandomState(5).randint(0, 3, shape).astype(dtype)
    x = placeholder(shape, dtype, "x")

    def make():
        y = K.reverse(x, 0) + x  # a copy in the plan's memory
        z = y * y - x
        return Function([x], [apply("sum", z, axes=axes, keepdims=False), z])

    launches = compare(make, [value], emulated, 2e-3 if dtype == "float16" else 1e-5)
    assert len(launches) <= 2
    check_sources()
