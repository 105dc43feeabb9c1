"""Activations that are layers."""

from __future__ import annotations

from layer_case import Case, case


def cases() -> list[Case]:
    return [
        case("LeakyReLU", (2, 5), name="default"),
        case("LeakyReLU", (2, 3, 4), args={"alpha": 0.1}),
        case("ELU", (2, 5), name="default"),
        case("ELU", (2, 3, 4), args={"alpha": 0.5}),
        case("ThresholdedReLU", (2, 9), name="default"),
        case("ThresholdedReLU", (2, 3, 4), args={"theta": 0.3}),
        case("ReLU", (2, 5), name="default"),
        case("ReLU", (2, 3, 4), args={"max_value": 0.6}),
        case("ReLU", (2, 3, 4), args={"negative_slope": 0.2, "max_value": 0.6}),
        case("ReLU", (2, 3, 4), args={"threshold": 0.3}),
        case("ReLU", (2, 3, 4), args={"max_value": 0.8, "negative_slope": 0.1, "threshold": 0.3}),
        case("Softmax", (2, 5), name="default"),
        case("Softmax", (2, 3, 4), args={"axis": 1}),
        case("Softmax", (2, 3, 4), args={"axis": -1}),
        case("Softmax", (2, 3, 4, 2), args={"axis": 2}),
        case("PReLU", (2, 5), name="default"),
        case("PReLU", (2, 3, 4), name="3d"),
        case("PReLU", (2, 3, 4, 2), args={"shared_axes": [1, 2]}),
        case("PReLU", (2, 3, 4, 2), args={"shared_axes": [2]}),
        case("PReLU", (2, 3, 4, 2), args={"shared_axes": [1, 2, 3]}),
        case("PReLU", (2, 3, 4), args={"shared_axes": [1]}),
        case("PReLU", (2, 3, 4, 2), name="4d"),
        case("PReLU", (2, 3, 4, 2, 2), args={"shared_axes": [1, 2, 3]}, name="5d-shared"),
        case("Softmax", (2, 3, 4), args={"axis": -2}),
        *(
            case(layer, (2, 4, 3), name="mask", masks=([[1, 1, 0, 0], [1, 0, 1, 1]],))
            for layer in ("ELU", "ThresholdedReLU", "PReLU", "ReLU")
        ),
        case("LeakyReLU", (2, 4, 3), name="mask", masks=([[1, 1, 0, 0], [1, 0, 1, 1]],)),
    ]
