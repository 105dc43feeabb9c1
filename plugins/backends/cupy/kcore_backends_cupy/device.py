"""`CupyDevice`: plans on an NVIDIA GPU."""

from __future__ import annotations

import copy
import gc
import os
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from kcore.compile import Graph
from kcore.errors import ExecutionError
from kcore.ops.random import RandomStream
from kcore.runtime.device import Device
from kcore.runtime.staging import Block
from kcore_backends_cupy import availability, normalization, precision, rows, transfer
from kcore_backends_cupy.kept import KeptRows


class CupyDevice(Device):
    """Runs plans on one GPU: that of `KCORE_CUPY_DEVICE` (a number, by default 0).

    Attributes:
        number: which GPU.
        emulated: whether kernels run on the host.
        on_paper: whether they do not run at all.
        separate: whether each array is allocated by itself, so that memcheck sees its end.
        stream: where all work goes, in order.

    Raises:
        ExecutionError: no GPU can be used here; the message says why and what to do.
    """

    name = "cupy"
    fuse_from = 1  # a launch costs the same for one element as for thousands
    most_open = 1 << 30
    longest_row = rows.LONGEST

    def __init__(self) -> None:
        reason = availability.here()
        if reason is not None:
            raise ExecutionError(f"The backend 'cupy' cannot run here: {reason}.")
        self.emulated = availability.emulating()
        self.on_paper = availability.on_paper()
        self.separate = availability.separating()
        if self.emulated:
            from kcore_backends_cupy.emulation import make_cupy

            self.xp = make_cupy(self.on_paper)
        else:
            precision.tell_cupy()
            import cupy

            self.xp = cupy
            if self.separate:
                cupy.cuda.set_allocator(None)
        self._count = int(self.xp.cuda.runtime.getDeviceCount())
        self._all: dict[int, CupyDevice] = {}
        self._lock = threading.Lock()
        self._start(_chosen(self._count))

    def _start(self, number: int) -> None:
        self.number = number
        self._all[number] = self
        # A blocking stream: what CuPy does outside of a run, on the default stream, waits for it and it for that.
        with self.here():
            self.stream = self.xp.cuda.Stream()
        self._work = _Work(self)

    @classmethod
    def is_available(cls) -> bool:
        return availability.here() is None and not availability.emulating()

    @classmethod
    def explain(cls) -> str | None:
        return availability.here()

    def empty(self, shape: Sequence[int], dtype: str) -> Any:
        full = self.xp.cuda.memory.OutOfMemoryError
        with self.here():
            try:
                return self.xp.empty(tuple(shape), dtype=dtype)
            except full:
                gc.collect()  # models that nobody uses any more are cycles, and hold their memory until then
            try:
                return self.xp.empty(tuple(shape), dtype=dtype)
            except full as error:
                raise self._out_of_memory(shape, dtype) from error

    def asarray(self, value: Any, dtype: str | None = None) -> Any:
        with self.here():
            if isinstance(value, self.xp.ndarray):
                if value.device.id != self.number:
                    value = self._fetched(value)
                return value if dtype is None or value.dtype == dtype else value.astype(dtype)
            # A list of arrays of the device is no host value; everything else NumPy understands first.
            return self.xp.asarray(np.asarray(value, dtype=dtype))

    def to_host(self, array: Any) -> np.ndarray:
        with self.here():
            return array.get()

    def numbers(self) -> list[int]:
        return list(range(self._count))

    def at(self, number: int | None) -> CupyDevice:
        if number is None or number == self.number:
            return self
        with self._lock:
            if number not in self._all:
                _check(number, self._count)
                copy.copy(self)._start(number)
            return self._all[number]

    def receive(self, source: Device, out: Any, array: Any) -> Callable[[], Any]:
        return transfer.peer_copy(source, array, self, out)

    def _fetched(self, array: Any) -> Any:
        """A copy here of an array of another GPU; waits for both."""
        source = self.at(array.device.id)
        out = self.empty(array.shape, str(array.dtype))
        with source.here():
            source.xp.cuda.Device(source.number).synchronize()
        self.receive(source, out, array)()
        self.synchronize()
        return out

    def copy(self, target: Any, source: Any) -> Callable[[], Any]:
        from kcore_backends_cupy.kernels.moving import copy_launch

        return copy_launch(self.xp, target, source)

    def stager(self, inputs: Block, outputs: Sequence[Any]) -> transfer.PinnedStager:
        return transfer.PinnedStager(self, inputs, outputs)

    def keep(self, arrays: Sequence[Any], dtypes: Sequence[str]) -> KeptRows | None:
        return transfer.kept(self, arrays, dtypes)

    def here(self) -> Any:
        """A context manager in which CuPy's current device is this one."""
        return self.xp.cuda.Device(self.number)

    def random_bits(self, stream: RandomStream, words: int) -> Any:
        from kcore.runtime.context import BindContext
        from kcore_backends_cupy.random_bits import fresh_bits

        return fresh_bits(BindContext(self), stream, words)

    def kernel(self, name: str) -> Callable[..., Callable[[], Any]] | None:
        from kcore_backends_cupy.kernels import find_kernel

        return find_kernel(name)

    def rewrite(self, graph: Graph) -> Graph:
        from kcore_backends_cupy.recurrent_ops import on_cudnn

        return normalization.split(graph.rewritten(on_cudnn(self, graph.wanted)))

    def bind_group(self, ctx: Any, instruction: Any, outs: Sequence[Any], arrays: Any) -> Callable[[], Any]:
        from kcore_backends_cupy.elementwise import bind_group

        return bind_group(ctx, instruction, outs, arrays)

    def arrange(self, calls: Sequence[Callable[[], Any]]) -> list[tuple[int, Callable[[], Any]]]:
        from kcore_backends_cupy.capture import arrange

        return arrange(self, calls)

    def errstate(self) -> Any:
        return self._work

    def synchronize(self) -> None:
        self.stream.synchronize()

    def _out_of_memory(self, shape: Sequence[int], dtype: str) -> ExecutionError:
        wanted = int(np.prod(tuple(shape), dtype=np.int64)) * np.dtype(dtype).itemsize
        free, total = self.xp.cuda.runtime.memGetInfo()
        held = self.xp.get_default_memory_pool().used_bytes()
        return ExecutionError(
            f"GPU {self.number} has no room for {_mib(wanted)} (shape {tuple(shape)}, {dtype}): {_mib(free)} of "
            f"{_mib(total)} are free, {_mib(held)} are this program's arrays, {_mib(max(0, total - free - held))} are "
            "others'. A smaller batch_size helps most; K.clear_session() frees models that are not used any more; "
            "`nvidia-smi` shows other programs' memory"
        )


