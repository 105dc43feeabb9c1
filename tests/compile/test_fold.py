"""What is rewritten behind convolutions; elementwise groups beside vectors over channels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kcore import backend as K
from kcore.testing.gradients import check_gradient

RNG = np.random.default_rng(0)


def variable(*shape: int) -> Any:
    return K.variable(RNG.normal(size=shape), dtype="float32")


def convolution(kind: str, x: Any) -> tuple[Any, Any]:
    if kind == "depthwise":
        kernel = variable(3, 3, 3, 2)
        return K.depthwise_conv2d(x, kernel, padding="same"), kernel
    kernel = variable(1, 1, 3, 6)
    return K.conv2d(x, kernel, padding="same"), kernel


@pytest.mark.parametrize("kind", ["conv", "depthwise"])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("turned", [True, False])
@pytest.mark.parametrize("wide", [True, False])
def test_values_and_later_updates(kind: str, bias: bool, turned: bool, wide: bool) -> None:
    x = K.placeholder((2, 20, 20, 3))
    y, kernel = convolution(kind, x)
    b, scale, shift = variable(6), variable(6), variable(6)
    s, t = (K.reshape(v, (1, 1, 1, 6)) if wide else v for v in (scale, shift))
    biased = y + b if bias else y
    out = K.relu((s * biased if turned else biased * s) + t)
    f, plain = K.function([x], [out]), K.function([x], [y])
    data = RNG.normal(size=(2, 20, 20, 3)).astype("float32")

    def check() -> None:
        raw = plain([data])[0] + (K.get_value(b) if bias else 0)
        expected = np.maximum(raw * K.get_value(scale) + K.get_value(shift), 0)
        np.testing.assert_allclose(f([data])[0], expected, rtol=1e-5, atol=1e-5)

    check()
    assert "multiply(float32(2, 20, 20, 6)" not in f.show()
    for v in (kernel, b, scale, shift):
        K.set_value(v, RNG.normal(size=v.shape))
        check()


def test_two_in_a_row() -> None:
    x = K.placeholder((1, 16, 16, 3))
    first, second = variable(3, 3, 3, 4), variable(3, 3, 4, 4)
    scales = [variable(4), variable(4)]
    hidden = K.relu(K.conv2d(x, first, padding="same") * scales[0])
    out = K.conv2d(hidden, second, padding="same") * scales[1] + hidden
    data = RNG.normal(size=(1, 16, 16, 3)).astype("float32")
    value, inner = K.function([x], [out, hidden])([data])
    expected = K.function([hidden], [K.conv2d(hidden, second, padding="same")])([inner])[0]
    np.testing.assert_allclose(value, expected * K.get_value(scales[1]) + inner, rtol=1e-4, atol=1e-4)


def test_left_alone_where_the_result_is_read_otherwise_or_small() -> None:
    x, scale = K.placeholder((2, 20, 20, 3)), variable(6)
    y, _ = convolution("conv", x)
    f = K.function([x], [y * scale, y])
    f([np.zeros((2, 20, 20, 3))])
    assert "float32(2, 20, 20, 6), float32(6)" in f.show()
    small = K.placeholder((1, 1, 1, 3))
    y, _ = convolution("conv", small)
    g = K.function([small], [y * scale])
    g([np.zeros((1, 1, 1, 3))])
    assert "multiply(float32(1, 1, 1, 6)" in g.show()


def test_gradients_of_a_folded_scale() -> None:
    """As of fine-tuning with frozen batch normalization."""
    kernel, scale = RNG.normal(size=(3, 3, 2, 2)), K.constant([2.0, -0.5], dtype="float64")
    x = RNG.normal(size=(1, 12, 12, 2))
    check_gradient(lambda k: K.square(K.conv2d(K.constant(x, dtype="float64"), k) * scale + 1.0), kernel)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_groups_beside_vectors(dtype: str) -> None:
    """Vectors are repeated along the rows of a piece; the last piece is shorter, and values change from run to run."""
    rows, channels = 70001, 3
    x, s = K.placeholder((rows, channels), dtype=dtype), K.placeholder((channels,), dtype=dtype)
    t = K.placeholder((1, channels), dtype=dtype)
    f = K.function([x, s, t], [K.relu(x * s + t) - s])
    for _ in range(2):
        a, b, c = (RNG.normal(size=shape).astype(dtype) for shape in ((rows, channels), (channels,), (1, channels)))
        np.testing.assert_allclose(f([a, b, c])[0], np.maximum(a * b + c, 0) - b, rtol=1e-5, atol=1e-6)


def big_nodes(f: Any, shape: str) -> list[str]:
    return [line for line in f.show().splitlines() if f"-> {shape}" in line]


@pytest.mark.parametrize("pool", ["max_pool", "max", "keepdims"])
def test_maxima_come_before_bias_and_activation(pool: str) -> None:
    """To the bit, for every monotone activation; equal elements and infinities included."""
    x = K.placeholder((2, 20, 20, 3))
    y, _ = convolution("conv", x)
    bias, scale = variable(6), variable(6)

    def pooled(t: Any) -> Any:
        if pool == "max_pool":
            return K.pool2d(t, (3, 3), (2, 2), "same")
        return K.max(t, axis=[1, 2], keepdims=pool == "keepdims")

    for activated in (K.relu(y + bias), K.relu(y + bias, max_value=0.5), K.relu((y + bias) * scale + bias), y + bias):
        f, g = K.function([x], [pooled(activated)]), K.function([x], [pooled(activated), activated])
        data = np.round(RNG.normal(size=(2, 20, 20, 3)), 1).astype("float32")
        data[0, 0, 0, 0] = np.inf
        np.testing.assert_allclose(f([data])[0], g([data])[0], rtol=1e-5, atol=1e-5)
        assert len(big_nodes(f, "float32(2, 20, 20, 6)")) == 1, f.show()  # the convolution alone
        assert len(big_nodes(g, "float32(2, 20, 20, 6)")) >= 2  # read by others: left alone


def test_maxima_stay_where_gradients_are_computed_or_channels_are_reduced() -> None:
    x, bias = K.placeholder((2, 20, 20, 6)), variable(6)
    y = K.relu(x + bias)
    both = K.function([x], [K.pool2d(y, 2, 2), *K.gradients(K.sum(K.pool2d(y, 2, 2)), [x])])
    data = RNG.normal(size=(2, 20, 20, 6)).astype("float32")
    value, grad = both([data])
    expected = np.maximum(data + K.get_value(bias), 0).reshape(2, 10, 2, 10, 2, 6).max(axis=(2, 4))
    np.testing.assert_array_equal(value, expected)
    assert grad.sum() == (expected > 0).sum()
    np.testing.assert_array_equal(
        K.function([x], [K.max(y, axis=-1)])([data])[0], np.maximum(data + K.get_value(bias), 0).max(-1)
    )
    empty = K.placeholder((0, 6))
    assert (K.function([empty], [K.max(K.relu(empty + bias), axis=0)])([np.zeros((0, 6))])[0] == -np.inf).all()


def padded(x: Any) -> Any:
    return K.spatial_2d_padding(x, ((0, 1), (2, 1)))


@pytest.mark.parametrize("kind", ["conv", "depthwise"])
@pytest.mark.parametrize("padding", ["valid", "same"])
def test_zeros_around_images_are_padding_of_the_convolution(kind: str, padding: str) -> None:
    x = K.placeholder((2, 9, 10, 16))
    kernel = variable(3, 3, 16, 1 if kind == "depthwise" else 4)
    apply = K.depthwise_conv2d if kind == "depthwise" else K.conv2d

    def function(images: Any, inputs: Any) -> Any:
        y = apply(images, kernel, (2, 2), padding=padding)
        return K.function([inputs], [y, *K.gradients(K.sum(K.square(y)), [kernel, inputs])])

    data = RNG.normal(size=x.shape).astype("float32")
    merged = function(padded(x), x)
    found = merged([data])
    assert " pad(" not in merged.show() and "slice" not in merged.show()
    larger = np.pad(data, ((0, 0), (0, 1), (2, 1), (0, 0)))
    given = K.placeholder(larger.shape)
    *wanted, dx = function(given, given)([larger])
    for a, b in zip(found, [*wanted, dx[:, :9, 2:12]], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-4)


def test_what_is_no_padding_of_a_convolution() -> None:
    x, kernel = K.placeholder((2, 9, 10, 16)), variable(3, 3, 16, 4)
    zeros = padded(x)
    other = K.pool2d(zeros, (2, 2), (2, 2))  # reads the zeros themselves
    f = K.function([x], [K.conv2d(zeros, kernel), other])
    data = RNG.normal(size=x.shape).astype("float32")
    found = f([data])
    assert f.show().count(" pad(") == 1
    larger = np.pad(data, ((0, 0), (0, 1), (2, 1), (0, 0)))
    given = K.placeholder(larger.shape)
    wanted = K.function([given], [K.conv2d(given, kernel), K.pool2d(given, (2, 2), (2, 2))])([larger])
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


def test_a_crop_of_a_transposed_convolution() -> None:
    """It computes what is taken only; all of it where all of it is read too."""
    x, kernel = K.placeholder((2, 5, 6, 4)), variable(3, 3, 8, 4)
    y = K.conv2d_transpose(x, kernel, (2, 10, 12, 8), (2, 2), "same")
    data = RNG.normal(size=x.shape).astype("float32")
    (whole,) = K.function([x], [y])([data])
    for crop in (y[:, 1:-2, 3:], y[:, :, 2:4, :], y[:, 4, :, :], y[1:, 1:], y[:, ::2]):
        f = K.function([x], [crop])
        (found,) = f([data])
        both = K.function([x], [crop, y])([data])
        np.testing.assert_allclose(found, both[0], rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(both[1], whole)
    f = K.function([x], [y[:, 1:-2, 3:]])
    np.testing.assert_allclose(f([data])[0], whole[:, 1:-2, 3:], rtol=1e-5, atol=1e-6)
    assert "slice" not in f.show()
