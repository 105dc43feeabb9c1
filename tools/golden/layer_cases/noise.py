"""Noise layers in the test phase, where they change nothing; their statistics are tested beside the layers."""

from __future__ import annotations

from layer_case import Case, case

MASK = [[1, 1, 0, 0], [1, 0, 1, 1]]


def cases() -> list[Case]:
    return [
        case("GaussianNoise", (2, 4, 3), args={"stddev": 0.5}),
        case("GaussianNoise", (2, 4, 3), name="mask", args={"stddev": 0.5}, masks=(MASK,)),
        case("GaussianDropout", (2, 4, 3), args={"rate": 0.5}),
        case("AlphaDropout", (2, 4, 3), args={"rate": 0.5}),
        case("AlphaDropout", (2, 4, 3), args={"rate": 0.5, "noise_shape": [2, 1, 3], "seed": 1}),
    ]
