"""One table of cases for all operations: values against NumPy, gradients against finite differences."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kcore import ops as O
from kcore.graph import apply, constant

RNG = np.random.default_rng(7)


@dataclass
class Case:
    """An expression on arrays.

    Attributes:
        name: of the test.
        covers: the operations whose gradient it tests (or whose value, if they have none).
        fn: the expression, on tensors.
        arrays: the point.
        reference: the same expression on NumPy arrays; None where another test compares values.
        order: up to which gradients are compared; 0 for none.
        options: for `check_gradient`.
    """

    name: str
    covers: tuple[str, ...]
    fn: Callable[..., Any]
    arrays: tuple[Any, ...]
    reference: Callable[..., Any] | None
    order: int = 2
    options: dict[str, Any] = field(default_factory=dict)


def normal(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape)


def positive(*shape: int) -> np.ndarray:
    return RNG.uniform(0.5, 2.0, size=shape)


def away(*shape: int) -> np.ndarray:
    """Numbers at least 0.1 away from 0 and from each other's opposites."""
    return RNG.uniform(0.1, 2.0, size=shape) * RNG.choice([-1.0, 1.0], size=shape)


def distinct(*shape: int) -> np.ndarray:
    """Numbers at least 0.05 apart."""
    n = int(np.prod(shape))
    return (RNG.permutation(n) * 0.1 - n * 0.05 + 0.03).reshape(shape)


def ints(high: int, *shape: int) -> np.ndarray:
    return RNG.integers(0, high, size=shape).astype("int32")


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def softmax(x: Any, axis: int = -1) -> Any:
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


CASES: list[Case] = []


def case(name: str, fn: Any, arrays: Any, reference: Any, covers: Any = None, order: int = 2, **options: Any) -> None:
    covered = (name,) if covers is None else (covers,) if isinstance(covers, str) else tuple(covers)
    arrays = arrays if isinstance(arrays, tuple) else (arrays,)
    CASES.append(Case(name, covered, fn, arrays, reference, order, options))


def unary(name: str, arrays: Any, reference: Any, order: int = 2, **attrs: Any) -> None:
    case(name, lambda x: apply(name, x, **attrs), arrays, reference, order=order)


# -- elementwise, one operand -------------------------------------------------------------------------------

unary("negative", normal(2, 3), np.negative)
unary("abs", away(2, 3), np.abs)
unary("sign", away(2, 3), np.sign, order=0)
unary("round", np.array([-2.5, -1.5, -0.5, 0.5, 1.5, 2.4, 2.6]), np.rint, order=0)
unary("floor", normal(5), np.floor, order=0)
unary("ceil", normal(5), np.ceil, order=0)
for _name in ("round", "floor", "ceil"):
    case(f"{_name} of integers", lambda x, n=_name: apply(n, x), ints(9, 5), lambda x: x, _name, order=0)
