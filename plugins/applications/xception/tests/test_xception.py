"""Xception: its parts and arguments."""

import numpy as np
import pytest

from kcore.applications.xception import Xception, preprocess_input
from kcore.errors import ArgumentError, ShapeError
from kcore.layers import Input


def test_whole_network():
    model = Xception(weights=None)
    assert model.count_params() == 22_910_480
    assert model.output_shape == (None, 1000)
    sides = {"block2_pool": (74, 128), "block4_pool": (19, 728), "block13_pool": (10, 1024)}
    for name, (side, channels) in sides.items():
        assert model.get_layer(name).output_shape == (None, side, side, channels)
    assert len(model.layers) == 134


def test_without_top():
    assert Xception(weights=None, include_top=False).output_shape == (None, None, None, 2048)
    assert Xception(weights=None, include_top=False, input_shape=(71, 150, 3)).output_shape == (None, 3, 5, 2048)
    for pooling in ("avg", "max"):
        assert Xception(weights=None, include_top=False, pooling=pooling).output_shape == (None, 2048)


def test_custom_classes_and_input():
    images = Input((71, 71, 3))
    model = Xception(weights=None, input_tensor=images, input_shape=(71, 71, 3), classes=3)
    assert model.inputs[0] is images
    assert model.output_shape == (None, 3)


def test_wrong_arguments():
    with pytest.raises(ShapeError, match="71 or more"):
        Xception(weights=None, include_top=False, input_shape=(70, 71, 3))
    with pytest.raises(ArgumentError, match="no such file"):
        Xception(weights="missing.h5")
    with pytest.raises(ArgumentError, match="1000 classes"):
        Xception(classes=10)


def test_preprocess_input():
    np.testing.assert_allclose(preprocess_input(np.array([[[0.0, 127.5, 255.0]]])), [[[-1, 0, 1]]])
