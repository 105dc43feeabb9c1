"""Each layer held to the contract (`kcore.testing.check_layer`)."""

import pytest

from kcore.layers import (
    Conv1D,
    Conv2D,
    Conv2DTranspose,
    Conv3D,
    Conv3DTranspose,
    Cropping1D,
    Cropping2D,
    Cropping3D,
    DepthwiseConv2D,
    SeparableConv1D,
    SeparableConv2D,
    UpSampling1D,
    UpSampling2D,
    UpSampling3D,
    ZeroPadding1D,
    ZeroPadding2D,
    ZeroPadding3D,
)
from kcore.testing import check_layer

CASES = [
    (Conv1D, {"filters": 3, "kernel_size": 2}, {"input_shape": (None, 6, 4)}),
    (Conv1D, {"filters": 3, "kernel_size": 3, "padding": "causal", "dilation_rate": 2}, {"input_shape": (None, 7, 4)}),
    (Conv2D, {"filters": 3, "kernel_size": 3, "activation": "tanh"}, {"input_shape": (None, 6, 5, 2)}),
    (
        Conv2D,
        {"filters": 3, "kernel_size": (2, 3), "strides": 2, "padding": "same", "use_bias": False},
        {"input_shape": (None, 6, 5, 2)},
    ),
    (Conv2D, {"filters": 3, "kernel_size": 2, "data_format": "channels_first"}, {"input_shape": (None, 2, 6, 5)}),
    (
        Conv2D,
        {
            "filters": 2,
            "kernel_size": 2,
            "kernel_regularizer": "l2",
            "bias_regularizer": "l1",
            "kernel_constraint": "max_norm",
        },
        {"input_shape": (None, 5, 5, 2)},
    ),
    (Conv3D, {"filters": 2, "kernel_size": 2}, {"input_shape": (None, 4, 4, 3, 2)}),
    (Conv2DTranspose, {"filters": 3, "kernel_size": 3, "strides": 2}, {"input_shape": (None, 4, 5, 2)}),
    (
        Conv2DTranspose,
        {"filters": 3, "kernel_size": 3, "strides": 2, "padding": "same", "data_format": "channels_first"},
        {"input_shape": (None, 2, 4, 5)},
    ),
    (Conv3DTranspose, {"filters": 2, "kernel_size": 2, "strides": 2}, {"input_shape": (None, 3, 3, 2, 2)}),
    (SeparableConv1D, {"filters": 3, "kernel_size": 3, "padding": "same"}, {"input_shape": (None, 6, 4)}),
    (SeparableConv2D, {"filters": 3, "kernel_size": 3, "depth_multiplier": 2}, {"input_shape": (None, 6, 5, 2)}),
    (DepthwiseConv2D, {"kernel_size": 3, "padding": "same", "depth_multiplier": 2}, {"input_shape": (None, 6, 5, 2)}),
    (Cropping1D, {"cropping": (1, 2)}, {"input_shape": (None, 6, 3)}),
    (Cropping2D, {"cropping": ((1, 0), (2, 1))}, {"input_shape": (None, 6, 7, 2)}),
    (Cropping3D, {"cropping": 1}, {"input_shape": (None, 4, 5, 4, 2)}),
    (UpSampling1D, {"size": 3}, {"input_shape": (None, 4, 3)}),
    (UpSampling2D, {"size": (2, 3)}, {"input_shape": (None, 3, 4, 2)}),
    (UpSampling2D, {"size": 2, "data_format": "channels_first"}, {"input_shape": (None, 2, 3, 4)}),
    (UpSampling3D, {"size": 2}, {"input_shape": (None, 2, 3, 2, 2)}),
    (ZeroPadding1D, {"padding": (1, 2)}, {"input_shape": (None, 4, 3)}),
    (ZeroPadding2D, {"padding": ((1, 0), (2, 1))}, {"input_shape": (None, 4, 3, 2)}),
    (ZeroPadding3D, {"padding": (1, 2, 0)}, {"input_shape": (None, 3, 2, 3, 2)}),
]


@pytest.mark.parametrize(("layer", "arguments", "given"), CASES, ids=lambda v: getattr(v, "__name__", None))
def test_contract(layer, arguments, given):
    check_layer(layer, arguments, **given)
