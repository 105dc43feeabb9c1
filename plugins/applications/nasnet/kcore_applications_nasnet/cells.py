"""The two kinds of cells, and the separable convolutions that they are made of."""

from __future__ import annotations

from typing import Any

from kcore import backend as K
from kcore.layers import (
    Activation,
    AveragePooling2D,
    BatchNormalization,
    Conv2D,
    Cropping2D,
    MaxPooling2D,
    SeparableConv2D,
    ZeroPadding2D,
    add,
    concatenate,
)
from kcore_applications_imagenet_utils import channel_axis


def normalized(x: Any, name: str) -> Any:
    """Batch normalization with the slow averages of the released weights."""
    return BatchNormalization(axis=channel_axis(), momentum=0.9997, epsilon=1e-3, name=name)(x)


def normal_cell(x: Any, before: Any, filters: int, name: str) -> Any:
    """A cell that keeps rows and columns.

    Args:
        x: output of the cell before this one.
        before: output of the cell before that one.
        filters: channels of each branch; the result has six times as many.
        name: ending of the layers' names.
    """
    before = _fitted(before, x, filters, name)
    x = _projected(x, filters, f"normal_{{}}_1_{name}")
    first = add(
        [_separable(x, filters, 5, f"normal_left1_{name}"), _separable(before, filters, 3, f"normal_right1_{name}")],
        name=f"normal_add_1_{name}",
    )
    second = add(
        [
            _separable(before, filters, 5, f"normal_left2_{name}"),
            _separable(before, filters, 3, f"normal_right2_{name}"),
        ],
        name=f"normal_add_2_{name}",
    )
    third = add([_mean(x, f"normal_left3_{name}"), before], name=f"normal_add_3_{name}")
    fourth = add(
        [_mean(before, f"normal_left4_{name}"), _mean(before, f"normal_right4_{name}")], name=f"normal_add_4_{name}"
    )
    fifth = add([_separable(x, filters, 3, f"normal_left5_{name}"), x], name=f"normal_add_5_{name}")
    return concatenate([before, first, second, third, fourth, fifth], axis=channel_axis(), name=f"normal_concat_{name}")


def reduction_cell(x: Any, before: Any, filters: int, name: str) -> Any:
    """A cell that halves rows and columns.

    Args:
        x: output of the cell before this one.
        before: output of the cell before that one, or None where there is none.
        filters: channels of each branch; the result has four times as many.
        name: ending of the layers' names.
    """
    before = x if before is None else _fitted(before, x, filters, name)
    x = _projected(x, filters, f"reduction_{{}}_1_{name}")
    padded = ZeroPadding2D(_padding(x, 3), name=f"reduction_pad_1_{name}")(x)
    first = add(
        [
            _separable(x, filters, 5, f"reduction_left1_{name}", stride=2),
            _separable(before, filters, 7, f"reduction_right1_{name}", stride=2),
        ],
        name=f"reduction_add_1_{name}",
    )
    second = add(
        [
            MaxPooling2D((3, 3), strides=(2, 2), name=f"reduction_left2_{name}")(padded),
            _separable(before, filters, 7, f"reduction_right2_{name}", stride=2),
        ],
        name=f"reduction_add_2_{name}",
    )
    third = add(
        [
            AveragePooling2D((3, 3), strides=(2, 2), name=f"reduction_left3_{name}")(padded),
            _separable(before, filters, 5, f"reduction_right3_{name}", stride=2),
        ],
        name=f"reduction_add3_{name}",
    )
    fourth = add([second, _mean(first, f"reduction_left4_{name}")])
    fifth = add(
        [
            _separable(first, filters, 3, f"reduction_left4_{name}"),
            MaxPooling2D((3, 3), strides=(2, 2), name=f"reduction_right5_{name}")(padded),
        ],
        name=f"reduction_add4_{name}",
    )
    return concatenate([second, third, fourth, fifth], axis=channel_axis(), name=f"reduction_concat_{name}")


def _sides(x: Any) -> tuple[Any, Any]:
    """Rows and columns."""
    _, *sides = K.int_shape(x)
    rows, cols = sides[1:] if channel_axis() == 1 else sides[:2]
    return rows, cols


def _padding(x: Any, size: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """What a strided window needs around x; one less at the near side where the number of rows is even."""
    rows, cols = ((size // 2 - (side + 1) % 2, size // 2) for side in _sides(x))
    return rows, cols


def _mean(x: Any, name: str) -> Any:
    return AveragePooling2D((3, 3), strides=(1, 1), padding="same", name=name)(x)


def _projected(x: Any, filters: int, name: str) -> Any:
    """relu, a 1x1 convolution, normalization; `name` has a place for 'conv' and 'bn'."""
    x = Conv2D(filters, (1, 1), padding="same", use_bias=False, name=name.format("conv"))(Activation("relu")(x))
    return normalized(x, name.format("bn"))


def _separable(x: Any, filters: int, size: int, name: str, stride: int = 1) -> Any:
    """Twice relu, separable convolution, normalization; the first convolution may have a stride."""
    x = Activation("relu")(x)
    padding = "same"
    if stride == 2:
        x = ZeroPadding2D(_padding(x, size), name=f"separable_conv_1_pad_{name}")(x)
        padding = "valid"
    first = SeparableConv2D(
        filters,
        (size, size),
        strides=(stride, stride),
        padding=padding,
        use_bias=False,
        name=f"separable_conv_1_{name}",
    )
    x = first(x)
    x = Activation("relu")(normalized(x, f"separable_conv_1_bn_{name}"))
    x = SeparableConv2D(filters, (size, size), padding="same", use_bias=False, name=f"separable_conv_2_{name}")(x)
    return normalized(x, f"separable_conv_2_bn_{name}")


def _fitted(before: Any, x: Any, filters: int, name: str) -> Any:
    """`before` with the rows and columns of x and the given number of channels."""
    if _sides(before) != _sides(x):
        return _halved(before, filters, name)
    if K.int_shape(before)[channel_axis()] == filters:
        return before
    before = Activation("relu")(before)
    before = Conv2D(filters, (1, 1), padding="same", use_bias=False, name=f"adjust_conv_projection_{name}")(before)
    return normalized(before, f"adjust_bn_{name}")


def _halved(x: Any, filters: int, name: str) -> Any:
    """Every second pixel, and beside them every second pixel of the image moved by one."""
    x = Activation("relu", name=f"adjust_relu_1_{name}")(x)
    moved = Cropping2D(((1, 0), (1, 0)))(ZeroPadding2D(((0, 1), (0, 1)))(x))
    halves = []
    for number, image in ((1, x), (2, moved)):
        half = AveragePooling2D((1, 1), strides=(2, 2), name=f"adjust_avg_pool_{number}_{name}")(image)
        convolution = Conv2D(filters // 2, (1, 1), padding="same", use_bias=False, name=f"adjust_conv_{number}_{name}")
        halves.append(convolution(half))
    return normalized(concatenate(halves, axis=channel_axis()), f"adjust_bn_{name}")
