"""`StackedRNNCells`: several cells that behave like one."""

from __future__ import annotations

from typing import Any

from kcore import backend as K
from kcore.engine import Layer
from kcore.errors import ArgumentError, ShapeError
from kcore.layers import deserialize
from kcore.shapes import listed
from kcore_layers_recurrent.support import accepts, as_list


class StackedRNNCells(Layer):
    """A stack of cells that behaves like one cell (manual, 5.6.9).

    The states are one flat list, the last cell's first: for LSTM cells ``[h2, c2, h1, c1]``.

    Args:
        cells: list of cells, the first of which receives the input.
    """

    def __init__(self, cells: Any, **kwargs: Any) -> None:
        cells = listed(cells, "cells", "cells", "StackedRNNCells")
        for cell in cells:
            for needed in ("call", "state_size"):
                if not hasattr(cell, needed):
                    raise ArgumentError(f"every stacked cell must have `{needed}`, and {cell!r} has not")
        self.cells = cells
        super().__init__(**kwargs)

    @property
    def state_size(self) -> tuple[Any, ...]:
        """The sizes of the states, the last cell's first."""
        return tuple(size for cell in self.cells[::-1] for size in as_list(cell.state_size))

    def begin_sequence(self, inputs: Any, training: Any) -> None:
        """Let each cell draw its drop-out masks."""
        for i, cell in enumerate(self.cells):
            if hasattr(cell, "begin_sequence"):
                cell.begin_sequence(inputs, training)
            if i + 1 < len(self.cells):
                inputs = K.zeros((K.shape(inputs)[0], as_list(cell.state_size)[0]), dtype=K.dtype(inputs))

    def call(self, inputs: Any, states: Any, constants: Any = None, training: Any = None) -> Any:
        states = list(states)
        per_cell: list[list[Any]] = []
        for cell in self.cells[::-1]:
            count = len(as_list(cell.state_size))
            per_cell.insert(0, states[:count])
            states = states[count:]
        new: list[list[Any]] = []
        for cell, own in zip(self.cells, per_cell, strict=True):
            kwargs: dict[str, Any] = {}
            if constants is not None and accepts(cell.call, "constants"):
                kwargs["constants"] = constants
            if accepts(cell.call, "training"):
                kwargs["training"] = training
            inputs, own = cell.call(inputs, own, **kwargs)
            new.append(list(own))
        return inputs, [state for own in new[::-1] for state in own]

    def build(self, input_shape: Any) -> None:
        constants: list[Any] = []
        if isinstance(input_shape, list):
            constants, input_shape = input_shape[1:], input_shape[0]
        for cell in self.cells:
            if isinstance(cell, Layer) and not cell.built:
                takes = constants and accepts(cell.call, "constants")
                cell.build([input_shape, *constants] if takes else input_shape)
                cell.built = True
            input_shape = (input_shape[0], as_list(cell.state_size)[0])
        self._number_names()
        self.built = True

    def _number_names(self) -> None:
        """Give weights of one name a number, as TensorFlow does: `kernel`, `kernel_1` ...; files need it."""
        seen: dict[str, int] = {}
        for cell in self._layers:
            for weight in cell.weights:
                name = weight.name
                count = seen[name] = seen.get(name, -1) + 1
                if count:
                    base, _, tail = name.partition(":")
                    weight.name = f"{base}_{count}:{tail}"

    def compute_output_shape(self, input_shape: Any) -> Any:
        raise ShapeError("a stack of cells is applied by an RNN layer, which knows its output shape")

    # --- what belongs to the cells ------------------------------------------------------------------------
    @property
    def _layers(self) -> list[Any]:
        return [cell for cell in self.cells if isinstance(cell, Layer)]

    @property  # type: ignore[misc] # read-only: the weights are others'
    def trainable_weights(self) -> list[Any]:
        return [w for cell in self._layers for w in cell.trainable_weights] if self.trainable else []

    @property  # type: ignore[misc]
    def non_trainable_weights(self) -> list[Any]:
        frozen = [w for cell in self._layers for w in cell.non_trainable_weights]
        if self.trainable:
            return frozen
        return [w for cell in self._layers for w in cell.trainable_weights] + frozen

    def get_weights(self) -> list[Any]:
        """The values of all cells' weights, cell by cell."""
        return K.batch_get_value([w for cell in self._layers for w in cell.weights])

    def set_weights(self, weights: Any) -> None:
        """Set the values of all cells' weights, in the order of `get_weights`."""
        weights = list(weights)
        total = sum(len(cell.weights) for cell in self._layers)
        if len(weights) != total:
            raise ShapeError(f"{self.name} has {total} weights, but {len(weights)} were given")
        for cell in self._layers:
            count = len(cell.weights)
            cell.set_weights(weights[:count])
            weights = weights[count:]

    @property
    def losses(self) -> list[Any]:
        return [loss for cell in self._layers for loss in cell.losses] + super().losses

    def get_losses_for(self, inputs: Any = None) -> list[Any]:
        own = super().get_losses_for(inputs)
        return [loss for cell in self._layers for loss in cell.get_losses_for(inputs)] + own

    def get_config(self) -> dict[str, Any]:
        cells = [{"class_name": type(cell).__name__, "config": cell.get_config()} for cell in self.cells]
        return {**super().get_config(), "cells": cells}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
        config = dict(config)
        cells = [deserialize(cell, custom_objects=custom_objects) for cell in config.pop("cells")]
        return cls(cells, **config)
