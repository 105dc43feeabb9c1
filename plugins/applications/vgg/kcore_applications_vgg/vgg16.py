"""VGG16; manual, section 13.3.2."""

from __future__ import annotations

from typing import Any

from kcore.engine import Model
from kcore_applications_imagenet_utils import ReleasedWeights, decode_predictions, preprocess_input
from kcore_applications_vgg.network import URL, build

__all__ = ["VGG16", "decode_predictions", "preprocess_input"]

RELEASED = ReleasedWeights(
    URL,
    top="vgg16_weights_tf_dim_ordering_tf_kernels.h5",
    no_top="vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
    top_hash="64373286793e3c8b2b4e3219cbf3544b",
    no_top_hash="6d6bbae143d832006294945121d1f1fc",
)


def VGG16(
    include_top: bool = True,
    weights: str | None = "imagenet",
    input_tensor: Any = None,
    input_shape: tuple[int | None, ...] | None = None,
    pooling: str | None = None,
    classes: int = 1000,
) -> Model:
    """VGG16: 16 layers with weights.

    Args:
        include_top: with the classifier.
        weights: 'imagenet', None for random ones, or the path of a file.
        input_tensor: tensor to take as the input.
        input_shape: shape of one image, sides 48 or more; by default (224, 224, 3), or images of any size without
            the top.
        pooling: without the top: None (images of features), 'avg' or 'max' (vectors).
        classes: with the top: the number of classes.

    Returns:
        The model; its output is (batch, classes), (batch, rows / 32, cols / 32, 512) or (batch, 512).

    Raises:
        ArgumentError, ShapeError: an argument does not fit.
    """
    return build(
        "vgg16",
        (2, 2, 3, 3, 3),
        RELEASED,
        include_top=include_top,
        weights=weights,
        input_tensor=input_tensor,
        input_shape=input_shape,
        pooling=pooling,
        classes=classes,
    )
