"""What each launch of a training step costs: bytes, operations, and microseconds as `kcore_backends_cupy.costs` expects
them on an H100; on a GPU, beside what it takes there.

    KCORE_BACKEND=cupy KCORE_CUPY_EMULATE=paper python benchmarks/gpu/costs.py resnet50       # no GPU needed
    KCORE_BACKEND=cupy python benchmarks/gpu/costs.py resnet50

`--summary` adds up launches of the same operations.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np
from networks import WORKLOADS, Workload

from kcore_worker import compiled


def training_plan(model: Any, workload: Workload, batch: int) -> Any:
    """The plan of a step of `fit`, bound to memory."""
    from kcore.runtime.executor import Instance

    step = model.setup.train_step(weighted=False)
    steps = (workload.steps,) if workload.steps else ()
    shapes = [(batch, *workload.shape), (batch, *steps, workload.classes)]
    bound = step.function.bound_plan(shapes, True)
    return Instance(bound.plan, bound.device)


def added_up(found: Sequence[Any], measured: Sequence[float]) -> tuple[list[Any], list[float]]:
    """One line for all launches of the same operations, the dearest first."""
    pairs = sorted(zip(found, measured or [0.0] * len(found), strict=True), key=lambda p: (p[0].what, p[0].kind))
    rows = []
    for (what, _), each in groupby(pairs, key=lambda p: (p[0].what, p[0].kind)):
        same = list(each)
        costs = [cost for cost, _ in same]
        total = costs[0]._replace(
            number=len(same), what=what, blocks=0, moved=sum(c.moved for c in costs),
            flops=sum(c.flops for c in costs), seconds=sum(c.seconds for c in costs),
        )  # fmt: skip
        rows.append((total, sum(time for _, time in same)))
    rows.sort(key=lambda row: -row[0].seconds)
    return [row[0] for row in rows], [row[1] for row in rows] if measured else []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("workload", choices=WORKLOADS)
    parser.add_argument("--batch", type=int)
    parser.add_argument("--summary", action="store_true", help="one line for each kind of launch, with their number")
    args = parser.parse_args()
    np.random.seed(0)
    from kcore_backends_cupy import costs

    workload = WORKLOADS[args.workload]
    instance = training_plan(compiled(workload, args.workload), workload, args.batch or workload.batch)
    found = costs.costs(instance)
    measured = [] if os.environ.get("KCORE_CUPY_EMULATE", "0") != "0" else costs.measure(instance, found)
    shown, times = added_up(found, measured) if args.summary else (found, measured)
    print(costs.table(shown, times))
    print(f"{args.workload}: {len(found)} launches, {1e3 * costs.step(found):.3f} ms expected")


if __name__ == "__main__":
    main()
