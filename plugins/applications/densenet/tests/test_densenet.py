"""DenseNet: its parts and arguments."""

import numpy as np
import pytest

from kcore.applications.densenet import DenseNet121, DenseNet169, DenseNet201, preprocess_input
from kcore.errors import ArgumentError, ShapeError
from kcore.layers import Input

SIZES = [(DenseNet121, 8_062_504, 1024), (DenseNet169, 14_307_880, 1664), (DenseNet201, 20_242_984, 1920)]


@pytest.mark.parametrize(("build", "parameters", "channels"), SIZES)
def test_whole_network(build, parameters, channels):
    model = build(weights=None)
    assert model.count_params() == parameters
    assert model.output_shape == (None, 1000)
    assert model.get_layer("relu").output_shape == (None, 7, 7, channels)
    assert model.get_layer("pool2_pool").output_shape == (None, 28, 28, 128)
    assert model.layers[-1].name == "fc1000"


def test_without_top():
    assert DenseNet121(weights=None, include_top=False).output_shape == (None, None, None, 1024)
    assert DenseNet121(weights=None, include_top=False, input_shape=(32, 64, 3)).output_shape == (None, 1, 2, 1024)
    for pooling in ("avg", "max"):
        assert DenseNet121(weights=None, include_top=False, pooling=pooling).output_shape == (None, 1024)


def test_custom_classes_and_input():
    images = Input((64, 64, 3))
    model = DenseNet121(weights=None, input_tensor=images, input_shape=(64, 64, 3), classes=3)
    assert model.inputs[0] is images
    assert model.output_shape == (None, 3)


def test_wrong_arguments():
    with pytest.raises(ShapeError, match="32 or more"):
        DenseNet121(weights=None, include_top=False, input_shape=(31, 32, 3))
    with pytest.raises(ArgumentError, match="no such file"):
        DenseNet169(weights="missing.h5")
    with pytest.raises(ArgumentError, match="1000 classes"):
        DenseNet201(classes=10)


def test_names_with_a_slash_in_files(tmp_path):
    model = DenseNet121(weights=None, include_top=False)
    model.save_weights(tmp_path / "densenet.h5")
    again = DenseNet121(weights=str(tmp_path / "densenet.h5"), include_top=False)
    for name in ("conv1/conv", "conv5_block16_2_conv"):
        ours, theirs = again.get_layer(name).get_weights()[0], model.get_layer(name).get_weights()[0]
        np.testing.assert_array_equal(ours, theirs)


def test_preprocess_input():
    gray = preprocess_input(np.full((1, 1, 3), 127.5))
    expected = (0.5 - np.array([0.485, 0.456, 0.406])) / [0.229, 0.224, 0.225]
    np.testing.assert_allclose(gray[0, 0], expected, rtol=1e-5)
