"""What the launches of a plan cost: bytes, floating-point operations, and how long that takes on an H100 at least.

    KCORE_BACKEND=cupy KCORE_CUPY_EMULATE=paper        # without a GPU; see `kcore_backends_cupy.emulation.paper`

The model: a launch inside a graph takes 2 microseconds and then as long as its traffic (each array once, at 85 % of the
memory's rate) or its arithmetic (at the full rate of the dtype, tensor cores left alone) takes, whichever is longer. A
kernel of fewer blocks than the card has multiprocessors gets its share of the arithmetic, and one of fewer than a
quarter of them its share of the traffic. Caches are not counted: what fits the 50 MB of the second level may be faster
than it says here. On a GPU the same launches can be timed (`measure`), and each compared with what was expected.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import zip_longest
from typing import Any, NamedTuple

from kcore.runtime.executor import Instance
from kcore_backends_cupy.launch import Each, Launch, flat
from kcore_backends_cupy.merge import Merged, merge

LAUNCH = 2e-6  # seconds
TRAFFIC = 0.85 * 3.35e12  # bytes a second
ARITHMETIC = {"float64": 34e12, "float16": 134e12}  # operations a second
FLOAT32 = 67e12
PROCESSORS = 132
MOVES = ("copy", "fill", "sum_parts")  # kernels that do not compute what their instruction is there for
REPEATS = 20


class Cost(NamedTuple):
    """A launch and what it costs.

    Attributes:
        number: of the first instruction that it belongs to.
        what: the operations of its instructions.
        kind: "kernel", or the library that computes it.
        name: of the kernel, where it is known.
        call: the launch, or a call of CuPy's functions.
        moved: bytes read and written.
        flops: floating-point operations.
        blocks: of the kernel; 0 where a library decides.
        seconds: as the model has it.
    """

    number: int
    what: str
    kind: str
    name: str
    call: Any
    moved: int
    flops: int
    blocks: int
    seconds: float


def costs(instance: Instance) -> list[Cost]:
    """The cost of each launch of a plan that is bound to a GPU, or to one on paper, in the order of a run."""
    result: list[Cost] = []
    row: list[Launch] = []
    owners: dict[int, tuple[int, int]] = {}  # of a launch: its instruction, and its share of the operations

    def close() -> None:
        result.extend(_cost(instance, launch, owners) for launch in merge(instance.device, row))
        row.clear()

    for number, call in enumerate(instance.bound_alone()):
        instruction = instance.plan.instructions[number]
        parts = flat([call])
        launches = [part for part in parts if isinstance(part, Launch)]
        flops = _flops(instruction)
        for launch, share in zip(launches, _shares(launches), strict=True):
            owners[id(launch)] = number, round(flops * share)
        for part in parts:
            if isinstance(part, Launch):
                row.append(part)
            elif any(node.specs[k].size for node, k in instruction.outs):  # else nothing is to be computed
                close()
                moved = sum(t.spec.nbytes for t in instruction.reads())
                moved += sum(node.specs[k].nbytes for node, k in instruction.outs)
                seconds = LAUNCH + moved / TRAFFIC
                result.append(Cost(number, instruction.name, "CuPy", "", part, moved, flops, 0, seconds))
    close()
    return result


def _flops(instruction: Any) -> int:
    return sum(n.op.cost([t.spec for t in n.inputs], n.specs, n.attrs) for n in instruction.nodes)


def _shares(launches: Sequence[Launch]) -> list[float]:
    """How the operations of an instruction are spread: over its calls of libraries, if any, else by bytes."""
    libraries = [launch.kind != "kernel" for launch in launches]
    if any(libraries):
        weights = [float(of_library) * (1 + _moved(x)) for of_library, x in zip(libraries, launches, strict=True)]
    else:
        weights = [0.0 if getattr(x, "name", "") in MOVES else 1.0 + _moved(x) for x in launches]
    total = sum(weights) or 1.0
    return [w / total for w in weights]


def _cost(instance: Instance, launch: Launch, owners: dict[int, tuple[int, int]]) -> Cost:
    parts = launch.parts if isinstance(launch, Merged) else (launch,)
    found = [owners[id(part)] for part in parts]
    number = min(n for n, _ in found)
    name = instance.plan.instructions[number].name
    if len({n for n, _ in found}) > 1:
        name = f"{len(parts)} x {name}"
    moved, flops = sum(map(_moved, parts)), sum(share for _, share in found)
    blocks = math.prod(launch.grid) if launch.grid else 0
    dtype = str(parts[0].arrays()[-1].dtype) if parts[0].arrays() else "float32"
    seconds = expected(moved, flops, blocks, dtype)
    kernel = parts[0].name if isinstance(parts[0], Each) else ""
    return Cost(number, name, launch.kind, kernel, launch, moved, flops, blocks, seconds)


def expected(moved: int, flops: int, blocks: int = 0, dtype: str = "float32") -> float:
    """Seconds for a launch; see above. `blocks` is 0 where it does not matter."""
    busy = min(1.0, blocks / PROCESSORS) if blocks else 1.0
    feeding = min(1.0, 4 * busy)
    return LAUNCH + max(moved / TRAFFIC / feeding, flops / ARITHMETIC.get(dtype, FLOAT32) / busy)


def _moved(launch: Launch) -> int:
    return sum(
        math.prod(n for n, step in zip(a.shape, a.strides, strict=True) if step) * a.itemsize for a in launch.arrays()
    )


def measure(instance: Instance, found: Sequence[Cost]) -> list[float]:
    """Seconds that each launch takes on the GPU: that of a graph which holds it many times over, divided by how often.

    What the launches compute after that is not what a step of training would have left.
    """
    device, times = instance.device, []
    cuda = device.xp.cuda
    with device.errstate():
        for cost in found:
            cost.call()  # loads the kernel, and lets a library choose
            repeat = _repeated(device, cost)
            start, end = cuda.Event(), cuda.Event()
            repeat()
            start.record()
            repeat()
            end.record()
            end.synchronize()
            times.append(cuda.get_elapsed_time(start, end) / 1e3 / REPEATS)
    return times


def _repeated(device: Any, cost: Cost) -> Any:
    if not isinstance(cost.call, Launch):  # CuPy's functions may allocate, which a capture refuses
        return lambda: [cost.call() for _ in range(REPEATS)]
    stream = device.xp.cuda.Stream(non_blocking=True)
    with stream:
        stream.begin_capture()
        for _ in range(REPEATS):
            cost.call()
        graph = stream.end_capture()
    return lambda: graph.launch(device.stream)


def table(found: Sequence[Cost], measured: Sequence[float] = ()) -> str:
    """The costs as text, a line for each launch, and their sums."""
    head = f"{'':5} {'expected':>9} {'measured':>9} {'MB':>9} {'Gflop':>8} {'blocks':>7}  kind      operations"
    lines = [head if measured else head.replace(f" {'measured':>9}", "")]
    for cost, time in zip_longest(found, measured):
        lines.append(_line(f"{cost.number}", cost, time, f"{cost.kind:9} {cost.what[:90]}"))
    total = Cost(0, "", "", "", None, sum(c.moved for c in found), sum(c.flops for c in found), 0, step(found))
    lines.append(_line("sum", total, sum(measured) if measured else None, f"{len(found)} launches"))
    return "\n".join(lines)


def step(found: Sequence[Cost]) -> float:
    """Seconds for a run of the plan, its launches one after the other."""
    return sum(c.seconds for c in found)


def _line(first: str, cost: Cost, time: float | None, last: str) -> str:
    shown = "" if time is None else f" {1e6 * time:9.1f}"
    numbers = f"{cost.moved / 1e6:9.2f} {cost.flops / 1e9:8.2f} {cost.blocks or '':>7}"
    return f"{first:>5} {1e6 * cost.seconds:9.1f}{shown} {numbers}  {last}"
