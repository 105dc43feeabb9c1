"""Losses on classes and probabilities (manual 7.2).

Unless said otherwise each takes `y_true` and `y_pred` of shape `(batch, ..., classes)`, of one floating
dtype, and returns the loss of each sample: shape `(batch, ...)`, the last axis reduced.
"""

from __future__ import annotations

from kcore import backend as K
from kcore.graph import Tensor


def categorical_crossentropy(y_true: Tensor, y_pred: Tensor) -> Tensor:
    """Cross-entropy between two distributions over classes: minus the sum of `y_true * log(y_pred)`.

    Args:
        y_true: one-hot vectors or probabilities (integer classes: `sparse_categorical_crossentropy`, or
            `kcore.utils.to_categorical` first).
        y_pred: probabilities; scaled to sum 1, and kept `K.epsilon()` away from 0 and 1.
    """
    return K.categorical_crossentropy(y_true, y_pred)


def sparse_categorical_crossentropy(y_true: Tensor, y_pred: Tensor) -> Tensor:
    """Cross-entropy with integer classes: minus the logarithm of the probability of the true class.

    Args:
        y_true: classes from 0 to classes - 1, shape `(batch, ..., 1)`, of any dtype.
        y_pred: probabilities, shape `(batch, ..., classes)`.
    """
    return K.sparse_categorical_crossentropy(y_true, y_pred)


def binary_crossentropy(y_true: Tensor, y_pred: Tensor) -> Tensor:
    """Mean over the last axis of the cross-entropy of independent yes-or-no answers.

    Args:
        y_true: 0 or 1, or probabilities.
        y_pred: probabilities of a 1, kept `K.epsilon()` away from 0 and 1.
    """
    return K.mean(K.binary_crossentropy(y_true, y_pred), axis=-1)


def kullback_leibler_divergence(y_true: Tensor, y_pred: Tensor) -> Tensor:
    """Sum over the last axis of `y_true * log(y_true / y_pred)`, both kept between `K.epsilon()` and 1."""
    y_true = K.clip(y_true, K.epsilon(), 1.0)
    y_pred = K.clip(y_pred, K.epsilon(), 1.0)
    return K.sum(y_true * K.log(y_true / y_pred), axis=-1)


def hinge(y_true: Tensor, y_pred: Tensor) -> Tensor:
    """Mean over the last axis of `max(1 - y_true * y_pred, 0)`, for targets of -1 or 1."""
    return K.mean(_margin(y_true, y_pred), axis=-1)


def squared_hinge(y_true: Tensor, y_pred: Tensor) -> Tensor:
    """Mean over the last axis of `max(1 - y_true * y_pred, 0)^2`, for targets of -1 or 1."""
    return K.mean(K.square(_margin(y_true, y_pred)), axis=-1)


def _margin(y_true: Tensor, y_pred: Tensor) -> Tensor:
    return K.maximum(1.0 - y_true * y_pred, 0.0)


def categorical_hinge(y_true: Tensor, y_pred: Tensor) -> Tensor:
    """`max(0, 1 + the largest score of a wrong class - the score of the true class)`, for one-hot targets."""
    true_score = K.sum(y_true * y_pred, axis=-1)
    wrong_score = K.max((1.0 - y_true) * y_pred, axis=-1)
    return K.maximum(wrong_score - true_score + 1.0, 0.0)
