"""The names of the 1000 classes of ImageNet."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

import numpy as np

from kcore.errors import ArgumentError, ShapeError
from kcore.utils import cached_file

CLASSES = 1000
INDEX_URL = "https://s3.amazonaws.com/deep-learning-models/image-models/imagenet_class_index.json"
INDEX_HASH: str | None = "c2c37ea517e94d9795004a39431a14cb"


def decode_predictions(preds: Any, top: int = 5) -> list[list[tuple[str, str, float]]]:
    """The most probable classes of each sample. Manual, section 13.2.1.

    Args:
        preds: array (batch, 1000), the output of an ImageNet model with its top.
        top: how many classes for each sample, 1 to 1000.

    Returns:
        For each sample a list of (WordNet id, class name, score), the highest score first.

    Raises:
        ShapeError: preds has another shape.
        ArgumentError: top is not in 1..1000.
        DownloadError: the names are not in the cache and cannot be fetched.
    """
    preds = np.asarray(preds)
    if preds.ndim != 2 or preds.shape[1] != CLASSES:
        raise ShapeError(
            f"preds has the shape {preds.shape}; expected (samples, {CLASSES}): only the classes of ImageNet have "
            "names here",
            shapes=(preds.shape,),
        )
    if not 1 <= top <= CLASSES:
        raise ArgumentError(f"top is {top!r}; expected 1 to {CLASSES}")
    names = _names(INDEX_URL, INDEX_HASH)
    best = np.argsort(-preds, axis=1, kind="stable")[:, :top]
    return [[(*names[i], scores[i]) for i in row] for scores, row in zip(preds, best)]


@lru_cache(maxsize=1)
def _names(url: str, file_hash: str | None) -> list[tuple[str, str]]:
    """(WordNet id, name) by class number."""
    path = cached_file("imagenet_class_index.json", url, file_hash, cache_subdir="models")
    with open(path, encoding="utf-8") as file:
        index = json.load(file)
    return [(index[str(i)][0], index[str(i)][1]) for i in range(CLASSES)]
