"""Convolution and pooling, forward and forward + backward, beside PyTorch in one run.

    python benchmarks/conv.py --torch-python /path/to/an/environment/with/torch/bin/python [--write]

Three processes take turns case by case and round by round, so that whatever else the machine does meets all of them:
kcore, kcore with the plugin kcore-kernels-numba where that is installed, and PyTorch; the best round counts. PyTorch is
measured in both memory formats and its faster one is compared. All use float32 and as many threads as there are cores.
kcore runs through `K.function` on variables; of every result one element is returned, so that copying results out is
not measured. PyTorch's results stay in its memory too. ``--write`` keeps the table in conv.md. ``--one-core`` gives all
of them one thread and takes the CPU time of the process instead of the time that passes, which a busy machine disturbs
less; its table is conv_one_core.md.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import pathlib
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

# name, batch, rows, channels, window, filters (0: depthwise; "max", "avg": pooling), stride
CASES: list[tuple[str, int, int, int, int, Any, int]] = [
    ("conv 3x3", 128, 26, 32, 3, 64, 1),
    ("conv 3x3", 32, 56, 64, 3, 64, 1),
    ("conv 3x3", 32, 28, 128, 3, 128, 1),
    ("conv 3x3", 32, 14, 256, 3, 256, 1),
    ("conv 1x1", 32, 56, 64, 1, 256, 1),
    ("stem 7x7 / 2", 8, 224, 3, 7, 64, 2),
    ("depthwise 3x3", 32, 56, 128, 3, 0, 1),
    ("conv 3x3 / 2", 32, 56, 64, 3, 128, 2),
    ("first 3x3", 128, 28, 1, 3, 32, 1),
    ("max pool 2x2 / 2", 128, 24, 64, 2, "max", 2),
    ("max pool 3x3 / 2", 8, 112, 64, 3, "max", 2),
    ("max pool 3x3", 8, 35, 288, 3, "max", 1),
    ("avg pool 2x2 / 2", 32, 56, 64, 2, "avg", 2),
]
# The ratio of forward + backward that the project promises, where it promises one.
LIMITS: list[float | None] = [1.25] * 5 + [2.0] * 2 + [None] * 6
PLUGIN = "kcore-kernels-numba"


def kcore_runs(case: tuple[Any, ...]) -> dict[str, tuple[Callable[[], Any], Callable[[], Any]]]:
    """Calls for "forward" and "forward + backward"."""
    import numpy as np

    from kcore import backend as K

    _, n, rows, c, k, f, stride = case
    rng = np.random.default_rng(0)

    def variable(*shape: int) -> Any:
        return K.variable(rng.standard_normal(shape, dtype="float32"))

    x, given = variable(n, rows, rows, c), []
    if f in ("max", "avg"):
        y = K.pool2d(x, k, stride, "same" if k > stride else "valid", pool_mode=f)
    elif f == 0:
        given = [variable(k, k, c, 1)]
        y = K.depthwise_conv2d(x, given[0], (stride, stride), "same")
    else:
        given = [variable(k, k, c, f)]
        y = K.conv2d(x, given[0], (stride, stride), "same")
    g = variable(*y.shape)
    grads = K.gradients(K.sum(y * g), [x, *given])
    forward = K.function([], [_one(y)])
    both = K.function([], [_one(t) for t in (y, *grads)])
    return {"kcore": (lambda: forward([]), lambda: both([]))}


def _one(t: Any) -> Any:
    return t[tuple(slice(0, 1) for _ in t.shape)]


def torch_runs(case: tuple[Any, ...]) -> dict[str, tuple[Callable[[], Any], Callable[[], Any]]]:
    """The same calls for PyTorch, in both memory formats."""
    import torch
    import torch.nn.functional as F

    torch.set_num_threads(int(os.environ["BENCHMARK_THREADS"]))
    _, n, rows, c, k, f, stride = case
    runs = {}
    for name, memory in (("NCHW", torch.contiguous_format), ("NHWC", torch.channels_last)):
        x = torch.randn(n, c, rows, rows).contiguous(memory_format=memory).requires_grad_()
        inputs, pad = [x], k // 2 if k > stride or stride == 1 else 0
        if f == "max":
            call = lambda x=x, pad=pad: F.max_pool2d(x, k, stride, pad)  # noqa: E731
        elif f == "avg":
            call = lambda x=x, pad=pad: F.avg_pool2d(x, k, stride, pad, count_include_pad=False)  # noqa: E731
        else:
            w = torch.randn(*((f, c, k, k) if f else (c, 1, k, k)))
            w = w.contiguous(memory_format=memory).requires_grad_()
            inputs.append(w)
            call = lambda x=x, w=w, pad=pad: F.conv2d(x, w, None, stride, pad, 1, 1 if f else c)  # noqa: E731
        g = torch.randn_like(call())
        both = lambda call=call, inputs=inputs, g=g: torch.autograd.grad(call(), inputs, g)  # noqa: E731
        runs[name] = (call, both)
    return runs


def memory_line() -> str:
    """Peak memory of forward + backward, beside the bytes of inputs, outputs and gradients."""
    import numpy as np

    from kcore import backend as K

    x, w = np.ones((32, 56, 56, 64), "float32"), np.ones((3, 3, 64, 64), "float32")
    inputs = [K.placeholder(x.shape), K.placeholder(w.shape)]
    y = K.conv2d(*inputs, padding="same")
    f = K.function(inputs, [y, *K.gradients(K.sum(K.square(y)) / 2, inputs)])  # the gradient by y is y itself
    tracemalloc.start()
    outputs = f([x, w])
    peak = tracemalloc.get_traced_memory()[1] + x.nbytes + w.nbytes
    tracemalloc.stop()
    total = x.nbytes + w.nbytes + sum(o.nbytes for o in outputs) + outputs[0].nbytes
    return (
        f"Memory of forward and backward at (32, 56, 56, 64), 3x3, 64 filters: {peak / 1e6:.0f} MB at the peak for "
        f"{total / 1e6:.0f} MB of inputs, outputs and gradients ({peak / total:.2f} times; at most 3)."
    )


def worker(framework: str) -> None:
    """Answer each line of standard input, the number of a case, with a line of times in seconds."""
    clock = time.process_time if os.environ["BENCHMARK_THREADS"] == "1" else time.perf_counter
    runs: dict[str, Any] = {}
    current = None
    for line in sys.stdin:
        if line != current:
            runs = {"kcore": kcore_runs, "torch": torch_runs}[framework](CASES[int(line)])
            current = line
            for both in runs.values():
                for call in both:
                    call()
        times = {}
        for name, both in runs.items():
            times[name] = []
            for call in both:
                start = clock()
                call()
                times[name].append(clock() - start)
        print(json.dumps(times), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--torch-python", default=sys.executable, help="Python of an environment with PyTorch")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--cases", type=int, nargs="*", help="numbers of the cases to run; by default all")
    parser.add_argument("--one-core", action="store_true", help="one thread each, CPU time")
    parser.add_argument("--write", action="store_true", help="keep the table in conv.md")
    parser.add_argument("--worker", choices=("kcore", "torch"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        worker(options.worker)
        return
    threads = "1" if options.one_core else str(len(os.sched_getaffinity(0)))
    names = ("BENCHMARK_THREADS", "KCORE_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    environment = {**os.environ, **dict.fromkeys(names, threads)}
    contenders = {
        "kcore": ("kcore", sys.executable, {**environment, "KCORE_PLUGINS_DISABLED": PLUGIN}),
        "torch": ("torch", options.torch_python, environment),
    }
    if importlib.util.find_spec("kcore_kernels_numba"):
        contenders["numba"] = ("kcore", sys.executable, environment)
    processes = {
        title: subprocess.Popen(
            [python, os.path.abspath(__file__), "--worker", name],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=variables,
        )
        for title, (name, python, variables) in contenders.items()
    }  # fmt: skip
    titles = ("case", "(N, H, W, C), filters", "kcore fwd", "numba fwd", "torch fwd")
    titles += ("kcore fwd+bwd", "numba fwd+bwd", "torch fwd+bwd", "ratio", "with numba", "limit")
    lines = ["| " + " | ".join(titles) + " |", "|---" * len(titles) + "|"]
    print(*lines, sep="\n")
    for number in options.cases if options.cases is not None else range(len(CASES)):
        best: dict[str, list[float]] = {}
        for _ in range(options.rounds):
            for title, process in processes.items():
                assert process.stdin is not None and process.stdout is not None
                print(number, file=process.stdin, flush=True)
                for name, times in json.loads(process.stdout.readline()).items():
                    name = title if name == "kcore" else name
                    best[name] = [min(a, b) for a, b in zip(times, best.get(name, times))]
        lines.append(report(number, best))
        print(lines[-1], flush=True)
    for process in processes.values():
        process.communicate("")
    memory = memory_line()
    print(memory)
    if options.write:
        mode = " --one-core" if options.one_core else ""
        page = (
            "# Convolution and pooling beside PyTorch\n\n"
            f"`python benchmarks/conv.py --torch-python ... --rounds {options.rounds}{mode} --write`\n\n"
            "The ratio is kcore's time by PyTorch's, forward + backward; the best of all rounds counts. `numba` is\n"
            "kcore with the plugin kcore-kernels-numba, which compiles pooling and depthwise convolution.\n\n"
            + "\n".join(lines)
            + f"\n\n{memory}\n"
        )
        target = pathlib.Path(__file__).with_name("conv_one_core.md" if options.one_core else "conv.md")
        target.write_text(page, encoding="utf-8")


def report(number: int, best: dict[str, list[float]]) -> str:
    """The row of a case."""
    name, n, rows, c, _, f, _ = CASES[number]
    ours, compiled = best.pop("kcore"), best.pop("numba", None)
    theirs = min(best, key=lambda key: best[key][1])
    forward = min(times[0] for times in best.values())
    limit = LIMITS[number]
    with_numba = ["", "", ""]
    if compiled is not None:
        with_numba = [_ms(compiled[0]), _ms(compiled[1]), f"{compiled[1] / best[theirs][1]:.2f}"]
    cells = (name, f"({n}, {rows}, {rows}, {c}), {f or c}", _ms(ours[0]), with_numba[0], _ms(forward), _ms(ours[1]))
    cells += (with_numba[1], f"{_ms(best[theirs][1])} ({theirs})", f"{ours[1] / best[theirs][1]:.2f}", with_numba[2])
    return "| " + " | ".join((*cells, str(limit or ""))) + " |"


def _ms(seconds: float) -> str:
    return f"{1e3 * seconds:.1f} ms"


if __name__ == "__main__":
    main()