case(
    "clip of small integers",
    lambda x: O.clip(x, -1, 200),
    np.array([1, 2, 250], "uint8"),
    lambda x: x.clip(0, 200),
    (),
    0,
)
unary("square", normal(2, 3), np.square)
unary("sqrt", positive(2, 3), np.sqrt)
unary("rsqrt", positive(2, 3), lambda x: 1 / np.sqrt(x))
unary("reciprocal", away(2, 3), np.reciprocal, order=1)
unary("reciprocal", positive(2, 3), np.reciprocal)
unary("exp", normal(2, 3), np.exp)
unary("expm1", normal(2, 3), np.expm1)
unary("log", positive(2, 3), np.log)
unary("log1p", positive(2, 3), np.log1p)
unary("sin", normal(2, 3), np.sin)
unary("cos", normal(2, 3), np.cos)
unary("tanh", normal(2, 3), np.tanh)
unary("sigmoid", normal(2, 3), sigmoid)
case("relu", lambda x: apply("relu", x), away(2, 3), lambda x: np.maximum(x, 0), ("relu", "relu_grad"))
case(
    "relu_grad",
    lambda g: apply("relu_grad", constant([0.0, 2.0, 0.0, 1e-30], "float32"), g),
    away(4),
    lambda g: g * [0, 1, 0, 1],
)
case("masked", lambda g: apply("masked", np.array([True, False, True]), g), away(2, 3), lambda g: g * [1, 0, 1])
unary("leaky_relu", away(2, 3), lambda x: np.where(x > 0, x, 0.3 * x), alpha=0.3)
unary("elu", away(2, 3), lambda x: np.where(x > 0, x, 0.7 * np.expm1(x)), alpha=0.7)
unary("softplus", away(2, 3), lambda x: np.log1p(np.exp(x)))
unary("softsign", away(2, 3), lambda x: x / (1 + np.abs(x)))
unary("hard_sigmoid", np.array([-3.0, -2.0, -0.3, 0.4, 2.3, 2.7]), lambda x: np.clip(0.2 * x + 0.5, 0, 1))
unary("clip", away(3, 4), lambda x: np.clip(x, -1.03, 0.97), low=-1.03, high=0.97)
case("clip above only", lambda x: O.clip(x, -np.inf, 0.5), away(5), lambda x: np.minimum(x, 0.5), "clip")
case("relu6", lambda x: O.relu(x, max_value=1.0), away(3, 4), lambda x: np.clip(x, 0, 1), ("relu", "clip"))
case(
    "relu with slope and ceiling",
    lambda x: O.relu(x, alpha=0.1, max_value=1.0),
    away(3, 4),
    lambda x: np.where(x > 0, np.minimum(x, 1.0), 0.1 * x),
    ("leaky_relu", "minimum"),
)
case(
    "leaky with slope above 1",
    lambda x: O.relu(x, alpha=1.5),
    away(6),
    lambda x: np.where(x > 0, x, 1.5 * x),
    "leaky_relu",
)
case("cast", lambda x: O.cast(O.cast(x, "float32"), "float64"), normal(4), None, order=1, step=1e-2, tolerance=1e-3)
case("logical_not", lambda x: apply("logical_not", x), ints(2, 6), np.logical_not, order=0)

# -- elementwise, two operands ------------------------------------------------------------------------------

for _name, _fn in {"add": np.add, "subtract": np.subtract, "multiply": np.multiply}.items():
    case(_name, lambda a, b, n=_name: apply(n, a, b), (normal(2, 3), normal(2, 3)), _fn)
    case(f"{_name} broadcast", lambda a, b, n=_name: apply(n, a, b), (normal(2, 1, 3), normal(4, 1)), _fn, _name)
