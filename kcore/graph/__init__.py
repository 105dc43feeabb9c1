"""Symbolic tensors: what an operation is, and the graph that operations build."""

from kcore.graph.constant import constant, constant_value, placeholder
from kcore.graph.dims import decode_shape, dim_of, dims_of, encode_shape, shape_of
from kcore.graph.node import Node, apply, as_tensors
from kcore.graph.op import Op, all_ops, get_op, register
from kcore.graph.spec import Shape, Spec, may_equal
from kcore.graph.static import static_int, static_value
from kcore.graph.tensor import Tensor
from kcore.graph.walk import depends_on, nodes_of
from kcore.origin import Origin

__all__ = [
    "Node",
    "Op",
    "Origin",
    "Shape",
    "Spec",
    "Tensor",
    "all_ops",
    "apply",
    "as_tensors",
    "constant",
    "constant_value",
    "decode_shape",
    "depends_on",
    "dim_of",
    "dims_of",
    "encode_shape",
    "get_op",
    "may_equal",
    "nodes_of",
    "placeholder",
    "register",
    "shape_of",
    "static_int",
    "static_value",
]
