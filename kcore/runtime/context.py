"""What a kernel is given when it is bound: the array module, scratch memory, random bits, sub-plans."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kcore.dtypes import ITEMSIZE
from kcore.graph import Node, Op
from kcore.ops.random import RandomStream
from kcore.plugins import hooks
from kcore.runtime.device import Device

Kernel = Callable[..., Callable[[], Any]]  # bind(ctx, outs, ins, attrs) -> the call to repeat

# finish(worker, lo, hi): the calls that follow when the positions (rows of channels) [lo, hi) of a result are there.
Finish = Callable[[int, int, int], Sequence[Callable[[], Any]]]


class BindContext:
    """Services for binding the kernels of one plan to memory.

    Attributes:
        device: the device on which this part of the plan runs.
        home: the device that runs the plan.
        xp: its array module.
    """

    def __init__(self, device: Device, home: Device | None = None):
        self.device = device
        self.home = home or device
        self.xp = device.xp
        self._finish: Finish | None = None
        self._pool = device.empty((0,), "uint8")
        self._used = 0
        self._private: dict[Any, Any] = {}
        self._plugin_kernels = _plugin_kernels(device.name)

    def begin_instruction(self) -> None:
        """Scratch memory handed out so far may be used again: instructions run one after the other."""
        self._used = 0

    def scratch(self, shape: int | Sequence[int], dtype: str) -> Any:
        """Memory for temporary values of one call: undefined before it, lost after it."""
        dims = (shape,) if isinstance(shape, int) else tuple(shape)
        if self.device.separate:
            return self.device.empty(dims, dtype)
        nbytes = math.prod(dims) * ITEMSIZE[dtype if isinstance(dtype, str) else str(dtype)]
        start = -(-self._used // 64) * 64
        if start + nbytes > self._pool.size:
            self._pool = self.device.empty((max(start + nbytes, 2 * self._pool.size),), "uint8")
        self._used = start + nbytes
        return self._pool[start : start + nbytes].view(dtype).reshape(dims)

    def private_scratch(self, key: Any, shape: Sequence[int], dtype: str) -> Any:
        """Scratch memory under a key: the same bytes at each request, for threads that must not share."""
        nbytes = math.prod(shape) * ITEMSIZE[dtype]
        pool = self._private.get(key)
        if pool is None or pool.size < nbytes or (self.device.separate and pool.size > nbytes):
            pool = self._private[key] = self.device.empty((nbytes,), "uint8")
        return pool[:nbytes].view(dtype).reshape(tuple(shape))

    def bind_op(self, op: Op, outs: Sequence[Any], ins: Sequence[Any], attrs: dict[str, Any]) -> Callable[[], Any]:
        """The call that computes an operation: the kernel of a plugin, the device's own, or the portable one."""
        if op.pure and all(out is None or not out.size for out in outs):
            return _nothing  # kernels need not think of empty arrays where these have no element to compute
        own = self._plugin_kernels.get(op.name) or self.device.kernel(op.name)
        if own is not None:
            return own(self, outs, ins, attrs)
        return op.bind(self, outs, ins, attrs)

    def bind_head(self, head: Node, out: Any, ins: Sequence[Any], finish: Finish) -> tuple[Callable[[], Any], bool]:
        """The call that computes the head of a group, and whether its kernel has taken `finish`."""
        self._finish = finish
        call = self.bind_op(head.op, [out], ins, head.attrs)
        taken, self._finish = self._finish is None, None
        return call, taken

    def take_finish(self) -> Finish | None:
        """For a kernel that is bound as the head of a group: what has to follow, part by part, and is its task once it
        has taken it. None where nothing follows, or not so."""
        finish, self._finish = self._finish, None
        return finish

    def random_bits(self, stream: RandomStream, words: int) -> Any:
        """The next `words` 64-bit words of a stream, as a 1-D uint64 array."""
        return self.device.random_bits(stream, words)

    def to_host(self, array: Any) -> Any:
        """A NumPy copy of a device array."""
        return self.device.to_host(array)

    def bind_graph(self, inputs: Sequence[Any], outputs: Sequence[Any], given: Mapping[int, Any]) -> Any:
        """Memory and calls for a graph inside an operation (the body of a loop): an `Instance`.

        Args:
            inputs: placeholders of known shape.
            outputs: tensors.
            given: arrays to use as memory of inputs, by position.
        """
        from kcore.runtime.executor import bind_inner

        return bind_inner(self.device, inputs, outputs, given)


def _nothing() -> None:
    pass


def _plugin_kernels(device: str) -> dict[str, Kernel]:
    """The kernels that plugins bring for a device; where two have one for an operation, the first is taken."""
    kernels: dict[str, Kernel] = {}
    for offered in reversed(hooks.call("kcore_device_kernels", device=device)):
        kernels.update(offered)
    return kernels
