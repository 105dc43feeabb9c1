"""Calls of convolutions as Keras 1 wrote them, which Keras 2 still understands and the manual still prints (5.2.4)."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from kcore.errors import warn

RENAMED = {
    "nb_filter": "filters",
    "filter_length": "kernel_size",
    "subsample": "strides",
    "subsample_length": "strides",
    "border_mode": "padding",
    "atrous_rate": "dilation_rate",
    "dim_ordering": "data_format",
    "bias": "use_bias",
    "init": "kernel_initializer",
    "W_regularizer": "kernel_regularizer",
    "b_regularizer": "bias_regularizer",
    "W_constraint": "kernel_constraint",
    "b_constraint": "bias_constraint",
}
FORMATS = {"tf": "channels_last", "th": "channels_first", "default": None}
#: The lengths of the window were arguments of their own.
LENGTHS = {1: (), 2: ("nb_row", "nb_col"), 3: ("kernel_dim1", "kernel_dim2", "kernel_dim3")}


def understands_keras_1(rank: int) -> Callable[[Any], Any]:
    """Decorates `__init__`: arguments of Keras 1 are translated, with a warning that says what to write.

    `Conv2D(64, 3, 3, border_mode="same")` becomes `Conv2D(64, (3, 3), padding="same")`. As in Keras 2, as many
    ints after the filters as there are spatial dimensions (2 or 3) are the lengths of the window.
    """

    def decorate(init: Any) -> Any:
        @functools.wraps(init)
        def translating(self: Any, *args: Any, **kwargs: Any) -> None:
            new_args, new_kwargs = _translate(rank, args, kwargs)
            if (new_args, new_kwargs) != (args, kwargs):
                written = ", ".join([*map(repr, new_args), *(f"{key}={value!r}" for key, value in new_kwargs.items())])
                name = type(self).__name__
                warn(f"Update your `{name}` call to the Keras 2 API: `{name}({written})`")
            init(self, *new_args, **new_kwargs)

        return translating

    return decorate


def _translate(rank: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    lengths = args[1 : 1 + rank]
    if rank > 1 and len(lengths) == rank and all(type(length) is int for length in lengths):
        args = (args[0], lengths, *args[1 + rank :])
    found: dict[str, Any] = {}
    for key, value in kwargs.items():
        new = RENAMED.get(key, key)
        found[new] = FORMATS.get(value, value) if key == "dim_ordering" else value
    named = LENGTHS[rank]
    if named and all(key in found for key in named):
        found["kernel_size"] = tuple(found.pop(key) for key in named)
    return args, found
