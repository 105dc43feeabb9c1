"""Wrong ranks, shapes, axes and dtypes are refused when the graph is built, with the shapes in the message."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kcore import ops as O
from kcore.errors import DTypeError, GraphError, ShapeError
from kcore.graph import Tensor, apply, placeholder


def t(*shape: int | None, dtype: str = "float32") -> Tensor:
    return placeholder(shape, dtype, "x")


REFUSED: list[tuple[Any, type[Exception], str]] = [
    (lambda: t(2, 3) + t(2, 4), ShapeError, r"add: float32\(2, 3\) and float32\(2, 4\) do not broadcast"),
    (lambda: t(None, 3) * t(None, 4), ShapeError, r"float32\(\?, 3\) and float32\(\?, 4\)"),
    (lambda: O.where(t(2, dtype="bool"), t(3), t(3)), ShapeError, r"bool\(2\) and float32\(3\)"),
    (lambda: t(2, dtype="bool") - t(2, dtype="bool"), DTypeError, "cannot subtract"),
    (lambda: -t(2, dtype="bool"), DTypeError, "cannot negate"),
    (lambda: O.reduce_sum(t(2, 3), 2), ShapeError, "sum: axis 2 is out of range for 2 dimensions"),
    (lambda: O.reduce_sum(t(2, 3), (0, -2)), ShapeError, "names an axis twice"),
    (lambda: O.reduce_mean(t(2, 3), 1.5), ShapeError, "an axis must be an int, got 1.5"),
    (lambda: O.argmin(t(2, 0), 1), ShapeError, r"axis 1 of float32\(2, 0\) is empty"),
    (lambda: O.argmax(t(2), 1), ShapeError, "argmax: axis 1"),
    (lambda: O.argmax(t(0)), ShapeError, "empty"),
    (lambda: O.logsumexp(t(2, dtype="int32")), DTypeError, "floating-point"),
    (lambda: O.cumsum(t(2), 3), ShapeError, "cumsum: axis 3"),
    (lambda: O.reshape(t(2, 3), (4, 2)), ShapeError, r"cannot reshape float32\(2, 3\) of 6 elements to \(4, 2\)"),
    (lambda: O.reshape(t(2, 3), (-1, 4)), ShapeError, r"to \(-1, 4\)"),
    (lambda: O.reshape(t(2, 3), (-1, -1)), ShapeError, "only one dimension"),
    (lambda: O.reshape(t(None, 4), (-1, 3)) and O.reshape(t(None, 6), (-1, 5, 7)), ShapeError, "cannot reshape"),
    (lambda: O.reshape(t(2, 3), "ab"), ShapeError, "not a dimension"),
    (lambda: O.reshape(t(2, 3), (2.5, 2)), ShapeError, "2.5 is not a dimension"),
    (lambda: O.transpose(t(2, 3), (0, 0)), ShapeError, "name each axis"),
    (lambda: O.transpose(t(2, 3), (0,)), ShapeError, "name each axis"),
    (lambda: O.expand_dims(t(2), 3), ShapeError, "axis 3 is out of range"),
    (lambda: O.squeeze(t(2, 3), 1), ShapeError, r"axis 1 of float32\(2, 3\) has length 3, not 1"),
    (lambda: O.broadcast_to(t(2, 3), (2, 4)), ShapeError, r"cannot broadcast float32\(2, 3\) to \(2, 4\)"),
    (lambda: O.broadcast_to(t(2, 3), (3,)), ShapeError, "cannot broadcast"),
    (lambda: O.broadcast_to(t(3), (1,)), ShapeError, "cannot broadcast"),
    (
        lambda: O.concat([t(2, 3), t(3, 4)], 1),
        ShapeError,
        r"concat: float32\(2, 3\), float32\(3, 4\) differ in dimension 0",
    ),
    (lambda: O.concat([t(2, 3), t(2)], 0), ShapeError, "ranks differ"),
    (lambda: O.concat([]), ShapeError, "no tensors"),
    (lambda: O.stack([t(2), t(3)]), ShapeError, "differ in dimension 0"),
    (lambda: O.stack([]), ShapeError, "no tensors"),
    (lambda: O.tile(t(2, 3), (2,)), ShapeError, "one number for each of the 2 dimensions"),
    (lambda: O.repeat(t(2, 3), (1, 0)), ShapeError, ">= 1"),
    (lambda: O.pad(t(2, 3), ((1, 1),)), ShapeError, "two numbers"),
    (lambda: O.pad(t(2), ((-1, 0),)), ShapeError, ">= 0"),
    (lambda: t(2, 3)[2], ShapeError, "index 2 is out of range for axis 0"),
    (lambda: t(2, 3)[0, 0, 0], ShapeError, "too many indices"),
    (lambda: O.gather(t(2, 3), t(2)), DTypeError, "needs integer indices"),
    (lambda: O.gather(t(), t(2, dtype="int32")), ShapeError, "at least one dimension"),
    (lambda: O.one_hot(t(2), 3), DTypeError, "needs integer indices"),
    (lambda: O.pick(t(2, 3), t(3, dtype="int32")), ShapeError, "without its last axis"),
    (lambda: O.in_top_k(t(2, 3), t(3, dtype="int32"), 1), ShapeError, "differ in batch size"),
    (lambda: O.in_top_k(t(2), t(2, dtype="int32"), 1), ShapeError, r"\(batch, classes\)"),
    (
        lambda: t(2, 3) @ t(4, 2),
        ShapeError,
        r"float32\(2, 3\) and float32\(4, 2\) do not fit: 3 columns against 4 rows",
    ),
    (lambda: t(2, 2, 3) @ t(4, 3, 2), ShapeError, "do not broadcast"),
    (lambda: O.matmul(t(), t(2)), ShapeError, "vectors or matrices"),
    (lambda: O.dot(t(2, 3), t(4, 5)), ShapeError, "axis 1 of the first has length 3, axis 0 of the second 4"),
    (lambda: O.dot(t(), t(2)), ShapeError, "at least one dimension"),
    (lambda: O.batch_dot(t(2, 3), t(2, 4), 1), ShapeError, "axis 1 of the first has length 3"),
    (lambda: O.batch_dot(t(2, 3), t(4, 3), 1), ShapeError, "axis 0 of the first has length 2"),
    (lambda: O.batch_dot(t(2, 3), t(2, 3), 0), ShapeError, "the batch"),
    (lambda: O.batch_dot(t(2), t(2)), ShapeError, "at least 2 dimensions"),
    (lambda: O.batch_dot(t(2, 3), t(2, 3), (1, 1, 1)), ShapeError, "an int or two ints"),
    (lambda: O.softmax(t(2, dtype="int32")), DTypeError, "floating-point"),
    (lambda: O.softmax(t(2, 3), 2), ShapeError, "softmax: axis 2"),
    (lambda: O.categorical_crossentropy(t(2, 3), t(2, 4)), ShapeError, "differ in dimension 1"),
    (lambda: O.bias_add(t(2, 3, 4), t(3), "channels_last"), ShapeError, "3 channels does not fit"),
    (lambda: O.bias_add(t(2, 3, 4, 5), t(3, 4), "channels_last"), ShapeError, "Unexpected bias dimensions 2"),
    (lambda: O.normalize_batch(t(2, 3), t(4), t(3), (0,), 1e-3), ShapeError, r"weights of shape \(3,\)"),
    (lambda: O.normalize_batch(t(2, 3, dtype="int32"), None, None, (0,), 1e-3), DTypeError, "floating-point"),
    (lambda: O.dropout(t(2, dtype="int32"), 0.5, None, 1), DTypeError, "floating-point"),
    (lambda: t(2) + "a", DTypeError, "expected a number"),
    (lambda: apply("no_such_operation", t(2)), GraphError, "no operation is registered"),
]


@pytest.mark.parametrize(("build", "error", "message"), REFUSED, ids=range(len(REFUSED)))
def test_refused(build: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        build()
    assert isinstance(caught.value, ValueError)


def test_wrong_shapes_behind_unknown_dimensions_are_refused_when_they_become_known() -> None:
    from kcore.runtime.function import Function

    x, y = t(None), t(None)
    f = Function([x, y], [x + y])
    with pytest.raises(ShapeError, match=r"float32\(2\) and float32\(3\).*\n.*test_errors.py"):
        f([np.zeros(2, "float32"), np.zeros(3, "float32")])
