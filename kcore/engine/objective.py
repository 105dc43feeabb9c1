"""Losses and metrics of one output: names to functions, and functions to one number for a batch."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from types import FunctionType
from typing import Any

from kcore import backend as K
from kcore import metrics
from kcore.engine.layer import Layer
from kcore.errors import ArgumentError, DataError, GraphError, NotInstalledError
from kcore.graph import Tensor, apply, dims_of
from kcore.ops.creation import full
from kcore.plugins import registry

Objective = Callable[[Tensor, Tensor], Tensor]

#: Loss functions that compare element by element, so that targets must have the shape of outputs.
_SAME_SHAPE = ("mean_squared_error", "binary_crossentropy", "categorical_crossentropy")


def name_of(function: Any) -> str:
    """The name of a loss or metric: a layer's own, a function's otherwise."""
    if isinstance(function, Layer):
        return function.name
    return getattr(function, "__name__", None) or type(function).__name__


def masked_mean(
    function: Objective, y_true: Tensor, y_pred: Tensor, weights: Tensor | None = None, mask: Tensor | None = None
) -> Tensor:
    """The mean of a loss or metric over a batch.

    With scores s, mask m and weights w: the mean of ``s * m / mean(m)``, averaged over the axes that w does
    not have, times ``w / mean(w != 0)``. So masked steps and samples of weight 0 do not count.

    Args:
        function: ``(y_true, y_pred)`` to scores, (batch,) or (batch, steps, ...).
        y_true, y_pred: targets and outputs.
        weights: (batch,) or (batch, steps); None for all 1.
        mask: (batch, steps), of the output; None for none. Scores of more axes share it over these.

    Returns:
        scalar.
    """
    _check_arguments(function)
    score = function(y_true, y_pred)
    if not isinstance(score, (Tensor, Real)):
        raise GraphError(
            f"the loss or metric {name_of(function)} must return a tensor of the scores of the samples; it returned "
            f"{score!r:.200}"
        )
    if mask is not None:
        mask = K.cast(mask, K.floatx())
        share = K.mean(mask)
        for _ in range(K.ndim(score) - K.ndim(mask)):
            mask = K.expand_dims(mask)
        score = score * mask / share
    if weights is not None:
        extra = list(range(K.ndim(weights), K.ndim(score)))
        if extra:
            score = K.mean(score, axis=extra)
        score = score * weights
        score = score / K.mean(K.cast(K.not_equal(weights, 0), K.floatx()))
    return K.mean(score)


def _check_arguments(function: Objective) -> None:
    """Refuse a function that cannot be called with targets and outputs."""
    if not isinstance(function, FunctionType):
        return
    try:
        inspect.signature(function).bind("y_true", "y_pred")
    except TypeError as error:
        raise ArgumentError(
            f"a loss or metric is called with (y_true, y_pred), which {function.__name__} does not take: {error}"
        ) from None


def weights_tensor(y_pred: Tensor, temporal: bool, name: str) -> Tensor:
    """Sample weights of an output: all 1 where they are not fed.

    A function that has this tensor among its inputs is fed weights. In any other it is a constant, and what
    is multiplied by it compiles to nothing. So training with and without weights is one graph.

    Returns:
        (batch,), or (batch, steps) if `temporal`.
    """
    ones = full(dims_of(y_pred)[: 2 if temporal else 1], 1.0, K.floatx())
    weights = apply("identity", ones)  # each output has its own, even where two have one shape
    weights.name = name
    return weights


# -- metrics by their short names -------------------------------------------------------------------------

_SHORT = {
    "accuracy": ("accuracy", "acc"),
    "acc": ("accuracy", "acc"),
    "crossentropy": ("crossentropy", "ce"),
    "ce": ("crossentropy", "ce"),
}


def metric_of(identifier: Any, loss: Objective | None, output_shape: Sequence[int | None]) -> tuple[str, Objective]:
    """The name under which a metric is reported, and its function.

    "accuracy" and "crossentropy" stand for the binary, sparse or categorical one, whichever fits the loss
    and the shape of the output.
    """
    if not isinstance(identifier, str) or identifier not in _SHORT:
        metric = metrics.get(identifier)
        function = metric() if isinstance(metric, type) else metric  # a class of stateful metrics
        return name_of(function), function
    what, label = _SHORT[identifier]
    if output_shape[-1] == 1 or _is(loss, "binary_crossentropy"):
        kind = "binary"
    elif expects_indices(loss):
        kind = "sparse_categorical"
    else:
        kind = "categorical"
    return label, registry.get("metrics", f"{kind}_{what}")


# -- what a loss expects of targets -----------------------------------------------------------------------


def _is(function: Any, name: str) -> bool:
    return getattr(function, "__name__", None) == name


def expects_indices(loss: Any) -> bool:
    """Whether targets are class indices where outputs are scores of all classes.

    A plugin's loss says so by an attribute ``sparse_targets = True``.
    """
    return bool(getattr(loss, "sparse_targets", _is(loss, "sparse_categorical_crossentropy")))


def target_shape(loss: Any, output_shape: tuple[int | None, ...]) -> tuple[int | None, ...] | None:
    """The shape that targets must have; None for a loss of the user's own, which may want anything."""
    if expects_indices(loss):
        return (*output_shape[:-1], 1)
    return output_shape if _is_known(loss) else None


