"""From a graph to a plan for concrete shapes: specialize, fuse, give memory."""

from kcore.compile.build import compile_plan
from kcore.compile.plan import Instruction, Place, Plan
from kcore.compile.specialize import Graph, specialize

__all__ = ["Graph", "Instruction", "Place", "Plan", "compile_plan", "specialize"]
