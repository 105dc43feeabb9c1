"""Every layer held to the contract of layers."""

import numpy as np
import pytest

from kcore import backend as K
from kcore.layers import (
    Activation,
    ActivityRegularization,
    Dense,
    Dropout,
    Flatten,
    Lambda,
    Masking,
    Permute,
    RepeatVector,
    Reshape,
    SpatialDropout1D,
    SpatialDropout2D,
    SpatialDropout3D,
)
from kcore.testing import check_layer


def halve(x):
    return x / 2


CASES = {
    "dense": (Dense, {"units": 3}, (None, 4)),
    "dense-3d": (Dense, {"units": 3, "use_bias": False}, (None, 5, 4)),
    "dense-4d": (Dense, {"units": 2, "activation": "tanh"}, (None, 3, 5, 4)),
    "dense-everything": (
        Dense,
        {
            "units": 3,
            "activation": "softplus",
            "kernel_initializer": "he_normal",
            "bias_initializer": "ones",
            "kernel_regularizer": "l2",
            "bias_regularizer": "l1",
            "activity_regularizer": "l2",
            "kernel_constraint": "max_norm",
            "bias_constraint": "non_neg",
        },
        (None, 4),
    ),
    "dense-fixed-batch": (Dense, {"units": 3}, (6, 4)),
    "activation": (Activation, {"activation": "softmax"}, (None, 4)),
    "activity-regularization": (ActivityRegularization, {"l1": 0.1, "l2": 0.2}, (None, 3, 2)),
    "masking": (Masking, {"mask_value": 0.5}, (None, 4, 3)),
    "dropout": (Dropout, {"rate": 0.5}, (None, 4)),
    "dropout-noise-shape": (Dropout, {"rate": 0.5, "noise_shape": (None, 1, None), "seed": 3}, (None, 4, 3)),
    "dropout-nothing": (Dropout, {"rate": 0.0}, (None, 4)),
    "spatial-dropout-1d": (SpatialDropout1D, {"rate": 0.5}, (None, 4, 3)),
    "spatial-dropout-2d": (SpatialDropout2D, {"rate": 0.5}, (None, 4, 3, 2)),
    "spatial-dropout-2d-first": (SpatialDropout2D, {"rate": 0.5, "data_format": "channels_first"}, (None, 2, 4, 3)),
    "spatial-dropout-3d": (SpatialDropout3D, {"rate": 0.5}, (None, 4, 3, 2, 2)),
    "spatial-dropout-3d-first": (SpatialDropout3D, {"rate": 0.5, "data_format": "channels_first"}, (None, 2, 4, 3, 2)),
    "flatten": (Flatten, {}, (None, 4, 3, 2)),
    "flatten-first": (Flatten, {"data_format": "channels_first"}, (None, 2, 4, 3)),
    "reshape": (Reshape, {"target_shape": (3, 4)}, (None, 12)),
    "reshape-inferred": (Reshape, {"target_shape": (-1, 2, 2)}, (None, 6, 2)),
    "permute": (Permute, {"dims": (3, 1, 2)}, (None, 4, 3, 2)),
    "repeat-vector": (RepeatVector, {"n": 3}, (None, 4)),
    "lambda-named": (Lambda, {"function": halve}, (None, 4, 3)),
    "lambda": (Lambda, {"function": lambda x: K.square(x)}, (None, 4)),
    "lambda-arguments": (
        Lambda,
        {
            "function": lambda x, first, factor: x[..., :first] * factor,
            "output_shape": lambda s: (*s[:-1], 2),
            "arguments": {"first": 2, "factor": 1.5},
        },
        (None, 4, 3),
    ),
    "lambda-tuple": (Lambda, {"function": lambda x: K.sum(x, axis=1), "output_shape": (3,)}, (None, 4, 3)),
    "lambda-two-inputs": (Lambda, {"function": lambda xs: xs[0] * xs[1]}, [(None, 4), (None, 4)]),
    "lambda-two-outputs": (Lambda, {"function": lambda x: [x, x[:, :1]]}, (None, 4)),
}


@pytest.mark.parametrize("name", CASES)
def test_contract(name):
    layer, kwargs, shape = CASES[name]
    check_layer(layer, kwargs, shape)


def test_integers():
    check_layer(Flatten, {}, (None, 2, 3), input_dtype="int32")
    check_layer(Reshape, {"target_shape": (6,)}, (None, 2, 3), input_dtype="int32")


def test_expected_values():
    x = np.array([[[1.0, 2.0], [0.0, 0.0], [0.0, 3.0]]], "float32")
    check_layer(Masking, {}, input_data=x, expected_output=x)
    check_layer(
        RepeatVector, {"n": 2}, input_data=x[:, 0], expected_output=np.array([[[1.0, 2.0], [1.0, 2.0]]], "float32")
    )
    check_layer(Permute, {"dims": (2, 1)}, input_data=x, expected_output=x.transpose(0, 2, 1))
    check_layer(Flatten, {}, input_data=x, expected_output=x.reshape(1, 6))
    first = np.arange(12.0).reshape(1, 2, 3, 2)  # channels of (3, 2) images first
    check_layer(
        Flatten,
        {"data_format": "channels_first"},
        input_data=first,
        expected_output=first.transpose(0, 2, 3, 1).reshape(1, 12),
    )
