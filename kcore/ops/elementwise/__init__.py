"""Elementwise operations: element i of the result depends on element i of the (broadcast) operands."""

from kcore.ops.elementwise.activations import elu, hard_sigmoid, relu, sigmoid, softplus, softsign, tanh
from kcore.ops.elementwise.arithmetic import maximum, minimum, power
from kcore.ops.elementwise.logical import cast, equal, not_equal, where
from kcore.ops.elementwise.unary import (
    ceil,
    clip,
    cos,
    exp,
    expm1,
    floor,
    log,
    log1p,
    reciprocal,
    rint,
    rsqrt,
    sign,
    sin,
    sqrt,
    square,
)

__all__ = [
    "cast",
    "ceil",
    "clip",
    "cos",
    "elu",
    "equal",
    "exp",
    "expm1",
    "floor",
    "hard_sigmoid",
    "log",
    "log1p",
    "maximum",
    "minimum",
    "not_equal",
    "power",
    "reciprocal",
    "relu",
    "rint",
    "rsqrt",
    "sigmoid",
    "sign",
    "sin",
    "softplus",
    "softsign",
    "sqrt",
    "square",
    "tanh",
    "where",
]
