"""Activations, crossentropies, normalization, drop-out, bias."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kcore import ops as O
from kcore.backend.random import seed_of
from kcore.errors import ArgumentError
from kcore.graph import Tensor
from kcore.ops.common import as_tensor as _tensor
from kcore.ops.common import number
from kcore.shapes import normalize_data_format

__all__ = [
    "batch_normalization",
    "bias_add",
    "binary_crossentropy",
    "categorical_crossentropy",
    "dropout",
    "elu",
    "hard_sigmoid",
    "in_top_k",
    "l2_normalize",
    "normalize_batch_in_training",
    "relu",
    "sigmoid",
    "softmax",
    "softplus",
    "softsign",
    "sparse_categorical_crossentropy",
    "tanh",
]

# -- activations ------------------------------------------------------------------------------------------


def relu(x: Any, alpha: float = 0.0, max_value: float | None = None) -> Tensor:
    """``max(x, 0)``.

    Args:
        x: a tensor.
        alpha: the slope for negative numbers.
        max_value: a number above which the result stays constant; None for none.
    """
    return O.relu(x, alpha, max_value)


def elu(x: Any, alpha: float = 1.0) -> Tensor:
    """``x`` where positive, else ``alpha * (e ** x - 1)``."""
    return O.elu(x, alpha)


def softmax(x: Any, axis: int = -1) -> Tensor:
    """``exp(x) / sum(exp(x))`` along `axis`."""
    return O.softmax(x, axis)


def softplus(x: Any) -> Tensor:
    """``log(1 + e ** x)``."""
    return O.softplus(x)


def softsign(x: Any) -> Tensor:
    """``x / (1 + |x|)``."""
    return O.softsign(x)


def sigmoid(x: Any) -> Tensor:
    """``1 / (1 + e ** -x)``."""
    return O.sigmoid(x)


def hard_sigmoid(x: Any) -> Tensor:
    """``0.2 * x + 0.5``, limited to ``[0, 1]``: a cheap approximation of the sigmoid."""
    return O.hard_sigmoid(x)


def tanh(x: Any) -> Tensor:
    """The hyperbolic tangent."""
    return O.tanh(x)


# -- losses -----------------------------------------------------------------------------------------------


def categorical_crossentropy(target: Any, output: Any, from_logits: bool = False) -> Tensor:
    """The crossentropy between two distributions over the last axis.

    Args:
        target: probabilities ``(..., classes)``.
        output: probabilities of the same shape (scaled to sum 1); with `from_logits`, their unscaled logarithms.
        from_logits: which of the two `output` holds.

    Returns:
        ``(...)``.
    """
    return O.categorical_crossentropy(target, output, from_logits)


def sparse_categorical_crossentropy(target: Any, output: Any, from_logits: bool = False) -> Tensor:
    """The crossentropy where the target distribution is given as one class number.

    Args:
        target: class numbers ``(...)`` or ``(..., 1)``.
        output: probabilities ``(..., classes)``; with `from_logits`, their unscaled logarithms.
        from_logits: which of the two `output` holds.

    Returns:
        ``(...)``.
    """
    return O.sparse_categorical_crossentropy(target, output, from_logits)


def binary_crossentropy(target: Any, output: Any, from_logits: bool = False) -> Tensor:
    """The crossentropy of independent yes-or-no probabilities, elementwise.

    Args:
        target: numbers in ``[0, 1]``.
        output: probabilities of the same shape; with `from_logits`, their logits ``log(p / (1 - p))``.
        from_logits: which of the two `output` holds.
    """
    return O.binary_crossentropy(target, output, from_logits)


def in_top_k(predictions: Any, targets: Any, k: int) -> Tensor:
    """Whether targets are among the `k` largest predictions.

    Args:
        predictions: ``(batch, classes)``.
        targets: class numbers ``(batch,)``.
        k: how many predictions count.

    Returns:
        ``(batch,)``, bool.
    """
    return O.in_top_k(predictions, targets, k)


# -- normalization ----------------------------------------------------------------------------------------


def normalize_batch_in_training(
    x: Any, gamma: Any, beta: Any, reduction_axes: Sequence[int], epsilon: float = 1e-3
) -> tuple[Tensor, Tensor, Tensor]:
    """Batch normalization with the mean and variance of the batch itself.

    Args:
        x: a float tensor.
        gamma: scale; None for none.
        beta: shift; None for none.
        reduction_axes: the axes over which the statistics are taken.
        epsilon: added to the variance.

    Returns:
        the normalized tensor, the mean, the variance.
    """
    return O.normalize_batch(x, gamma, beta, reduction_axes, epsilon)


def batch_normalization(x: Any, mean: Any, var: Any, beta: Any, gamma: Any, epsilon: float = 1e-3) -> Tensor:
    """``(x - mean) / sqrt(var + epsilon) * gamma + beta``; `beta` and `gamma` may be None."""
    return O.apply_batch_norm(_tensor(x), mean, var, beta, gamma, epsilon)


def l2_normalize(x: Any, axis: Any = None) -> Tensor:
    """`x` divided by its Euclidean length along `axis`."""
    return O.l2_normalize(x, axis)


def dropout(x: Any, level: float, noise_shape: Sequence[Any] | None = None, seed: int | None = None) -> Tensor:
    """`x` with a share of its elements set to 0 at random, and the others divided by the share that is kept.

    Args:
        x: a tensor.
        level: the share set to 0, at least 0 and below 1.
        noise_shape: the shape of the random choice, which is broadcast to that of `x`.
        seed: of the random numbers; by default drawn from ``numpy.random``.

    Raises:
        ValueError: `level` is outside of ``[0, 1)``.
    """
    if not 0.0 <= number("dropout", "level", level) < 1.0:
        raise ArgumentError(f"dropout needs a level of at least 0 and below 1, got {level!r}")
    return O.dropout(x, level, noise_shape, seed_of("dropout", seed))


def bias_add(x: Any, bias: Any, data_format: str | None = None) -> Tensor:
    """Add a bias.

    Args:
        x: ``(batch, ..., channels)``, or ``(batch, channels, ...)`` with "channels_first".
        bias: ``(channels,)``, or of the shape of a sample (channels last).
        data_format: "channels_last" or "channels_first"; by default the configured one.

    Raises:
        ValueError: `data_format` is neither, or the bias has another number of dimensions.
    """
    return O.bias_add(x, bias, normalize_data_format(data_format))
