"""ResNet50: its parts and arguments."""

import numpy as np
import pytest

from kcore.applications import resnet50
from kcore.applications.resnet50 import ResNet50
from kcore.errors import ArgumentError, SavedModelError, ShapeError
from kcore.layers import Input
from kcore_applications_resnet50.later import later_name


def test_whole_network():
    model = ResNet50(weights=None)
    assert model.count_params() == 25_636_712
    assert model.output_shape == (None, 1000)
    weighted = [layer.name for layer in model.layers if layer.weights]
    assert weighted[:10] == [
        "conv1",
        "bn_conv1",
        "res2a_branch2a",
        "bn2a_branch2a",
        "res2a_branch2b",
        "bn2a_branch2b",
        "res2a_branch2c",
        "res2a_branch1",
        "bn2a_branch2c",
        "bn2a_branch1",
    ]
    assert weighted[-3:] == ["res5c_branch2c", "bn5c_branch2c", "fc1000"]


def test_stages():
    model = ResNet50(weights=None)
    sides = {"res2c_branch2c": (56, 256), "res3d_branch2c": (28, 512), "res4f_branch2c": (14, 1024)}
    for name, (side, channels) in sides.items():
        assert model.get_layer(name).output_shape == (None, side, side, channels)


def test_without_top():
    assert ResNet50(weights=None, include_top=False).output_shape == (None, None, None, 2048)
    assert ResNet50(weights=None, include_top=False, input_shape=(197, 224, 3)).output_shape == (None, 7, 7, 2048)
    for pooling in ("avg", "max"):
        assert ResNet50(weights=None, include_top=False, pooling=pooling).output_shape == (None, 2048)


def test_custom_classes_and_input():
    images = Input((200, 200, 3))
    model = ResNet50(weights=None, input_tensor=images, input_shape=(200, 200, 3), classes=3)
    assert model.inputs[0] is images
    assert model.output_shape == (None, 3)


def test_wrong_arguments():
    with pytest.raises(ShapeError, match="197 or more"):
        ResNet50(weights=None, include_top=False, input_shape=(196, 197, 3))
    with pytest.raises(ArgumentError, match="no such file"):
        ResNet50(weights="missing.h5")
    with pytest.raises(ArgumentError, match="1000 classes"):
        ResNet50(classes=10)


def test_preprocess_input():
    black = resnet50.preprocess_input(np.zeros((1, 1, 3)))
    np.testing.assert_allclose(black, [[[-103.939, -116.779, -123.68]]], rtol=1e-6)


def test_weights_of_the_later_api(tmp_path):
    options = {"include_top": False, "pooling": "avg", "input_shape": (197, 197, 3)}
    model = ResNet50(weights=None, **options)
    for layer in model.layers:
        layer.name = later_name(layer.name)
    assert {"conv1_conv", "conv1_bn", "conv2_block1_0_conv", "conv2_block1_3_bn", "conv5_block3_2_conv"} <= {
        layer.name for layer in model.layers
    }
    model.save_weights(tmp_path / "later.h5")
    loaded = ResNet50(weights=tmp_path / "later.h5", **options)
    assert loaded.get_layer("bn3a_branch2b").epsilon == 1.001e-5
    for mine, theirs in zip(loaded.layers, model.layers, strict=True):
        assert later_name(mine.name) == theirs.name or not mine.weights
        for a, b in zip(mine.get_weights(), theirs.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)
    with pytest.raises(SavedModelError, match="none for predictions: was it saved with another `include_top`"):
        ResNet50(weights=tmp_path / "later.h5")
