"""The network: blocks of three convolutions, each beside a shortcut.

He et al., "Deep Residual Learning for Image Recognition", 2015.

Where the releases of Keras differ. Epsilon of the normalization: 1e-3, the default of 2.1.6, in every release that
fetched the files below; features of the released weights, and of weights trained and saved by 2.1.6, need it. Only the
later API, with files of its own, has 1.001e-5, which `weights=PATH` takes over from such a file (`later.py`). The
pooling at the start: padded by one pixel, as in all releases from 2.2 on, with the same files; 2.1.6 lost the last row
and column there (55 of 56), and ended `include_top=False` in an average of 7x7 regions, which images of other sizes do
not have. A model that 2.1.6 saved whole brings its own configuration.
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
    ZeroPadding2D,
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
from kcore_applications_resnet50.later import EPSILON, later_layers, load_later

#: (stage, blocks, filters inside the blocks): a block returns four times as many channels.
STAGES = ((2, 3, 64), (3, 4, 128), (4, 6, 256), (5, 3, 512))

RELEASED = ReleasedWeights(
    "https://github.com/fchollet/deep-learning-models/releases/download/v0.2/",
    top="resnet50_weights_tf_dim_ordering_tf_kernels.h5",
    no_top="resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5",
    top_hash="a7b3fe01876f51b976af0dea6bc144eb",
    no_top_hash="a268eb855778b3df3c7506639542a6af",
)


def ResNet50(
    include_top: bool = True,
    weights: str | None = "imagenet",
    input_tensor: Any = None,
    input_shape: tuple[int | None, ...] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
) -> Model:
    """ResNet50. Manual, section 13.3.4.

    Args:
        include_top: with the classifier.
        weights: 'imagenet', None for random ones, or the path of a file, of the later API (tf.keras) too.
        input_tensor: tensor to take as the input.
        input_shape: shape of one image, sides 197 or more; by default (224, 224, 3), or images of any size without
            the top.
        pooling: without the top: None (images of features), 'avg' or 'max' (vectors).
        classes: with the top: the number of classes.

    Returns:
        The model; its output is (batch, classes), (batch, rows / 32, cols / 32, 2048) or (batch, 2048).

    Raises:
        ArgumentError, ShapeError: an argument does not fit.
    """
    check_arguments(weights, include_top, classes, pooling)
    input_shape = obtain_input_shape(input_shape, 224, 197, K.image_data_format(), include_top, weights)
    later = later_layers(weights)
    epsilon = EPSILON if later else 1e-3
    begin = image_input(input_tensor, input_shape)
    x = _first_layers(begin, epsilon)
    for stage, blocks, filters in STAGES:
        for block in "abcdef"[:blocks]:
            x = _block(x, stage, block, filters, epsilon)
    if include_top:
        x = GlobalAveragePooling2D(name="avg_pool")(x)
        x = Dense(classes, activation="softmax", name="fc1000")(x)
    else:
        x = pooled(x, pooling)
    model = connect(begin, x, "resnet50")
    if weights is not None and later:
        load_later(model, weights, later)
    else:
        load_weights(model, weights, RELEASED, include_top)
    return model


def _first_layers(x: Any, epsilon: float) -> Any:
    """A quarter of the image's rows and columns, 64 channels."""
    x = ZeroPadding2D((3, 3), name="conv1_pad")(x)
    x = Conv2D(64, (7, 7), strides=(2, 2), name="conv1")(x)
    x = Activation("relu")(_normalized(x, "bn_conv1", epsilon))
    x = ZeroPadding2D((1, 1), name="pool1_pad")(x)
    return MaxPooling2D((3, 3), strides=(2, 2))(x)


def _normalized(x: Any, name: str, epsilon: float) -> Any:
    return BatchNormalization(axis=channel_axis(), epsilon=epsilon, name=name)(x)


def _block(x: Any, stage: int, block: str, filters: int, epsilon: float) -> Any:
    """x plus what three convolutions make of it; the first block of a stage has a convolution on x too."""
    first = block == "a"
    stride = 2 if first and stage > 2 else 1
    name = f"{stage}{block}_branch"
    y = Activation("relu")(_convolved(x, f"{name}2a", filters, 1, epsilon, stride))
    y = Activation("relu")(_convolved(y, f"{name}2b", filters, 3, epsilon))
    y = _convolved(y, f"{name}2c", 4 * filters, 1, epsilon)
    shortcut = _convolved(x, f"{name}1", 4 * filters, 1, epsilon, stride) if first else x
    # The order of the terms decides the order of the layers' weights in a file.
    return Activation("relu")(add([y, shortcut]))


def _convolved(x: Any, name: str, filters: int, size: int, epsilon: float, stride: int = 1) -> Any:
    convolution = Conv2D(filters, (size, size), strides=(stride, stride), padding="same", name=f"res{name}")
    return _normalized(convolution(x), f"bn{name}", epsilon)
