"""What VGG16 and VGG19 share: everything but the number of convolutions in a block.

Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition", 2014.
"""

from __future__ import annotations

from typing import Any

from kcore import backend as K
from kcore.engine import Model
from kcore.layers import Conv2D, Dense, Flatten, MaxPooling2D
from kcore.utils import convert_dense_weights_data_format
from kcore_applications_imagenet_utils import (
    ReleasedWeights,
    check_arguments,
    connect,
    image_input,
    load_weights,
    obtain_input_shape,
    pooled,
)

#: Filters of the convolutions of each block.
FILTERS = (64, 128, 256, 512, 512)

URL = "https://github.com/fchollet/deep-learning-models/releases/download/v0.1/"


def build(
    name: str,
    depths: tuple[int, ...],
    released: ReleasedWeights,
    *,
    include_top: bool,
    weights: str | None,
    input_tensor: Any,
    input_shape: tuple[int | None, ...] | None,
    pooling: str | None,
    classes: int,
) -> Model:
    """A VGG network.

    Args:
        name: name of the model.
        depths: number of convolutions of each of the five blocks.
        released: its published weights.
        include_top, weights, input_tensor, input_shape, pooling, classes: as in `VGG16`.
    """
    check_arguments(weights, include_top, classes, pooling)
    input_shape = obtain_input_shape(input_shape, 224, 48, K.image_data_format(), include_top, weights)
    begin = x = image_input(input_tensor, input_shape)
    for number, (filters, depth) in enumerate(zip(FILTERS, depths), start=1):
        x = _block(x, f"block{number}", filters, depth)
    x = _classifier(x, classes) if include_top else pooled(x, pooling)
    model = connect(begin, x, name)
    load_weights(model, weights, released, include_top)
    if weights == "imagenet" and include_top:
        _adapt_to_data_format(model)
    return model


def _block(x: Any, name: str, filters: int, depth: int) -> Any:
    for number in range(1, depth + 1):
        x = Conv2D(filters, (3, 3), activation="relu", padding="same", name=f"{name}_conv{number}")(x)
    return MaxPooling2D((2, 2), strides=(2, 2), name=f"{name}_pool")(x)


def _classifier(x: Any, classes: int) -> Any:
    x = Flatten(name="flatten")(x)
    x = Dense(4096, activation="relu", name="fc1")(x)
    x = Dense(4096, activation="relu", name="fc2")(x)
    return Dense(classes, activation="softmax", name="predictions")(x)


def _adapt_to_data_format(model: Model) -> None:
    """The released classifier was trained on features with the channels last."""
    if K.image_data_format() == "channels_first":
        features = model.get_layer("block5_pool").output_shape[1:]
        convert_dense_weights_data_format(model.get_layer("fc1"), features, "channels_first")
