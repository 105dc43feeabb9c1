"""What the ImageNet models share: preprocessing, names of classes, checks of arguments."""

import json
from pathlib import Path

import numpy as np
import pytest

from kcore import backend as K
from kcore.applications import imagenet_utils
from kcore.applications.imagenet_utils import decode_predictions, preprocess_input
from kcore.errors import ArgumentError, KcoreWarning, ShapeError
from kcore.testing import serve

GOLDEN = np.load(Path(__file__).parent / "golden" / "preprocess.npz")
MODES = ("caffe", "tf", "torch")


def in_format(images, order):
    return np.moveaxis(images, -1, -3).copy() if order == "first" else images.copy()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("order", ["last", "first"])
def test_preprocess_arrays_and_tensors(mode, order):
    images, expected = in_format(GOLDEN["images"], order), GOLDEN[f"{mode}_{order}"]
    before = images.copy()
    data_format = f"channels_{order}"
    np.testing.assert_allclose(preprocess_input(images, data_format, mode), expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(preprocess_input(images[0], data_format, mode), expected[0], rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(images, before)
    for given, wanted in ((images, expected), (images[0], expected[0])):
        tensor = preprocess_input(K.constant(given), data_format, mode)
        np.testing.assert_allclose(K.eval(tensor), wanted, rtol=1e-5, atol=1e-5)


def test_preprocess_whole_numbers():
    black = preprocess_input(np.zeros((1, 2, 2, 3), "uint8"), mode="tf")
    assert black.dtype == np.float32
    np.testing.assert_array_equal(black, -np.ones((1, 2, 2, 3)))


def test_preprocess_wrong_arguments():
    image = np.zeros((2, 2, 3))
    with pytest.raises(ArgumentError, match="mode is 'theano'"):
        preprocess_input(image, mode="theano")
    with pytest.raises(ArgumentError, match="data_format is 'NHWC'"):
        preprocess_input(image, "NHWC")
    with pytest.raises(ShapeError, match="3 or 4 axes"):
        preprocess_input(np.zeros((4, 4)))
    with pytest.raises(ShapeError, match="2 channels on axis -3"):
        preprocess_input(image, "channels_first")


@pytest.fixture
def class_index(tmp_path, monkeypatch):
    """A server with names of classes in the published format, and an empty cache."""
    folder = tmp_path / "served"
    folder.mkdir()
    index = {str(i): [f"n{i:08d}", f"name_{i}"] for i in range(1000)}
    (folder / "imagenet_class_index.json").write_text(json.dumps(index))
    monkeypatch.setenv("KCORE_HOME", str(tmp_path / "home"))
    labels = imagenet_utils.labels
    with serve(folder) as address:
        monkeypatch.setattr(labels, "INDEX_URL", address + "imagenet_class_index.json")
        monkeypatch.setattr(labels, "INDEX_HASH", None)
        yield


def test_decode_predictions(class_index):
    preds = np.zeros((2, 1000), "float32")
    preds[0, [7, 999]] = 0.25, 0.75
    preds[1, 0] = 1.0
    first, second = decode_predictions(preds, top=2)
    assert first == [("n00000999", "name_999", 0.75), ("n00000007", "name_7", 0.25)]
    assert second[0] == ("n00000000", "name_0", 1.0)
    assert [len(row) for row in decode_predictions(preds)] == [5, 5]


def test_decode_wrong_arguments():
    with pytest.raises(ShapeError, match=r"\(2, 10\).*\(samples, 1000\)"):
        decode_predictions(np.zeros((2, 10)))
    with pytest.raises(ArgumentError, match="top is 0"):
        decode_predictions(np.zeros((2, 1000)), top=0)


def shape_of(input_shape, flatten, weights=None, data_format="channels_last"):
    return imagenet_utils.obtain_input_shape(input_shape, 224, 32, data_format, flatten, weights)


def test_input_shapes():
    assert shape_of(None, True) == (224, 224, 3)
    assert shape_of(None, True, data_format="channels_first") == (3, 224, 224)
    assert shape_of(None, False, "imagenet") == (None, None, 3)
    assert shape_of([64, 32, 1], True) == (64, 32, 1)
    assert shape_of((3, None, 40), False, data_format="channels_first") == (3, None, 40)


@pytest.mark.parametrize(
    ("shape", "flatten", "weights", "message"),
    [
        ((64, 64), False, None, "three sizes"),
        ((31, 64, 3), False, None, "32 or more"),
        ((64, 64, 1), False, "imagenet", "three channels"),
        ((64, 64, 3), True, "imagenet", r"it must be \(224, 224, 3\)"),
        ((None, 64, 3), True, None, "needs sizes"),
    ],
)
def test_wrong_input_shapes(shape, flatten, weights, message):
    with pytest.raises(ShapeError, match=message):
        shape_of(shape, flatten, weights)


def test_strange_channels_warn():
    with pytest.warns(KcoreWarning, match="224 channels"):
        assert shape_of((64, 64, 224), False) == (64, 64, 224)


def test_wrong_arguments():
    with pytest.raises(ArgumentError, match="no such file"):
        imagenet_utils.check_arguments("missing.h5", True, 1000)
    with pytest.raises(ArgumentError, match="1000 classes"):
        imagenet_utils.check_arguments("imagenet", True, 10)
    with pytest.raises(ArgumentError, match="pooling is 'mean'"):
        imagenet_utils.check_arguments(None, False, 1000, "mean")
    imagenet_utils.check_arguments("imagenet", False, 10, "avg")
