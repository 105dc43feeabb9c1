"""Rewrites of graphs that plugins bring: the hook `kcore_graph_passes`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kcore.compile.specialize import Graph
from kcore.errors import GraphError
from kcore.graph import Tensor
from kcore.plugins import hooks


def apply_passes(graph: Graph) -> Graph:
    """The graph, rewritten by the passes of all plugins, one after the other.

    Raises:
        GraphError: a pass did not return one equivalent tensor for each that it was given.
    """
    passes = [each for some in hooks.call("kcore_graph_passes") for each in some]
    if not passes:
        return graph
    wanted = graph.wanted
    for name, rewrite in passes:
        wanted = _checked(name, wanted, rewrite(list(wanted)))
    return graph.rewritten(wanted)


def _checked(name: str, given: Sequence[Tensor], returned: Any) -> list[Tensor]:
    found = list(returned) if isinstance(returned, (list, tuple)) else [returned]
    if len(found) != len(given):
        raise GraphError(
            f"the graph pass {name!r} of a plugin was given {len(given)} tensors and returned {len(found)}"
        )
    for i, (old, new) in enumerate(zip(given, found, strict=True)):
        kept = isinstance(new, Tensor) and new.spec == old.spec
        if not kept:
            what = str(new.spec) if isinstance(new, Tensor) else repr(new)
            raise GraphError(
                f"the graph pass {name!r} of a plugin was given {old.spec} as tensor {i} and returned {what}; shape "
                "and dtype have to stay"
            )
    return found