def _mib(nbytes: int) -> str:
    return f"{nbytes / 2**20:.1f} MiB"


class _Work:
    """A context manager in which work goes to a device's stream; a GPU never warns of overflow. Threads share it."""

    def __init__(self, device: CupyDevice):
        self._device = device
        self._entered = threading.local()

    def __enter__(self) -> None:
        here = self._device.here()
        here.__enter__()
        self._device.stream.__enter__()
        self._entered.stack = [*getattr(self._entered, "stack", ()), here]

    def __exit__(self, *exc: object) -> None:
        self._device.stream.__exit__(*exc)
        self._entered.stack.pop().__exit__(*exc)


def _chosen(count: int) -> int:
    text = os.environ.get("KCORE_CUPY_DEVICE", "0")
    if not text.isdigit() or int(text) >= count:
        numbers = "0, the only one here" if count == 1 else f"0 to {count - 1} here"
        raise ExecutionError(
            f"KCORE_CUPY_DEVICE must be the number of a GPU, {numbers}; it is {text!r}. `nvidia-smi -L` lists them"
        )
    return int(text)


def _check(number: int, count: int) -> None:
    if not 0 <= number < count:
        exist = "only GPU 0 is" if count == 1 else f"GPUs 0 to {count - 1} are"
        raise ExecutionError(f"a device scope asks for GPU {number}, and {exist} here (`nvidia-smi -L` lists them)")


__all__ = ["CupyDevice"]
