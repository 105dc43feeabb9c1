"""Gradients against finite differences, for operations, layers and losses alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from kcore.dtypes import canonical, is_float
from kcore.grad import gradients
from kcore.graph import Tensor, constant, placeholder
from kcore.ops import cast, reduce_sum
from kcore.runtime.function import Function

__all__ = ["check_gradient"]


def check_gradient(
    fn: Callable[..., Any],
    *arrays: Any,
    wrt: Sequence[int] | None = None,
    order: int = 2,
    unknown: bool = False,
    step: float = 1e-5,
    tolerance: float = 1e-5,
    seed: int = 0,
) -> None:
    """Hold the gradients of a function of tensors to central differences, in float64.

    The outputs are summed with fixed random weights to one number, whose derivative by every element of every input
    is compared; for the second order, so is that of the gradients, summed in the same way.

    Args:
        fn: takes one tensor for each array, returns a tensor or several.
        arrays: the point at which to compare. Float arrays are converted to float64; others keep their dtype.
            Keep away from kinks: a step must not cross one.
        wrt: positions of the inputs to differentiate by; by default all float ones.
        order: 1, or 2 for the second derivatives too.
        unknown: whether `fn` sees placeholders of unknown dimensions.
        step: of the differences.
        tolerance: allowed error, relative to the largest derivative (at least 1).
        seed: of the random weights.

    Raises:
        AssertionError: a derivative differs; the message names order, input and elements.
    """
    rng = np.random.default_rng(seed)
    point = [np.asarray(a) for a in arrays]
    point = [a.astype("float64") if is_float(canonical(a.dtype)) else a for a in point]
    inputs = [
        placeholder((None,) * a.ndim if unknown else a.shape, canonical(a.dtype), f"input_{i}")
        for i, a in enumerate(point)
    ]
    chosen = [i for i, a in enumerate(point) if a.dtype == "float64"] if wrt is None else list(wrt)
    outputs = fn(*inputs)
    value = _weighted(outputs, inputs, point, rng)
    for degree in range(1, order + 1):
        grads = gradients(value, [inputs[i] for i in chosen])
        _compare(value, grads, inputs, point, chosen, step, tolerance, degree)
        kept = [g for g in grads if g is not None]
        if degree == order or not kept:
            return
        value = _weighted(kept, inputs, point, rng)


def _weighted(outputs: Any, inputs: list[Tensor], point: list[Any], rng: np.random.Generator) -> Tensor:
    """The float outputs, summed with random weights."""
    tensors = [outputs] if isinstance(outputs, Tensor) else list(outputs)
    tensors = [t for t in tensors if is_float(t.dtype)]
    if not tensors:
        raise AssertionError("the function has no float output to differentiate")
    arrays = Function(inputs, tensors)(point)
    total: Any = 0.0
    for tensor, array in zip(tensors, arrays, strict=True):
        weights = constant(rng.uniform(0.5, 1.5, array.shape) * rng.choice([-1.0, 1.0], array.shape), "float64")
        total = total + reduce_sum(cast(tensor, "float64") * weights)
    return total


def _compare(
    value: Tensor,
    grads: Sequence[Tensor | None],
    inputs: list[Tensor],
    point: list[Any],
    chosen: list[int],
    step: float,
    tolerance: float,
    degree: int,
) -> None:
    run = Function(inputs, [value])
    known = [g for g in grads if g is not None]
    computed = iter(Function(inputs, known)(point))
    for i, grad in zip(chosen, grads, strict=True):
        analytic = np.zeros(point[i].shape) if grad is None else next(computed)
        if analytic.shape != point[i].shape:
            raise AssertionError(f"gradient of input {i}: shape {analytic.shape}, expected {point[i].shape}")
        numeric = _differences(run, point, i, step)
        scale = max(1.0, float(np.abs(numeric).max(initial=0.0)))
        error = np.abs(analytic - numeric)
        if not np.all(error <= tolerance * scale):
            at = np.unravel_index(int(np.nanargmax(np.where(np.isnan(error), np.inf, error))), error.shape)
            raise AssertionError(
                f"order {degree}, input {i}: derivative by element {tuple(map(int, at))} is {analytic[at]:.8g}, "
                f"by differences {numeric[at]:.8g} (allowed error {tolerance * scale:.1g})\n"
                f"computed:\n{analytic}\nby differences:\n{numeric}"
            )


def _differences(run: Function, point: list[Any], i: int, step: float) -> np.ndarray:
    """Central differences of a scalar function by each element of input number `i`."""
    numeric = np.zeros(point[i].shape)
    for at in np.ndindex(point[i].shape):
        values = []
        for sign in (1.0, -1.0):
            moved = point[i].copy()
            moved[at] += sign * step
            values.append(float(run([*point[:i], moved, *point[i + 1 :]])[0]))
        numeric[at] = (values[0] - values[1]) / (2 * step)
    return numeric
