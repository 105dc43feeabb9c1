"""Embedding."""

from __future__ import annotations

from layer_case import Case, case, disciplined, values

WORDS = values([[1, 4, 0, 2], [3, 3, 0, 0], [5, 1, 1, 0]])


def cases() -> list[Case]:
    return [
        case("Embedding", WORDS, args={"input_dim": 6, "output_dim": 3}),
        case("Embedding", WORDS, args={"input_dim": 6, "output_dim": 3, "mask_zero": True}),
        case("Embedding", WORDS, args={"input_dim": 6, "output_dim": 2, "input_length": 4}),
        case("Embedding", WORDS, args={"input_dim": 7, "output_dim": 1, "input_length": 4, "mask_zero": True}),
        case("Embedding", values([[0], [5]]), name="one_word", args={"input_dim": 6, "output_dim": 4}),
        case(
            "Embedding", values([[[1, 0, 2], [2, 2, 5]], [[0, 0, 0], [4, 3, 1]]]), name="3d",
            args={"input_dim": 6, "output_dim": 2, "input_length": [2, 3]},
        ),
        *_disciplined(),
    ]  # fmt: skip


def _disciplined() -> list[Case]:
    return [
        disciplined(
            "Embedding", values([[0, 2, 2], [4, 1, 0]]), parts=("embeddings",), args={"input_dim": 5, "output_dim": 3}
        ),
    ]
