"""Layers of Keras 1 that are a setting of a layer today."""

from __future__ import annotations

from typing import Any

from kcore.errors import warn
from kcore_layers_convolutional.conv import Conv1D, Conv2D


def AtrousConvolution1D(*args: Any, **kwargs: Any) -> Conv1D:
    """A `Conv1D`; the old argument `atrous_rate` is its `dilation_rate`."""
    return _atrous(Conv1D, 1, args, kwargs)


def AtrousConvolution2D(*args: Any, **kwargs: Any) -> Conv2D:
    """A `Conv2D`; the old argument `atrous_rate` is its `dilation_rate`."""
    return _atrous(Conv2D, 2, args, kwargs)


def _atrous(layer: Any, rank: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if "atrous_rate" in kwargs:
        kwargs["dilation_rate"] = kwargs.pop("atrous_rate")
        warn(
            f"AtrousConvolution{rank}D is {layer.__name__} today, and its argument `atrous_rate` is `dilation_rate`; "
            f"write {layer.__name__}(..., dilation_rate=...)"
        )
    return layer(*args, **kwargs)
