"""The checks of the arguments that all applications share."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from kcore import backend as K
from kcore.errors import ArgumentError, ShapeError, warn

CLASSES = 1000


def check_arguments(weights: Any, include_top: bool, classes: int, pooling: str | None = None) -> None:
    """Checks what can be checked before anything is built.

    Args:
        weights: None, 'imagenet', or the path of a file of weights.
        include_top: whether the model ends in its classifier.
        classes: number of classes of that classifier.
        pooling: None, 'avg' or 'max'.

    Raises:
        ArgumentError: one of them does not fit; the message says which.
    """
    if not (weights is None or weights == "imagenet"):
        named = isinstance(weights, str | os.PathLike)
        if not named or not os.path.isfile(weights):
            raise ArgumentError(
                f"weights is {weights!r}; expected None (random weights), 'imagenet', or the path of a file"
                + (", and there is no such file" if named else "")
            )
    if not isinstance(classes, int | np.integer) or isinstance(classes, bool) or classes < 1:
        raise ArgumentError(f"classes is {classes!r}; expected a whole number of at least 1")
    if weights == "imagenet" and include_top and classes != CLASSES:
        raise ArgumentError(
            f"classes is {classes!r}, but the classifier of weights='imagenet' has {CLASSES} classes: take "
            "include_top=False and add a classifier, or weights=None"
        )
    if pooling not in (None, "avg", "max"):
        raise ArgumentError(f"pooling is {pooling!r}; expected None, 'avg' or 'max'")


def obtain_input_shape(
    input_shape: Sequence[int | None] | None,
    default_size: int,
    min_size: int,
    data_format: str | None,
    require_flatten: bool,
    weights: str | None = None,
    fixed_size: bool = False,
) -> tuple[int | None, ...]:
    """The shape of one image, from what the user gave.

    Args:
        input_shape: three sizes in the order of data_format, or None. A side may be None (images of any size) where
            the model has no layer that needs to know it.
        default_size: rows and columns that the model was trained on.
        min_size: the smallest side that leaves something after the model's last pooling.
        data_format: 'channels_last', 'channels_first', or None for the configured one.
        require_flatten: the model has its top, so both sides must be known.
        weights: as in the applications; 'imagenet' needs three channels, and with the top the default size.
        fixed_size: both sides must be known without the top too.

    Returns:
        Three sizes.

    Raises:
        ShapeError: the shape does not fit; the message says how.
    """
    first = (data_format or K.image_data_format()) == "channels_first"
    if input_shape is None:
        return _image_shape(default_size if require_flatten or fixed_size else None, 3, first)
    shape = _three_sizes(input_shape)
    channels, sides = (shape[0], shape[1:]) if first else (shape[2], shape[:2])
    _check_channels(shape, channels, weights)
    default = _image_shape(default_size, 3, first)
    if weights == "imagenet" and require_flatten and shape != default:
        raise ShapeError(
            f"input_shape is {shape}; with include_top=True and weights='imagenet' it must be {default}: the "
            "classifier was trained on that size. Take include_top=False for another",
            shapes=(shape, default),
        )
    if any(side is not None and side < min_size for side in sides):
        raise ShapeError(
            f"input_shape is {shape}; the rows and columns must be {min_size} or more",
            shapes=(shape, _image_shape(min_size, 3, first)),
        )
    if (require_flatten or fixed_size) and None in shape:
        raise ShapeError(f"input_shape is {shape}; this model needs sizes, such as {default}", shapes=(shape,))
    return shape


def _three_sizes(input_shape: Any) -> tuple[int | None, ...]:
    if not isinstance(input_shape, Sequence) or isinstance(input_shape, str) or len(input_shape) != 3:
        raise ShapeError(
            f"input_shape is {input_shape!r}; expected three sizes, without the batch, such as (224, 224, 3)",
            shapes=(input_shape,),
        )
    if not all(size is None or isinstance(size, int | np.integer) for size in input_shape):
        raise ShapeError(
            f"input_shape is {input_shape!r}; expected whole numbers, or None for any", shapes=(input_shape,)
        )
    return tuple(None if size is None else int(size) for size in input_shape)


def _image_shape(side: int | None, channels: int, first: bool) -> tuple[int | None, ...]:
    return (channels, side, side) if first else (side, side, channels)


def _check_channels(shape: tuple[int | None, ...], channels: int | None, weights: str | None) -> None:
    if weights == "imagenet" and channels != 3:
        raise ShapeError(f"input_shape is {shape}; weights='imagenet' needs three channels", shapes=(shape,))
    if channels not in (1, 3):
        warn(
            f"input_shape is {shape}: images with {channels} channels; expected 1 or 3. Is the data format "
            f"{K.image_data_format()!r} right?"
        )
