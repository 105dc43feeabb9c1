"""Random transforms of images: what parameters they have, how these are drawn, and what they do to a batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from kcore_preprocessing.image import affine

#: Each parameter, and what stands for no change. The first six say where a pixel is read: see `affine.matrix`.
NEUTRAL: dict[str, Any] = {
    **{"theta": 0, "tx": 0, "ty": 0, "shear": 0, "zx": 1, "zy": 1},
    **{"flip_horizontal": False, "flip_vertical": False, "channel_shift_intensity": None, "brightness": None},
}
_PLACES = tuple(NEUTRAL)[:6]


class Uniform(NamedTuple):
    """A number between two others."""

    low: float
    high: float


class Choice(NamedTuple):
    """One of some numbers (of 0..n-1, for an int n), with either sign."""

    values: Any


def draw(ranges: Mapping[str, Uniform | Choice | None], random: Any, count: int) -> dict[str, np.ndarray]:
    """A number for each range that is not None, for each of `count` images: arrays (count,).

    Image after image is drawn in the order of the ranges, as Keras does, so that a seed means the same there and here.
    """
    given = {name: limits for name, limits in ranges.items() if limits is not None}
    if any(isinstance(limits, Choice) for limits in given.values()):
        numbers = np.array([[_one(limits, random) for limits in given.values()] for _ in range(count)])
    else:
        # What `uniform` does, for all images at once.
        low, high = np.array(list(given.values()), dtype="float64").reshape(-1, 2).T
        numbers = low + (high - low) * random.random_sample((count, len(given)))
    return dict(zip(given, numbers.reshape(count, len(given)).T))


def _one(limits: Uniform | Choice, random: Any) -> float:
    if isinstance(limits, Uniform):
        return random.uniform(*limits)
    return random.choice(limits.values) * random.choice([-1, 1])


def apply(x: np.ndarray, parameters: Mapping[str, np.ndarray], fill_mode: str, cval: float) -> np.ndarray:
    """A batch of images, (batch, rows, cols, channels), transformed: a new array.

    Args:
        x: the images.
        parameters: arrays (batch,) for any of the names in `NEUTRAL`.
        fill_mode, cval: what is outside of an image: see `affine.warp`.
    """
    m = affine.matrix(**{name: parameters[name] for name in _PLACES if name in parameters})
    m = np.broadcast_to(affine.centered(m, *x.shape[1:3]), (len(x), 3, 3))
    x = affine.warp(x, m, fill_mode, cval) if (m != np.eye(3)).any() else x.copy()
    for i, intensity in enumerate(parameters.get("channel_shift_intensity", ())):
        x[i] = affine.shift_channels(x[i], intensity)
    for name, axis in (("flip_horizontal", 2), ("flip_vertical", 1)):
        if name in parameters:
            chosen = parameters[name].astype(bool)
            x[chosen] = np.flip(x[chosen], axis)
    for i, factor in enumerate(parameters.get("brightness", ())):
        x[i] = affine.brighten(x[i], factor)
    return x
