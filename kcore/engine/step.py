"""`Step`: a compiled function of a model in its learning phase."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kcore import backend as K
from kcore.graph import Tensor, apply


class Step:
    """What happens to one batch: train, test or predict.

    The learning phase is decided here and nowhere else: a training step runs in phase 1, all others in
    phase 0, unless `K.set_learning_phase` has fixed it.

    Args:
        inputs: tensors that are fed.
        outputs: tensors that are computed.
        updates: pairs of a variable and its new value.
        training: whether this is a training step.
        name: for messages.
    """

    def __init__(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], updates: Sequence[Any], training: bool, name: str
    ) -> None:
        phase = K.learning_phase()
        fixed = not isinstance(phase, Tensor)
        self.training = bool(phase) if fixed else training
        self._tail = [1] if self.training else []
        self.inputs = list(inputs)
        fed = [*inputs, apply("learning_phase")] if self.training else self.inputs
        self.function = K.function(fed, list(outputs), updates=list(updates), name=name)

    def __call__(self, arrays: Sequence[Any]) -> list[Any]:
        """Run it on arrays; the outputs belong to the caller."""
        return self.function([*arrays, *self._tail])

    def taking(self, count: int) -> Step:
        """The step for batches of `count` arrays: this one."""
        return self
