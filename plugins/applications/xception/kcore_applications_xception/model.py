"""The network: two strided convolutions, then blocks of separable convolutions with shortcuts.

Chollet, "Xception: Deep Learning with Depthwise Separable Convolutions", 2016.
"""

from __future__ import annotations

from typing import Any

from kcore import backend as K
from kcore.engine import Model
from kcore.layers import (
    Activation,
    BatchNormalization,
    Conv2D,
    Dense,
    GlobalAveragePooling2D,
    MaxPooling2D,
    SeparableConv2D,
    add,
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

RELEASED = ReleasedWeights(
    "https://github.com/fchollet/deep-learning-models/releases/download/v0.4/",
    top="xception_weights_tf_dim_ordering_tf_kernels.h5",
    no_top="xception_weights_tf_dim_ordering_tf_kernels_notop.h5",
    top_hash="0a58e3b7378bc2990ea3b43d5981f1f6",
    no_top_hash="b0042744bf5b25fce3cb969f33bebb97",
)


def preprocess_input(x: Any) -> Any:
    """Images (batch, rows, cols, 3) from 0..255 to -1..1; an array or a tensor."""
    return _preprocess(x, mode="tf")


def Xception(
    include_top: bool = True,
    weights: str | None = "imagenet",
    input_tensor: Any = None,
    input_shape: tuple[int | None, ...] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
) -> Model:
    """Xception. Manual, section 13.3.1.

    Args:
        include_top: with the classifier.
        weights: 'imagenet', None for random ones, or the path of a file.
        input_tensor: tensor to take as the input.
        input_shape: shape of one image, sides 71 or more; by default (299, 299, 3), or images of any size
            without the top.
        pooling: without the top: None (images of features), 'avg' or 'max' (vectors).
        classes: with the top: the number of classes.

    Returns:
        The model; its output is (batch, classes), (batch, rows, cols, 2048) or (batch, 2048).

    Raises:
        ArgumentError, ShapeError: an argument does not fit.
    """
    check_arguments(weights, include_top, classes, pooling)
    input_shape = obtain_input_shape(input_shape, 299, 71, K.image_data_format(), include_top, weights)
    begin = image_input(input_tensor, input_shape)
    x = _entry(begin)
    for number in range(5, 13):
        x = _middle_block(x, f"block{number}")
    x = _exit(x)
    if include_top:
        x = GlobalAveragePooling2D(name="avg_pool")(x)
        x = Dense(classes, activation="softmax", name="predictions")(x)
    else:
        x = pooled(x, pooling)
    model = connect(begin, x, "xception")
    load_weights(model, weights, RELEASED, include_top)
    return model


def _entry(x: Any) -> Any:
    """Images of 299 x 299 become 19 x 19 with 728 channels."""
    x = Conv2D(32, (3, 3), strides=(2, 2), use_bias=False, name="block1_conv1")(x)
    x = Activation("relu", name="block1_conv1_act")(_normalized(x, "block1_conv1_bn"))
    x = Conv2D(64, (3, 3), use_bias=False, name="block1_conv2")(x)
    x = Activation("relu", name="block1_conv2_act")(_normalized(x, "block1_conv2_bn"))
    x = _halving_block(x, "block2", 128, 128, begin_with_relu=False)
    x = _halving_block(x, "block3", 256, 256)
    return _halving_block(x, "block4", 728, 728)


def _exit(x: Any) -> Any:
    x = _halving_block(x, "block13", 728, 1024)
    for number, filters in ((1, 1536), (2, 2048)):
        name = f"block14_sepconv{number}"
        x = Activation("relu", name=f"{name}_act")(_separable(x, name, filters))
    return x


def _normalized(x: Any, name: str | None = None) -> Any:
    return BatchNormalization(axis=channel_axis(), name=name)(x)


def _separable(x: Any, name: str, filters: int) -> Any:
    x = SeparableConv2D(filters, (3, 3), padding="same", use_bias=False, name=name)(x)
    return _normalized(x, f"{name}_bn")


def _halving_block(x: Any, name: str, first: int, second: int, begin_with_relu: bool = True) -> Any:
    """Two separable convolutions and a pooling, beside a strided convolution."""
    shortcut = Conv2D(second, (1, 1), strides=(2, 2), padding="same", use_bias=False)(x)
    shortcut = _normalized(shortcut)
    if begin_with_relu:
        x = Activation("relu", name=f"{name}_sepconv1_act")(x)
    x = _separable(x, f"{name}_sepconv1", first)
    x = Activation("relu", name=f"{name}_sepconv2_act")(x)
    x = _separable(x, f"{name}_sepconv2", second)
    x = MaxPooling2D((3, 3), strides=(2, 2), padding="same", name=f"{name}_pool")(x)
    return add([x, shortcut])


def _middle_block(x: Any, name: str) -> Any:
    """Three separable convolutions beside a shortcut."""
    y = x
    for number in (1, 2, 3):
        y = Activation("relu", name=f"{name}_sepconv{number}_act")(y)
        y = _separable(y, f"{name}_sepconv{number}", 728)
    return add([y, x])
