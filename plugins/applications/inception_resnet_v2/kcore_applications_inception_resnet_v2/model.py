"""The network: blocks of branches, each added to what it read, scaled down.

Szegedy et al., "Inception-v4, Inception-ResNet and the Impact of Residual Connections on Learning", 2016.
"""

from __future__ import annotations

from typing import Any

from kcore import backend as K
from kcore.engine import Layer, Model
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
    "https://github.com/fchollet/deep-learning-models/releases/download/v0.7/",
    top="inception_resnet_v2_weights_tf_dim_ordering_tf_kernels.h5",
    no_top="inception_resnet_v2_weights_tf_dim_ordering_tf_kernels_notop.h5",
    top_hash="e693bd0210a403b3192acc6073ad2e96",
    no_top_hash="d19885ff4a710c122648d3b5c3b684e4",
)


def preprocess_input(x: Any) -> Any:
    """Images (batch, rows, cols, 3) from 0..255 to -1..1; an array or a tensor."""
    return _preprocess(x, mode="tf")


class ScaledSum(Layer):
    """The first tensor plus the second times a constant.

    Args:
        scale: the constant.

    Input: two tensors of one shape; output: a tensor of that shape.
    """

    def __init__(self, scale: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scale = scale

    def call(self, inputs: Any) -> Any:
        x, y = inputs
        return x + y * self.scale

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape[0]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "scale": self.scale}


def InceptionResNetV2(
    include_top: bool = True,
    weights: str | None = "imagenet",
    input_tensor: Any = None,
    input_shape: tuple[int | None, ...] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
) -> Model:
    """InceptionResNetV2. Manual, section 13.3.6.

    Args:
        include_top: with the classifier.
        weights: 'imagenet', None for random ones, or the path of a file.
        input_tensor: tensor to take as the input.
        input_shape: shape of one image, sides 139 or more; by default (299, 299, 3), or images of any size
            without the top.
        pooling: without the top: None (images of features), 'avg' or 'max' (vectors).
        classes: with the top: the number of classes.

    Returns:
        The model; its output is (batch, classes), (batch, rows, cols, 1536) or (batch, 1536).

    Raises:
        ArgumentError, ShapeError: an argument does not fit.
    """
    check_arguments(weights, include_top, classes, pooling)
    input_shape = obtain_input_shape(input_shape, 299, 139, K.image_data_format(), include_top, weights)
    begin = image_input(input_tensor, input_shape)
    x = _mixed_5b(_stem(begin))
    for number in range(1, 11):
        x = _residual(x, _branches_35(x), 0.17, f"block35_{number}")
    x = _mixed_6a(x)
    for number in range(1, 21):
        x = _residual(x, _branches_17(x), 0.1, f"block17_{number}")
    x = _mixed_7a(x)
    for number in range(1, 10):
        x = _residual(x, _branches_8(x), 0.2, f"block8_{number}")
    x = _residual(x, _branches_8(x), 1.0, "block8_10", activated=False)
    x = _convolved(x, 1536, 1, 1, name="conv_7b")
    if include_top:
        x = GlobalAveragePooling2D(name="avg_pool")(x)
        x = Dense(classes, activation="softmax", name="predictions")(x)
    else:
        x = pooled(x, pooling)
    model = connect(begin, x, "inception_resnet_v2")
    load_weights(model, weights, RELEASED, include_top)
    return model


def _convolved(
    x: Any, filters: int, rows: int, cols: int, stride: int = 1, padding: str = "same", name: str | None = None
) -> Any:
    """Convolution with a kernel of rows x cols, normalization, relu."""
    x = Conv2D(filters, (rows, cols), strides=(stride, stride), padding=padding, use_bias=False, name=name)(x)
    x = BatchNormalization(axis=channel_axis(), scale=False, name=name and f"{name}_bn")(x)
    return Activation("relu", name=name and f"{name}_ac")(x)


def _halved(x: Any, filters: int) -> Any:
    return _convolved(x, filters, 3, 3, stride=2, padding="valid")


def _max_halved(x: Any) -> Any:
    return MaxPooling2D((3, 3), strides=(2, 2))(x)


def _joined(branches: list[Any], name: str) -> Any:
    return concatenate(branches, axis=channel_axis(), name=name)


def _residual(x: Any, branches: list[Any], scale: float, name: str, activated: bool = True) -> Any:
    """x plus the branches, brought to the channels of x and scaled."""
    y = _joined(branches, f"{name}_mixed")
    channels: Any = K.int_shape(x)[channel_axis()]
    y = Conv2D(channels, (1, 1), padding="same", name=f"{name}_conv")(y)
    x = ScaledSum(scale, name=name)([x, y])
    return Activation("relu", name=f"{name}_ac")(x) if activated else x


def _stem(x: Any) -> Any:
    """Images of 299 x 299 become 35 x 35 with 192 channels."""
    x = _halved(x, 32)
    x = _convolved(x, 32, 3, 3, padding="valid")
    x = _max_halved(_convolved(x, 64, 3, 3))
    x = _convolved(x, 80, 1, 1, padding="valid")
    return _max_halved(_convolved(x, 192, 3, 3, padding="valid"))


def _mixed_5b(x: Any) -> Any:
    single = _convolved(x, 96, 1, 1)
    wide = _convolved(_convolved(x, 48, 1, 1), 64, 5, 5)
    double = _convolved(_convolved(_convolved(x, 64, 1, 1), 96, 3, 3), 96, 3, 3)
    mean = _convolved(AveragePooling2D((3, 3), strides=(1, 1), padding="same")(x), 64, 1, 1)
    return _joined([single, wide, double, mean], "mixed_5b")


def _branches_35(x: Any) -> list[Any]:
    single = _convolved(x, 32, 1, 1)
    three = _convolved(_convolved(x, 32, 1, 1), 32, 3, 3)
    double = _convolved(_convolved(_convolved(x, 32, 1, 1), 48, 3, 3), 64, 3, 3)
    return [single, three, double]


def _mixed_6a(x: Any) -> Any:
    single = _halved(x, 384)
    double = _halved(_convolved(_convolved(x, 256, 1, 1), 256, 3, 3), 384)
    return _joined([single, double, _max_halved(x)], "mixed_6a")


def _branches_17(x: Any) -> list[Any]:
    single = _convolved(x, 192, 1, 1)
    seven = _convolved(_convolved(_convolved(x, 128, 1, 1), 160, 1, 7), 192, 7, 1)
    return [single, seven]


def _mixed_7a(x: Any) -> Any:
    first = _halved(_convolved(x, 256, 1, 1), 384)
    second = _halved(_convolved(x, 256, 1, 1), 288)
    double = _halved(_convolved(_convolved(x, 256, 1, 1), 288, 3, 3), 320)
    return _joined([first, second, double, _max_halved(x)], "mixed_7a")


def _branches_8(x: Any) -> list[Any]:
    single = _convolved(x, 192, 1, 1)
    three = _convolved(_convolved(_convolved(x, 192, 1, 1), 224, 1, 3), 256, 3, 1)
    return [single, three]
