"""Locally connected layers. Their kernel is (positions, window * channels, filters).

2.1.6 has channels_first in 2D only, and padding "valid" only.
"""

from __future__ import annotations

from layer_case import Case, case, disciplined

FIRST = {"data_format": "channels_first"}


def cases() -> list[Case]:
    one = [
        case("LocallyConnected1D", (2, 6, 3), args={"filters": 4, **more})
        for more in [
            {"kernel_size": 3},
            {"kernel_size": 2, "strides": 2, "activation": "relu"},
            {"kernel_size": 3, "strides": 2, "use_bias": False},
            {"kernel_size": 1, "activation": "tanh"},
            {"kernel_size": 6},
        ]
    ]
    two = [
        case("LocallyConnected2D", shape, args={"filters": 3, **more, **data_format})
        for shape, data_format in (((2, 4, 5, 2), {}), ((2, 2, 4, 5), FIRST))
        for more in [
            {"kernel_size": 2},
            {"kernel_size": [3, 2], "strides": [1, 2]},
            {"kernel_size": [2, 3], "strides": 2, "use_bias": False},
            {"kernel_size": 3, "activation": "tanh"},
            {"kernel_size": [4, 5]},
        ]
    ]
    return [*one, *two, *_disciplined()]


def _disciplined() -> list[Case]:
    return [
        disciplined("LocallyConnected1D", (2, 6, 2), parts=("kernel", "bias"), args={"filters": 3, "kernel_size": 2}),
    ]
