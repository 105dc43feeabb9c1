"""Losses on real-valued targets (manual 7.2).

Each takes `y_true` and `y_pred` of shape `(batch, ..., features)`, of one floating dtype, and returns the
loss of each sample: shape `(batch, ...)`, the last axis reduced.
"""

from __future__ import annotations

import math

from kcore import backend as K
from kcore.graph import Tensor


def mean_squared_error(y_true: Tensor, y_pred: Tensor) -> Tensor:
    """Mean over the last axis of `(y_pred - y_true)^2`."""
    return K.mean(K.square(y_pred - y_true), axis=-1)


def mean_absolute_error(y_true: Tensor, y_pred: Tensor) -> Tensor:
    """Mean over the last axis of `|y_pred - y_true|`."""
    return K.mean(K.abs(y_pred - y_true), axis=-1)


def mean_absolute_percentage_error(y_true: Tensor, y_pred: Tensor) -> Tensor:
    """100 times the mean over the last axis of `|y_true - y_pred| / |y_true|`.

    The denominator is at least `K.epsilon()`, so that targets of 0 give a large but finite loss.
    """
    relative = K.abs((y_true - y_pred) / K.maximum(K.abs(y_true), K.epsilon()))
    return 100.0 * K.mean(relative, axis=-1)


def mean_squared_logarithmic_error(y_true: Tensor, y_pred: Tensor) -> Tensor:
    """Mean over the last axis of `(log(1 + y_pred) - log(1 + y_true))^2`.

    Values below `K.epsilon()`, negative ones among them, count as `K.epsilon()`.
    """
    difference = _log_plus_one(y_pred) - _log_plus_one(y_true)
    return K.mean(K.square(difference), axis=-1)


def _log_plus_one(x: Tensor) -> Tensor:
    return K.log(K.maximum(x, K.epsilon()) + 1.0)


def logcosh(y_true: Tensor, y_pred: Tensor) -> Tensor:
    """Mean over the last axis of the logarithm of the hyperbolic cosine of the error.

    About `x^2 / 2` for a small error `x` and `|x| - log(2)` for a large one: like the mean squared error, but
    not dominated by the occasional wildly wrong prediction.
    """
    error = y_pred - y_true
    # log(cosh(x)) = x + log(1 + exp(-2x)) - log(2), which does not overflow where cosh does.
    return K.mean(error + K.softplus(-2.0 * error) - math.log(2.0), axis=-1)


def poisson(y_true: Tensor, y_pred: Tensor) -> Tensor:
    """Mean over the last axis of `y_pred - y_true * log(y_pred + epsilon)`.

    The negative log-likelihood of counts `y_true` under Poisson distributions with means `y_pred > 0`, up
    to a term that does not depend on `y_pred`.
    """
    return K.mean(y_pred - y_true * K.log(y_pred + K.epsilon()), axis=-1)


def cosine_proximity(y_true: Tensor, y_pred: Tensor) -> Tensor:
    """Minus the cosine of the angle between `y_true` and `y_pred`: -1 where they point the same way."""
    return -K.sum(K.l2_normalize(y_true, axis=-1) * K.l2_normalize(y_pred, axis=-1), axis=-1)
