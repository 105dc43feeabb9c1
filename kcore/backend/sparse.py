"""Sparse tensors: what may be given as a sparse matrix.

A placeholder made with ``sparse=True`` takes matrices of ``scipy.sparse`` (and arrays) at each call. Inside the
graph its value is dense, so that every operation works on it; `to_dense` marks where a program relies on that.
"""

from __future__ import annotations

from typing import Any

from kcore.graph import Tensor, apply
from kcore.graph import constant as make_constant

__all__ = ["is_sparse", "th_sparse_module", "to_dense"]

th_sparse_module = None  # the sparse module of Theano, which scripts ask for; kcore does not use Theano


def is_sparse(tensor: Any) -> bool:
    """Whether `tensor` is a placeholder for sparse matrices."""
    node = tensor.node if isinstance(tensor, Tensor) else None
    return node is not None and node.op.name == "placeholder" and bool(node.attrs["sparse"])


def to_dense(tensor: Any) -> Tensor:
    """`tensor` as a dense tensor: itself, unless it is sparse."""
    if not isinstance(tensor, Tensor):
        return make_constant(tensor.toarray() if hasattr(tensor, "toarray") else tensor)
    return apply("identity", tensor) if is_sparse(tensor) else tensor