case("divide", lambda a, b: a / b, (normal(2, 3), positive(3)), np.divide)
case("divide broadcast left", lambda a, b: a / b, (normal(3), positive(2, 3)), np.divide, "divide")
case("floor_divide", lambda a, b: a // b, (normal(2, 3) * 5, positive(3)), np.floor_divide, order=0)
case("mod", lambda a, b: a % b, (np.array([5.3, -4.2, 7.7]), np.array([2.0, 3.0, -1.5])), np.mod)
case("power", lambda a, b: a**b, (positive(2, 3), normal(3)), np.power)
case("power of 3", lambda a: a**3, normal(2, 3), lambda a: a**3, "power")
case("power of 2", lambda a: a**2, normal(2, 3), lambda a: a**2, ("power",))
case("power of half", lambda a: a**0.5, positive(2, 3), lambda a: a**0.5, ("power",))
case("power of -2", lambda a: a**-2, positive(2, 3), lambda a: a**-2.0, ("power",))
case("power of 2.5", lambda a: a**2.5, positive(2, 3), lambda a: a**2.5, ("power",))
case("exponential of base 2", lambda a: 2.0**a, normal(4), lambda a: 2.0**a, "power")
case("maximum", O.maximum, (distinct(2, 3), normal(3)), np.maximum)
case("minimum", O.minimum, (distinct(2, 3), normal(2, 1)), np.minimum)
case("where", O.where, (ints(2, 2, 3), normal(2, 3), normal(3)), lambda c, a, b: np.where(c, a, b))
case(
    "where broadcast condition",
    O.where,
    (ints(2, 2, 1), normal(2, 3), normal(1, 3)),
    lambda c, a, b: np.where(c, a, b),
    "where",
)
for _name in ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal", "logical_and", "logical_or"):
    case(_name, lambda a, b, n=_name: apply(n, a, b), (ints(3, 3, 4), ints(3, 4)), getattr(np, _name), order=0)

# -- reductions ---------------------------------------------------------------------------------------------

X3 = distinct(2, 3, 4)
for _axis, _keep in ((None, False), (1, False), ((0, 2), True), (-1, False), ((0, 1, 2), True)):
    _label = f" axis {_axis} keepdims {_keep}"
    _kw = {"axis": _axis, "keepdims": _keep}
    case("sum" + _label, lambda x, k=_kw: O.reduce_sum(x, **k), X3, lambda x, k=_kw: x.sum(**k), "sum")
    case("mean" + _label, lambda x, k=_kw: O.reduce_mean(x, **k), X3, lambda x, k=_kw: x.mean(**k), "mean")
    case(
        "prod" + _label, lambda x, k=_kw: O.reduce_prod(x, **k), positive(2, 3, 2), lambda x, k=_kw: x.prod(**k), "prod"
    )
    case("max" + _label, lambda x, k=_kw: O.reduce_max(x, **k), X3, lambda x, k=_kw: x.max(**k), "max")
    case("min" + _label, lambda x, k=_kw: O.reduce_min(x, **k), X3, lambda x, k=_kw: x.min(**k), "min")
    case("var" + _label, lambda x, k=_kw: O.variance(x, **k), X3, lambda x, k=_kw: x.var(**k), ())
    case(
        "logsumexp" + _label,
        lambda x, k=_kw: O.logsumexp(x, **k),
        X3,
        lambda x, k=_kw: np.log(np.exp(x).sum(**k)),
        "logsumexp",
    )
    case("any" + _label, lambda x, k=_kw: O.reduce_any(x, **k), ints(2, 2, 3, 4), lambda x, k=_kw: x.any(**k), "any", 0)
    case("all" + _label, lambda x, k=_kw: O.reduce_all(x, **k), ints(5, 2, 3, 4), lambda x, k=_kw: x.all(**k), "all", 0)
case(
    "prod with a zero",
    lambda x: O.reduce_prod(x, 1),
    np.array([[0.0, 2, 3], [1, 4, 5]]),
    lambda x: x.prod(1),
    "prod",
    1,
)
case("argmax", O.argmax, X3, lambda x: x.argmax(-1), order=0)
case("argmin", lambda x: O.argmin(x, 0), X3, lambda x: x.argmin(0), order=0)
case("cumsum", lambda x: O.cumsum(x, 1), normal(2, 3, 2), lambda x: x.cumsum(1))
case(
    "cumsum reversed", lambda x: O.cumsum(x, 0, reverse=True), normal(3, 2), lambda x: x[::-1].cumsum(0)[::-1], "cumsum"
)
case(
    "cumsum exclusive",
    lambda x: O.cumsum(x, 0, exclusive=True),
    normal(3, 2),
    lambda x: np.concatenate([np.zeros((1, 2)), x.cumsum(0)[:-1]]),
    "cumsum",
)
case("cumprod", lambda x: O.cumprod(x, 1), positive(2, 3, 2), lambda x: x.cumprod(1))
case(
    "cumprod reversed exclusive",
    lambda x: O.cumprod(x, -1, reverse=True, exclusive=True),
    positive(2, 3),
    lambda x: np.concatenate([x[:, ::-1].cumprod(1)[:, :-1][:, ::-1], np.ones((2, 1))], axis=1),
    "cumprod",
)
case(
    "cumprod of zeros",
    lambda x: O.cumprod(x, 1),
    np.array([[2.0, 0.0, 3.0, 4.0], [0.0, 2.0, 0.0, 1.0], [1.0, -2.0, 3.0, 0.0]]),
    lambda x: x.cumprod(1),
    "cumprod",
)

# -- movement -----------------------------------------------------------------------------------------------

case("reshape", lambda x: O.reshape(x, (3, -1)), normal(2, 3, 4), lambda x: x.reshape(3, -1))
case(
    "reshape of a transpose",
    lambda x: O.reshape(O.transpose(x), (-1, 2)),
    normal(2, 3),
    lambda x: x.T.reshape(-1, 2),
    "reshape",
)
case("flatten", O.flatten, normal(2, 3), np.ravel, "reshape")
case("transpose", lambda x: O.transpose(x, (2, 0, 1)), normal(2, 3, 4), lambda x: x.transpose(2, 0, 1))
case("transpose reversed", O.transpose, normal(2, 3, 4), np.transpose, "transpose")
case("expand_dims", lambda x: O.expand_dims(x, 1), normal(2, 3), lambda x: x[:, None])
case(
    "expand_dims several",
    lambda x: O.expand_dims(x, (0, -1)),
    normal(2, 3),
    lambda x: x[None, :, :, None],
    "expand_dims",
)
case("squeeze", lambda x: O.squeeze(x, 1), normal(2, 1, 3), lambda x: x[:, 0])
case("broadcast_to", lambda x: O.broadcast_to(x, (4, 2, 3)), normal(2, 1), lambda x: np.broadcast_to(x, (4, 2, 3)))
case("sum_to", lambda g, x: apply("sum_to", g, x), (normal(4, 2, 3), normal(2, 1)), lambda g, x: g.sum((0, 2))[:, None])
case("reverse", lambda x: O.reverse(x, (0, 2)), normal(2, 3, 4), lambda x: x[::-1, :, ::-1])
case(
    "concat",
    lambda *x: O.concat(x, 1),
    (normal(2, 3), normal(2, 1), normal(2, 2)),
    lambda *x: np.concatenate(x, 1),
    ("concat", "concat_part"),
)
case("stack", lambda *x: O.stack(x, -1), (normal(2, 3), normal(2, 3)), lambda *x: np.stack(x, -1))
case("tile", lambda x: O.tile(x, (2, 3)), normal(2, 3), lambda x: np.tile(x, (2, 3)))
case("repeat", lambda x: O.repeat(x, (1, 2, 3)), normal(2, 2, 3), lambda x: x.repeat(2, 1).repeat(3, 2))
case("pad", lambda x: O.pad(x, ((0, 1), (2, 0))), normal(2, 3), lambda x: np.pad(x, ((0, 1), (2, 0))))
case(
    "pad with a value",
    lambda x: O.pad(x, ((1, 1), (0, 0)), 3.0),
    normal(2, 3),
    lambda x: np.pad(x, ((1, 1), (0, 0)), constant_values=3.0),
    "pad",
)

# -- indexing -----------------------------------------------------------------------------------------------

for _label, _index in {
    "int": (1,),
    "negative int": (slice(None), -1),
    "slices": (slice(0, 1), slice(1, None), slice(None, -1)),
    "step": (slice(None, None, -1), slice(None, None, 2)),
    "new axis and ellipsis": (None, Ellipsis, 2),
    "empty": (slice(0, 0),),
}.items():
    case(
        f"slice {_label}", lambda x, i=_index: x[i], normal(2, 3, 4), lambda x, i=_index: x[i], ("slice", "slice_grad")
    )
case(
    "gather",
    O.gather,
    (normal(4, 2), np.array([[0, 3], [3, -1]], "int32")),
    lambda x, i: x[i],
    ("gather", "gather_grad"),
)
case(
    "gather of scalars",
    O.gather,
    (normal(4), np.array([2, 2, 0], "int64")),
    lambda x, i: x[i],
    ("gather", "gather_grad"),
)
case(
    "scatter_add",
    lambda x, g, i: apply("scatter_add", x, g, i),
    (normal(4, 2), normal(2, 2, 2), np.array([[0, 3], [3, -1]], "int32")),
    lambda x, g, i: np.stack([x[0] + g[0, 0], x[1], x[2], x[3] + g[0, 1] + g[1, 0] + g[1, 1]]),
    "scatter_add",
)
case(
    "one_hot",
    lambda i: O.one_hot(i, 3),
    np.array([[0, 2], [1, 5]], "int32"),
    lambda i: (i[..., None] == np.arange(3)) * 1.0,
    order=0,
)
case(
    "pick",
    O.pick,
    (normal(2, 3, 4), ints(4, 2, 3)),
    lambda x, i: np.take_along_axis(x, i[..., None], -1)[..., 0],
    ("pick", "pick_grad"),
)
case(
    "in_top_k",
    lambda p, t: O.in_top_k(p, t, 2),
    (np.array([[0.1, 0.3, 0.6], [0.5, 0.5, 0.5], [0.2, 0.7, 0.1]]), np.array([1, 2, 2], "int32")),
    lambda p, t: np.array([True, True, False]),
    order=0,
)

# -- products -----------------------------------------------------------------------------------------------

case("matmul", lambda a, b: a @ b, (normal(2, 3), normal(3, 4)), np.matmul)
case("matmul batched", lambda a, b: a @ b, (normal(2, 2, 3), normal(2, 3, 2)), np.matmul, "matmul")
case("matmul broadcast", lambda a, b: a @ b, (normal(2, 1, 2, 3), normal(3, 3, 2)), np.matmul, "matmul")
case(
    "matmul of transposes",
    lambda a, b: O.transpose(a) @ O.transpose(b),
    (normal(3, 2), normal(4, 3)),
    lambda a, b: a.T @ b.T,
    "matmul",
)
case("matmul of vectors", O.matmul, (normal(3), normal(3)), np.matmul, "matmul")
case("matmul with a vector", O.matmul, (normal(2, 3), normal(3)), np.matmul, "matmul")
case("dot", O.dot, (normal(2, 2, 3), normal(3, 4)), np.dot, "matmul")
case("dot of many dimensions", O.dot, (normal(2, 3), normal(2, 3, 4)), np.dot, "matmul")
case("dot with a vector", O.dot, (normal(2, 3), normal(3)), np.dot, "matmul")
case(
    "tensordot",
    lambda a, b: O.tensordot(a, b, ((1, 2), (0, 2))),
    (normal(2, 3, 2), normal(3, 4, 2)),
    lambda a, b: np.tensordot(a, b, ((1, 2), (0, 2))),
    "matmul",
)
case(
    "batch_dot 2d",
    lambda a, b: O.batch_dot(a, b, 1),
    (normal(4, 3), normal(4, 3)),
    lambda a, b: (a * b).sum(1, keepdims=True),
    (),
)
case(
    "batch_dot",
    lambda a, b: O.batch_dot(a, b, (1, 2)),
    (normal(4, 3, 2), normal(4, 5, 3)),
    lambda a, b: np.einsum("bkm,bnk->bmn", a, b),
    "matmul",
)
case(
    "batch_dot 2d 3d",
    lambda a, b: O.batch_dot(a, b, (1, 2)),
    (normal(4, 3), normal(4, 5, 3)),
    lambda a, b: np.einsum("bk,bnk->bn", a, b),
    "matmul",
)
case(
    "batch_dot 4d",
    lambda a, b: O.batch_dot(a, b, (3, 1)),
    (normal(2, 3, 2, 4), normal(2, 4, 3)),
    lambda a, b: np.einsum("bijk,bkn->bijn", a, b),
    "matmul",
)

# -- neural networks ----------------------------------------------------------------------------------------

EPS = 1e-7
P = softmax(normal(4, 3))
T = np.eye(3)[[0, 2, 1, 2]]
case("softmax", O.softmax, normal(3, 4), softmax)
case("softmax axis 1", lambda x: O.softmax(x, 1), normal(2, 3, 2), lambda x: softmax(x, 1), "softmax")
case("log_softmax", O.log_softmax, normal(3, 4), lambda x: np.log(softmax(x)))
case(
    "categorical_crossentropy",
    O.categorical_crossentropy,
    (T, P * 2),
    lambda t, p: -(t * np.log(p / p.sum(-1, keepdims=True))).sum(-1),
    (),
)
case(
    "categorical_crossentropy logits",
    lambda t, x: O.categorical_crossentropy(t, x, True),
    (T, normal(4, 3)),
    lambda t, x: -(t * np.log(softmax(x))).sum(-1),
    (),
)
case(
    "sparse_categorical_crossentropy",
    lambda p: O.sparse_categorical_crossentropy(np.array([[0], [2], [1], [2]]), p),
    P,
    lambda p: -np.log(p[range(4), [0, 2, 1, 2]]),
    (),
)
case(
    "sparse_categorical_crossentropy logits",
    lambda i, x: O.sparse_categorical_crossentropy(i, x, True),
    (ints(4, 2, 3), normal(2, 3, 4)),
    lambda i, x: -np.take_along_axis(np.log(softmax(x)), i[..., None], -1)[..., 0],
    (),
)
case(
    "binary_crossentropy",
    O.binary_crossentropy,
    (RNG.uniform(0, 1, (2, 3)), RNG.uniform(0.1, 0.9, (2, 3))),
    lambda t, p: -t * np.log(p) - (1 - t) * np.log(1 - p),
    (),
)
case(
    "binary_crossentropy logits",
    lambda t, x: O.binary_crossentropy(t, x, True),
    (RNG.uniform(0, 1, (2, 3)), normal(2, 3)),
    lambda t, x: -t * np.log(sigmoid(x)) - (1 - t) * np.log(1 - sigmoid(x)),
    (),
)
case(
    "l2_normalize",
    lambda x: O.l2_normalize(x, 1),
    normal(2, 3),
    lambda x: x / np.sqrt((x**2).sum(1, keepdims=True)),
    (),
)
case("bias_add", lambda x, b: O.bias_add(x, b, "channels_last"), (normal(2, 2, 3), normal(3)), np.add, ())
case(
    "bias_add channels_first",
    lambda x, b: O.bias_add(x, b, "channels_first"),
    (normal(2, 3, 2), normal(3)),
    lambda x, b: x + b[:, None],
    (),
)


def _batch_norm(x: Any, gamma: Any, beta: Any, axes: Any, shape: Any) -> Any:
    mean, var = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
    y = (x - mean) / np.sqrt(var + 0.1) * gamma.reshape(shape) + beta.reshape(shape)
    return y, mean.reshape(gamma.shape), var.reshape(gamma.shape)


case(
    "batch_norm",
    lambda x, g, b: O.normalize_batch(x, g, b, (0, 1), 0.1),
    (normal(2, 3, 2), positive(2), normal(2)),
    lambda x, g, b: _batch_norm(x, g, b, (0, 1), (1, 1, 2)),
    ("batch_norm", "batch_norm_grad"),
)
case(
    "batch_norm channels_first",
    lambda x, g, b: O.normalize_batch(x, g, b, (0, 2), 0.1),
    (normal(2, 3, 2), positive(3), normal(3)),
    lambda x, g, b: _batch_norm(x, g, b, (0, 2), (1, 3, 1)),
    ("batch_norm", "batch_norm_grad"),
)
case(
    "batch_norm normalized only",
    lambda x: O.normalize_batch(x, None, None, (0,), 0.1)[0],
    normal(4, 2),
    lambda x: (x - x.mean(0)) / np.sqrt(x.var(0) + 0.1),
    ("batch_norm", "batch_norm_grad"),
)
case(
    "batch_norm inference",
    lambda x, m, v, b, g: O.apply_batch_norm(x, m, v, b, g, 0.1),
    (normal(4, 2), normal(2), positive(2), normal(2), normal(2)),
    lambda x, m, v, b, g: (x - m) / np.sqrt(v + 0.1) * g + b,
    (),
)
case("transfer", lambda x: apply("transfer", x, to=None, source=None), normal(3, 2), lambda x: x)
