"""Convolutions of every kind, cropping, padding and upsampling, in 1D, 2D and 3D."""

from __future__ import annotations

from layer_case import Case, case, disciplined

FIRST = {"data_format": "channels_first"}


def cases() -> list[Case]:
    return [
        *_conv1d(), *_conv2d(), *_conv3d(), *_separable(), *_depthwise(), *_transposed(), *_cropping(), *_padding(),
        *_upsampling(),
        *_disciplined()]  # fmt: skip


def _conv1d() -> list[Case]:
    x = (2, 7, 3)
    return [
        case("Conv1D", x, args={"filters": 4, "kernel_size": size, "padding": padding, **more})
        for size, padding, more in [
            (3, "valid", {}),
            (2, "valid", {"strides": 2}),
            (3, "same", {}),
            (4, "same", {"strides": 3}),
            (2, "same", {"use_bias": False, "activation": "relu"}),
            (3, "causal", {}),
            (2, "causal", {"strides": 2}),
            (3, "causal", {"dilation_rate": 2}),
            (3, "valid", {"dilation_rate": 3}),
            (3, "same", {"dilation_rate": 2, "activation": "tanh"}),
            (1, "valid", {"use_bias": False}),
            (7, "valid", {}),
        ]
    ]


def _conv2d() -> list[Case]:
    x, first = (2, 5, 6, 3), (2, 3, 5, 6)
    tables = [
        ((3, 2), "valid", {}),
        ((3, 3), "same", {}),
        ((2, 4), "same", {"activation": "elu"}),
        (3, "same", {"strides": 2}),
        (2, "same", {"strides": (3, 2)}),
        (3, "valid", {"strides": (1, 2), "use_bias": False}),
        (2, "valid", {"strides": 3}),
        ((2, 3), "valid", {"dilation_rate": 2}),
        (3, "same", {"dilation_rate": (2, 3)}),
        (1, "valid", {"strides": 2}),
        (1, "same", {"use_bias": False, "activation": "relu"}),
    ]
    found = [
        case("Conv2D", shape, args={"filters": 4, "kernel_size": size, "padding": padding, **more, **data_format})
        for shape, data_format in ((x, {}), (first, FIRST))
        for size, padding, more in tables
    ]
    softmax = {"filters": 3, "kernel_size": 2, "activation": "softmax"}
    return [
        *found,
        case("Conv2D", x, args=softmax),
        case("Conv2D", (1, 8, 9, 8), name="wide", args={"filters": 16, "kernel_size": 3, "padding": "same"}),
        case("Conv2D", (3, 4, 4, 1), name="one_channel", args={"filters": 1, "kernel_size": 3}),
    ]


def _conv3d() -> list[Case]:
    x, first = (2, 4, 5, 3, 2), (2, 2, 4, 5, 3)
    tables = [
        ((2, 3, 1), "valid", {}),
        (3, "same", {"activation": "tanh"}),
        (2, "same", {"strides": 2}),
        ((2, 2, 3), "valid", {"strides": (1, 2, 1), "use_bias": False}),
        (2, "valid", {"dilation_rate": 2}),
    ]
    return [
        case("Conv3D", shape, args={"filters": 3, "kernel_size": size, "padding": padding, **more, **data_format})
        for shape, data_format in ((x, {}), (first, FIRST))
        for size, padding, more in tables
    ]


def _separable() -> list[Case]:
    tables = [
        (3, "valid", {}),
        (3, "same", {"strides": 2}),
        (2, "same", {"depth_multiplier": 2, "activation": "relu"}),
        (3, "valid", {"depth_multiplier": 3, "use_bias": False}),
        (2, "same", {"dilation_rate": 2}),
        (2, "valid", {"strides": 2, "depth_multiplier": 2}),
    ]
    one = [
        case("SeparableConv1D", (2, 7, 3), args={"filters": 4, "kernel_size": size, "padding": padding, **more})
        for size, padding, more in tables
    ]
    two = [
        case(
            "SeparableConv2D",
            shape,
            args={"filters": 4, "kernel_size": size, "padding": padding, **more, **data_format},
        )
        for shape, data_format in (((2, 5, 6, 3), {}), ((2, 3, 5, 6), FIRST))
        for size, padding, more in [*tables, ((3, 2), "valid", {}), ((1, 3), "same", {})]
    ]
    return [*one, *two]


def _depthwise() -> list[Case]:
    tables = [
        (3, "valid", {}),
        ((2, 3), "same", {"activation": "relu"}),
        (3, "same", {"strides": 2}),
        (3, "valid", {"strides": 2, "use_bias": False}),
        (2, "same", {"depth_multiplier": 2}),
        ((3, 2), "valid", {"depth_multiplier": 3, "strides": 2}),
    ]
    return [
        case("DepthwiseConv2D", shape, args={"kernel_size": size, "padding": padding, **more, **data_format})
        for shape, data_format in (((2, 5, 6, 3), {}), ((2, 3, 5, 6), FIRST))
        for size, padding, more in tables
    ]


