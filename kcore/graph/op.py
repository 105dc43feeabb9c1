"""What an operation is: one short declaration, from which everything else follows.

A subclass of `Op` says how shapes follow from shapes (`infer`), how gradients follow from gradients
(`vjp`) and how values follow from values (`kernel`, or `bind` where something can be prepared once).
Operations are singletons, found by name: `register` enters one, `get_op` finds it. A device may bring
a faster kernel for a name; the declaration does not change.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from kcore.errors import GraphError
from kcore.graph.spec import Spec

if TYPE_CHECKING:
    from kcore.graph.node import Node
    from kcore.graph.tensor import Tensor


class Op:
    """An operation of the graph. Subclass it, set `name`, and define `infer`, `vjp` and `kernel`.

    Attributes:
        name: the key under which it is registered, built and given device kernels.
        pure: equal nodes are one node and constant inputs are folded. False for what draws random numbers
            or has an effect.
        elementwise: element i of the output depends on element i of the (broadcast) inputs only, so that
            neighbouring operations can be fused and split over threads.
        inplace: positions of the inputs whose memory the first output may take over. The kernel must then
            have read an element of that input before it writes the same element of the output.
        view: True where the output is a view of the memory of input 0 (a transpose, a slice, a broadcast);
            "contiguous" where that holds for contiguous input only (a reshape).
        dims: name of the attribute that holds a shape with encoded dimensions (see `kcore.graph.dims`).
        differentiable: False where no gradient flows (comparisons, rounding to integers).
        ufunc: where the whole kernel is one universal function of the array module, its name.
        zero_in: positions of inputs of which the outputs are a linear function without constant term: if any
            of these is known to be all zeros, so are the outputs.
        data_dependent: True where output shapes follow from values; then `evaluate` makes the outputs.
        optional_outputs: True where the kernel takes None for an output that nothing reads, and leaves it out.
        ends_group: True where every element of the large inputs is looked at once, so that a device may compute them
            on the way, as the end of a group of elementwise operations (see `kcore.compile.rows`).
    """

    name: ClassVar[str] = ""
    pure: ClassVar[bool] = True
    elementwise: ClassVar[bool] = False
    inplace: ClassVar[tuple[int, ...]] = ()
    view: ClassVar[bool | str] = False
    dims: ClassVar[str | None] = None
    differentiable: ClassVar[bool] = True
    ufunc: ClassVar[str | None] = None
    zero_in: ClassVar[tuple[int, ...]] = ()
    data_dependent: ClassVar[bool] = False
    optional_outputs: ClassVar[bool] = False
    ends_group: ClassVar[bool] = False

    def infer(self, *ins: Spec, **attrs: Any) -> Spec | tuple[Spec, ...]:
        """Shape and dtype of the outputs. Refuses wrong input with ShapeError or DTypeError."""
        raise NotImplementedError(f"operation {self.name!r} does not define infer")

    def vjp(self, node: Node, *grads: Tensor | None) -> Sequence[Tensor | None]:
        """Gradients for the inputs of `node`, given those of its outputs (None: no gradient reaches it)."""
        raise GraphError(f"operation {self.name!r} has no gradient")

    def kernel(self, xp: Any, out: Any, *ins: Any, **attrs: Any) -> None:
        """Compute into `out` (an array; a tuple of arrays where there are several outputs)."""
        if self.ufunc is None:
            raise NotImplementedError(f"operation {self.name!r} has no kernel for this device")
        getattr(xp, self.ufunc)(*ins, out=out)

    def bind(self, ctx: Any, outs: Sequence[Any], ins: Sequence[Any], attrs: dict[str, Any]) -> Callable[[], Any]:
        """Return the call that computes `outs` from `ins`; the arrays are final, so views and
        scratch memory (`ctx.scratch`) can be prepared here once."""
        out = outs[0] if len(outs) == 1 else tuple(outs)
        if self.ufunc is not None:
            return partial(getattr(ctx.xp, self.ufunc), *ins, out)  # a keyword would cost 0.1 microseconds
        return partial(self.kernel, ctx.xp, out, *ins, **attrs)

    def as_view(self, xp: Any, x: Any, **attrs: Any) -> Any:
        """For operations with `view`: the output as a view of the array `x`."""
        raise NotImplementedError(f"operation {self.name!r} does not define as_view")

    def evaluate(self, ctx: Any, ins: Sequence[Any], attrs: dict[str, Any]) -> Sequence[Any]:
        """For operations with `data_dependent`: the outputs, freshly allocated."""
        raise NotImplementedError(f"operation {self.name!r} does not define evaluate")

    def simplify(self, node: Node) -> Tensor | None:
        """A cheaper tensor of the same value, or None. Called when the plan is made: shapes are concrete."""
        return None

    def cost(self, ins: Sequence[Spec], outs: Sequence[Spec], attrs: dict[str, Any]) -> int:
        """Floating-point operations of one call, for `plan.show()`."""
        return sum(spec.size for spec in outs)

    def __repr__(self) -> str:
        return f"<op {self.name}>"


_OPS: dict[str, Op] = {}


def register(op: Op | type[Op]) -> Any:
    """Enter an operation under its name; works as a class decorator too.

    Raises:
        GraphError: another operation has the name.
    """
    instance = op() if isinstance(op, type) else op
    known = _OPS.get(instance.name)
    if not instance.name or (known is not None and type(known) is not type(instance)):
        raise GraphError(f"operation name {instance.name!r} is empty or taken by {known!r}")
    _OPS[instance.name] = instance
    return op


def get_op(name: str) -> Op:
    """The operation registered as `name`."""
    try:
        return _OPS[name]
    except KeyError:
        raise GraphError(f"no operation is registered as {name!r}") from None


def all_ops() -> dict[str, Op]:
    """All registered operations, by name."""
    return dict(_OPS)
