"""`Wrapper`: base class of layers that hold one other layer."""

from __future__ import annotations

from typing import Any

from kcore.engine.deserialize import deserialize
from kcore.engine.layer import Layer
from kcore.engine.structure import list_uid


class Wrapper(Layer):
    """A layer around another layer (`TimeDistributed`, `Bidirectional`); its weights are the other's.

    A subclass calls `self.layer.call(...)`, or uses the layer's weights, in its own `call`, and builds it
    in `build`. What the inner layer adds during a call (losses, updates) belongs to the wrapper's call.

    Args:
        layer: the layer inside.
        kwargs: as for `Layer`.
    """

    def __init__(self, layer: Layer, **kwargs: Any) -> None:
        self.layer = layer
        # Inputs of the wrapper (by `list_uid`) to the inputs it gave the inner layer for them.
        self._input_map: dict[str, Any] = {}
        super().__init__(**kwargs)

    def build(self, input_shape: Any = None) -> None:
        """Mark as built; a subclass builds `self.layer` first."""
        self.built = True

    @property
    def activity_regularizer(self) -> Any:
        """That of the inner layer."""
        return getattr(self.layer, "activity_regularizer", None)

    @property
    def trainable(self) -> bool:  # type: ignore[override]
        """That of the inner layer."""
        return self.layer.trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self.layer.trainable = value

    @property  # type: ignore[misc]
    def trainable_weights(self) -> list[Any]:
        """Those of the inner layer."""
        return self.layer.trainable_weights

    @property  # type: ignore[misc]
    def non_trainable_weights(self) -> list[Any]:
        """Those of the inner layer."""
        return self.layer.non_trainable_weights

    @property
    def losses(self) -> list[Any]:
        """Those of the inner layer and of the wrapper."""
        return [*self.layer.losses, *self._losses]

    @property
    def updates(self) -> list[Any]:
        """Those of the inner layer and of the wrapper."""
        return [*self.layer.updates, *super().updates]

    def get_losses_for(self, inputs: Any) -> list[Any]:
        """The losses that belong to these inputs of the wrapper; for None, those of no input."""
        return [*self.layer.get_losses_for(self._inner_inputs(inputs)), *super().get_losses_for(inputs)]

    def get_updates_for(self, inputs: Any) -> list[Any]:
        """The updates that belong to these inputs of the wrapper; for None, those of no input."""
        return [*self.layer.get_updates_for(self._inner_inputs(inputs)), *super().get_updates_for(inputs)]

    def _inner_inputs(self, inputs: Any) -> Any:
        return inputs if inputs is None else self._input_map.get(list_uid(inputs), inputs)

    def get_weights(self) -> list[Any]:
        """The present values of the inner layer's weights."""
        return self.layer.get_weights()

    def set_weights(self, weights: list[Any]) -> None:
        """Set the inner layer's weights."""
        self.layer.set_weights(weights)

    def weights_from_file(self, weights: list[Any], keras_version: str, backend: str | None) -> list[Any]:
        return self.layer.weights_from_file(weights, keras_version, backend)

    def get_config(self) -> dict[str, Any]:
        inner = {"class_name": type(self.layer).__name__, "config": self.layer.get_config()}
        return {**super().get_config(), "layer": inner}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
        config = dict(config)
        layer = deserialize(config.pop("layer"), custom_objects)
        return cls(layer, **config)
