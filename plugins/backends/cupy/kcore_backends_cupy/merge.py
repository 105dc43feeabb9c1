"""Launches of one kernel over different arrays become one launch, where their order allows it.

The update of each weight by an optimizer is a launch, and all of them are of the same kernel: so they become one, as do
the copies that put a concatenation together. The addresses and sizes of all of them lie in a table in memory of the
device; a block looks up which row of it is its own, and which part of the work.

A launch moves next to an earlier one of its kernel, or that one next to it, if it neither writes what a launch in
between reads or writes, nor reads what such a launch writes.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from kcore_backends_cupy.launch import Each, Launch, compile_kernel, head, parameters_of
from kcore_backends_cupy.layout import Span

REACH = 64  # launches over which one may move


class Merged(Launch):
    """Several launches of one kernel, as one."""

    __slots__ = ("_spans", "parts")

    def __init__(self, device: Any, parts: Sequence[Each]):
        self.parts = tuple(parts)  # keeps their arrays alive
        found = [part.spans() for part in parts]
        self._spans = [s for reads, _ in found for s in reads], [s for _, writes in found for s in writes]
        source, name = parts[0].source, parts[0].name
        rows = np.array([[p.grid[0], *(_number(v) for v in p.args)] for p in parts], "uint64")
        owners = np.array([(row, block) for row, p in enumerate(parts) for block in range(p.grid[0])], "uint32")
        kernel = compile_kernel(device.xp, merged_source(source, name), f"{name}_merged")
        super().__init__(kernel, (len(owners),), parts[0].block, [device.asarray(rows), device.asarray(owners)])

    def spans(self) -> tuple[list[Span], list[Span]]:
        return self._spans


def _number(value: Any) -> int:
    """A pointer or a number as 64 bits."""
    if isinstance(value, np.float64):
        return int(value.view("uint64"))
    return int(value) % 2**64 if isinstance(value, np.generic) else int(value.data.ptr)


@functools.lru_cache(maxsize=4096)
def merged_source(source: str, name: str) -> str:
    """The source of a kernel that does the work of several launches of another one."""
    parameters = parameters_of(source, name)
    args = [_from_table(p.rsplit(" ", 1)[0], f"row[{k}]") for k, p in enumerate(parameters, start=1)]
    part = f"""__device__ inline void {name}_part(i64 k_first, i64 k_step, {", ".join(parameters)}) {{
  for (i64 i = k_first; i < n; i += k_step) {{"""
    return f"""{source.replace(head(name, ", ".join(parameters[1:])), part)}
extern "C" __global__ void {name}_merged(const u64* table, const u32* owners) {{
  const u64* row = table + owners[2 * blockIdx.x] * {len(args) + 1};
  i64 first = owners[2 * blockIdx.x + 1] * (i64)blockDim.x + threadIdx.x;
  {name}_part(first, (i64)row[0] * blockDim.x, {", ".join(args)});
}}
"""


def _from_table(ctype: str, entry: str) -> str:
    return f"__longlong_as_double((i64){entry})" if ctype == "double" else f"({ctype}){entry}"


@functools.lru_cache(maxsize=4096)
def _mergeable(source: str, name: str) -> bool:
    """Whether all parameters are numbers of 64 bits."""
    return all("*" in p or p.startswith(("i64 ", "double ")) for p in parameters_of(source, name))


class _Group:
    """Launches that shall become one, at one place in a row."""

    def __init__(self, launch: Launch):
        self.launches = [launch]
        self.reads, self.writes = launch.spans()
        self.anything = not self.reads and not self.writes  # a launch that names no memory may touch any

    @property
    def key(self) -> str | None:
        first = self.launches[0]
        return first.source if isinstance(first, Each) and _mergeable(first.source, first.name) else None

    def add(self, launch: Launch) -> None:
        self.launches.append(launch)
        reads, writes = launch.spans()
        self.reads, self.writes = self.reads + reads, self.writes + writes

    def depends(self, other: _Group) -> bool:
        """Whether the order of the two matters."""
        if self.anything or other.anything:
            return True
        return _meet(self.writes, other.reads + other.writes) or _meet(self.reads, other.writes)


def _meet(a: Sequence[Span], b: Sequence[Span]) -> bool:
    return any(start < last and first < end for start, end in a for first, last in b)


def merge(device: Any, launches: Sequence[Launch]) -> list[Launch]:
    """A row of launches that does the same in as many launches or fewer."""
    row: list[_Group] = []
    for launch in launches:
        new = _Group(launch)
        place = _earlier(row, new)
        if place is None or row[place].depends(new):
            row.append(new)
            continue
        home, between = row[place], row[place + 1 :]
        if any(new.depends(other) for other in between):
            if any(home.depends(other) for other in between):
                row.append(new)
                continue
            row.append(row.pop(place))  # the earlier ones can wait
        home.add(launch)
    return [g.launches[0] if len(g.launches) == 1 else Merged(device, g.launches) for g in row]  # type: ignore[arg-type]


def _earlier(row: Sequence[_Group], new: _Group) -> int | None:
    """The place of the last launches of the same kernel."""
    key = new.key
    if key is None:
        return None
    return next((k for k in range(len(row) - 1, max(-1, len(row) - 1 - REACH), -1) if row[k].key == key), None)
