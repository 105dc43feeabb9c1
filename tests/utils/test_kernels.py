"""Weights converted between conventions."""

import numpy as np
import pytest

from kcore import backend as K
from kcore.layers import Conv1D, Conv2D, Dense, DepthwiseConv2D, Flatten, Input, Permute, SeparableConv2D
from kcore.models import Model, Sequential
from kcore.utils import convert_all_kernels_in_model
from kcore.utils.conv_utils import convert_kernel
from kcore.utils.layer_utils import convert_dense_weights_data_format


@pytest.mark.parametrize("window", [(3,), (3, 2), (2, 3, 4)])
def test_convert_kernel(window):
    kernel = np.random.RandomState(0).randn(*window, 5, 6)
    flipped = convert_kernel(kernel)
    np.testing.assert_array_equal(flipped[0], np.flip(kernel, axis=tuple(range(len(window))))[0])
    np.testing.assert_array_equal(flipped[(0,) * len(window)], kernel[(-1,) * len(window)])
    np.testing.assert_array_equal(convert_kernel(flipped), kernel)


@pytest.mark.parametrize("shape", [(3, 3), (1, 2, 3, 4, 5, 6)])
def test_convert_kernel_refuses(shape):
    with pytest.raises(ValueError, match="Invalid kernel shape"):
        convert_kernel(np.zeros(shape))


def test_convert_all_kernels_in_model():
    inner = Sequential(
        [Conv2D(2, 3, input_shape=(8, 8, 3), name="inner_conv"), SeparableConv2D(2, 3, name="separable")]
    )
    x = Input((8, 8, 3))
    y = Conv2D(2, 2, name="outer_conv")(inner(x))
    model = Model(x, Dense(1, name="dense")(Flatten()(DepthwiseConv2D(2)(y))))
    before = {layer.name: layer.get_weights() for layer in [*model.layers, *inner.layers] if layer is not inner}
    convert_all_kernels_in_model(model)
    after = {layer.name: layer.get_weights() for layer in [*model.layers, *inner.layers] if layer is not inner}
    for name in before:
        for old, new in zip(before[name], after[name]):
            turned = name in ("inner_conv", "outer_conv") and old.ndim == 4
            np.testing.assert_array_equal(new, old[::-1, ::-1] if turned else old)
            assert not turned or not np.array_equal(new, old)


def test_kernels_in_wrappers_are_turned_once():
    from kcore.layers import TimeDistributed

    shared = Conv1D(2, 3)
    a, b = Input((4, 8, 3)), Input((4, 8, 3))
    wrapper = TimeDistributed(shared)
    model = Model([a, b], [wrapper(a), wrapper(b)])
    old = K.get_value(shared.kernel)
    convert_all_kernels_in_model(model)
    np.testing.assert_array_equal(K.get_value(shared.kernel), old[::-1])


@pytest.mark.parametrize("target", ["channels_first", "channels_last"])
def test_dense_after_flatten_gives_the_same_for_turned_images(target):
    first, last = (4, 2, 3), (2, 3, 4)
    source_shape, target_shape = (last, first) if target == "channels_first" else (first, last)
    dense = Dense(5)
    x = Input(source_shape)
    images = np.random.RandomState(0).rand(6, *source_shape).astype("float32")
    expected = Model(x, dense(Flatten()(x))).predict(images)
    convert_dense_weights_data_format(dense, target_shape, target)
    order = (3, 1, 2) if target == "channels_first" else (2, 3, 1)
    x = Input(source_shape)
    turned = Model(x, dense(Flatten()(Permute(order)(x))))
    np.testing.assert_allclose(turned.predict(images), expected, rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match="product is 24"):
        convert_dense_weights_data_format(dense, (4, 4, 4), target)
    with pytest.raises(ValueError, match="channels_middle"):
        convert_dense_weights_data_format(dense, first, "channels_middle")
