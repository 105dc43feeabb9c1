"""Dense, Activation, Masking, reshaping layers, and dropout layers in the test phase."""

from __future__ import annotations

from layer_case import Case, case, disciplined, values

MASK = [[1, 1, 0, 0], [1, 0, 1, 1]]
ACTIVATIONS = [
    "linear", "relu", "elu", "selu", "sigmoid", "hard_sigmoid", "tanh", "softmax", "softplus", "softsign",
]  # fmt: skip


def cases() -> list[Case]:
    return [*_dense(), *_activation(), *_reshaping(), *_masking(), *_dropout(), *_disciplined()]


def _dense() -> list[Case]:
    return [
        case("Dense", (2, 3), args={"units": 4}),
        case("Dense", (2, 3), args={"units": 4, "use_bias": False}),
        case("Dense", (2, 3, 5), args={"units": 4, "activation": "tanh"}),
        case("Dense", (2, 3, 4, 5), args={"units": 3, "activation": "softmax"}),
        case("Dense", (2, 3), args={"units": 4, "activation": "relu"}),
        case("Dense", (2, 3), args={"units": 4, "activation": "selu"}),
        case("Dense", (2, 4, 3), name="mask", args={"units": 2}, masks=(MASK,)),
        case("Dense", (2, 3), name="one_unit", args={"units": 1, "activation": "sigmoid"}),
    ]


def _activation() -> list[Case]:
    found = [case("Activation", (2, 7), args={"activation": name}) for name in ACTIVATIONS]
    found += [
        case("Activation", (2, 3, 4), name=f"{name}-3d", args={"activation": name}) for name in ("softmax", "elu")
    ]
    return [*found, case("Activation", (2, 4, 3), name="mask", args={"activation": "relu"}, masks=(MASK,))]


def _reshaping() -> list[Case]:
    return [
        case("Flatten", (2, 3, 4), name="3d"),
        case("Flatten", (2, 3, 4, 2), name="4d"),
        case("Flatten", (2, 3, 4, 2), args={"data_format": "channels_first"}),
        case("Flatten", (2, 3, 4, 2, 3), name="channels_first-5d", args={"data_format": "channels_first"}),
        case("Reshape", (2, 12), args={"target_shape": [3, 4]}),
        case("Reshape", (2, 3, 4), args={"target_shape": [-1, 2, 2]}),
        case("Reshape", (2, 3, 4), args={"target_shape": [-1]}),
        case("Permute", (2, 3, 4), args={"dims": [2, 1]}),
        case("Permute", (2, 3, 4, 5), args={"dims": [3, 1, 2]}),
        case("RepeatVector", (2, 3), args={"n": 4}),
    ]


def _masking() -> list[Case]:
    zeros = values([[[0, 0], [1, 0], [2, 3]], [[4, 5], [0, 0], [0, 0]]], "float32")
    sevens = values([[[7, 7], [7, 0], [2, 3]], [[4, 5], [0, 0], [7, 7]]], "float32")
    return [
        case("Masking", (2, 4, 3), name="nothing_masked"),
        case("Masking", zeros, name="default"),
        case("Masking", sevens, args={"mask_value": 7.0}),
        case("Masking", zeros, name="other_value", args={"mask_value": -1.0}),
    ]


def _dropout() -> list[Case]:
    return [
        case("Dropout", (2, 4, 3), args={"rate": 0.5}),
        case("Dropout", (2, 4, 3), name="mask", args={"rate": 0.3}, masks=(MASK,)),
        case("Dropout", (2, 4, 3), args={"rate": 0.3, "noise_shape": [2, 1, 3], "seed": 1}),
        case("SpatialDropout1D", (2, 4, 3), args={"rate": 0.5}),
        case("SpatialDropout2D", (2, 3, 4, 3), args={"rate": 0.5}),
        case("SpatialDropout2D", (2, 3, 4, 3), args={"rate": 0.5, "data_format": "channels_first"}),
        case("SpatialDropout3D", (2, 2, 3, 2, 3), args={"rate": 0.5}),
        case("ActivityRegularization", (2, 4), args={"l1": 0.1, "l2": 0.2}),
    ]


def _disciplined() -> list[Case]:
    return [
        disciplined("Dense", (2, 3), parts=("kernel", "bias"), args={"units": 4, "activation": "tanh"}),
    ]
