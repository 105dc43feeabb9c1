"""The networks: cells found by a search, stacked.

Zoph et al., "Learning Transferable Architectures for Scalable Image Recognition", 2017.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kcore import backend as K
from kcore.engine import Model
from kcore.layers import Activation, Conv2D, Dense, GlobalAveragePooling2D
from kcore_applications_imagenet_utils import (
    ReleasedWeights,
    check_arguments,
    connect,
    image_input,
    load_weights,
    obtain_input_shape,
    pooled,
)
from kcore_applications_imagenet_utils import preprocess_input as _preprocess
from kcore_applications_nasnet.cells import normal_cell, normalized, reduction_cell

#: Those of the network as published; the files that Keras 2.1.6 fetched (release v0.8 of deep-learning-models) were for
#: one with fewer weights (5,324,604 and 88,920,922).
URL = "https://github.com/titu1994/Keras-NASNet/releases/download/v1.2/"


@dataclass(frozen=True)
class Size:
    """What tells the two networks apart.

    Attributes:
        side: rows and columns of the images it was trained on.
        stem: filters of the first convolution.
        filters: filters of the first normal cells; doubled by each reduction.
        repeats: normal cells between two reductions.
        skips_reduction: the cell after a reduction reads, as its second input, what the reduction read as its
            second input, not the reduction's first input.
        released: the published weights.
    """

    side: int
    stem: int
    filters: int
    repeats: int
    skips_reduction: bool
    released: ReleasedWeights


LARGE = Size(
    side=331,
    stem=96,
    filters=168,
    repeats=6,
    skips_reduction=True,
    released=ReleasedWeights(
        URL,
        top="NASNet-large.h5",
        no_top="NASNet-large-no-top.h5",
        top_hash="11577c9a518f0070763c2b964a382f17",
        no_top_hash="d81d89dc07e6e56530c4e77faddd61b5",
    ),
)
MOBILE = Size(
    side=224,
    stem=32,
    filters=44,
    repeats=4,
    skips_reduction=False,
    released=ReleasedWeights(
        URL,
        top="NASNet-mobile.h5",
        no_top="NASNet-mobile-no-top.h5",
        top_hash="020fb642bf7360b370c678b08e0adf61",
        no_top_hash="1ed92395b5b598bdda52abe5c0dbfd63",
    ),
)


def preprocess_input(x: Any) -> Any:
    """Images (batch, rows, cols, 3) from 0..255 to -1..1; an array or a tensor."""
    return _preprocess(x, mode="tf")


def NASNetLarge(
    input_shape: tuple[int | None, ...] | None = None,
    include_top: bool = True,
    weights: str | None = "imagenet",
    input_tensor: Any = None,
    pooling: str | None = None,
    classes: int = 1000,
) -> Model:
    """NASNetLarge. Manual, section 13.3.9.

    Args:
        input_shape: shape of one image, sides 32 or more; by default (331, 331, 3), also without the top: the paddings
            depend on the size.
        include_top: with the classifier.
        weights: 'imagenet', None for random ones, or the path of a file.
        input_tensor: tensor to take as the input.
        pooling: without the top: None (images of features), 'avg' or 'max' (vectors).
        classes: with the top: the number of classes.

    Returns:
        The model; its output is (batch, classes), (batch, rows / 32, cols / 32, 4032) or (batch, 4032).

    Raises:
        ArgumentError, ShapeError: an argument does not fit.
    """
    return _build(
        LARGE,
        include_top=include_top,
        weights=weights,
        input_tensor=input_tensor,
        input_shape=input_shape,
        pooling=pooling,
        classes=classes,
    )


def NASNetMobile(
    input_shape: tuple[int | None, ...] | None = None,
    include_top: bool = True,
    weights: str | None = "imagenet",
    input_tensor: Any = None,
    pooling: str | None = None,
    classes: int = 1000,
) -> Model:
    """NASNetMobile. Manual, section 13.3.9.

    Args:
        input_shape: shape of one image, sides 32 or more; by default (224, 224, 3), also without the top: the paddings
            depend on the size.
        include_top: with the classifier.
        weights: 'imagenet', None for random ones, or the path of a file.
        input_tensor: tensor to take as the input.
        pooling: without the top: None (images of features), 'avg' or 'max' (vectors).
        classes: with the top: the number of classes.

    Returns:
        The model; its output is (batch, classes), (batch, rows / 32, cols / 32, 1056) or (batch, 1056).

    Raises:
        ArgumentError, ShapeError: an argument does not fit.
    """
    return _build(
        MOBILE,
        include_top=include_top,
        weights=weights,
        input_tensor=input_tensor,
        input_shape=input_shape,
        pooling=pooling,
        classes=classes,
    )


def _build(
    size: Size,
    *,
    include_top: bool,
    weights: str | None,
    input_tensor: Any,
    input_shape: tuple[int | None, ...] | None,
    pooling: str | None,
    classes: int,
) -> Model:
    check_arguments(weights, include_top, classes, pooling)
    data_format = K.image_data_format()
    input_shape = obtain_input_shape(input_shape, size.side, 32, data_format, include_top, weights, fixed_size=True)
    begin = image_input(input_tensor, input_shape)
    x = Activation("relu")(_cells(begin, size))
    if include_top:
        x = GlobalAveragePooling2D()(x)
        x = Dense(classes, activation="softmax", name="predictions")(x)
    else:
        x = pooled(x, pooling)
    model = connect(begin, x, "NASNet")
    load_weights(model, weights, size.released, include_top)
    return model


def _cells(images: Any, size: Size) -> Any:
    """All cells; each reads the outputs of the two cells before it."""
    x = Conv2D(size.stem, (3, 3), strides=(2, 2), use_bias=False, name="stem_conv1")(images)
    stem = normalized(x, "stem_bn1")
    before = reduction_cell(stem, None, size.filters // 4, "stem_1")
    x = reduction_cell(before, stem, size.filters // 2, "stem_2")
    for stage in range(3):
        filters, first = size.filters * 2**stage, stage * size.repeats
        if stage:
            reduced = reduction_cell(x, before, filters, f"reduce_{stage * size.repeats}")
            before, x = (before if size.skips_reduction else x), reduced
            first += 1
        for number in range(first, first + size.repeats):
            before, x = x, normal_cell(x, before, filters, str(number))
    return x
