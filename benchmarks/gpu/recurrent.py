"""cuDNN's recurrent layers beside kcore's step kernels: values, repeatability, graphs, milliseconds; a line of JSON.

Both compute one layer with all its gradients in one process; for values in three dtypes, for time in float32, as a step
of training in which the weights change. `--tiny` is for trying it out on the host, where there is no cuDNN.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from kcore import backend as K
from kcore.grad import vector_jacobian
from kcore.graph import apply, placeholder
from kcore.ops import recurrent
from kcore.runtime.function import Function
from kcore_backends_cupy import cudnn_rnn
from kcore_backends_cupy.capture import Segment
from kcore_backends_cupy.recurrent_ops import CELLS

GATES = {"lstm_sequence": 4, "gru_sequence": 3, "rnn_sequence": 1}
SIZES = ((32, 80, 128, 128), (64, 20, 32, 32), (32, 60, 512, 512), (7, 5, 3, 11))  # batch, steps, features, units
#: How far results may be from each other, as a part of the largest: sums are added in another order.
TOLERANCE = {"float16": 3e-2, "float32": 2e-4, "float64": 1e-10}


@contextmanager
def library(used: bool) -> Iterator[None]:
    """In here, plans are made with cuDNN, or without it."""
    found = cudnn_rnn.library
    if not used:
        cudnn_rnn.library = lambda device: None
    try:
        yield
    finally:
        cudnn_rnn.library = found


def operands(op: str, dtype: str, sizes: tuple[int, ...]) -> dict[str, np.ndarray]:
    """Random inputs, weights and initial states."""
    batch, steps, features, units = sizes
    columns, r = GATES[op] * units, np.random.RandomState(0)
    shapes = {"x": (batch, steps, features), "kernel": (features, columns), "recurrent": (units, columns)}
    shapes |= {"bias": (2, columns) if op == "gru_sequence" else (columns,), "h0": (batch, units)}
    shapes |= {"c0": (batch, units)} if op == "lstm_sequence" else {}
    scale = {"kernel": features**-0.5, "recurrent": units**-0.5}
    return {k: (r.standard_normal(s) * scale.get(k, 1)).astype(dtype) for k, s in shapes.items()}


def layer(op: str, tensors: dict[str, Any], backwards: bool = False) -> tuple[list[Any], list[Any]]:
    """Outputs, and the gradients of all operands."""
    attrs = CELLS[op][1] | {"operands": tuple(tensors)[3:], "go_backwards": backwards}
    outs = list(apply(op, *tensors.values(), **attrs)[:-1])
    r = np.random.RandomState(1)
    seeds = [apply("cast", r.standard_normal(o.shape) / o.shape[0], dtype=o.dtype) for o in outs]
    names = recurrent.gradient_names(attrs)
    return outs, vector_jacobian(outs, seeds, [t for k, t in tensors.items() if k in names])


def compare(op: str, dtype: str, sizes: tuple[int, ...], backwards: bool) -> dict[str, Any]:
    """How far cuDNN's results are from the step kernels', and whether it was used, repeats, and lies in graphs."""
    arrays = operands(op, dtype, sizes)
    found = []
    for used in (True, False):
        inputs = {k: placeholder(a.shape, dtype, k) for k, a in arrays.items()}
        outs, gradients = layer(op, inputs, backwards)
        f = Function(list(inputs.values()), [*outs, *gradients])
        with library(used):
            runs = [f(list(arrays.values())) for _ in range(4)]
        found.append((f, runs))
    (f, (first, *others)), (_, (wanted, *_)) = found
    calls = [c for _, c in f.bound_plan([a.shape for a in arrays.values()])._idle[0]._calls]
    return {
        "used": "cudnn_sequence" in f.show(),
        "difference": max(_distance(a, b) for a, b in zip(first, wanted, strict=True)),
        "repeats": all(np.array_equal(a, b) for run in others for a, b in zip(first, run, strict=True)),
        "captured": all(isinstance(c, Segment) and not c.refused for c in calls),
    }


def _distance(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a.astype("float64"), b.astype("float64")
    distance = float(np.abs(a - b).max() / max(np.abs(b).max(), 1e-30))
    return distance if np.isfinite(distance) else float("inf")


def step(op: str, sizes: tuple[int, ...], used: bool) -> Callable[[], Any]:
    """A step of training; what it returns has been computed."""
    arrays = operands(op, "float32", sizes)
    tensors = {k: K.variable(a) for k, a in arrays.items()}
    outs, gradients = layer(op, tensors)
    moved = [(tensors[k], tensors[k] - 1e-4 * g) for k, g in zip(tensors, gradients, strict=True) if k in
             ("kernel", "recurrent", "bias")]  # fmt: skip
    f = Function([], [K.sum(outs[1]), K.sum(gradients[0])], moved)

    def run() -> Any:
        with library(used):
            return f([])

    return run


def milliseconds(run: Callable[[], Any], seconds: float) -> float:
    """The median of repeated steps."""
    for _ in range(4):  # binds, captures
        run()
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 3:
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return 1e3 * sorted(times)[len(times) // 2]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiny", action="store_true")
    tiny = parser.parse_args().tiny
    rows = []
    for op in CELLS:
        for sizes in ((2, 3, 4, 5),) if tiny else SIZES:
            found = {d: [compare(op, d, sizes, back) for back in (False, True)] for d in TOLERANCE}
            ms = [milliseconds(step(op, sizes, used), 0.05 if tiny else 1.0) for used in (True, False)]
            every = [c for some in found.values() for c in some]
            close = {d: max(c["difference"] for c in some) for d, some in found.items()}
            rows.append(
                {
                    "layer": op.removesuffix("_sequence"), "sizes": sizes, "difference": close,
                    "agrees": all(close[d] <= TOLERANCE[d] for d in TOLERANCE),
                    **{k: all(c[k] for c in every) for k in ("used", "repeats", "captured")},
                    "cudnn": ms[0], "steps": ms[1],
                }
            )  # fmt: skip
    print(json.dumps({"device": K.backend(), "rows": rows}))


if __name__ == "__main__":
    main()