def check_target(target: Any, loss: Any, output_name: str, output_shape: Sequence[int | None]) -> None:
    """Find the mistakes that broadcasting would hide.

    Raises:
        DataError: the target does not suit the loss.
    """
    shape = tuple(target.shape)
    if _is(loss, "categorical_crossentropy") and shape[-1] == 1:
        raise DataError(
            f"You are passing a target array of shape {shape} while using as loss `categorical_crossentropy`, which "
            "expects one-hot rows of shape (samples, classes). For one output between 0 and 1 use "
            "`binary_crossentropy`; for class indices use `sparse_categorical_crossentropy`, or turn them into one-hot "
            "rows with kcore.utils.to_categorical and give the model one output a class.",
            argument="y",
        )
    if getattr(loss, "__name__", None) not in _SAME_SHAPE:
        return
    for have, want in zip(shape[1:], output_shape[1:], strict=False):
        if want is not None and have != want:
            raise DataError(
                f"A target array with shape {shape} was passed for an output {output_name!r} of shape "
                f"{tuple(output_shape)} while using as loss `{loss.__name__}`. This loss expects targets to have the "
                "same shape as the output.",
                argument="y",
            )


def _is_known(loss: Any) -> bool:
    """Whether a loss is one that is looked up by name, and not a function of the user's own."""
    name = getattr(loss, "__name__", None)
    if not name:
        return False
    try:
        return registry.get("losses", name) is loss
    except NotInstalledError:
        return False


# -- arguments that may be given for each output ----------------------------------------------------------


def for_each_output(value: Any, names: Sequence[str], argument: str) -> list[Any]:
    """An argument of `compile` that is a list or a dict, as one item an output.

    Raises:
        ArgumentError: unknown names, or another length.
    """
    if isinstance(value, Mapping):
        unknown = [k for k in value if k not in names]
        if unknown:
            raise ArgumentError(
                f"Unknown entry in {argument} dictionary: {', '.join(map(repr, unknown))}. Only expected the following "
                f"keys: {list(names)}",
                argument=argument,
            )
        return [value.get(n) for n in names]
    if len(value) != len(names):
        raise ArgumentError(
            f"When passing a list as {argument}, it should have one entry per model output. The model has "
            f"{len(names)} outputs ({', '.join(names)}), but you passed {argument}={value!r:.200}",
            argument=argument,
        )
    return list(value)


def metrics_for_each_output(metrics: Any, names: Sequence[str], argument: str) -> list[list[Any]]:
    """The argument `metrics`: a list counts for every output, a dict gives one or several by output.

    Raises:
        ArgumentError: neither of the two.
    """
    if metrics is None:
        return [[] for _ in names]
    if isinstance(metrics, Mapping):
        items = for_each_output(metrics, names, argument)
        return [[] if m is None else list(m) if isinstance(m, (list, tuple)) else [m] for m in items]
    if isinstance(metrics, (list, tuple)):
        return [list(metrics) for _ in names]
    raise ArgumentError(
        f"Type of `{argument}` argument not understood. Expected a list or dictionary, found: {metrics!r:.80}",
        argument=argument,
    )
