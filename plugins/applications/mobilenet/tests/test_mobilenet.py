"""MobileNet: its parts, arguments and weights."""

import numpy as np
import pytest

from kcore import backend as K
from kcore.applications import mobilenet
from kcore.applications.mobilenet import MobileNet, preprocess_input
from kcore.errors import ArgumentError, KcoreWarning, ShapeError
from kcore.layers import Input, Lambda
from kcore.models import load_model
from kcore.testing import serve

SMALL = {"input_shape": (32, 32, 3), "alpha": 0.25, "weights": None}


def test_whole_network():
    model = MobileNet(weights=None)
    assert model.count_params() == 4_253_864
    assert model.output_shape == (None, 1000)
    assert model.name == "mobilenet_1.00_224"
    names = [layer.name for layer in model.layers]
    assert names[1:5] == ["conv1", "conv1_bn", "conv1_relu", "conv_dw_1"]
    assert names[-5:] == ["reshape_1", "dropout", "conv_preds", "reshape_2", "act_softmax"]


def test_without_top():
    assert MobileNet(weights=None, include_top=False).output_shape == (None, None, None, 1024)
    assert MobileNet(**SMALL, include_top=False).output_shape == (None, 1, 1, 256)
    for pooling in ("avg", "max"):
        assert MobileNet(**SMALL, include_top=False, pooling=pooling).output_shape == (None, 256)


def test_widths_depths_and_classes():
    model = MobileNet(**SMALL, classes=7, depth_multiplier=2, dropout=0.5)
    assert model.output_shape == (None, 7)
    assert model.get_layer("conv_dw_3").output_shape == (None, 8, 8, 64)
    assert model.get_layer("dropout").rate == 0.5


def test_input_tensor():
    images = Input((32, 32, 3))
    assert MobileNet(alpha=0.25, weights=None, input_tensor=images, input_shape=(32, 32, 3)).inputs[0] is images
    scaled = Lambda(lambda x: x / 255)(images)
    assert MobileNet(**SMALL, input_tensor=scaled, include_top=False).inputs[0] is images
    model = MobileNet(**SMALL, input_tensor=K.placeholder((None, 32, 32, 3)))
    assert model.input_shape == (None, 32, 32, 3)


def test_forward_pass_and_saving(tmp_path):
    model = MobileNet(**SMALL, classes=5)
    images = np.random.RandomState(0).uniform(0, 255, (2, 32, 32, 3))
    predictions = model.predict(preprocess_input(images))
    np.testing.assert_allclose(predictions.sum(axis=1), 1, rtol=1e-5)
    model.save(tmp_path / "mobilenet.h5")
    np.testing.assert_allclose(load_model(tmp_path / "mobilenet.h5").predict(preprocess_input(images)), predictions)
    model.save_weights(tmp_path / "weights.h5")
    again = MobileNet(**{**SMALL, "weights": str(tmp_path / "weights.h5")}, classes=5)
    np.testing.assert_allclose(again.predict(preprocess_input(images)), predictions)


@pytest.fixture
def release(tmp_path, monkeypatch):
    """A server of released weights, and an empty cache; gives the folder served."""
    folder = tmp_path / "served"
    folder.mkdir()
    monkeypatch.setenv("KCORE_HOME", str(tmp_path / "home"))
    with serve(folder) as address:
        monkeypatch.setattr(mobilenet.model, "URL", address)
        yield folder


def test_released_weights(release):
    first = MobileNet((128, 128, 3), alpha=0.25, include_top=False, weights=None)
    first.save_weights(release / "mobilenet_2_5_128_tf_no_top.h5")
    again = MobileNet((128, 128, 3), alpha=0.25, include_top=False)
    for ours, theirs in zip(again.get_weights(), first.get_weights()):
        np.testing.assert_array_equal(ours, theirs)


def test_sizes_without_released_weights(release):
    MobileNet(alpha=0.25, include_top=False, weights=None).save_weights(release / "mobilenet_2_5_224_tf_no_top.h5")
    with pytest.warns(KcoreWarning, match="224 x 224"):
        MobileNet(alpha=0.25, include_top=False)
    with pytest.raises(ArgumentError, match="squares"):
        MobileNet((128, 160, 3), include_top=False)
    with pytest.raises(ArgumentError, match="alpha is 0.3"):
        MobileNet(alpha=0.3)
    with pytest.raises(ArgumentError, match="depth_multiplier is 2"):
        MobileNet(depth_multiplier=2)


def test_wrong_arguments():
    with pytest.raises(ShapeError, match="32 or more"):
        MobileNet((31, 32, 3), weights=None)
    with pytest.raises(ArgumentError, match="no such file"):
        MobileNet(weights="imagenett")
    with pytest.raises(ArgumentError, match="1000 classes"):
        MobileNet(classes=10)
    with pytest.raises(ArgumentError, match="pooling is 'mean'"):
        MobileNet(**SMALL, include_top=False, pooling="mean")


def test_preprocess_input():
    np.testing.assert_allclose(preprocess_input(np.array([[[0.0, 127.5, 255.0]]])), [[[-1, 0, 1]]])
