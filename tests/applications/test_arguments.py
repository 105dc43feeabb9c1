"""The documented arguments of every application: what is refused and how, and what the rest makes of the model."""

import numpy as np
import pytest

from kcore import applications
from kcore import backend as K
from kcore.errors import ArgumentError, KcoreWarning, ShapeError
from kcore.layers import Conv2D, Input
from kcore.models import load_model

#: Name: (side that it was trained on, smallest side, channels of its features).
SIZES = {
    "VGG16": (224, 48, 512),
    "VGG19": (224, 48, 512),
    "ResNet50": (224, 197, 2048),
    "InceptionV3": (299, 139, 2048),
    "InceptionResNetV2": (299, 139, 1536),
    "Xception": (299, 71, 2048),
    "MobileNet": (224, 32, 1024),
    "DenseNet121": (224, 32, 1024),
    "DenseNet169": (224, 32, 1664),
    "DenseNet201": (224, 32, 1920),
    "NASNetMobile": (224, 32, 1056),
    "NASNetLarge": (331, 32, 4032),
}

EVERY = pytest.mark.parametrize("name", SIZES)


@pytest.fixture(autouse=True)
def fresh():
    K.clear_session()


@pytest.fixture
def channels_first():
    K.set_image_data_format("channels_first")
    yield
    K.set_image_data_format("channels_last")


def build(name, **arguments):
    return getattr(applications, name)(**{"weights": None, **arguments})


@EVERY
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"weights": "imagenett"}, ArgumentError, "weights is 'imagenett'; expected None .*'imagenet'.*no such file"),
        ({"weights": 3.5}, ArgumentError, "weights is 3.5; expected None .*'imagenet', or the path of a file"),
        (
            {"weights": "imagenet", "classes": 10},
            ArgumentError,
            "classes is 10, .* has 1000 classes: take include_top=",
        ),
        ({"classes": 0}, ArgumentError, "classes is 0; expected a whole number of at least 1"),
        ({"classes": "ten"}, ArgumentError, "classes is 'ten'; expected a whole number"),
        ({"pooling": "mean"}, ArgumentError, "pooling is 'mean'; expected None, 'avg' or 'max'"),
        ({"input_shape": (224, 224)}, ShapeError, r"input_shape is \(224, 224\); expected three sizes, without the b"),
        ({"input_shape": (1, 224, 224, 3)}, ShapeError, "expected three sizes, without the batch"),
        ({"input_shape": 224}, ShapeError, "input_shape is 224; expected three sizes"),
        ({"input_shape": (224.5, 224, 3)}, ShapeError, r"input_shape is \(224.5, 224, 3\); expected whole numbers"),
        ({"input_shape": (None, 224, 3)}, ShapeError, r"this model needs sizes, such as \(\d+, \d+, 3\)"),
        ({"input_shape": (0, 224, 3)}, ShapeError, "must be .* or more"),
        ({"input_tensor": "image"}, ArgumentError, "input_tensor is 'image'; expected a tensor"),
        ({"input_tensor": np.zeros((1, 224, 224, 3))}, ArgumentError, "input_tensor is an array; expected a tensor"),
    ],
)
def test_what_is_refused(name, arguments, error, message):
    with pytest.raises(error, match=message):
        build(name, **arguments)


@EVERY
def test_sizes_and_channels(name):
    side, smallest, _ = SIZES[name]
    for shape in ((smallest - 1, side, 3), (side, smallest - 1, 3)):
        with pytest.raises(ShapeError, match=rf"the rows and columns must be {smallest} or more"):
            build(name, input_shape=shape, include_top=False)
    with pytest.raises(ShapeError, match="weights='imagenet' needs three channels"):
        build(name, input_shape=(side, side, 1), include_top=False, weights="imagenet")
    with pytest.raises(ShapeError, match=rf"it must be \({side}, {side}, 3\).*Take include_top=False"):
        build(name, input_shape=(side + 1, side, 3), weights="imagenet")
    with pytest.raises(KcoreWarning, match=f"images with {side} channels; expected 1 or 3. Is the data format"):
        build(name, input_shape=(smallest, smallest, side), include_top=False)


@EVERY
def test_poolings_and_classes(name):
    _, smallest, channels = SIZES[name]
    shape = (smallest, smallest, 3)
    images = build(name, input_shape=shape, include_top=False)
    assert len(images.output_shape) == 4 and images.output_shape[-1] == channels
    for pooling in ("avg", "max"):
        assert build(name, input_shape=shape, include_top=False, pooling=pooling).output_shape == (None, channels)
    assert build(name, input_shape=shape, classes=7).output_shape == (None, 7)


@EVERY
def test_input_tensors(name):
    _, smallest, _ = SIZES[name]
    shape = (smallest, smallest, 3)
    images = Input(shape)
    model = build(name, input_tensor=images, input_shape=shape, include_top=False)
    assert model.input is images
    gray = Input((smallest, smallest, 1))
    model = build(name, input_tensor=Conv2D(3, 1)(gray), input_shape=shape, include_top=False)
    assert model.input is gray and len(model.layers[1].get_weights()) == 2
    model = build(name, input_tensor=K.placeholder((None, *shape)), input_shape=shape, include_top=False)
    assert model.input_shape == (None, *shape)
    with pytest.raises(ShapeError, match="input_tensor has the shape .*expected images of rank 4"):
        build(name, input_tensor=Input((smallest, 3)), include_top=False)


@EVERY
def test_channels_first(name, channels_first):
    side, smallest, channels = SIZES[name]
    with pytest.raises(ShapeError, match=f"the rows and columns must be {smallest} or more"):
        build(name, input_shape=(3, smallest - 1, side), include_top=False)
    with pytest.raises(ShapeError, match=rf"it must be \(3, {side}, {side}\)"):
        build(name, input_shape=(3, side + 1, side), weights="imagenet")
    model = build(name, input_shape=(3, smallest, smallest), include_top=False, pooling="avg")
    assert model.output_shape == (None, channels)
    axes = {layer.axis for layer in model.layers if type(layer).__name__ in ("BatchNormalization", "Concatenate")}
    assert axes <= {1}


@pytest.mark.parametrize("name", ["NASNetMobile", "NASNetLarge"])
def test_nasnet_has_its_size_without_the_top_too(name):
    side, _, _ = SIZES[name]
    assert build(name, include_top=False).input_shape == (None, side, side, 3)


def test_mobilenet_saved_whole(tmp_path):
    """As the manual loads it: section 13.3.7."""
    from kcore.applications import mobilenet

    build("MobileNet", input_shape=(32, 32, 3), alpha=0.25).save(tmp_path / "mobilenet.h5")
    custom_objects = {"relu6": mobilenet.relu6, "DepthwiseConv2D": mobilenet.DepthwiseConv2D}
    assert load_model(tmp_path / "mobilenet.h5", custom_objects=custom_objects).name == "mobilenet_0.25_32"
    for alpha in (0, -1, "wide"):
        with pytest.raises(ArgumentError, match=f"alpha is {alpha!r}; expected a number above 0"):
            build("MobileNet", alpha=alpha)
    for depth in (0, 1.5):
        with pytest.raises(ArgumentError, match=f"depth_multiplier is {depth!r}; expected a whole number"):
            build("MobileNet", depth_multiplier=depth)
