"""Computing tensors once, node by node, without a plan.

This serves what is computed a single time (initial values of variables, constants) and what cannot be planned
because shapes follow from data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kcore import dtypes
from kcore.compile.specialize import concrete_body
from kcore.errors import ExecutionError, GraphError, KcoreError
from kcore.graph import Node, Spec, Tensor, nodes_of
from kcore.runtime.context import BindContext
from kcore.runtime.device import Device
from kcore.runtime.failure import explained

Key = tuple[Node, int]


def evaluate(
    outputs: Sequence[Tensor], device: Device, given: Mapping[Key, Any] | None = None, phase: bool = False
) -> list[Any]:
    """The values of `outputs` as device arrays.

    Args:
        outputs: what to compute.
        device: where.
        given: values of placeholders (or of any other tensors), by key.
        phase: the learning phase.
    """
    values: dict[Key, Any] = dict(given or {})
    for node in nodes_of(outputs, stop=set(values)):
        if node.op.name == "placeholder":
            if (node, 0) in values:
                continue
            raise GraphError(
                f"placeholder {node.attrs['name']!r} of shape {node.specs[0].shape} has no value here. "
                "K.function([placeholder], [tensor]) makes a function that is given one."
            )
        if node.op.name == "learning_phase":
            values[(node, 0)] = device.asarray(phase, "bool")
            continue
        results = run_node(node, [values[t.key] for t in node.inputs], device, phase)
        for i, array in enumerate(results):
            values.setdefault((node, i), array)
    return [values[t.key] for t in outputs]


def run_node(node: Node, ins: Sequence[Any], device: Device, phase: bool = False) -> Sequence[Any]:
    """The outputs of one node on arrays."""
    if node.op.name == "variable":
        return [device.asarray(node.attrs["state"].array)]
    ctx = BindContext(device)
    op, attrs = node.op, node.attrs
    try:
        with device.errstate():
            if op.data_dependent:
                return op.evaluate(ctx, ins, attrs)
            ins, attrs = _with_known_dims(node, ins)
            if op.name == "arange" and attrs["stop"] is None:
                ins, attrs = [], {**attrs, "stop": device.to_host(ins[0]).item()}
            if op.name == "scan":
                attrs = {**attrs, "body": _concrete_body(attrs["body"], ins, device, phase)}
            specs = op.infer(*[Spec(a.shape, dtypes.canonical(a.dtype)) for a in ins], **attrs)
            outs = [device.empty(s.shape, s.dtype) for s in ((specs,) if isinstance(specs, Spec) else specs)]  # type: ignore[arg-type]
            ctx.bind_op(op, outs, ins, attrs)()
            return outs
    except Exception as error:
        if isinstance(error, KcoreError) and not isinstance(error, ExecutionError):
            raise  # shapes that do not fit: `infer` said all there is to say
        raise explained(error, op.name, node, ins) from error


def _with_known_dims(node: Node, ins: Sequence[Any]) -> tuple[Sequence[Any], dict[str, Any]]:
    """Dimensions that are tensors, written into the attribute (see `kcore.graph.dims`)."""
    name = node.op.dims
    if name is None or not any(d < -1 for d in node.attrs[name]):
        return ins, node.attrs
    encoded = node.attrs[name]
    extra = ins[len(ins) - sum(d < -1 for d in encoded) :]
    dims = tuple(d if d >= -1 else int(extra[-2 - d]) for d in encoded)
    return ins[: len(ins) - len(extra)], {**node.attrs, name: dims}


def _concrete_body(body: Any, ins: Sequence[Any], device: Device, phase: bool) -> Any:
    def fold(node: Node) -> Sequence[Any]:
        return fold_node(node, device)

    return concrete_body(body, [Spec(a.shape, dtypes.canonical(a.dtype)) for a in ins], phase, fold)


def fold_node(node: Node, device: Device) -> Sequence[Any]:
    """The outputs, as host arrays, of a node whose inputs are all constants."""
    return [device.to_host(a) for a in run_node(node, [_constant_array(t, device) for t in node.inputs], device)]


def _constant_array(t: Tensor, device: Device) -> Any:
    if t.node.op.name == "full":
        return run_node(t.node, (), device)[0]
    return device.asarray(t.node.attrs["value"].array)
