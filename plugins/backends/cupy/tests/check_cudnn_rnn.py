"""Asks the real cuDNN, on a machine without a GPU, about recurrent layers, and prints what it answers.

python check_cudnn_rnn.py [LIBRARY]      # libcudnn.so.9; by default that of nvidia-cudnn-cu12 or nvidia-cudnn-cu13

cuDNN starts on a GPU only, but its handle may be blank memory for what is asked here: it makes the descriptors, says
how much memory it wants and where it wants weights, and checks all that a computing call is given before it goes to
CUDA.
Whole plans are made and bound on the emulated GPU, and their calls of cuDNN are made. What this shows: cuDNN
understands kcore's descriptors, kcore reads its layout of weights, and the three calls are refused for no other reason
than the missing driver (but are refused where an operand is wrong). Nothing is computed.
"""

from __future__ import annotations

import ctypes
import os
import sys
from typing import Any

os.environ["KCORE_CUPY_EMULATE"] = "1"

import numpy as np

from kcore.grad import vector_jacobian
from kcore.graph import apply, placeholder
from kcore.ops import recurrent
from kcore.runtime import devices
from kcore.runtime.executor import Instance
from kcore.runtime.function import Function
from kcore_backends_cupy import CupyDevice, cudnn_rnn
from kcore_backends_cupy.capture import taken_apart
from kcore_backends_cupy.cudnn_rnn import Call, CudnnRnn, Layer, Recurrence
from kcore_backends_cupy.libraries import StatusError, in_wheels
from kcore_backends_cupy.recurrent_ops import CELLS

WITHOUT_CUDA = (4000, 5000)  # CUDNN_STATUS_INTERNAL_ERROR (so 9.5 says it), CUDNN_STATUS_EXECUTION_FAILED (9.28)
WRONG = 2000  # CUDNN_STATUS_BAD_PARAM
GATES = {"lstm_sequence": 4, "gru_sequence": 3, "rnn_sequence": 1}
SIZES = ((32, 80, 128, 128), (3, 4, 5, 7), (1, 1, 1, 1))  # batch, steps, features, units


class WithoutGPU(CudnnRnn):
    """The real library with a handle that is blank memory."""

    def made(self, name: str, *args: Any) -> ctypes.c_void_p:
        if name != "cudnnCreate":
            return super().made(name, *args)
        self._blank = ctypes.create_string_buffer(1 << 20)
        return ctypes.c_void_p(ctypes.addressof(self._blank))

    def run(self, name: str, *args: Any) -> None:
        if name == "cudnnSetStream":  # goes to CUDA at once
            return
        try:
            super().run(name, *args)
        except StatusError as error:  # the sizes are computed, and then the device is asked for
            if name != "cudnnGetRNNTempSpaceSizes" or not for_want_of_cuda(error):
                raise


def for_want_of_cuda(error: StatusError) -> bool:
    """Whether cuDNN got as far as to CUDA."""
    return error.status // 1000 * 1000 in WITHOUT_CUDA


def plan_of(op: str, dtype: str, sizes: tuple[int, ...]) -> tuple[list[Any], list[Any]]:
    """Placeholders; outputs and all gradients."""
    batch, steps, features, units = sizes
    columns = GATES[op] * units
    shapes = {"x": (batch, steps, features), "kernel": (features, columns), "recurrent": (units, columns)}
    shapes |= {"bias": (2, columns) if op == "gru_sequence" else (columns,), "h0": (batch, units)}
    shapes |= {"c0": (batch, units)} if op == "lstm_sequence" else {}
    inputs = [placeholder(s, dtype, n) for n, s in shapes.items()]
    attrs = CELLS[op][1] | {"operands": tuple(shapes)[3:], "go_backwards": False}
    outs = list(apply(op, *inputs, **attrs)[:-1])
    names = recurrent.gradient_names(attrs)
    seeds = [apply("cast", np.ones(o.shape), dtype=dtype) for o in outs]
    return inputs, [
        *outs,
        *vector_jacobian(outs, seeds, [t for t, n in zip(inputs, shapes, strict=True) if n in names]),
    ]


def answer(call: Call, library: CudnnRnn, args: tuple[Any, ...]) -> StatusError:
    """What the library says to a call."""
    try:
        library.execute(call._name, args, 0)
    except StatusError as error:
        return error
    raise SystemExit(f"{call._name} computed without a GPU")


def check(device: CupyDevice, library: CudnnRnn, op: str, dtype: str, sizes: tuple[int, ...]) -> str:
    """The memory that a layer wants, after its calls were accepted; the program ends where one is not."""
    inputs, outs = plan_of(op, dtype, sizes)
    plan = Function(inputs, outs).bound_plan([t.shape for t in inputs]).plan
    calls = [c for c in taken_apart(Instance(plan, device).calls) if isinstance(c, Call)]
    names = [c._name for c in calls]
    if names != ["cudnnRNNForward", "cudnnRNNBackwardData_v8", "cudnnRNNBackwardWeights_v8"]:
        raise SystemExit(f"{op}, {dtype}, {sizes}: the plan calls {names}")
    for call in calls:
        said = answer(call, library, call.args)
        if not for_want_of_cuda(said):
            raise SystemExit(f"{op}, {dtype}, {sizes}: {said}")
        layer: Layer = call._layer
        others = library.layer(Recurrence(**{**layer.wanted._asdict(), "units": layer.wanted.units + 1}))
        swapped = tuple(others.y if a is layer.y else a for a in call.args)
        if answer(call, library, swapped).status != WRONG:
            raise SystemExit(f"{call._name}: cuDNN accepts outputs of another size")
    wanted = (layer.weights, *layer.work, layer.reserve)
    return "".join(f"{n:>12,}" for n in wanted)


def main(paths: list[str]) -> None:
    path = (paths or list(in_wheels("libcudnn.so.9", ("cudnn",))))[0]
    library = WithoutGPU(path)
    cudnn_rnn.find = lambda device: library
    device = devices._current = CupyDevice()
    library._library.cudnnGetVersion.restype = ctypes.c_size_t
    print(f"cuDNN {library._library.cudnnGetVersion()}; bytes of weights, workspace (inference, training), reserve\n")
    for op in CELLS:
        for dtype in ("float16", "float32", "float64"):
            for sizes in SIZES:
                print(f"{op:14}{dtype:>8} {sizes!s:20}{check(device, library, op, dtype, sizes)}", flush=True)
    print("\nall descriptors are understood, all calls accepted up to CUDA")


if __name__ == "__main__":
    main(sys.argv[1:])
