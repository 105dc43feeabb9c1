"""One call or more of each numerical function of the backend, written for any Keras: `K` is an argument.

`golden/make_function_golden.py` runs them with tf-keras and keeps values and gradients; `test_every_function.py` runs
them with kcore. A case is ``"function/what": (call, arrays, order of the gradients that are compared)``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Case = tuple[Callable[..., Any], tuple[Any, ...], int]

_rng = np.random.default_rng(11)


def f(*shape: int) -> np.ndarray:
    return _rng.normal(size=shape)


def p(*shape: int) -> np.ndarray:
    return _rng.uniform(0.3, 2.0, size=shape)


def ints(high: int, *shape: int) -> np.ndarray:
    return _rng.integers(0, high, size=shape).astype("int32")


X, Y, P = f(2, 3, 4), f(2, 3, 4), p(2, 3, 4)
FLAGS = ints(2, 2, 3, 4).astype(bool)
SEQ, IMAGE, VOLUME = f(2, 7, 3), f(2, 5, 6, 3), f(1, 4, 5, 3, 2)
SINGLE = VOLUME.astype("float32").astype("float64")  # exact in float32 too
SHARES = P / P.sum(-1, keepdims=True)

CASES: dict[str, Case] = {}

SMOOTH = ("abs", "square", "exp", "sin", "cos", "sigmoid", "hard_sigmoid", "tanh", "softplus", "softsign")
for _name in (*SMOOTH, "elu", "relu", "softmax", "flatten"):
    CASES[_name] = (lambda K, x, n=_name: getattr(K, n)(x), (X,), 2)
for _name in ["batch_flatten", "transpose", "zeros_like", "ones_like", "shape", "sign", "round"]:
    CASES[_name] = (
        lambda K, x, n=_name: getattr(K, n)(x),
        (X,),
        0 if _name in "zeros_like ones_like shape sign round" else 2,
    )
for _name in ["sqrt", "log"]:
    CASES[_name] = (lambda K, x, n=_name: getattr(K, n)(x), (P,), 2)
for _name in ["sum", "mean", "max", "min", "var", "std", "prod", "logsumexp"]:
    for _axis, _keep in ((None, False), (-1, True), ((0, 2), False), (1, False)):
        CASES[f"{_name}/{_axis} {_keep}"] = (
            lambda K, x, n=_name, a=_axis, k=_keep: getattr(K, n)(x, axis=a, keepdims=k),
            (P,),
            2,
        )
for _name in ("any", "all"):
    CASES[_name] = (lambda K, x, n=_name: getattr(K, n)(x, axis=1), (FLAGS,), 0)
for _name in ("argmax", "argmin"):
    CASES[_name] = (lambda K, x, n=_name: getattr(K, n)(x, axis=1), (X,), 0)
for _name in ("cumsum", "cumprod"):
    CASES[_name] = (lambda K, x, n=_name: getattr(K, n)(x, axis=1), (P,), 2)
for _name in ("maximum", "minimum"):
    CASES[_name] = (lambda K, x, y, n=_name: getattr(K, n)(x, y), (X, Y[0]), 2)
for _name in ["equal", "not_equal", "greater", "greater_equal", "less", "less_equal"]:
    CASES[_name] = (lambda K, x, y, n=_name: getattr(K, n)(x, y), (ints(3, 2, 3), ints(3, 3)), 0)
CASES |= {
    "elu/alpha": (lambda K, x: K.elu(x, 0.3), (X,), 2),
    "relu/alpha, maximum": (lambda K, x: K.relu(x, alpha=0.2, max_value=0.7), (X,), 2),
    "softmax/axis": (lambda K, x: K.softmax(x, axis=1), (X,), 2),
    "pow": (lambda K, x: K.pow(x, 3), (X,), 2),
    "clip": (lambda K, x: K.clip(x, -0.5, 0.7), (X,), 2),
    "cast": (lambda K, x: K.cast(x, "int32"), (X * 5,), 0),
    "l2_normalize": (lambda K, x: K.l2_normalize(x, axis=1), (X,), 2),
    "dot": (lambda K, x, y: K.dot(x, y), (X, f(4, 2)), 2),
    "dot/many dimensions": (lambda K, x, y: K.dot(x, y), (f(2, 3), f(4, 3, 5)), 2),
    "batch_dot": (lambda K, x, y: K.batch_dot(x, y, axes=(1, 2)), (X, f(2, 5, 3)), 2),
    "batch_dot/default": (lambda K, x, y: K.batch_dot(x, y), (X, f(2, 4, 3)), 2),
    "batch_dot/vectors": (lambda K, x, y: K.batch_dot(x, y, axes=1), (f(3, 4), f(3, 4)), 2),
    "batch_dot/2 and 3": (lambda K, x, y: K.batch_dot(x, y, axes=(1, 2)), (f(3, 4), f(3, 2, 4)), 2),
    "batch_dot/3 and 2": (lambda K, x, y: K.batch_dot(x, y, axes=(2, 1)), (f(3, 2, 4), f(3, 4)), 2),
    "gather": (lambda K, x, i: K.gather(x, i), (f(4, 2), ints(4, 2, 3)), 2),
    "one_hot": (lambda K, i: K.one_hot(i, 4), (ints(5, 2, 3),), 0),
    "in_top_k": (lambda K, x, i: K.in_top_k(x, i, 2), (f(5, 4).astype("float32"), ints(4, 5)), 0),
    "reshape": (lambda K, x: K.reshape(x, (4, -1)), (X,), 2),
    "permute_dimensions": (lambda K, x: K.permute_dimensions(x, (2, 0, 1)), (X,), 2),
    "expand_dims": (lambda K, x: K.expand_dims(x, 1), (X,), 2),
    "squeeze": (lambda K, x: K.squeeze(x, 1), (f(2, 1, 3),), 2),
    "reverse": (lambda K, x: K.reverse(x, (0, 2)), (X,), 2),
    "concatenate": (lambda K, x, y: K.concatenate([x, y], axis=1), (X, f(2, 2, 4)), 2),
    "stack": (lambda K, x, y: K.stack([x, y], axis=-1), (X, Y), 2),
    "tile": (lambda K, x: K.tile(x, (1, 2, 3)), (X,), 2),
    "repeat": (lambda K, x: K.repeat(x, 3), (f(2, 3),), 2),
    "repeat_elements": (lambda K, x: K.repeat_elements(x, 2, 1), (X,), 2),
    "resize_images": (lambda K, x: K.resize_images(x, 2, 3, "channels_last"), (IMAGE,), 2),
    "resize_volumes": (lambda K, x: K.resize_volumes(x, 2, 1, 2, "channels_last"), (VOLUME,), 2),
    "temporal_padding": (lambda K, x: K.temporal_padding(x, (2, 1)), (SEQ,), 2),
    "spatial_2d_padding": (lambda K, x: K.spatial_2d_padding(x, ((1, 2), (0, 1))), (IMAGE,), 2),
    "spatial_3d_padding": (lambda K, x: K.spatial_3d_padding(x, ((1, 0), (0, 2), (1, 1))), (VOLUME,), 2),
    "bias_add": (lambda K, x, b: K.bias_add(x, b), (IMAGE, f(3)), 2),
    "switch": (lambda K, c, x, y: K.switch(c, x, y), (FLAGS, X, Y), 2),
    "in_train_phase": (lambda K, x, y: K.in_train_phase(x, y, training=True), (X, Y), 2),
    "in_test_phase": (lambda K, x, y: K.in_test_phase(x, y, training=True), (X, Y), 2),
    "categorical_crossentropy": (lambda K, t, x: K.categorical_crossentropy(t, x), (SHARES[::-1].copy(), SHARES), 2),
    "binary_crossentropy": (lambda K, t, x: K.binary_crossentropy(t, x), (SHARES[::-1].copy(), SHARES), 2),
    "sparse_categorical_crossentropy": (
        lambda K, i, x: K.sparse_categorical_crossentropy(i, x),
        (ints(4, 2, 3), SHARES),
        2,
    ),
    "batch_normalization": (
        lambda K, x, m, v, b, g: K.batch_normalization(x, m, v, b, g),
        (SEQ, f(3), p(3), f(3), f(3)),
        1,
    ),
    "foldl": (lambda K, x: K.foldl(lambda a, e: a * 0.5 + e, x), (X,), 2),
    "foldr": (lambda K, x: K.foldr(lambda a, e: a * 0.5 + e, x), (X,), 2),
    "map_fn": (lambda K, x: K.map_fn(lambda e: K.square(e), x), (X,), 2),
    "rnn": (lambda K, x, s: K.rnn(lambda i, h: (h[0] * 0.5 + i, [h[0] * 0.5 + i]), x, [s])[1], (SEQ, f(2, 3)), 2),
    "conv1d": (lambda K, x, w: K.conv1d(x, w, 2, "same"), (SEQ, f(2, 3, 2)), 2),
    "conv1d/causal": (lambda K, x, w: K.conv1d(x, w, padding="causal", dilation_rate=2), (SEQ, f(2, 3, 2)), 2),
    "conv2d": (lambda K, x, w: K.conv2d(x, w, (2, 3), "same"), (IMAGE, f(2, 4, 3, 2)), 2),
    "conv2d/dilated": (lambda K, x, w: K.conv2d(x, w, dilation_rate=(2, 2)), (IMAGE, f(2, 2, 3, 2)), 2),
    "conv3d": (lambda K, x, w: K.conv3d(x, w, (2, 1, 2), "same"), (VOLUME, f(2, 2, 2, 2, 2)), 1),
    "conv2d_transpose": (
        lambda K, x, w: K.conv2d_transpose(x, w, (2, 10, 12, 2), (2, 2), "same"),
        (IMAGE, f(2, 3, 2, 3)),
        1,
    ),
    "conv3d_transpose": (
        lambda K, x, w: K.conv3d_transpose(x, w, (1, 8, 5, 6, 1), (2, 1, 2), "same"),
        (VOLUME, f(2, 2, 2, 1, 2)),
        1,
    ),
    "depthwise_conv2d": (lambda K, x, w: K.depthwise_conv2d(x, w, (2, 2), "same"), (IMAGE, f(2, 3, 3, 2)), 2),
    "separable_conv1d": (
        lambda K, x, d, w: K.separable_conv1d(x, d, w, 2, "same"),
        (SEQ, f(2, 3, 2), f(1, 6, 2)),
        2,
    ),
    "separable_conv2d": (
        lambda K, x, d, w: K.separable_conv2d(x, d, w, (2, 2), "same"),
        (IMAGE, f(2, 2, 3, 1), f(1, 1, 3, 2)),
        2,
    ),
    "local_conv1d": (lambda K, x, w: K.local_conv1d(x, w, (2,), (1,)), (SEQ, f(6, 6, 2)), 2),
    "local_conv2d": (
        lambda K, x, w: K.local_conv2d(x, w, (2, 3), (1, 1), (4, 4), "channels_last"),
        (IMAGE, f(16, 18, 2)),
        1,
    ),
}
TIES = ints(2, 2, 5, 6, 2).astype("float64")
for _mode in ("max", "avg"):
    for _padding in ("valid", "same"):
        for _strides in ((1, 1), (2, 2), (3, 2)):
            CASES[f"pool2d/{_mode} {_padding} {_strides}"] = (
                lambda K, x, m=_mode, q=_padding, s=_strides: K.pool2d(x, (2, 3), s, q, pool_mode=m),
                (IMAGE,),
                1,
            )
        CASES[f"pool3d/{_mode} {_padding}"] = (
            lambda K, x, m=_mode, q=_padding: K.pool3d(x, (2, 2, 2), (2, 1, 2), q, pool_mode=m),
            (SINGLE,),
            1,
        )
# Equal maxima: which of them has the gradient is compared with the original's, not with differences.
CASES["pool2d/ties"] = (lambda K, x: K.pool2d(x, (2, 3), (2, 2), "same", pool_mode="max"), (TIES,), -1)
