"""Layers that join several tensors into one, and their functions."""

from kcore_layers_merge.concatenate import Concatenate
from kcore_layers_merge.dot import Dot
from kcore_layers_merge.elementwise import Add, Average, ElementwiseMerge, Maximum, Minimum, Multiply, Subtract
from kcore_layers_merge.functions import add, average, concatenate, dot, maximum, minimum, multiply, subtract

__all__ = [
    "Add",
    "Average",
    "Concatenate",
    "Dot",
    "ElementwiseMerge",
    "Maximum",
    "Minimum",
    "Multiply",
    "Subtract",
    "add",
    "average",
    "concatenate",
    "dot",
    "maximum",
    "minimum",
    "multiply",
    "subtract",
]
