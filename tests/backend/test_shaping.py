"""Each function on shapes against NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from kcore import backend as K
from kcore.errors import ShapeError

X = np.arange(6, dtype="float32").reshape(2, 3)
X3 = np.arange(24, dtype="float32").reshape(2, 3, 4)
IMAGE = np.arange(48, dtype="float32").reshape(2, 3, 4, 2)
VOLUME = np.arange(48, dtype="float32").reshape(1, 2, 3, 4, 2)


def _pad(x: Any, *pairs: tuple[int, int]) -> Any:
    return np.pad(x, pairs)


@pytest.mark.parametrize(
    ("mine", "reference"),
    [
        (K.reshape(X, (3, 2)), X.reshape(3, 2)),
        (K.reshape(X, (-1,)), X.ravel()),
        (K.permute_dimensions(X3, (0, 2, 1)), X3.transpose(0, 2, 1)),
        (K.transpose(X), X.T),
        (K.flatten(X3), X3.ravel()),
        (K.batch_flatten(X3), X3.reshape(2, 12)),
        (K.expand_dims(X), X[..., None]),
        (K.expand_dims(X, 1), X[:, None]),
        (K.squeeze(X[:, None], 1), X),
        (K.reverse(X3, 1), X3[:, ::-1]),
        (K.reverse(X3, (0, -1)), X3[::-1, :, ::-1]),
        (K.concatenate([X, X + 1]), np.concatenate([X, X + 1], -1)),
        (K.concatenate([X, X + 1], axis=0), np.concatenate([X, X + 1], 0)),
        (K.stack([X, X + 1], axis=1), np.stack([X, X + 1], 1)),
        (K.tile(X, [2, 3]), np.tile(X, [2, 3])),
        (K.tile(X[0], 2), np.tile(X[0], 2)),
        (K.repeat(X, 2), np.stack([X, X], 1)),
        (K.repeat_elements(X3, 2, axis=1), X3.repeat(2, 1)),
        (K.repeat_elements(X3, 3, axis=-1), X3.repeat(3, -1)),
        (K.resize_images(IMAGE, 2, 3, "channels_last"), IMAGE.repeat(2, 1).repeat(3, 2)),
        (K.resize_images(IMAGE, 2, 3, "channels_first"), IMAGE.repeat(2, 2).repeat(3, 3)),
        (K.resize_volumes(VOLUME, 2, 1, 3, "channels_last"), VOLUME.repeat(2, 1).repeat(3, 3)),
        (K.resize_volumes(VOLUME, 2, 1, 3, "channels_first"), VOLUME.repeat(2, 2).repeat(3, 4)),
        (K.temporal_padding(X3), _pad(X3, (0, 0), (1, 1), (0, 0))),
        (K.temporal_padding(X3, (2, 0)), _pad(X3, (0, 0), (2, 0), (0, 0))),
        (K.spatial_2d_padding(IMAGE), _pad(IMAGE, (0, 0), (1, 1), (1, 1), (0, 0))),
        (
            K.spatial_2d_padding(IMAGE, ((1, 2), (0, 3)), "channels_first"),
            _pad(IMAGE, (0, 0), (0, 0), (1, 2), (0, 3)),
        ),
        (
            K.spatial_3d_padding(VOLUME, ((1, 2), (0, 3), (1, 0))),
            _pad(VOLUME, (0, 0), (1, 2), (0, 3), (1, 0), (0, 0)),
        ),
        (
            K.spatial_3d_padding(VOLUME, data_format="channels_first"),
            _pad(VOLUME, (0, 0), (0, 0), (1, 1), (1, 1), (1, 1)),
        ),
        (K.gather(X, np.array([1, 0, 1])), X[[1, 0, 1]]),
        (K.one_hot(np.array([[0, 2], [1, 1]]), 3), np.eye(3, dtype="float32")[[[0, 2], [1, 1]]]),
    ],
    ids=range(31),
)
def test_value(mine: Any, reference: Any) -> None:
    value = K.eval(mine)
    assert_array_equal(value, reference)
    assert value.dtype == reference.dtype
    assert K.int_shape(mine) == reference.shape


def test_unknown_dimensions() -> None:
    x = K.placeholder((None, None, 4))
    outputs = {
        "batch_flatten": (K.batch_flatten(x), (None, None)),
        "reshape": (K.reshape(x, (-1, 2)), (None, 2)),
        "like another": (K.reshape(K.flatten(x), K.shape(x)), (None, None, 4)),
        "some dimensions": (K.reshape(x, (K.shape(x)[0], 1, -1, 4)), (None, 1, None, 4)),
        "repeat_elements": (K.repeat_elements(x, 2, 1), (None, None, 4)),
        "concatenate": (K.concatenate([x, x], 1), (None, None, 4)),
        "padding": (K.temporal_padding(x), (None, None, 4)),
        "stack": (K.stack([x, x]), (2, None, None, 4)),
        "tile": (K.tile(x, (1, 2, 2)), (None, None, 8)),
    }
    for name, (tensor, shape) in outputs.items():
        assert K.int_shape(tensor) == shape, name
    values = K.function([x], [t for t, _ in outputs.values()])([X3])
    assert [v.shape for v in values] == [
        (2, 12), (12, 2), (2, 3, 4), (2, 1, 3, 4), (2, 6, 4), (2, 6, 4), (2, 5, 4), (2, 2, 3, 4), (2, 6, 8),
    ]  # fmt: skip


REFUSED: list[tuple[Any, str]] = [
    (lambda: K.repeat(X3, 2), r"repeat needs a tensor of 2 dimensions, got float32\(2, 3, 4\)"),
    (lambda: K.temporal_padding(X), "3 dimensions"),
    (lambda: K.temporal_padding(X3, (1, 1, 1)), "pair"),
    (lambda: K.spatial_2d_padding(X3), "4 dimensions"),
    (lambda: K.spatial_2d_padding(IMAGE, ((1, 1),)), "2 pair"),
    (lambda: K.spatial_3d_padding(IMAGE), "5 dimensions"),
    (lambda: K.resize_images(X3, 1, 1, "channels_last"), "4 dimensions"),
    (lambda: K.resize_images(IMAGE, 1, 1, "rows_first"), "channels_first"),
    (lambda: K.resize_volumes(VOLUME, 1, 1, 1, "rows_first"), "channels_first"),
    (lambda: K.spatial_2d_padding(IMAGE, data_format="x"), "channels_first"),
    (lambda: K.batch_flatten(K.constant(1.0)), "batch dimension"),
    (lambda: K.repeat_elements(X, 2, 2), "axis 2"),
    (lambda: K.concatenate([X, X3]), "ranks differ"),
    (lambda: K.gather(X, np.array([0.5])), "integer"),
]


@pytest.mark.parametrize(("build", "message"), REFUSED, ids=range(len(REFUSED)))
def test_refused(build: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()


def test_errors_are_shape_errors_with_the_shapes() -> None:
    with pytest.raises(ShapeError) as caught:
        K.repeat(X3, 2)
    assert caught.value.shapes == ((2, 3, 4),)
