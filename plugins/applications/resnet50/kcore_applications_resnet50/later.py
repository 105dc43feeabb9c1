"""Weights that the later API saved: the same network, with other names, another order and another epsilon."""

from __future__ import annotations

import os
import re
from typing import Any

from kcore.engine import Model
from kcore.errors import SavedModelError
from kcore.saving import inspect_file

#: Of the normalization.
EPSILON = 1.001e-5

_NAMES = {"conv1": "conv1_conv", "bn_conv1": "conv1_bn", "fc1000": "predictions"}
_IN_BLOCK = re.compile(r"(res|bn)(\d)([a-f])_branch(1|2a|2b|2c)")


def later_name(name: str) -> str:
    """What the later API calls a layer: `conv2_block1_1_conv` for `res2a_branch2a`."""
    match = _IN_BLOCK.fullmatch(name)
    if match is None:
        return _NAMES.get(name, name)
    kind, stage, block, branch = match.groups()
    part = ("1", "2a", "2b", "2c").index(branch)
    return f"conv{stage}_block{'abcdef'.index(block) + 1}_{part}_{'conv' if kind == 'res' else 'bn'}"


def is_later(weights: str | os.PathLike[str] | None) -> bool:
    """Whether `weights`, as the application takes it, is the path of a file that the later API saved."""
    if weights is None or weights == "imagenet" or not os.path.exists(weights):
        return False
    return "conv1_conv" in _layers_in(weights)


def load_later(model: Model, path: str | os.PathLike[str]) -> None:
    """Load such a file: by name, since the order of the layers is another one.

    Raises:
        SavedModelError: the file lacks a layer that has weights.
    """
    weighted = [layer for layer in model.layers if layer.weights]
    own_names = [layer.name for layer in weighted]
    missing = sorted({later_name(name) for name in own_names} - _layers_in(path))
    if missing:
        raise SavedModelError(
            f"{os.fspath(path)} has weights of a ResNet50, but none for {', '.join(missing)}: was it saved with "
            "another `include_top`?"
        )
    try:
        for layer in weighted:
            layer.name = later_name(layer.name)
        model.load_weights(path, by_name=True)
    finally:
        for layer, name in zip(weighted, own_names, strict=True):
            layer.name = name


def _layers_in(path: Any) -> set[str]:
    return {layer["name"] for layer in inspect_file(path)["model"]["layers"]}
