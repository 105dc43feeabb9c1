"""Recurrent layers for tests: random operands, their graph with all gradients, and both devices' results."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from kcore.grad import vector_jacobian
from kcore.graph import apply, placeholder
from kcore.ops import recurrent
from kcore.runtime import devices
from kcore.runtime.function import Function
from kcore.runtime.numpy_device import NumpyDevice

GATES = {"lstm_sequence": 4, "gru_sequence": 3, "rnn_sequence": 1}


def arrays(op: str, names: tuple[str, ...], sizes: tuple[int, ...], dtype: str, **options: Any) -> dict[str, Any]:
    """Random operands, in the order of the op."""
    batch, steps, features, units = sizes
    gates, masks = GATES[op], options.get("masks", 1)
    shapes = {
        "x": (batch, steps, features),
        "kernel": (features, gates * units),
        "recurrent": (units, gates * units),
        "bias": (2, gates * units) if options.get("two_rows") else (gates * units,),
        "h0": (batch, units),
        "c0": (batch, units),
        "mask": (batch, steps),
        "input_dropout": (masks, batch, features),
        "recurrent_dropout": (masks, batch, units),
    }
    r = np.random.RandomState(math.prod(sizes) + len(names))
    found = {}
    for name, shape in shapes.items():
        if name in ("x", "kernel", "recurrent", *names) and (name != "c0" or op == "lstm_sequence"):
            value = r.standard_normal(shape) * 0.6
            if name == "mask":
                value = r.rand(*shape) > 0.4
            elif "dropout" in name:
                value = (r.rand(*shape) > 0.3) / 0.7
            found[name] = value if name == "mask" else value.astype(dtype)
    return found


def graph(op: str, given: dict[str, Any], attrs: dict[str, Any]) -> tuple[list[Any], list[Any]]:
    """Placeholders; outputs and the gradients of all operands for random gradients of the outputs."""
    inputs = [placeholder(a.shape, a.dtype.name, n) for n, a in given.items()]
    attrs = attrs | {"operands": tuple(list(given)[3:])}
    outs = apply(op, *inputs, **attrs)[:-1]
    r = np.random.RandomState(3)
    seeds = [apply("cast", r.standard_normal(o.shape), dtype=o.dtype) for o in outs]
    names = recurrent.gradient_names(attrs)
    wrt = [t for t, n in zip(inputs, given, strict=True) if n in names]
    return inputs, [*outs, *vector_jacobian(list(outs), seeds, wrt)]


def on_both(inputs: list[Any], outs: list[Any], values: list[Any], device: Any) -> list[tuple[Any, Any]]:
    """Results of the device, and of NumPy's."""
    made = []
    for chosen in (device, NumpyDevice()):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(devices, "_current", chosen)
            made.append(Function(inputs, outs)(values))
    return list(zip(*made, strict=True))


def attributes(op: str, pair: tuple[str, str], reverse: bool, after: bool) -> dict[str, Any]:
    attrs: dict[str, Any] = {"activation": pair[0], "go_backwards": reverse}
    if op != "rnn_sequence":
        attrs["recurrent_activation"] = pair[1]
    return attrs | ({"reset_after": after} if op == "gru_sequence" else {})
