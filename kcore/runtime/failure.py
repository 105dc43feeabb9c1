"""What a user reads when an operation fails while it runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kcore.errors import ExecutionError
from kcore.graph import Node, Tensor


def explained(error: Exception, name: str, node: Node, reads: Sequence[Any]) -> ExecutionError:
    """The error with the operation, what it read, and the user's line and layer that made it.

    Args:
        error: what a kernel raised; an error that was explained before, inside a loop, is left as it is.
        name: of the operation, or of the group of operations.
        node: the operation, or the last one of the group.
        reads: the tensors that were read, or arrays.
    """
    if isinstance(error, ExecutionError) and error.cause is not None:
        return error
    message = str(error) if isinstance(error, ExecutionError) else f"{type(error).__name__}: {error}"
    arguments = ", ".join(str(x.spec) if isinstance(x, Tensor) else f"{x.dtype}{x.shape}" for x in reads)
    origin = node.origin
    return ExecutionError(
        f"{message}\n  in operation {name}({arguments})" + (f", made at {origin.describe()}" if origin else ""),
        op=name, line=origin and str(origin), layer=origin and origin.layer, cause=error,
        shapes=[tuple(x.shape) for x in reads],
    )  # fmt: skip
