"""From a graph to a plan for concrete shapes: specialize, let plugins rewrite, fuse, give memory."""

from kcore.compile.absorb import absorb_biases
from kcore.compile.build import compile_plan
from kcore.compile.fold import fold_channels
from kcore.compile.passes import apply_passes
from kcore.compile.plan import Instruction, Place, Plan
from kcore.compile.rewrite import rewrite
from kcore.compile.specialize import Graph, specialize

__all__ = [
    "Graph",
    "Instruction",
    "Place",
    "Plan",
    "absorb_biases",
    "apply_passes",
    "compile_plan",
    "fold_channels",
    "rewrite",
    "specialize",
]
