"""The network: depthwise and pointwise convolutions in turn.

Howard et al., "MobileNets: Efficient Convolutional Neural Networks for Mobile Vision Applications", 2017.
"""

from __future__ import annotations

from typing import Any

from kcore import backend as K
from kcore.engine import Model
from kcore.errors import ArgumentError, warn
from kcore.layers import (
    Activation,
    BatchNormalization,
    Conv2D,
    DepthwiseConv2D,
    Dropout,
    GlobalAveragePooling2D,
    Reshape,
    ZeroPadding2D,
)
from kcore_applications_imagenet_utils import (
    ReleasedWeights,
    channel_axis,
    check_arguments,
    connect,
    image_input,
    load_weights,
    obtain_input_shape,
    pooled,
)
from kcore_applications_imagenet_utils import preprocess_input as _preprocess

#: (filters, stride) of the blocks, in order.
BLOCKS = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *((512, 1),) * 5, (1024, 2), (1024, 1))

URL = "https://github.com/fchollet/deep-learning-models/releases/download/v0.6/"

#: Sides and widths for which weights were released; a width as it is in the file names.
RELEASED_SIZES = (128, 160, 192, 224)
RELEASED_WIDTHS = {0.25: "2_5", 0.5: "5_0", 0.75: "7_5", 1.0: "1_0"}


def relu6(x: Any) -> Any:
    """min(max(x, 0), 6), element by element."""
    return K.relu(x, max_value=6)


def preprocess_input(x: Any) -> Any:
    """Images (batch, rows, cols, 3) from 0..255 to -1..1; an array or a tensor."""
    return _preprocess(x, mode="tf")


def MobileNet(
    input_shape: tuple[int | None, ...] | None = None,
    alpha: float = 1.0,
    depth_multiplier: int = 1,
    dropout: float = 1e-3,
    include_top: bool = True,
    weights: str | None = "imagenet",
    input_tensor: Any = None,
    pooling: str | None = None,
    classes: int = 1000,
) -> Model:
    """MobileNet. Manual, section 13.3.7.

    Args:
        input_shape: shape of one image, sides 32 or more; by default (224, 224, 3), or images of any size without
            the top.
        alpha: width: the factor of the number of filters of each layer.
        depth_multiplier: channels that a depthwise convolution makes of each of its channels.
        dropout: rate of the dropout before the classifier.
        include_top: with the classifier.
        weights: 'imagenet', None for random ones, or the path of a file. 'imagenet' is there for alpha 0.25, 0.5,
            0.75 and 1.0, and squares of 128, 160, 192 and 224.
        input_tensor: tensor to take as the input.
        pooling: without the top: None (images of features), 'avg' or 'max' (vectors).
        classes: with the top: the number of classes.

    Returns:
        The model; its output is (batch, classes), (batch, rows / 32, cols / 32, channels) or (batch, channels).

    Raises:
        ArgumentError, ShapeError: an argument does not fit.
    """
    check_arguments(weights, include_top, classes, pooling)
    if not isinstance(alpha, int | float) or not alpha > 0:
        raise ArgumentError(f"alpha is {alpha!r}; expected a number above 0, such as 0.5")
    if not isinstance(depth_multiplier, int) or depth_multiplier < 1:
        raise ArgumentError(f"depth_multiplier is {depth_multiplier!r}; expected a whole number of at least 1")
    input_shape = obtain_input_shape(
        input_shape, _default_size(input_shape), 32, K.image_data_format(), include_top, weights
    )
    size = input_shape[1] if channel_axis() == 1 else input_shape[0]
    if weights == "imagenet":
        size = _released_size(input_shape, alpha, depth_multiplier)

    begin = image_input(input_tensor, input_shape)
    x = _first_convolution(begin, int(32 * alpha))
    for number, (filters, stride) in enumerate(BLOCKS, start=1):
        x = _block(x, number, int(filters * alpha), stride, depth_multiplier)
    x = _classifier(x, int(1024 * alpha), dropout, classes) if include_top else pooled(x, pooling)
    model = connect(begin, x, name=f"mobilenet_{alpha:0.2f}_{size}")
    if weights is not None:
        load_weights(model, weights, _released(alpha, size), include_top)
    return model


def _default_size(input_shape: tuple[int | None, ...] | None) -> int:
    """The released size that a square of this size has, or else 224."""
    if not isinstance(input_shape, tuple | list) or len(input_shape) != 3:
        return 224
    rows, cols = input_shape[1:] if channel_axis() == 1 else input_shape[:2]
    return rows if rows == cols and rows in RELEASED_SIZES else 224


def _released_size(shape: tuple[int | None, ...], alpha: float, depth_multiplier: int) -> int:
    """The size whose released weights fit an image shape."""
    if depth_multiplier != 1:
        raise ArgumentError(f"depth_multiplier is {depth_multiplier!r}; weights='imagenet' are there for 1 only")
    if alpha not in RELEASED_WIDTHS:
        raise ArgumentError(f"alpha is {alpha!r}; weights='imagenet' are there for {sorted(RELEASED_WIDTHS)} only")
    rows, cols = shape[1:] if channel_axis() == 1 else shape[:2]
    if rows is None and cols is None:
        warn("input_shape has no size: MobileNet gets the weights for 224 x 224 images")
        return 224
    if rows != cols or rows not in RELEASED_SIZES:
        raise ArgumentError(
            f"input_shape is {shape}; weights='imagenet' are there for squares with sides of {RELEASED_SIZES} only"
        )
    return rows


def _released(alpha: float, size: int | None) -> ReleasedWeights:
    name = f"mobilenet_{RELEASED_WIDTHS.get(alpha)}_{size}_tf"
    return ReleasedWeights(URL, f"{name}.h5", f"{name}_no_top.h5")


def _normalized(x: Any, name: str) -> Any:
    x = BatchNormalization(axis=channel_axis(), name=f"{name}_bn")(x)
    return Activation(relu6, name=f"{name}_relu")(x)


def _first_convolution(x: Any, filters: int) -> Any:
    x = Conv2D(filters, (3, 3), strides=(2, 2), padding="same", use_bias=False, name="conv1")(x)
    return _normalized(x, "conv1")


def _block(x: Any, number: int, filters: int, stride: int, depth_multiplier: int) -> Any:
    """A convolution inside each channel, then one across the channels."""
    padding = "same"
    if stride == 2:
        # The released weights were trained with padding at the far sides only, also for odd sizes.
        x = ZeroPadding2D(((0, 1), (0, 1)), name=f"conv_pad_{number}")(x)
        padding = "valid"
    depthwise = DepthwiseConv2D(
        (3, 3),
        strides=(stride, stride),
        padding=padding,
        depth_multiplier=depth_multiplier,
        use_bias=False,
        name=f"conv_dw_{number}",
    )
    x = _normalized(depthwise(x), f"conv_dw_{number}")
    x = Conv2D(filters, (1, 1), padding="same", use_bias=False, name=f"conv_pw_{number}")(x)
    return _normalized(x, f"conv_pw_{number}")


def _classifier(x: Any, channels: int, dropout: float, classes: int) -> Any:
    """The classifier as a 1x1 convolution, which is how its weights were released."""
    x = GlobalAveragePooling2D()(x)
    x = Reshape((channels, 1, 1) if channel_axis() == 1 else (1, 1, channels), name="reshape_1")(x)
    x = Dropout(dropout, name="dropout")(x)
    x = Conv2D(classes, (1, 1), padding="same", name="conv_preds")(x)
    x = Reshape((classes,), name="reshape_2")(x)
    return Activation("softmax", name="act_softmax")(x)
