"""Weights that the later API saved: the same network, with other names, another order and another epsilon."""

from __future__ import annotations

import os
import re

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


def later_layers(weights: str | os.PathLike[str] | None) -> set[str]:
    """The names of the layers in a file that the later API saved; none if `weights` is anything else."""
    if weights is None or weights == "imagenet" or not os.path.exists(weights):
        return set()
    names = {layer["name"] for layer in inspect_file(weights)["model"]["layers"]}
    return names if "conv1_conv" in names else set()


def load_later(model: Model, path: str | os.PathLike[str], saved: set[str]) -> None:
    """Load such a file: by name, since the order of the layers is another one.

    Args:
        model: the network, with its own names.
        path: of the file.
        saved: what `later_layers` found in it.

    Raises:
        SavedModelError: the file lacks a layer that has weights.
    """
    weighted = [layer for layer in model.layers if layer.weights]
    own_names = [layer.name for layer in weighted]
    missing = sorted({later_name(name) for name in own_names} - saved)
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
