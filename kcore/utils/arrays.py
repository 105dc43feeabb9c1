"""Small functions on NumPy arrays of users: one-hot labels, unit vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from kcore.errors import DataError, LabelError
from kcore.shapes import positive_int
from kcore.versions import explained


@explained
def to_categorical(y: Any, num_classes: int | None = None) -> np.ndarray:
    """Class numbers as one-hot rows, for `categorical_crossentropy`. Manual, section 20.4.

    Args:
        y: class numbers from 0 to `num_classes` - 1, of any shape; a last axis of length 1 is dropped.
        num_classes: number of classes; by default the largest of `y` plus 1.

    Returns:
        float32 array of shape `(*y.shape, num_classes)`.

    Raises:
        LabelError (an IndexError and ValueError): a class number is negative or too large.

    Example:
        >>> to_categorical([0, 2], 3)
        array([[1., 0., 0.],
               [0., 0., 1.]], dtype=float32)
    """
    try:
        labels = np.asarray(y, dtype="int")
    except (TypeError, ValueError) as error:
        raise LabelError(f"to_categorical: `y` must be class numbers, got {y!r:.200}: {error}") from None
    shape = labels.shape
    if len(shape) > 1 and shape[-1] == 1:
        shape = shape[:-1]
    labels = labels.ravel()
    if num_classes is not None:
        num_classes = positive_int(num_classes, "num_classes", "to_categorical", least=0)
    if not num_classes:
        if not labels.size:
            raise LabelError("to_categorical: `num_classes` must be given where there are no labels")
        num_classes = int(labels.max()) + 1
    if labels.size and (labels.min() < 0 or labels.max() >= num_classes):
        raise LabelError(
            f"to_categorical: the labels go from {labels.min()} to {labels.max()}; expected 0 to {num_classes - 1}, "
            f"for {num_classes} classes"
        )
    rows = np.zeros((labels.size, num_classes), dtype="float32")
    rows[np.arange(labels.size), labels] = 1
    return rows.reshape(*shape, num_classes)


def normalize(x: Any, axis: int = -1, order: int = 2) -> np.ndarray:
    """Vectors along an axis, each divided by its norm; zero vectors stay. Manual, section 20.5.

    Args:
        x: array.
        axis: the axis along which the vectors lie.
        order: of the norm: 2 for the Euclidean one.

    Returns:
        A new array of the shape of `x`; `(1, n)` for a single vector of length `n`, as Keras 2 has it.
    """
    try:
        array = np.asarray(x)
        norms = np.atleast_1d(np.linalg.norm(array, order, axis))
    except (TypeError, ValueError) as error:  # the axis is none of the array's, too
        raise DataError(f"normalize: cannot take norms along axis {axis!r} of {x!r:.200}: {error}") from None
    norms[norms == 0] = 1
    return array / np.expand_dims(norms, axis)
