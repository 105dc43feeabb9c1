"""InceptionResNetV2: its parts and arguments."""

import numpy as np
import pytest

from kcore import backend as K
from kcore.applications.inception_resnet_v2 import InceptionResNetV2, ScaledSum, preprocess_input
from kcore.errors import ArgumentError, ShapeError
from kcore.layers import Input
from kcore.models import Model


def test_whole_network():
    model = InceptionResNetV2(weights=None)
    assert model.count_params() == 55_873_736
    assert model.output_shape == (None, 1000)
    sides = {"mixed_5b": (35, 320), "block35_10": (35, 320), "mixed_6a": (17, 1088), "mixed_7a": (8, 2080)}
    for name, (side, channels) in sides.items():
        assert model.get_layer(name).output_shape == (None, side, side, channels)
    assert len(model.layers) == 782


def test_without_top():
    assert InceptionResNetV2(weights=None, include_top=False).output_shape == (None, None, None, 1536)
    small = InceptionResNetV2(weights=None, include_top=False, input_shape=(139, 139, 3), pooling="max")
    assert small.get_layer("conv_7b_ac").output_shape == (None, 3, 3, 1536)
    assert small.output_shape == (None, 1536)


def test_custom_classes_and_input():
    images = Input((139, 139, 3))
    model = InceptionResNetV2(weights=None, input_tensor=images, classes=3)
    assert model.inputs[0] is images
    assert model.output_shape == (None, 3)


def test_wrong_arguments():
    with pytest.raises(ShapeError, match="139 or more"):
        InceptionResNetV2(weights=None, include_top=False, input_shape=(138, 139, 3))
    with pytest.raises(ArgumentError, match="no such file"):
        InceptionResNetV2(weights="missing.h5")
    with pytest.raises(ArgumentError, match="1000 classes"):
        InceptionResNetV2(classes=10)


def test_scaled_sum():
    a, b = Input((2,)), Input((2,))
    model = Model([a, b], ScaledSum(0.5)([a, b]))
    again = Model.from_config(model.get_config())
    np.testing.assert_allclose(again.predict([np.array([[1.0, 2.0]]), np.array([[4.0, 8.0]])]), [[3, 6]])
    assert K.int_shape(again.output) == (None, 2)


def test_preprocess_input():
    np.testing.assert_allclose(preprocess_input(np.array([[[0.0, 127.5, 255.0]]])), [[[-1, 0, 1]]])
