"""What a device is: an array module, memory, transfer, random bits, and kernels."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, ClassVar

from kcore.compile.plan import Instruction
from kcore.compile.specialize import Graph
from kcore.ops.random import RandomStream
from kcore.runtime.staging import Block, Kept, Stager


class Device:
    """A place where plans run. Subclasses bring an array module and may bring faster kernels.

    Attributes:
        name: what `K.backend()` answers.
        xp: the array module (NumPy's interface).
        fuse_from: elements from which elementwise operations are joined to groups.
        most_open: how many groups may grow side by side.
        heads: names of operations that groups may begin with (`Instruction.head`).
        longest_row: columns up to which operations on rows (sums of the last axis, softmax) join groups.
        separate: whether each value of a plan has memory of its own, in which tools see accesses beyond its end,
            instead of a part of an arena; only for looking into a fault.
    """

    name: ClassVar[str] = ""
    xp: Any = None
    fuse_from: ClassVar[int] = 1 << 14
    most_open: ClassVar[int] = 16
    longest_row: ClassVar[int] = 0
    heads: ClassVar[frozenset[str]] = frozenset()
    separate: bool = False

    @classmethod
    def is_available(cls) -> bool:
        """Whether this machine has what the device needs; asked when the choice is automatic."""
        return True

    @classmethod
    def explain(cls) -> str | None:
        """Why the device cannot run here and what to do, or None; for `kcore info`."""
        return None

    def empty(self, shape: Sequence[int], dtype: str) -> Any:
        """An uninitialized array."""
        return self.xp.empty(tuple(shape), dtype=dtype)

    def asarray(self, value: Any, dtype: str | None = None) -> Any:
        """`value` (an array or nested sequence of the host) as an array of the device."""
        return self.xp.asarray(value, dtype=dtype)

    def to_host(self, array: Any) -> Any:
        """A NumPy copy of a device array, owned by the caller."""
        raise NotImplementedError

    def numbers(self) -> list[int]:
        """The numbers of the devices of this kind that this process can use, where there are several to choose from."""
        return []

    def at(self, number: int | None) -> Device:
        """The device of a number; None is this one."""
        return self

    def here(self) -> Any:
        """A context manager in which the device's library means this device, for allocating and binding."""
        return contextlib.nullcontext()

    def receive(self, source: Device, out: Any, array: Any) -> Callable[[], Any]:
        """The call that copies an array of another device of this kind into `out`, an array of this one."""
        raise NotImplementedError(f"the device {self.name!r} cannot copy from another device")

    def copy(self, target: Any, source: Any) -> Callable[[], Any]:
        """The call that copies an array of this device into another one."""
        return partial(_copy, target, source)

    def stager(self, inputs: Block, outputs: Sequence[Any]) -> Stager | None:
        """What takes batches from the host into the inputs of a plan, and its outputs back; None where these are memory
        of the host, which can be written and read straight."""
        return Stager(self, inputs, outputs)

    def keep(self, arrays: Sequence[Any], dtypes: Sequence[str]) -> Kept | None:
        """Copies of data of the host that stay on the device, for an epoch after the other; None where there is no
        room for them, or nothing to win."""
        return None

    def random_bits(self, stream: RandomStream, words: int) -> Any:
        """The next `words` 64-bit words of a stream, as a 1-D uint64 array."""
        raise NotImplementedError

    def kernel(self, name: str) -> Callable[..., Callable[[], Any]] | None:
        """This device's own ``bind(ctx, outs, ins, attrs)`` for an operation, or None for the portable kernel."""
        return None

    def rewrite(self, graph: Graph) -> Graph:
        """A graph of concrete shapes that computes the same in operations that suit this device better; called before
        they are grouped and memory is planned (a library may want memory of its own between two of them)."""
        return graph

    def bind_group(
        self, ctx: Any, instruction: Instruction, outs: Sequence[Any], arrays: Callable[[Any], Any]
    ) -> Callable[[], Any]:
        """The call that computes a fused group; `arrays` gives the array of a tensor from outside the group."""
        raise NotImplementedError

    def arrange(self, calls: Sequence[Callable[[], Any]]) -> list[tuple[int, Callable[[], Any]]]:
        """What a run of a plan does, in order: calls with the number of the instruction that they belong to. A device
        may join the calls of several instructions to one."""
        return list(enumerate(calls))

    def errstate(self) -> Any:
        """A context manager in which numeric warnings (overflow, division by zero) are silent, as IEEE asks."""
        raise NotImplementedError

    def synchronize(self) -> None:
        """Wait until all work that was handed to the device is done."""


def _copy(target: Any, source: Any) -> None:
    target[...] = source
