"""Accuracies: how often the predicted class is the true one (manual 8.2)."""

from __future__ import annotations

from kcore import backend as K
from kcore.graph import Tensor


def binary_accuracy(y_true: Tensor, y_pred: Tensor) -> Tensor:
    """Share of the last axis where `y_pred`, rounded to 0 or 1, equals `y_true`.

    Args:
        y_true: 0 or 1, shape `(batch, ..., outputs)`.
        y_pred: probabilities of a 1, of the same shape.

    Returns:
        Accuracy of each sample, shape `(batch, ...)`.
    """
    return K.mean(_as_float(K.equal(y_true, K.round(y_pred))), axis=-1)


def categorical_accuracy(y_true: Tensor, y_pred: Tensor) -> Tensor:
    """1 where the most probable class is the true one, else 0.

    Args:
        y_true: one-hot vectors, shape `(batch, ..., classes)`.
        y_pred: probabilities or scores, of the same shape.

    Returns:
        0 or 1 for each sample, shape `(batch, ...)`.
    """
    return _as_float(K.equal(K.argmax(y_true, axis=-1), K.argmax(y_pred, axis=-1)))


def sparse_categorical_accuracy(y_true: Tensor, y_pred: Tensor) -> Tensor:
    """1 where the most probable class is the true one, else 0, for integer classes.

    Args:
        y_true: classes from 0 to classes - 1, shape `(batch, ..., 1)` or `(batch, ...)`.
        y_pred: probabilities or scores, shape `(batch, ..., classes)`.

    Returns:
        0 or 1 for each sample, shape `(batch, ...)`.
    """
    predicted = K.argmax(y_pred, axis=-1)
    return _as_float(K.equal(K.cast(_classes(y_true, y_pred), K.dtype(predicted)), predicted))


def top_k_categorical_accuracy(y_true: Tensor, y_pred: Tensor, k: int = 5) -> Tensor:
    """Share of all samples whose true class is among the `k` most probable ones.

    Args:
        y_true: one-hot vectors, shape `(batch, ..., classes)`.
        y_pred: probabilities or scores, of the same shape.
        k: how many classes count, from 1 to the number of classes.

    Returns:
        A scalar, as in Keras 2.
    """
    return _top_k(y_pred, K.argmax(y_true, axis=-1), k)


def sparse_top_k_categorical_accuracy(y_true: Tensor, y_pred: Tensor, k: int = 5) -> Tensor:
    """Share of all samples whose true class is among the `k` most probable ones, for integer classes.

    Args:
        y_true: classes from 0 to classes - 1, shape `(batch, ..., 1)` or `(batch, ...)`.
        y_pred: probabilities or scores, shape `(batch, ..., classes)`.
        k: how many classes count, from 1 to the number of classes.

    Returns:
        A scalar, as in Keras 2.
    """
    return _top_k(y_pred, K.cast(_classes(y_true, y_pred), "int32"), k)


def _top_k(y_pred: Tensor, classes: Tensor, k: int) -> Tensor:
    if K.ndim(y_pred) > 2:  # in_top_k takes one row a sample
        y_pred = K.reshape(y_pred, (-1, K.int_shape(y_pred)[-1]))
        classes = K.flatten(classes)
    return K.mean(_as_float(K.in_top_k(y_pred, classes, k)), axis=-1)


def _classes(y_true: Tensor, y_pred: Tensor) -> Tensor:
    """Integer classes without the trailing axis of length 1 that targets of a model have."""
    return K.max(y_true, axis=-1) if K.ndim(y_true) == K.ndim(y_pred) else y_true


def _as_float(x: Tensor) -> Tensor:
    return K.cast(x, K.floatx())