def _transposed() -> list[Case]:
    """Output sizes: dim * stride + max(kernel - stride, 0) for valid, dim * stride for same."""
    tables = [
        (3, "valid", {}),
        (3, "same", {}),
        (3, "valid", {"strides": 2}),
        ((2, 3), "same", {"strides": 2, "activation": "relu"}),
        (2, "valid", {"strides": 3}),
        ((4, 2), "same", {"strides": (3, 1)}),
        (4, "valid", {"strides": (2, 1), "use_bias": False}),
        (1, "valid", {"strides": 2}),
        (5, "same", {"strides": 2}),
    ]
    two = [
        case(
            "Conv2DTranspose",
            shape,
            args={"filters": 4, "kernel_size": size, "padding": padding, **more, **data_format},
        )
        for shape, data_format in (((2, 3, 4, 3), {}), ((2, 3, 3, 4), FIRST))
        for size, padding, more in tables
    ]
    three = [
        case(
            "Conv3DTranspose",
            shape,
            args={"filters": 2, "kernel_size": size, "padding": padding, **more, **data_format},
        )
        for shape, data_format in (((2, 2, 3, 2, 3), {}), ((2, 3, 2, 3, 2), FIRST))
        for size, padding, more in [
            (2, "valid", {}),
            (3, "same", {"strides": 2}),
            ((2, 3, 1), "valid", {"strides": (2, 1, 3), "activation": "tanh", "use_bias": False}),
        ]
    ]
    return [*two, *three]


def _cropping() -> list[Case]:
    return [
        case("Cropping1D", (2, 6, 3), args={"cropping": 1}),
        case("Cropping1D", (2, 6, 3), args={"cropping": [0, 2]}),
        case("Cropping1D", (2, 6, 3), args={"cropping": [2, 1]}),
        *(
            case(f"Cropping{rank}D", shape, args={"cropping": cropping, **data_format})
            for rank, shapes, croppings in [
                (2, ((2, 5, 6, 2), (2, 2, 5, 6)), [1, [1, 2], [[0, 1], [2, 0]], [[2, 2], [0, 0]]]),
                (3, ((2, 5, 4, 5, 2), (2, 2, 5, 4, 5)), [1, [1, 0, 2], [[0, 1], [2, 0], [1, 1]]]),
            ]
            for shape, data_format in zip(shapes, ({}, FIRST))
            for cropping in croppings
        ),
    ]


def _padding() -> list[Case]:
    return [
        case("ZeroPadding1D", (2, 3, 2), args={"padding": 2}),
        case("ZeroPadding1D", (2, 3, 2), args={"padding": [0, 3]}),
        *(
            case(f"ZeroPadding{rank}D", shape, args={"padding": padding, **data_format})
            for rank, shapes, paddings in [
                (2, ((2, 2, 3, 2), (2, 2, 2, 3)), [1, [1, 2], [[0, 1], [2, 0]]]),
                (3, ((2, 2, 1, 3, 2), (2, 2, 2, 1, 3)), [1, [1, 0, 2], [[0, 1], [2, 0], [1, 1]]]),
            ]
            for shape, data_format in zip(shapes, ({}, FIRST))
            for padding in paddings
        ),
    ]


def _upsampling() -> list[Case]:
    return [
        case("UpSampling1D", (2, 3, 2), args={"size": 2}),
        case("UpSampling1D", (2, 3, 2), args={"size": 3}),
        *(
            case(f"UpSampling{rank}D", shape, args={"size": size, **data_format})
            for rank, shapes, sizes in [
                (2, ((2, 2, 3, 2), (2, 2, 2, 3)), [2, [2, 3], [1, 2]]),
                (3, ((1, 2, 1, 3, 2), (1, 2, 2, 1, 3)), [2, [2, 1, 3]]),
            ]
            for shape, data_format in zip(shapes, ({}, FIRST))
            for size in sizes
        ),
    ]


def _disciplined() -> list[Case]:
    return [
        disciplined("Conv1D", (2, 6, 2), parts=("kernel", "bias"), args={"filters": 3, "kernel_size": 2}),
        disciplined("Conv2D", (2, 4, 5, 2), parts=("kernel", "bias"), args={"filters": 3, "kernel_size": 2}),
        disciplined("Conv3D", (2, 3, 4, 3, 2), parts=("kernel", "bias"), args={"filters": 2, "kernel_size": 2}),
        disciplined("Conv2DTranspose", (2, 3, 3, 2), parts=("kernel", "bias"), args={"filters": 3, "kernel_size": 2}),
        disciplined("DepthwiseConv2D", (2, 4, 4, 2), parts=("depthwise", "bias"), args={"kernel_size": 2}),
        *(
            disciplined(name, shape, parts=("depthwise", "pointwise", "bias"), args={"filters": 3, "kernel_size": 2})
            for name, shape in (("SeparableConv1D", (2, 6, 2)), ("SeparableConv2D", (2, 4, 5, 2)))
        ),
    ]
