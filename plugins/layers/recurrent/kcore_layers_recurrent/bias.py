"""The first bias of an LSTM: that of the forget gate is 1."""

from __future__ import annotations

from typing import Any

from kcore import backend as K
from kcore.initializers import Initializer


class UnitForgetBias(Initializer):
    """Ones for the forget gate, and another initializer for the other gates.

    Args:
        initializer: of the other gates.
        units: size of a gate's block.
        before: number of blocks before that of the forget gate.
    """

    def __init__(self, initializer: Any, units: int, before: int = 1) -> None:
        self.initializer = initializer
        self.units = units
        self.before = before

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        first, last = self.before * self.units, shape[-1] - (self.before + 1) * self.units
        parts = [self.initializer((first,)), K.ones((self.units,)), self.initializer((last,))]
        return K.concatenate(parts, axis=0)
