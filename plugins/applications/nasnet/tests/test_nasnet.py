"""NASNet: its parts and arguments."""

import numpy as np
import pytest

from kcore.applications.nasnet import NASNetLarge, NASNetMobile, preprocess_input
from kcore.errors import ArgumentError, ShapeError
from kcore.layers import Input


def test_mobile():
    model = NASNetMobile(weights=None)
    assert model.count_params() == 5_326_716
    assert model.output_shape == (None, 1000)
    sides = {"reduction_concat_stem_2": (28, 88), "normal_concat_5": (14, 528), "normal_concat_12": (7, 1056)}
    for name, (side, channels) in sides.items():
        assert model.get_layer(name).output_shape == (None, side, side, channels)
    assert len(model.layers) == 771


def test_large():
    model = NASNetLarge(weights=None)
    assert model.count_params() == 88_949_818
    assert model.output_shape == (None, 1000)
    assert model.get_layer("normal_concat_18").output_shape == (None, 11, 11, 4032)
    assert len(model.layers) == 1041


def test_without_top():
    assert NASNetMobile(weights=None, include_top=False).output_shape == (None, 7, 7, 1056)
    small = NASNetMobile((32, 64, 3), weights=None, include_top=False, pooling="max")
    assert small.get_layer("normal_concat_12").output_shape == (None, 1, 2, 1056)
    assert small.output_shape == (None, 1056)


def test_custom_classes_and_input():
    images = Input((32, 32, 3))
    model = NASNetMobile((32, 32, 3), weights=None, input_tensor=images, classes=3)
    assert model.inputs[0] is images
    assert model.output_shape == (None, 3)


def test_wrong_arguments():
    with pytest.raises(ShapeError, match="32 or more"):
        NASNetMobile((31, 32, 3), weights=None, include_top=False)
    with pytest.raises(ShapeError, match="needs sizes"):
        NASNetMobile((None, None, 3), weights=None, include_top=False)
    with pytest.raises(ArgumentError, match="no such file"):
        NASNetLarge(weights="missing.h5")
    with pytest.raises(ArgumentError, match="1000 classes"):
        NASNetLarge(classes=10)


def test_preprocess_input():
    np.testing.assert_allclose(preprocess_input(np.array([[[0.0, 127.5, 255.0]]])), [[[-1, 0, 1]]])
