"""What the merge layers share: checks of their inputs, and masks."""

from __future__ import annotations

from functools import reduce
from typing import Any

from kcore import backend as K
from kcore.engine import Layer
from kcore.errors import ArgumentError, ShapeError

Shape = tuple["int | None", ...]


class Merge(Layer):
    """A layer on a list of at least two tensors."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def check_list(self, inputs: Any, what: str = "inputs") -> None:
        """Refuse anything but a list of at least two tensors (or shapes, or masks)."""
        if not isinstance(inputs, list) or len(inputs) < 2:
            count = len(inputs) if isinstance(inputs, list) else 1
            raise ArgumentError(
                f"Layer {self.name} ({type(self).__name__}) should be called on a list of at least 2 {what}, "
                f"got {count}: {inputs!r:.200}"
            )

    def build(self, input_shape: Any) -> None:
        self.check_list(input_shape, "inputs")
        batches = {shape[0] for shape in input_shape} - {None}
        if len(batches) > 1:
            raise ShapeError(f"Layer {self.name} cannot merge tensors of different batch sizes: {input_shape}")
        self.built = True

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Valid where every input that has a mask is valid."""
        masks = [m for m in mask or () if m is not None]
        if not masks:
            return None
        self.check_list(inputs)
        if len(mask) != len(inputs):
            raise ArgumentError(f"Layer {self.name} has {len(inputs)} inputs but got {len(mask)} masks")
        return reduce(lambda a, b: a & b, [K.cast(m, "bool") for m in masks])

    def broadcast(self, shapes: list[Shape]) -> Shape:
        """The shape in which inputs of `shapes` meet; a shorter shape gets axes of 1 after the batch axis."""
        ndim = max(map(len, shapes))
        full = [(s[0], *[1] * (ndim - len(s)), *s[1:]) for s in shapes]
        dims: list[int | None] = []
        for column in zip(*full, strict=True):
            sizes = set(column) - {1, None}
            if len(sizes) > 1:
                raise ShapeError(
                    f"Layer {self.name} ({type(self).__name__}) cannot broadcast its inputs together: their shapes "
                    f"are {', '.join(map(str, shapes))}"
                )
            dims.append(sizes.pop() if sizes else None if None in column else 1)
        batches = {s[0] for s in shapes}
        return (batches.pop() if len(batches) == 1 else None, *dims[1:])
