"""Elementwise operations as CUDA expressions: one table for the whole catalogue."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from kcore.graph import Node
from kcore_backends_cupy.prelude import C_TYPES

Expression = Callable[..., str]

#: Operations whose operands are compared, or looked at, as they are; all others take them in the result's dtype.
_BOOL_RESULT = {"equal": "==", "not_equal": "!=", "less": "<", "less_equal": "<=", "greater": ">",
                "greater_equal": ">="}  # fmt: skip


def normalized(real: str, x: str, mean: str, inv: str, gamma: str, beta: str) -> str:
    """``(x - mean) * (inv * gamma) + beta``: the distance from a mean that is far from zero keeps its digits."""
    return f"(({real})({x} - {mean}) * ({inv} * {gamma}) + {beta})"


def _returned(real: str, g: str, x: str, mean: str, inv: str, gamma: str, along: str, level: str, *beta: str) -> str:
    if beta:
        g = f"({normalized(real, x, mean, inv, gamma, *beta)} > 0 ? {g} : ({real})0)"
    return f"({inv} * {gamma} * ({g} - {level} - ({real})({x} - {mean}) * {inv} * {along}))"


#: The elementwise operations of `kcore_backends_cupy.normalization`; the first argument is the type of the arithmetic.
_NORMALIZATION: dict[str, Callable[..., str]] = {"batch_normalize": normalized, "batch_norm_return": _returned}

_FLOAT_ONLY = {name: f"k_{name}({{0}})" for name in ("exp", "expm1", "log", "log1p", "sin", "cos", "tanh", "sqrt")}
_SIGMOID_BOUND = {"float16": -11.0, "float32": -87.0, "float64": -708.0}


def literal(value: Any, dtype: str) -> str:
    """A number as a constant of the register type of `dtype`."""
    ctype = C_TYPES[dtype][1]
    if dtype == "bool":
        return "true" if value else "false"
    if dtype.startswith("float"):
        rounded = float(np.asarray(value).astype(dtype)) if math.isfinite(value) else float(value)
        if math.isnan(rounded):
            return f"(({ctype})K_NAN)"
        if math.isinf(rounded):
            return f"(({ctype}){'-' if rounded < 0 else ''}K_INF)"
        return f"(({ctype}){rounded!r})"
    limits = np.iinfo(dtype)
    whole = int(min(max(value, limits.min), limits.max))
    if whole == np.iinfo("int64").min:
        return "(-9223372036854775807LL - 1)"
    return f"(({ctype}){whole}{'ULL' if dtype == 'uint64' else 'LL'})"


def expression(node: Node, args: list[str]) -> str:
    """The value of an elementwise node, in the register type of its dtype.

    Args:
        node: the node.
        args: its operands, in the register types of their own dtypes.
    """
    name, out = node.op.name, node.specs[0].dtype
    dtypes = [t.dtype for t in node.inputs]
    ctype = C_TYPES[out][1]
    if name in _BOOL_RESULT:
        common = np.result_type(*dtypes).name
        meeting = C_TYPES[common][1]
        return f"(({meeting}){args[0]} {_BOOL_RESULT[name]} ({meeting}){args[1]})"
    if name in ("logical_and", "logical_or"):
        return f"({args[0]} != 0 {'&&' if name == 'logical_and' else '||'} {args[1]} != 0)"
    if name == "logical_not":
        return f"({args[0]} == 0)"
    if name == "where":
        return f"({args[0]} != 0 ? ({ctype}){args[1]} : ({ctype}){args[2]})"
    if name == "cast":
        return f"({args[0]} != 0)" if out == "bool" else _converted(args[0], dtypes[0], out)
    if name == "masked":
        return f"({args[0]} != 0 ? {args[1]} : ({ctype})0)"
    if name == "relu_grad":
        return f"({args[0]} > 0 ? {args[1]} : ({ctype})0)"
    if name in _NORMALIZATION:
        text = _NORMALIZATION[name](ctype if out == "float64" else "float", *args)
        return f"k_half({text})" if out == "float16" else text
    converted = [_converted(a, d, out) for a, d in zip(args, dtypes, strict=True)]
    text = _arithmetic(name, out, ctype, converted, node.attrs)
    return f"k_half({text})" if out == "float16" else f"({ctype})({text})"


def _converted(value: str, given: str, wanted: str) -> str:
    if given == wanted:
        return value
    text = f"(({C_TYPES[wanted][1]}){value})"
    return f"k_half({text})" if wanted == "float16" else text


def _arithmetic(name: str, out: str, ctype: str, args: list[str], attrs: dict[str, Any]) -> str:
    a = args[0]
    b = args[1] if len(args) > 1 else ""
    floating = out.startswith("float")

    def number(value: float) -> str:
        return literal(value, out)

    if name in _FLOAT_ONLY:
        return _FLOAT_ONLY[name].format(a)
    if name in ("floor", "ceil", "round"):
        return f"k_{ {'floor': 'floor', 'ceil': 'ceil', 'round': 'rint'}[name] }({a})" if floating else a
    if out == "bool" and name in ("add", "maximum"):
        return f"{a} || {b}"
    if out == "bool" and name in ("multiply", "minimum"):
        return f"{a} && {b}"
    if name == "clip":
        low, high = attrs["low"], attrs["high"]
        return f"k_min<{ctype}>(k_max<{ctype}>({a}, {number(low)}), {number(high)})"
    if name == "elu":
        negative = f"k_expm1(k_min<{ctype}>({a}, 0)) * {number(attrs['alpha'])}"
        return f"{negative} + k_max<{ctype}>({a}, 0)"
    if name == "leaky_relu":
        choose = "k_max" if attrs["alpha"] <= 1 else "k_min"
        return f"{choose}<{ctype}>({a}, {a} * {number(attrs['alpha'])})"
    simple = {
        "add": f"{a} + {b}",
        "subtract": f"{a} - {b}",
        "multiply": f"{a} * {b}",
        "divide": f"{a} / {b}",
        "floor_divide": f"k_{'float' if floating else 'int'}_div<{ctype}>({a}, {b})",
        "mod": f"k_{'float' if floating else 'int'}_mod<{ctype}>({a}, {b})",
        "power": f"k_pow({a}, {b})" if floating else f"k_int_pow<{ctype}>({a}, {b})",
        "maximum": f"k_max<{ctype}>({a}, {b})",
        "minimum": f"k_min<{ctype}>({a}, {b})",
        "negative": f"-{a}",
        "abs": f"k_abs<{ctype}>({a})" if not floating else f"k_abs({a})",
        "sign": f"k_sign<{ctype}>({a})",
        "square": f"{a} * {a}",
        "reciprocal": f"({ctype})1 / {a}",
        "rsqrt": f"({ctype})1 / k_sqrt({a})",
        "relu": f"k_max<{ctype}>({a}, 0)",
        "softplus": f"k_log1p(k_exp(-k_abs({a}))) + k_max<{ctype}>({a}, 0)",
        "softsign": f"{a} / (k_abs({a}) + ({ctype})1)",
        "sigmoid": f"({ctype})1 / (({ctype})1 + k_exp(-k_max<{ctype}>({a}, {_sigmoid_bound(out)})))",
        "hard_sigmoid": f"k_min<{ctype}>(k_max<{ctype}>({a} * {number(0.2)} + {number(0.5)}, 0), 1)"
        if floating else "",
    }  # fmt: skip
    return simple[name]


def _sigmoid_bound(out: str) -> str:
    return literal(_SIGMOID_BOUND.get(out, 0.0), out)
