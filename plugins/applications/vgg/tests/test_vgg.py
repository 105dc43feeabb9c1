"""VGG16 and VGG19: their parts and arguments."""

import numpy as np
import pytest

from kcore import backend as K
from kcore.applications import VGG16, VGG19, vgg16, vgg19
from kcore.errors import ArgumentError, ShapeError
from kcore.layers import Input

BOTH = pytest.mark.parametrize("build", [VGG16, VGG19])


@pytest.mark.parametrize(("build", "parameters", "last"), [(VGG16, 138_357_544, 3), (VGG19, 143_667_240, 4)])
def test_whole_network(build, parameters, last):
    model = build(weights=None)
    assert model.count_params() == parameters
    assert model.output_shape == (None, 1000)
    names = [layer.name for layer in model.layers]
    assert names[1:4] == ["block1_conv1", "block1_conv2", "block1_pool"]
    assert names[-6:] == [f"block5_conv{last}", "block5_pool", "flatten", "fc1", "fc2", "predictions"]


@BOTH
def test_without_top(build):
    assert build(weights=None, include_top=False).output_shape == (None, None, None, 512)
    assert build(weights=None, include_top=False, input_shape=(64, 96, 3)).output_shape == (None, 2, 3, 512)
    for pooling in ("avg", "max"):
        assert build(weights=None, include_top=False, pooling=pooling).output_shape == (None, 512)


@BOTH
def test_custom_classes_and_input(build):
    images = Input((48, 48, 3))
    model = build(weights=None, input_tensor=images, input_shape=(48, 48, 3), classes=3)
    assert model.inputs[0] is images
    assert model.output_shape == (None, 3)
    assert model.get_layer("fc1").input_shape == (None, 512)


@BOTH
def test_wrong_arguments(build):
    with pytest.raises(ShapeError, match="48 or more"):
        build(weights=None, include_top=False, input_shape=(47, 48, 3))
    with pytest.raises(ShapeError, match=r"it must be \(224, 224, 3\)"):
        build(input_shape=(64, 64, 3))
    with pytest.raises(ArgumentError, match="no such file"):
        build(weights="missing.h5")
    with pytest.raises(ArgumentError, match="1000 classes"):
        build(classes=10)


@pytest.fixture
def channels_first():
    before = K.image_data_format()
    K.set_image_data_format("channels_first")
    yield
    K.set_image_data_format(before)


def test_channels_first(channels_first):
    assert VGG16(weights=None).input_shape == (None, 3, 224, 224)
    assert VGG16(weights=None, include_top=False, input_shape=(3, 64, 48)).output_shape == (None, 512, 2, 1)


def test_features_and_weights(tmp_path):
    model = VGG16(weights=None, include_top=False, input_shape=(48, 48, 3), pooling="avg")
    images = vgg16.preprocess_input(np.random.RandomState(0).uniform(0, 255, (1, 48, 48, 3)))
    features = model.predict(images)
    assert features.shape == (1, 512)
    model.save_weights(tmp_path / "vgg16.h5")
    again = VGG16(weights=str(tmp_path / "vgg16.h5"), include_top=False, pooling="avg")
    np.testing.assert_allclose(again.predict(images), features, rtol=1e-4, atol=1e-6)


def test_modules():
    black = np.zeros((1, 1, 3))
    for module in (vgg16, vgg19):
        np.testing.assert_allclose(module.preprocess_input(black), [[[-103.939, -116.779, -123.68]]], rtol=1e-6)
        assert callable(module.decode_predictions)
