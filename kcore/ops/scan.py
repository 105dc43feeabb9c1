"""Loops: one operation, `scan`, carries values from step to step along the first axis of its sequences.

    carry, y[t] = body(constants, carry, x[t])

`fold_steps` turns a Python function into such a loop: it is called once, on placeholders; what it takes from
outside becomes a constant of the loop. The gradient is a scan in the other direction, over the values that the
forward loop saved for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from kcore.dtypes import is_float
from kcore.errors import ShapeError
from kcore.grad import vector_jacobian
from kcore.graph import Node, Op, Spec, Tensor, apply, depends_on, may_equal, nodes_of, placeholder, register
from kcore.graph.substitute import substitute
from kcore.ops.common import as_tensor
from kcore.ops.creation import full_like

_FREE = frozenset({"constant", "full", "arange", "eye", "learning_phase"})  # need not be handed into a loop


class Body:
    """The inside of a loop: a graph from placeholders to outputs.

    Attributes:
        inputs: placeholders: constants, then carried values, then elements of sequences.
        outputs: the new carried values, then what is stacked.
        constants, carries, sequences: how many inputs are of each sort.
        base: the body of which this one is an extension by further outputs, or itself.
    """

    def __init__(
        self,
        inputs: Sequence[Tensor],
        outputs: Sequence[Tensor],
        constants: int,
        carries: int,
        base: Body | None = None,
    ):
        self.inputs = list(inputs)
        self.outputs = list(outputs)
        self.constants = constants
        self.carries = carries
        self.sequences = len(inputs) - constants - carries
        self.base: Body = base.base if base is not None else self

    def split(self, values: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any], Sequence[Any]]:
        """`values`, one for each input, as constants, carried values and sequences."""
        a, b = self.constants, self.constants + self.carries
        return values[:a], values[a:b], values[b:]

    def like(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Body:
        """The same loop with its graph built again (for concrete shapes)."""
        return Body(inputs, outputs, self.constants, self.carries, self)


@register
class Scan(Op):
    """Run a `Body` along the first axis of the sequences, the last element first if `reverse`.

    Inputs: those of the body, with whole sequences ``(steps, ...)``. Outputs: the last carried values, and each
    further output of the body stacked to ``(steps, ...)``, in the order of the sequences in either direction.
    """

    name = "scan"

    def infer(self, *ins: Spec, body: Body, reverse: bool) -> tuple[Spec, ...]:  # type: ignore[override]
        _, carries, sequences = body.split(ins)
        lengths = {s.shape[0] for s in sequences}
        known = lengths - {None}
        if len(known) > 1:
            raise ShapeError(f"the sequences of a loop differ in length: {', '.join(map(str, sequences))}")
        steps = known.pop() if known else None
        for k, (initial, new) in enumerate(zip(carries, body.outputs, strict=False)):
            if initial.dtype != new.dtype or not may_equal(initial.shape, new.shape):
                raise ShapeError(
                    f"state {k} of a loop starts as {initial} and becomes {new.spec}; its shape and dtype must stay"
                )
        stacked = [Spec((steps, *t.shape), t.dtype) for t in body.outputs[body.carries :]]
        return (*carries, *stacked)

    def vjp(self, node: Node, *grads: Tensor | None) -> Sequence[Tensor | None]:
        return _backward(node, grads)

    def bind(self, ctx: Any, outs: Sequence[Any], ins: Sequence[Any], attrs: dict[str, Any]) -> Callable[[], Any]:
        return _bind(ctx, outs, ins, attrs["body"], attrs["reverse"])


# -- building -----------------------------------------------------------------------------------------------


def fold_steps(
    step: Callable[[list[Tensor], list[Tensor]], tuple[Sequence[Tensor], Sequence[Tensor]]],
    initial: Sequence[Tensor],
    sequences: Sequence[Tensor],
    reverse: bool = False,
) -> tuple[list[Tensor], list[Tensor]]:
    """Loop a Python function over the first axis of `sequences`.

    Args:
        step: ``step(carried, elements) -> (new carried, outputs)``; called once, on symbolic values.
        initial: the values carried into the first step.
        sequences: tensors of shape ``(steps, ...)``.
        reverse: start with the last element. Outputs stay in the order of the sequences.

    Returns:
        the last carried values, and the outputs stacked to ``(steps, ...)``.
    """
    if not sequences:
        raise ShapeError("a loop needs at least one sequence to run along")
    carried = [placeholder(t.shape, t.dtype, f"carry_{i}") for i, t in enumerate(initial)]
    elements = [placeholder(t.shape[1:], t.dtype, f"element_{i}") for i, t in enumerate(sequences)]
    start = placeholder((), "bool", "start").node.serial
    new, outputs = step([t.handle() for t in carried], [t.handle() for t in elements])
    results = [as_tensor(t) for t in (*new, *outputs)]
    captured = _captured(results, [*carried, *elements], start)
    inner = [placeholder(t.shape, t.dtype, f"constant_{i}") for i, t in enumerate(captured)]
    results = substitute(results, {t.key: p for t, p in zip(captured, inner, strict=True)})
    body = Body([*inner, *carried, *elements], results, len(inner), len(carried))
    values = apply("scan", *captured, *initial, *sequences, body=body, reverse=reverse)
    values = [values] if isinstance(values, Tensor) else list(values)
    return values[: len(carried)], values[len(carried) :]


def _captured(results: Sequence[Tensor], own: Sequence[Tensor], start: int) -> list[Tensor]:
    """The tensors from outside that the body reads.

    Inside is what depends on the body's placeholders, and what was drawn at random during the call of the step.
    """
    drawn = [t for n in nodes_of(results) if not n.op.pure and n.serial > start for t in n.outputs]
    inside = depends_on(results, [*own, *drawn])
    found: dict[Any, Tensor] = {}
    for t in [*results, *(t for node in inside for t in node.inputs)]:
        if t.node not in inside and t.node.op.name not in _FREE:
            found.setdefault(t.key, t)
    return sorted(found.values(), key=lambda t: (t.node.serial, t.index))


# -- gradient -----------------------------------------------------------------------------------------------


def _backward(node: Node, grads: Sequence[Tensor | None]) -> list[Tensor | None]:
    """Gradients of all inputs of a scan, by a scan the other way.

    Its body is the vjp of the forward body. What that reads of the forward body is saved by an extended forward
    scan (the compiler merges it with the plain one). Carried: the gradients of the carried values, and the sums of
    the gradients of the constants. Stacked: the gradients of the sequence elements.
    """
    body: Body = node.attrs["body"]
    seeds: list[Tensor] = []  # placeholders of gradients of body outputs
    seeded: list[Tensor] = []
    for i, output in enumerate(body.outputs):
        if is_float(output.dtype) and (i < body.carries or grads[i] is not None):
            seeded.append(output)
            seeds.append(placeholder(output.shape, output.dtype, f"gradient_{i}"))
    wrt = [t for t in body.inputs if is_float(t.dtype)]
    found_by_input = zip(wrt, vector_jacobian(seeded, seeds, wrt), strict=True)
    by_input = {t.key: gradient for t, gradient in found_by_input if gradient is not None}
    consts, carries, elements = body.split(body.inputs)

    carried = [t for t in carries if is_float(t.dtype)]
    summed = [t for t in consts if t.key in by_input]
    new_carry = [by_input[t.key] if t.key in by_input else full_like(t, 0) for t in carried]
    sums = [placeholder(t.shape, t.dtype, "sum") for t in summed]
    new_sums = [s + by_input[t.key] for s, t in zip(sums, summed, strict=True)]
    stacked = [t for t in elements if t.key in by_input]
    results = [*new_carry, *new_sums, *(by_input[t.key] for t in stacked)]

    saved = _saved(results, body, seeds, sums)
    extended = Body(body.inputs, [*body.outputs, *saved], body.constants, body.carries, body)
    forward = apply("scan", *node.inputs, body=extended, reverse=node.attrs["reverse"])
    kept = list(forward[len(body.outputs) :]) if saved else []

    inner = [placeholder(t.shape, t.dtype, f"saved_{i}") for i, t in enumerate(saved)]
    results = substitute(results, {t.key: p for t, p in zip(saved, inner, strict=True)})
    outer_consts, outer_carries, outer_sequences = body.split(node.inputs)
    carry_seeds, output_seeds = seeds[: len(carried)], seeds[len(carried) :]
    back = Body(
        [*consts, *carry_seeds, *sums, *elements, *inner, *output_seeds],
        results,
        len(consts),
        len(carried) + len(sums),
    )
    starts = [
        g if g is not None else full_like(t, 0)
        for g, t, p in zip(grads, outer_carries, carries, strict=False)
        if is_float(p.dtype)
    ]
    zeros = [full_like(outer_consts[consts.index(t)], 0) for t in summed]
    seed_values = [
        g for i, g in enumerate(grads) if i >= body.carries and g is not None and is_float(body.outputs[i].dtype)
    ]
    values = apply(
        "scan", *outer_consts, *starts, *zeros, *outer_sequences, *kept, *seed_values,
        body=back, reverse=not node.attrs["reverse"],
    )  # fmt: skip
    values = [values] if isinstance(values, Tensor) else list(values)
    found = dict(zip((t.key for t in [*carried, *summed, *stacked]), values, strict=True))
    return [found.get(t.key) for t in body.inputs]


def _saved(results: Sequence[Tensor], body: Body, seeds: Sequence[Tensor], sums: Sequence[Tensor]) -> list[Tensor]:
    """The values of the forward body that the backward body reads: it is cut off from the rest of it there."""
    forward = set(nodes_of(body.outputs))
    given = {t.key for t in [*body.split(body.inputs)[0], *body.split(body.inputs)[2]]}
    found: dict[Any, Tensor] = {}
    for t in [*results, *(t for n in nodes_of(results) if n not in forward for t in n.inputs)]:
        if t.node in forward and t.key not in given and t.node.op.name not in _FREE:
            found.setdefault(t.key, t)
    own_carries = {t.key for t in body.split(body.inputs)[1]}
    for t in results:  # a carried placeholder that no output depends on
        if t.key in own_carries:
            found.setdefault(t.key, t)
    return list(found.values())


# -- execution ----------------------------------------------------------------------------------------------


def _bind(ctx: Any, outs: Sequence[Any], ins: Sequence[Any], body: Body, reverse: bool) -> Callable[[], Any]:
    constants, initial, sequences = body.split(ins)
    inner = ctx.bind_graph(body.inputs, body.outputs, given=dict(enumerate(constants)))
    _, carried, elements = body.split(inner.inputs)
    new = inner.outputs[: body.carries]
    made = inner.outputs[body.carries :]
    last, stacks = outs[: body.carries], outs[body.carries :]
    steps = sequences[0].shape[0]
    order = range(steps - 1, -1, -1) if reverse else range(steps)
    # New values that are read from carried memory must be saved before that memory changes.
    staged = [ctx.xp.empty_like(a) if inner.reads_input(i) else None for i, a in enumerate(new)]

    def run() -> None:
        for buffer, value in zip(carried, initial, strict=True):
            buffer[...] = value
        for t in order:
            for element, sequence in zip(elements, sequences, strict=True):
                element[...] = sequence[t]
            inner.run()
            for stack, value in zip(stacks, made, strict=True):
                stack[t] = value
            for save, value in zip(staged, new, strict=True):
                if save is not None:
                    save[...] = value
            for buffer, value, save in zip(carried, new, staged, strict=True):
                buffer[...] = value if save is None else save
        for out, buffer in zip(last, carried, strict=True):
            out[...] = buffer

    return run
