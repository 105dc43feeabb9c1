"""Sample weights and class weights: brought into one array of weights for each output."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kcore.engine.standardize import as_array
from kcore.errors import DataError
from kcore.shapes import real_number

MODES = (None, "temporal")


def check_mode(mode: Any) -> Any:
    """`mode` if it is a sample weight mode.

    Raises:
        DataError: it is not.
    """
    if not isinstance(mode, (str, type(None))) or mode not in MODES:
        raise DataError(f'sample_weight_mode should be None or "temporal". Found: {mode!r}')
    return mode


def per_output(value: Any, names: Sequence[str], argument: str) -> list[Any]:
    """A setting given for all outputs at once, by list or by dict, as a list with one item an output.

    Args:
        value: None, one item (models of one output), a list, or a dict from output names.
        names: names of the outputs.
        argument: "sample_weight" or "class_weight"; for messages.
    """
    if value is None or (isinstance(value, (list, tuple, dict)) and not len(value)):
        return [None] * len(names)
    if len(names) == 1:
        if isinstance(value, dict) and names[0] in value:
            return [value[names[0]]]
        if isinstance(value, (list, tuple)) and len(value) == 1 and not isinstance(value[0], (int, float)):
            return [value[0]]
        return [value]
    if isinstance(value, dict):
        unknown = [k for k in value if k not in names]
        if unknown:
            raise DataError(f"{argument} names {unknown}, but the outputs are {list(names)}", argument=argument)
        return [value.get(n) for n in names]
    if isinstance(value, (list, tuple)):
        if len(value) != len(names):
            raise DataError(
                f"Provided `{argument}` was a list of {len(value)} elements, but the model has {len(names)} outputs. "
                f"You should provide one `{argument}` array per model output.",
                argument=argument,
            )
        return list(value)
    raise DataError(
        f"The model has multiple outputs, so `{argument}` should be either a list or a dict. Provided `{argument}` "
        f"type not understood: {type(value).__name__}",
        argument=argument,
    )


def sample_weights(target: Any, weight: Any, classes: Any, mode: str | None) -> Any:
    """The weights of one output: (samples,), or (samples, steps) in temporal mode; None where all are 1.

    Args:
        target: the target array, (samples, ...).
        weight: sample weights, or None.
        classes: class weights, or None; with both, their product.
        mode: None or "temporal".

    Raises:
        DataError: the weights do not fit the target.
    """
    if mode == "temporal" and len(target.shape) < 3 and (weight is not None or classes is not None):
        raise DataError(
            f"Found a sample_weight array for an output with shape {tuple(target.shape)}. Timestep-wise sample "
            'weighting (use of sample_weight_mode="temporal") is restricted to outputs that are at least 3D, i.e. '
            "that have a time dimension.",
            argument="sample_weight",
        )
    given = None if weight is None else _checked(as_array(weight, "sample_weight"), target, mode)
    if classes is None:
        return given
    by_class = class_weights(target, classes)
    return by_class if given is None else given[:] * by_class


def ones_for(target: Any, mode: str | None) -> np.ndarray:
    """Weights of 1 for a target that has none of its own."""
    return np.ones(target.shape[: 2 if mode == "temporal" else 1], "float32")


def _checked(weight: Any, target: Any, mode: str | None) -> Any:
    shape, target_shape = tuple(weight.shape), tuple(target.shape)
    if mode == "temporal" and len(shape) != 2:
        raise DataError(
            f"Found a sample_weight array with shape {shape}. In order to use timestep-wise sample weighting, you "
            "should pass a 2D sample_weight array.",
            argument="sample_weight",
        )
    if mode is None and len(shape) != 1:
        raise DataError(
            f"Found a sample_weight array with shape {shape}. In order to use timestep-wise sample weights, you should "
            'specify sample_weight_mode="temporal" in compile(). If you just mean to use sample-wise weights, make '
            "sure your sample_weight array is 1D.",
            argument="sample_weight",
        )
    if target_shape[: len(shape)] != shape:
        raise DataError(
            f"Found a sample_weight array with shape {shape} for a target with shape {target_shape}. sample_weight "
            "cannot be broadcast.",
            argument="sample_weight",
        )
    return weight


def class_weights(target: Any, weights: Any) -> np.ndarray:
    """The weight of each sample's class, (samples,).

    Args:
        target: (samples,) or (samples, 1) class indices, or (samples, classes) one-hot or scores.
        weights: dict from class index to weight, or a sequence of them.

    Raises:
        DataError: a class has no weight, or the target has more dimensions.
    """
    if isinstance(weights, np.ndarray) or (isinstance(weights, (list, tuple)) and len(weights)):
        weights = dict(enumerate(weights))
    if not isinstance(weights, dict):
        raise DataError(
            f"class_weight must be a dict from class indices to weights, got {weights!r:.80}", argument="class_weight"
        )
    if len(target.shape) > 2:
        raise DataError("`class_weight` not supported for 3+ dimensional targets.", argument="class_weight")
    values = np.asarray(target[:])
    if values.ndim == 2:
        values = values.argmax(axis=1) if values.shape[1] > 1 else values[:, 0]
    classes, positions = np.unique(values, return_inverse=True)
    missing = [c for c in classes.tolist() if c not in weights]
    if missing:
        raise DataError(
            "`class_weight` must contain all classes in the data. The classes "
            f"{set(missing)} exist in the data but not in `class_weight`.",
            argument="class_weight",
        )
    numbers = [real_number(weights[c], f"class_weight[{c!r}]") for c in classes.tolist()]
    table = np.array(numbers, dtype="float32")
    return table[positions.reshape(-1)]
