"""What a layer owns: its weights, and the losses and updates it adds to training."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from kcore import backend as K
from kcore.engine.calls import distinct, is_frozen, running
from kcore.engine.names import scoped
from kcore.engine.structure import list_uid, to_list
from kcore.errors import NotBuiltError, ShapeError
from kcore.shapes import listed, whole_number
from kcore.versions import explained

_KERAS_1_ORDER = ("shape", "initializer", "name", "trainable", "regularizer", "constraint")


def _as_in_keras_1(add_weight: Callable[..., Any]) -> Callable[..., Any]:
    """Also accept `add_weight((3, 4), initializer=..., name="w")`, which old custom layers write."""

    @functools.wraps(add_weight)
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        if args and isinstance(args[0], (list, tuple)):
            kwargs = {"name": None, **dict(zip(_KERAS_1_ORDER, args, strict=False)), **kwargs}
            args = ()
        return add_weight(self, *args, **kwargs)

    return wrapper


class Tracked:
    """Weights, losses and updates of a layer."""

    name: str
    trainable: bool = True
    stateful: bool = False
    built: bool = False

    def _begin_tracking(self) -> None:
        self._trainable_weights: list[Any] = []
        self._non_trainable_weights: list[Any] = []
        self._losses: list[Any] = []
        self._updates: list[Any] = []
        self._per_input_losses: dict[str, list[Any]] = {}
        self._per_input_updates: dict[str, list[Any]] = {}

    # --- weights ------------------------------------------------------------------------------------
    @_as_in_keras_1
    def add_weight(
        self,
        name: str,
        shape: tuple[int, ...],
        dtype: str | None = None,
        initializer: Any = None,
        regularizer: Any = None,
        trainable: bool = True,
        constraint: Any = None,
    ) -> Any:
        """Make a weight of the layer. Its value is drawn when it is first needed, not here.

        Args:
            name: string; the weight is called `<layer>/<name>:0`.
            shape: tuple of ints.
            dtype: string; `K.floatx()` by default.
            initializer: initializer instance, function `(shape) -> tensor`, or name (default:
                glorot_uniform).
            regularizer: function of the weight that returns a scalar loss, or None.
            trainable: boolean, whether the optimizer changes it.
            constraint: function of the weight, applied after each update by the optimizer, or None.

        Returns:
            The weight, a variable.

        Raises:
            ValueError: a dimension of the shape is not known.
        """
        from kcore import constraints, initializers, regularizers

        shape = self._weight_shape(name, shape)
        initializer = initializers.get("glorot_uniform" if initializer is None else initializer)
        regularizer = regularizers.get(regularizer)
        constraint = constraints.get(constraint)
        weight = K.variable(
            initializer(shape),
            dtype=dtype or K.floatx(),
            name=None if name is None else f"{scoped(name)}:0",
            constraint=constraint,
        )
        weight.trainable = trainable
        if regularizer is not None:
            self.add_loss(regularizer(weight))
        (self._trainable_weights if trainable else self._non_trainable_weights).append(weight)
        return weight

    def _weight_shape(self, name: str | None, shape: Any) -> tuple[int, ...]:
        try:
            return tuple(whole_number(size, "shape", self) for size in shape)
        except TypeError:
            raise ShapeError(
                f"Layer {self.name} cannot make its weight {name!r} of shape {shape}: every size of a weight must be a "
                "whole number and known. Give the dimension of the input that it comes from, such as "
                "Input(shape=(None, 16)) for the last one.",
                shapes=(shape,),
            ) from None

    @property
    def trainable_weights(self) -> list[Any]:
        """The weights that an optimizer changes: none where `trainable` is False."""
        return self._trainable_weights if self.trainable else []

    @trainable_weights.setter
    def trainable_weights(self, weights: list[Any]) -> None:
        self._trainable_weights = weights

    @property
    def non_trainable_weights(self) -> list[Any]:
        """The weights that no optimizer changes: all of them where `trainable` is False."""
        if self.trainable:
            return self._non_trainable_weights
        return self._trainable_weights + self._non_trainable_weights

    @non_trainable_weights.setter
    def non_trainable_weights(self, weights: list[Any]) -> None:
        self._non_trainable_weights = weights

    @property
    def weights(self) -> list[Any]:
        """All weights: the trainable ones, then the others."""
        return self.trainable_weights + self.non_trainable_weights

    def get_weights(self) -> list[Any]:
        """The present values of the weights, a list of NumPy arrays."""
        return K.batch_get_value(self.weights)

    @explained
    def set_weights(self, weights: list[Any]) -> None:
        """Set the values of the weights.

        Args:
            weights: list of arrays, with the number and shapes that `get_weights` returns.

        Raises:
            ValueError: the number or a shape does not match; nothing has been changed then.
        """
        assign_weights(self.name, self.weights, weights)

    def count_params(self) -> int:
        """The number of scalars in the weights.

        Raises:
            RuntimeError: the layer is not built yet.
        """
        if not self.built:
            raise NotBuiltError(
                f"You tried to call `count_params` on {self.name}, but the layer isn't built. "
                f"You can build it manually via: `{self.name}.build(batch_input_shape)`."
            )
        return sum(math.prod(weight.shape) for weight in self.weights)

    # --- losses and updates ---------------------------------------------------------------------------
    def add_loss(self, losses: Any, inputs: Any = None) -> None:
        """Add to the loss that training minimizes.

        Args:
            losses: scalar tensor or list of them.
            inputs: the input tensor or tensors of the call that the losses depend on; None for what
                depends on no input (the penalty on a weight).
        """
        added = _listed(losses)
        self._losses.extend(added)
        self._file(added, inputs, self._per_input_losses)
        record = running()
        if record is not None and _has_inputs(inputs):
            record.losses.extend(added)

    def add_update(self, updates: Any, inputs: Any = None) -> None:
        """Have variables changed at each training step.

        Args:
            updates: a pair (variable, new value) as `K.update` returns, or a list of them.
            inputs: as in `add_loss`.
        """
        added = [updates] if _is_update(updates) else _listed(updates)
        self._updates.extend(added)
        self._file(added, inputs, self._per_input_updates)
        record = running()
        if record is not None and _has_inputs(inputs):
            record.updates.extend((self, update) for update in added)  # type: ignore[misc]

    @staticmethod
    def _file(added: list[Any], inputs: Any, by_inputs: dict[str, list[Any]]) -> None:
        key = list_uid(inputs) if _has_inputs(inputs) else ""
        by_inputs.setdefault(key, []).extend(added)

    @property
    def losses(self) -> list[Any]:
        """All losses the layer has added, for all its calls."""
        return self._losses

    @property
    def updates(self) -> list[Any]:
        """All updates the layer has added; none where it is frozen."""
        return [] if is_frozen(self) else self._updates  # type: ignore[arg-type]

    def get_losses_for(self, inputs: Any) -> list[Any]:
        """The losses that were added for these inputs; for None, those that depend on no input."""
        key = list_uid(inputs) if _has_inputs(inputs) else ""
        return distinct(self._per_input_losses.get(key, []))

    def get_updates_for(self, inputs: Any) -> list[Any]:
        """The updates that were added for these inputs; for None, those that depend on no input."""
        if is_frozen(self):  # type: ignore[arg-type]
            return []
        key = list_uid(inputs) if _has_inputs(inputs) else ""
        return distinct(self._per_input_updates.get(key, []))


def _listed(values: Any) -> list[Any]:
    return [] if values is None else to_list(values)


def _has_inputs(inputs: Any) -> bool:
    return inputs is not None and (not isinstance(inputs, (list, tuple)) or len(inputs) > 0)


def _is_update(value: Any) -> bool:
    """Whether a tuple is one update (variable, new value), not a sequence of updates."""
    return isinstance(value, tuple) and len(value) == 2 and not isinstance(value[0], tuple)


def assign_weights(owner: str, variables: list[Any], values: list[Any]) -> None:
    """Set variables after checking all of them, so that a mistake changes nothing.

    Args:
        owner: whose weights they are, for the message.
        variables: list of variables.
        values: list of arrays.

    Raises:
        ValueError: their number or a shape differs.
    """
    values = listed(values, "weights", "arrays, as get_weights() returns them,", f"set_weights of {owner}")
    if len(variables) != len(values):
        raise ShapeError(
            f'You called `set_weights(weights)` on layer "{owner}" with a weight list of length {len(values)}, but '
            f"the layer was expecting {len(variables)} weights: {[_told(v) for v in variables]}. "
            f"Provided shapes: {[np.shape(value) for value in values]}."
        )
    for variable, value in zip(variables, values, strict=True):
        shape = np.shape(value)
        if shape != tuple(variable.shape):
            raise ShapeError(
                f"Layer weight shape {tuple(variable.shape)} not compatible with provided weight shape {shape}: "
                f"{variable.name} of layer {owner}.",
                shapes=(variable.shape, shape),
            )
    K.batch_set_value(list(zip(variables, values, strict=True)))


def _told(variable: Any) -> str:
    return f"{variable.name} {tuple(variable.shape)}"
