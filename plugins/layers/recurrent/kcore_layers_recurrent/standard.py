"""`StandardRNN`: what `SimpleRNN`, `GRU` and `LSTM` share beside their cells.

Where the activations are ones that the fused operations know, the whole sequence is one operation
(`kcore.ops.recurrent`); a cell with other activations, or a subclass with a `call` of its own, runs step by step.
"""

from __future__ import annotations

from typing import Any

from kcore import backend as K
from kcore import regularizers
from kcore.engine import Layer
from kcore_layers_recurrent.cell import WEIGHT_KEYS, Cell
from kcore_layers_recurrent.rnn import RNN
from kcore_layers_recurrent.support import fusible


class CellSetting:
    """An attribute of the layer that is its cell's."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, layer: Any, owner: type | None = None) -> Any:
        return self if layer is None else getattr(layer.cell, self.name)


class StandardRNN(RNN):
    """An `RNN` over one of the standard cells, with the cell's arguments as its own."""

    cell_class: type[Cell] = Cell
    units = CellSetting()
    activation = CellSetting()
    use_bias = CellSetting()
    dropout = CellSetting()
    recurrent_dropout = CellSetting()
    kernel_initializer = CellSetting()
    recurrent_initializer = CellSetting()
    bias_initializer = CellSetting()
    kernel_regularizer = CellSetting()
    recurrent_regularizer = CellSetting()
    bias_regularizer = CellSetting()
    kernel_constraint = CellSetting()
    recurrent_constraint = CellSetting()
    bias_constraint = CellSetting()
    kernel = CellSetting()
    recurrent_kernel = CellSetting()
    bias = CellSetting()

    def __init__(self, cell: Cell, activity_regularizer: Any, sequence: dict[str, Any], **kwargs: Any) -> None:
        """Take a cell, and the arguments of `RNN` in `sequence`."""
        super().__init__(cell, **sequence, **kwargs)
        self.activity_regularizer = regularizers.get(activity_regularizer)

    def fused(self, inputs: Any, states: list[Any], mask: Any, masks: dict[str, Any]) -> tuple[Any, list[Any]]:
        """All outputs and the last states, by the fused operation; `masks` are its drop-out operands."""
        raise NotImplementedError

    def can_fuse(self) -> bool:
        """Whether the fused operation computes what the cell does."""
        cell = self.cell
        functions = [cell.activation, *([cell.recurrent_activation] if hasattr(cell, "recurrent_activation") else [])]
        return type(cell) is self.cell_class and fusible(*functions)

    def iterate(
        self, inputs: Any, states: list[Any], mask: Any, training: Any, constants: list[Any] | None
    ) -> tuple[Any, Any, list[Any]]:
        if constants or not self.can_fuse() or K.ndim(inputs) != 3:
            return super().iterate(inputs, states, mask, training, constants)
        if mask is not None and K.ndim(mask) == 3:
            mask = K.squeeze(mask, -1)
        self.start_sequence(inputs, training)
        sequence, new = self.fused(inputs, states, mask, {})
        operands = self._dropout_operands()
        if operands:
            dropped, after = self.fused(inputs, states, mask, operands)
            sequence = K.in_train_phase(dropped, sequence, training=training)
            new = [K.in_train_phase(a, b, training=training) for a, b in zip(after, new, strict=True)]
        return new[0], sequence, new

    def _dropout_operands(self) -> dict[str, Any]:
        """The drop-out masks of the cell as operands: one a gate, or one for all in implementation 2."""
        masks = {"input_dropout": self.cell.input_masks, "recurrent_dropout": self.cell.recurrent_masks}
        shared = getattr(self.cell, "implementation", 1) == 2
        return {name: K.stack(m[:1] if shared else m, axis=0) for name, m in masks.items() if m is not None}

    def get_config(self) -> dict[str, Any]:
        cell = self.cell.get_config()
        own = {key: cell[key] for key in ("units", *self.cell.config_keys)}
        activity = {"activity_regularizer": regularizers.serialize(self.activity_regularizer)}
        return {**Layer.get_config(self), **self.sequence_config(), **own, **activity}


SEQUENCE_KEYS = ("return_sequences", "return_state", "go_backwards", "stateful", "unroll")


def split_arguments(arguments: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The arguments of a layer's constructor, apart: those of its cell, and those of `RNN`."""
    sequence = {key: arguments[key] for key in SEQUENCE_KEYS if key in arguments}
    cell_keys = ("units", "activation", "recurrent_activation", "use_bias", *WEIGHT_KEYS)
    cell_keys += ("unit_forget_bias", "dropout", "recurrent_dropout", "implementation", "reset_after")
    return {key: arguments[key] for key in cell_keys if key in arguments}, sequence
