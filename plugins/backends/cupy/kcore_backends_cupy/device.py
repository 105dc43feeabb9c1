"""`CupyDevice`: plans on an NVIDIA GPU."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from kcore.errors import ExecutionError
from kcore.graph import Spec
from kcore.ops.random import RandomStream
from kcore.runtime.device import Device
from kcore_backends_cupy import availability, precision, rows, transfer


class CupyDevice(Device):
    """Runs plans on one GPU: that of `KCORE_CUPY_DEVICE` (a number, by default 0).

    Attributes:
        number: which GPU.
        emulated: whether kernels run on the host.
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
        if self.emulated:
            from kcore_backends_cupy.emulation import make_cupy

            self.xp = make_cupy()
        else:
            precision.tell_cupy()
            import cupy

            self.xp = cupy
            if os.environ.get("KCORE_CUPY_POOL") == "0":  # each array by itself, so that memcheck sees its end
                cupy.cuda.set_allocator(None)
        self.number = _chosen(int(self.xp.cuda.runtime.getDeviceCount()))
        if not self.emulated:
            self.xp.cuda.Device(self.number).use()
        # A blocking stream: what CuPy does outside of a run, on the default stream, waits for it and it for that.
        with self.xp.cuda.Device(self.number):
            self.stream = self.xp.cuda.Stream()

    @classmethod
    def is_available(cls) -> bool:
        return availability.here() is None and not availability.emulating()

    @classmethod
    def explain(cls) -> str | None:
        return availability.here()

    def empty(self, shape: Sequence[int], dtype: str) -> Any:
        try:
            return self.xp.empty(tuple(shape), dtype=dtype)
        except self.xp.cuda.memory.OutOfMemoryError as error:
            raise self._out_of_memory(shape, dtype) from error

    def asarray(self, value: Any, dtype: str | None = None) -> Any:
        if isinstance(value, self.xp.ndarray):
            return value if dtype is None or value.dtype == dtype else value.astype(dtype)
        # A list of arrays of the device is no host value; everything else NumPy understands first.
        return self.xp.asarray(np.asarray(value, dtype=dtype))

    def to_host(self, array: Any) -> np.ndarray:
        return array.get()

    def later(self, arrays: Sequence[Any]) -> Callable[[], list[np.ndarray]]:
        return transfer.later(self, arrays)

    def stager(self, specs: Sequence[Spec]) -> transfer.PinnedStager:
        return transfer.PinnedStager(self, specs)

    def keep(self, arrays: Sequence[Any], dtypes: Sequence[str]) -> list[Any] | None:
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

    def bind_group(self, ctx: Any, instruction: Any, outs: Sequence[Any], arrays: Any) -> Callable[[], Any]:
        from kcore_backends_cupy.elementwise import bind_group

        return bind_group(ctx, instruction, outs, arrays)

    def arrange(self, calls: Sequence[Callable[[], Any]]) -> list[tuple[int, Callable[[], Any]]]:
        from kcore_backends_cupy.capture import arrange

        return arrange(self, calls)

    def errstate(self) -> Any:
        return self.stream  # as a context manager: work goes there; a GPU never warns of overflow

    def synchronize(self) -> None:
        self.stream.synchronize()

    def _out_of_memory(self, shape: Sequence[int], dtype: str) -> ExecutionError:
        wanted = int(np.prod(tuple(shape), dtype=np.int64)) * np.dtype(dtype).itemsize
        free, total = self.xp.cuda.runtime.memGetInfo()
        return ExecutionError(
            f"GPU {self.number} has no room for {wanted / 2**20:.1f} MiB (shape {tuple(shape)}, {dtype}): "
            f"{free / 2**20:.0f} of {total / 2**20:.0f} MiB are free. A smaller batch_size helps most; "
            "K.clear_session() frees models that are not used any more; `nvidia-smi` shows other programs' memory"
        )


def _chosen(count: int) -> int:
    text = os.environ.get("KCORE_CUPY_DEVICE", "0")
    if not text.isdigit() or int(text) >= count:
        raise ExecutionError(
            f"KCORE_CUPY_DEVICE must be the number of a GPU, 0 to {count - 1} here; it is {text!r}. `nvidia-smi -L` "
            "lists them"
        )
    return int(text)


__all__ = ["CupyDevice"]
