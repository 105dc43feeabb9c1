"""InceptionV3: its parts and arguments."""

import numpy as np
import pytest

from kcore.applications.inception_v3 import InceptionV3, preprocess_input
from kcore.errors import ArgumentError, ShapeError
from kcore.layers import Input


def test_whole_network():
    model = InceptionV3(weights=None)
    assert model.count_params() == 23_851_784
    assert model.output_shape == (None, 1000)
    sides = [(0, 35, 256), (2, 35, 288), (3, 17, 768), (7, 17, 768), (8, 8, 1280), (9, 8, 2048), (10, 8, 2048)]
    for number, side, channels in sides:
        assert model.get_layer(f"mixed{number}").output_shape == (None, side, side, channels)
    # The manual's example of fine-tuning counts on these numbers of layers.
    assert len(model.layers) == 313
    assert model.layers[248].name == "mixed8"


def test_without_top():
    assert InceptionV3(weights=None, include_top=False).output_shape == (None, None, None, 2048)
    small = InceptionV3(weights=None, include_top=False, input_shape=(139, 150, 3))
    assert small.output_shape == (None, 3, 3, 2048)
    for pooling in ("avg", "max"):
        assert InceptionV3(weights=None, include_top=False, pooling=pooling).output_shape == (None, 2048)


def test_custom_classes_and_input():
    images = Input((224, 224, 3))
    model = InceptionV3(weights=None, input_tensor=images, classes=3)
    assert model.inputs[0] is images
    assert model.output_shape == (None, 3)


def test_wrong_arguments():
    with pytest.raises(ShapeError, match="139 or more"):
        InceptionV3(weights=None, include_top=False, input_shape=(138, 139, 3))
    with pytest.raises(ArgumentError, match="no such file"):
        InceptionV3(weights="missing.h5")
    with pytest.raises(ArgumentError, match="1000 classes"):
        InceptionV3(classes=10)


def test_preprocess_input():
    np.testing.assert_allclose(preprocess_input(np.array([[[0.0, 127.5, 255.0]]])), [[[-1, 0, 1]]])
