"""The networks: each layer reads the outputs of all layers before it in its block.

Huang et al., "Densely Connected Convolutional Networks", 2016.
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
    ZeroPadding2D,
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

URL = "https://github.com/keras-team/keras-applications/releases/download/densenet/"

#: Name: hashes of the files with and without the top. Keras 2.1.6 forgot the last activation, and its files (release
#: v0.8 of deep-learning-models) are older ones.
HASHES = {
    "densenet121": ("9d60b8095a5708f2dcce2bca79d332c7", "30ee3e1110167f948a6b9946edeeb738"),
    "densenet169": ("d699b8f76981ab1b30698df4c175e90b", "b8c4d4c20dd625c148057b9ff1c1176b"),
    "densenet201": ("1ceb130c1ea1b78c3bf6114dbdfd8807", "c13680b51ded0fb44dff2d8f86ac8bb1"),
}

#: Channels that each layer of a block adds.
GROWTH = 32

#: Of the normalization: what the released weights were trained with.
EPSILON = 1.001e-5


def preprocess_input(x: Any, data_format: str | None = None) -> Any:
    """Images (batch, rows, cols, 3) from 0..255 to the means 0 and deviations 1 of ImageNet; an array or a tensor."""
    return _preprocess(x, data_format, mode="torch")


def DenseNet121(
    include_top: bool = True,
    weights: str | None = "imagenet",
    input_tensor: Any = None,
    input_shape: tuple[int | None, ...] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
) -> Model:
    """DenseNet121: 121 layers with weights. Manual, section 13.3.8.

    Args:
        include_top: with the classifier.
        weights: 'imagenet', None for random ones, or the path of a file.
        input_tensor: tensor to take as the input.
        input_shape: shape of one image, sides 32 or more; by default (224, 224, 3), or images of any size
            without the top.
        pooling: without the top: None (images of features), 'avg' or 'max' (vectors).
        classes: with the top: the number of classes.

    Returns:
        The model; its output is (batch, classes), (batch, rows, cols, 1024) or (batch, 1024).

    Raises:
        ArgumentError, ShapeError: an argument does not fit.
    """
    return _build(
        "densenet121",
        (6, 12, 24, 16),
        include_top=include_top,
        weights=weights,
        input_tensor=input_tensor,
        input_shape=input_shape,
        pooling=pooling,
        classes=classes,
    )


def DenseNet169(
    include_top: bool = True,
    weights: str | None = "imagenet",
    input_tensor: Any = None,
    input_shape: tuple[int | None, ...] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
) -> Model:
    """DenseNet169: 169 layers with weights. Manual, section 13.3.8.

    Args:
        include_top: with the classifier.
        weights: 'imagenet', None for random ones, or the path of a file.
        input_tensor: tensor to take as the input.
        input_shape: shape of one image, sides 32 or more; by default (224, 224, 3), or images of any size
            without the top.
        pooling: without the top: None (images of features), 'avg' or 'max' (vectors).
        classes: with the top: the number of classes.

    Returns:
        The model; its output is (batch, classes), (batch, rows, cols, 1664) or (batch, 1664).

    Raises:
        ArgumentError, ShapeError: an argument does not fit.
    """
    return _build(
        "densenet169",
        (6, 12, 32, 32),
        include_top=include_top,
        weights=weights,
        input_tensor=input_tensor,
        input_shape=input_shape,
        pooling=pooling,
        classes=classes,
    )


def DenseNet201(
    include_top: bool = True,
    weights: str | None = "imagenet",
    input_tensor: Any = None,
    input_shape: tuple[int | None, ...] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
) -> Model:
    """DenseNet201: 201 layers with weights. Manual, section 13.3.8.

    Args:
        include_top: with the classifier.
        weights: 'imagenet', None for random ones, or the path of a file.
        input_tensor: tensor to take as the input.
        input_shape: shape of one image, sides 32 or more; by default (224, 224, 3), or images of any size
            without the top.
        pooling: without the top: None (images of features), 'avg' or 'max' (vectors).
        classes: with the top: the number of classes.

    Returns:
        The model; its output is (batch, classes), (batch, rows, cols, 1920) or (batch, 1920).

    Raises:
        ArgumentError, ShapeError: an argument does not fit.
    """
    return _build(
        "densenet201",
        (6, 12, 48, 32),
        include_top=include_top,
        weights=weights,
        input_tensor=input_tensor,
        input_shape=input_shape,
        pooling=pooling,
        classes=classes,
    )


def _build(
    name: str,
    depths: tuple[int, ...],
    *,
    include_top: bool,
    weights: str | None,
    input_tensor: Any,
    input_shape: tuple[int | None, ...] | None,
    pooling: str | None,
    classes: int,
) -> Model:
    """The network whose four blocks have the given numbers of layers."""
    check_arguments(weights, include_top, classes, pooling)
    input_shape = obtain_input_shape(input_shape, 224, 32, K.image_data_format(), include_top, weights)
    begin = image_input(input_tensor, input_shape)
    x = _first_layers(begin)
    for stage, depth in enumerate(depths, start=2):
        x = _transition(x, f"pool{stage - 1}") if stage > 2 else x
        for number in range(1, depth + 1):
            x = _layer(x, f"conv{stage}_block{number}")
    x = Activation("relu", name="relu")(_normalized(x, "bn"))
    if include_top:
        x = GlobalAveragePooling2D(name="avg_pool")(x)
        x = Dense(classes, activation="softmax", name="fc1000")(x)
    else:
        x = pooled(x, pooling)
    model = connect(begin, x, name)
    files = f"{name}_weights_tf_dim_ordering_tf_kernels"
    load_weights(model, weights, ReleasedWeights(URL, f"{files}.h5", f"{files}_notop.h5", *HASHES[name]), include_top)
    return model


def _normalized(x: Any, name: str) -> Any:
    return BatchNormalization(axis=channel_axis(), epsilon=EPSILON, name=name)(x)


def _first_layers(x: Any) -> Any:
    """A quarter of the image's rows and columns, 64 channels."""
    x = ZeroPadding2D(((3, 3), (3, 3)))(x)
    x = Conv2D(64, (7, 7), strides=(2, 2), use_bias=False, name="conv1/conv")(x)
    x = Activation("relu", name="conv1/relu")(_normalized(x, "conv1/bn"))
    x = ZeroPadding2D(((1, 1), (1, 1)))(x)
    return MaxPooling2D((3, 3), strides=(2, 2), name="pool1")(x)


def _layer(x: Any, name: str) -> Any:
    """x and, after its channels, the GROWTH channels that two convolutions make of it."""
    y = Activation("relu", name=f"{name}_0_relu")(_normalized(x, f"{name}_0_bn"))
    y = Conv2D(4 * GROWTH, (1, 1), use_bias=False, name=f"{name}_1_conv")(y)
    y = Activation("relu", name=f"{name}_1_relu")(_normalized(y, f"{name}_1_bn"))
    y = Conv2D(GROWTH, (3, 3), padding="same", use_bias=False, name=f"{name}_2_conv")(y)
    return concatenate([x, y], axis=channel_axis(), name=f"{name}_concat")


def _transition(x: Any, name: str) -> Any:
    """Half the channels, half the rows and columns."""
    channels: Any = K.int_shape(x)[channel_axis()]
    x = Activation("relu", name=f"{name}_relu")(_normalized(x, f"{name}_bn"))
    x = Conv2D(channels // 2, (1, 1), use_bias=False, name=f"{name}_conv")(x)
    return AveragePooling2D((2, 2), strides=(2, 2), name=f"{name}_pool")(x)
