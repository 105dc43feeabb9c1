"""The network: blocks of parallel branches of convolutions.

Szegedy et al., "Rethinking the Inception Architecture for Computer Vision", 2015.
"""

from __future__ import annotations

from typing import Any

from kcore import backend as K
from kcore.engine import Model
from kcore.layers import (
    Activation,
    AveragePooling2D,
    BatchNormalization,
    Conv2D,
    Dense,
    GlobalAveragePooling2D,
    MaxPooling2D,
    concatenate,
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
    "https://github.com/fchollet/deep-learning-models/releases/download/v0.5/",
    top="inception_v3_weights_tf_dim_ordering_tf_kernels.h5",
    no_top="inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5",
    top_hash="9a0d58056eeedaa3f26cb7ebd46da564",
    no_top_hash="bcbd6486424b2319ff4ef7d526e38f63",
)


def preprocess_input(x: Any) -> Any:
    """Images (batch, rows, cols, 3) from 0..255 to -1..1; an array or a tensor."""
    return _preprocess(x, mode="tf")


def InceptionV3(
    include_top: bool = True,
    weights: str | None = "imagenet",
    input_tensor: Any = None,
    input_shape: tuple[int | None, ...] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
) -> Model:
    """InceptionV3. Manual, section 13.3.5.

    Args:
        include_top: with the classifier.
        weights: 'imagenet', None for random ones, or the path of a file.
        input_tensor: tensor to take as the input.
        input_shape: shape of one image, sides 139 or more; by default (299, 299, 3), or images of any size
            without the top.
        pooling: without the top: None (images of features), 'avg' or 'max' (vectors).
        classes: with the top: the number of classes.

    Returns:
        The model; its output is (batch, classes), (batch, rows, cols, 2048) or (batch, 2048).

    Raises:
        ArgumentError, ShapeError: an argument does not fit.
    """
    check_arguments(weights, include_top, classes, pooling)
    input_shape = obtain_input_shape(input_shape, 299, 139, K.image_data_format(), include_top, weights)
    begin = image_input(input_tensor, input_shape)
    x = _stem(begin)
    for number, pool_filters in enumerate((32, 64, 64)):
        x = _block_35(x, pool_filters, f"mixed{number}")
    x = _reduction_17(x)
    for number, filters in enumerate((128, 160, 160, 192), start=4):
        x = _block_17(x, filters, f"mixed{number}")
    x = _reduction_8(x)
    for number in (0, 1):
        x = _block_8(x, number)
    if include_top:
        x = GlobalAveragePooling2D(name="avg_pool")(x)
        x = Dense(classes, activation="softmax", name="predictions")(x)
    else:
        x = pooled(x, pooling)
    model = connect(begin, x, "inception_v3")
    load_weights(model, weights, RELEASED, include_top)
    return model


def _convolved(x: Any, filters: int, rows: int, cols: int, stride: int = 1, padding: str = "same") -> Any:
    """Convolution with a kernel of rows x cols, normalization, relu."""
    x = Conv2D(filters, (rows, cols), strides=(stride, stride), padding=padding, use_bias=False)(x)
    x = BatchNormalization(axis=channel_axis(), scale=False)(x)
    return Activation("relu")(x)


def _halved(x: Any, filters: int) -> Any:
    return _convolved(x, filters, 3, 3, stride=2, padding="valid")


def _max_halved(x: Any) -> Any:
    return MaxPooling2D((3, 3), strides=(2, 2))(x)


def _pool_branch(x: Any, filters: int) -> Any:
    return _convolved(AveragePooling2D((3, 3), strides=(1, 1), padding="same")(x), filters, 1, 1)


def _joined(branches: list[Any], name: str | None = None) -> Any:
    return concatenate(branches, axis=channel_axis(), name=name)


def _stem(x: Any) -> Any:
    """Images of 299 x 299 become 35 x 35 with 192 channels."""
    x = _halved(x, 32)
    x = _convolved(x, 32, 3, 3, padding="valid")
    x = _max_halved(_convolved(x, 64, 3, 3))
    x = _convolved(x, 80, 1, 1, padding="valid")
    return _max_halved(_convolved(x, 192, 3, 3, padding="valid"))


def _block_35(x: Any, pool_filters: int, name: str) -> Any:
    single = _convolved(x, 64, 1, 1)
    wide = _convolved(_convolved(x, 48, 1, 1), 64, 5, 5)
    double = _convolved(_convolved(_convolved(x, 64, 1, 1), 96, 3, 3), 96, 3, 3)
    return _joined([single, wide, double, _pool_branch(x, pool_filters)], name)


def _reduction_17(x: Any) -> Any:
    single = _halved(x, 384)
    double = _halved(_convolved(_convolved(x, 64, 1, 1), 96, 3, 3), 96)
    return _joined([single, double, _max_halved(x)], "mixed3")


def _block_17(x: Any, filters: int, name: str) -> Any:
    """Kernels of 7 x 7 as products of rows and columns."""
    single = _convolved(x, 192, 1, 1)
    seven = _convolved(x, filters, 1, 1)
    seven = _convolved(_convolved(seven, filters, 1, 7), 192, 7, 1)
    double = _convolved(x, filters, 1, 1)
    double = _convolved(_convolved(double, filters, 7, 1), filters, 1, 7)
    double = _convolved(_convolved(double, filters, 7, 1), 192, 1, 7)
    return _joined([single, seven, double, _pool_branch(x, 192)], name)


def _reduction_8(x: Any) -> Any:
    single = _halved(_convolved(x, 192, 1, 1), 320)
    seven = _convolved(_convolved(x, 192, 1, 1), 192, 1, 7)
    seven = _halved(_convolved(seven, 192, 7, 1), 192)
    return _joined([single, seven, _max_halved(x)], "mixed8")


def _block_8(x: Any, number: int) -> Any:
    single = _convolved(x, 320, 1, 1)
    three = _convolved(x, 384, 1, 1)
    three = _joined([_convolved(three, 384, 1, 3), _convolved(three, 384, 3, 1)], f"mixed9_{number}")
    double = _convolved(_convolved(x, 448, 1, 1), 384, 3, 3)
    double = _joined([_convolved(double, 384, 1, 3), _convolved(double, 384, 3, 1)])
    return _joined([single, three, double, _pool_branch(x, 192)], f"mixed{9 + number}")
