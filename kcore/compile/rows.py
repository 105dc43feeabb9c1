"""Which operations on rows may join a group: for devices that compute a row at a time.

A group has elements ``(*lead, columns)``. Beside elementwise operations of that shape it may hold reductions of the
last axis, whose results are *row values* ``(*lead)`` or ``(*lead, 1)``, elementwise operations on row values, and what
goes from row to row: softmax, and picking one column. So a loss and its gradient, from the scores on, are one group.
A group of elementwise operations alone may end with a reduction along other axes (the gradient of a bias), or with an
operation of several results that says so of itself (`Op.ends_group`).
"""

from __future__ import annotations

from kcore.graph import Node, Shape, Tensor

REDUCTIONS = frozenset({"sum", "mean", "max", "min", "prod", "all", "any", "logsumexp"})
POSITIONS = frozenset({"argmax", "argmin"})
ENDS = frozenset({"sum", "mean", "prod", "all", "any"})  # may end a group, along any axes
MAPS = frozenset({"softmax", "log_softmax"})


def is_row_value(shape: Shape, elements: Shape) -> bool:
    """Whether a value of `shape` has one element for each row of a group of `elements`."""
    return shape == elements[:-1] or shape == (*elements[:-1], 1)


def elements_of(node: Node, longest: int) -> Shape | None:
    """The shape of the elements of a group that `node`, which is not elementwise, may be in; None if in none.

    Args:
        longest: how many columns a row may have.
    """
    name, attrs = node.op.name, node.attrs
    if name in REDUCTIONS:
        shape = node.inputs[0].shape
        fits = attrs["axes"] == (len(shape) - 1,)
    elif name in MAPS | POSITIONS:
        shape = node.inputs[0].shape
        fits = attrs["axis"] == len(shape) - 1
    elif name == "pick":
        shape, fits = node.inputs[0].shape, True
    elif name == "pick_grad":
        shape, fits = node.specs[0].shape, True
    else:
        return None
    columns = shape[-1] if shape else None
    return shape if fits and columns is not None and 1 < columns <= longest and node.specs[0].size else None


def takes(elements: Shape, node: Node, made_here: list[Tensor]) -> bool:
    """Whether `node` may join a group of `elements`, of whose values it reads `made_here`."""
    shape = node.specs[0].shape
    if node.op.elementwise:
        if shape == elements:
            # Row values without their last axis would meet the columns.
            return all(t.shape in (elements, (*elements[:-1], 1)) for t in made_here)
        return is_row_value(shape, elements) and all(t.shape == shape for t in made_here)
    if elements_of(node, elements[-1] or 0) != elements:  # the longest row is that of the group
        return False
    if node.op.name == "pick_grad":
        return all(t.shape == elements[:-1] for t in made_here if t is not node.inputs[2])
    whole = {node.inputs[0].key}
    return all(t.shape == (elements if t.key in whole else elements[:-1]) for t in made_here)


def ends(elements: Shape, nodes: list[Node], node: Node) -> bool:
    """Whether `node` may be the last of a group of `nodes`: a reduction of one of its elementwise values, or an
    operation that says so of itself."""
    if len(elements) > 6:  # six axes: at most three runs of axes that stay, and three of axes that go
        return False
    if node.op.ends_group:
        own = set(nodes)
        fits = all(t.shape == elements for t in node.inputs if t.node in own)
    else:
        fits = node.op.name in ENDS and node.inputs[0].shape == elements
    return fits and all(n.op.elementwise and n.specs[0].shape == elements for n in nodes)
