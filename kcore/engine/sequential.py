"""`Sequential`: a model that is a chain of layers."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from kcore import backend as K
from kcore.engine.compiled import BACKEND_ARGUMENTS
from kcore.engine.deserialize import deserialize
from kcore.engine.graph_map import GraphMap
from kcore.engine.input_layer import Input, InputLayer
from kcore.engine.layer import Layer
from kcore.engine.model import Model
from kcore.engine.network import Network
from kcore.errors import ArgumentError, SavedModelError, warn
from kcore.graph import Tensor
from kcore.shapes import listed
from kcore.versions import explained


class Sequential(Model):
    """A chain of layers, each with one input and one output; the manual's "Sequential model".

    It is a `Model` whose inputs and outputs follow from the layers. What lies between them is found when
    it is first needed, so that adding many layers costs no more than calling them.

    Args:
        layers: list of layers to add.
        name: string.

    Example:
        >>> model = Sequential([Dense(32, input_shape=(784,)), Activation("relu")])
        >>> model.add(Dense(10, activation="softmax"))
    """

    def __init__(self, layers: list[Layer] | None = None, name: str | None = None) -> None:
        self._layers: list[Layer] = []
        self._begin(name)
        for layer in [] if layers is None else listed(layers, "layers", "layers"):
            self.add(layer)

    # --- building ------------------------------------------------------------------------------------------
    @explained
    def add(self, layer: Layer) -> None:
        """Put a layer on top.

        Args:
            layer: layer; the first must know its input shape (`input_shape=...`), or be an `InputLayer`
                or a model.

        Raises:
            TypeError: not a layer.
            ValueError: the first layer has no input shape, or a layer has several outputs.
        """
        if not isinstance(layer, Layer):
            raise ArgumentError(f"The added layer must be an instance of class Layer. Found: {layer!r}")
        output = layer(self.outputs[0]) if self._layers else self._start(layer)
        if not isinstance(output, Tensor):
            raise ArgumentError(
                f"All layers in a Sequential model should have a single output tensor, but {layer.name} has "
                f"{len(output)}. For multi-output layers, use the functional API."
            )
        self._layers.append(layer)
        self._ends_at(output)

    def _start(self, layer: Layer) -> Tensor:
        """The output of the first layer."""
        if isinstance(layer, InputLayer):
            self.inputs = list(layer._inbound_nodes[0].output_tensors)
            return self.inputs[0]
        first = layer
        while isinstance(first, Network):
            if not first.layers:
                raise ArgumentError("Cannot add an empty model to a `Sequential` model.")
            first = first.layers[0]
        if not hasattr(first, "batch_input_shape"):
            raise ArgumentError(
                "The first layer in a Sequential model must get an `input_shape` or `batch_input_shape` argument. "
                f"{layer.name} has none; give it one, without the batch axis: "
                f"{type(layer).__name__}(..., input_shape=(784,))."
            )
        dtype = getattr(first, "dtype", None)
        x = Input(batch_shape=first.batch_input_shape, dtype=dtype, name=f"{layer.name}_input")
        self.inputs = [x]
        return layer(x)

    def _ends_at(self, output: Tensor | None) -> None:
        self.outputs = [] if output is None else [output]
        self._map = None
        self.built = False
        self._changed()

    def pop(self) -> None:
        """Take the last layer off.

        Raises:
            TypeError: there is none.
        """
        if not self._layers:
            raise ArgumentError("There are no layers in the model.")
        self._layers.pop()
        if not self._layers:
            self.inputs = []
            self._inbound_nodes = []
            self._ends_at(None)
            return
        last_call = self.outputs[0]._keras_history[0]._inbound_nodes[self.outputs[0]._keras_history[1]]
        source = last_call.input_tensors[0]
        source._keras_history[0]._outbound_nodes.remove(last_call)
        self._ends_at(source)

    def build(self, input_shape: Any = None) -> None:
        """Find what lies between input and output. Done by itself at first need.

        Raises:
            TypeError: the model is empty.
        """
        if not self._layers:
            raise ArgumentError("Sequential model cannot be built: model is empty. Add some layers first.")
        if self._map is None:
            self._connect(self.inputs, self.outputs)

    @property
    def _graph(self) -> GraphMap:
        if self._map is None:
            self.build()
        return super()._graph

    @property
    def layers(self) -> list[Layer]:
        """The layers that were added, first to last."""
        return self._layers

    @property
    def model(self) -> Sequential:
        """The model itself (Keras 2.1 kept an inner model under this name)."""
        self.build()
        return self

    def count_params(self) -> int:
        """The number of scalars in the weights; builds the model if it has layers."""
        if self._layers:
            self.build()
        return super().count_params()

    @property
    def regularizers(self) -> list[Any]:
        """The layers' lists of regularizers, joined, where they have such an attribute."""
        return [regularizer for layer in self._layers for regularizer in getattr(layer, "regularizers", [])]

    # --- the signatures in which Sequential differs from Model -----------------------------------------------
    @partial(explained, also=("loss_weights", *BACKEND_ARGUMENTS))
    def compile(  # type: ignore[override]
        self,
        optimizer: Any,
        loss: Any,
        metrics: Any = None,
        sample_weight_mode: Any = None,
        weighted_metrics: Any = None,
        target_tensors: Any = None,
        **kwargs: Any,
    ) -> None:
        """Choose optimizer, loss and metrics; see `Model.compile` for the arguments."""
        super().compile(
            optimizer,
            loss,
            metrics=metrics,
            sample_weight_mode=sample_weight_mode,
            weighted_metrics=weighted_metrics,
            target_tensors=target_tensors,
            **kwargs,
        )

    @explained
    def train_on_batch(self, x: Any, y: Any, class_weight: Any = None, sample_weight: Any = None) -> Any:  # type: ignore[override]
        """One step on one batch; see `Model.train_on_batch`."""
        return super().train_on_batch(x, y, sample_weight=sample_weight, class_weight=class_weight)

    @explained
    def predict_proba(self, x: Any, batch_size: int | None = None, verbose: int = 0, steps: int | None = None) -> Any:
        """`predict`, with a warning where the results are no probabilities.

        Args:
            x, batch_size, verbose, steps: as in `predict`.

        Returns:
            Array of floats of shape (samples, classes).
        """
        predictions = self.predict(x, batch_size, verbose, steps)
        if predictions.min() < 0.0 or predictions.max() > 1.0:
            warn(
                "Network returning invalid probability values. The last layer might not normalize predictions into "
                "probabilities (like softmax or sigmoid would)."
            )
        return predictions

    @explained
    def predict_classes(self, x: Any, batch_size: int | None = None, verbose: int = 0, steps: int | None = None) -> Any:
        """The predicted classes.

        Args:
            x, batch_size, verbose, steps: as in `predict`.

        Returns:
            Array of ints: the index of the largest output, or for a single output whether it is above 0.5.
        """
        predictions = self.predict(x, batch_size, verbose, steps)
        if predictions.shape[-1] > 1:
            return predictions.argmax(axis=-1)
        return (predictions > 0.5).astype(np.int32)

    # --- describing ------------------------------------------------------------------------------------------
    def get_config(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """The descriptions of the layers, a list of `{"class_name": ..., "config": ...}`."""
        return [{"class_name": type(layer).__name__, "config": layer.get_config()} for layer in self._layers]

    @classmethod
    def from_config(cls, config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
        """A model from what `get_config` returned, or from the dictionary that Keras 2.2 and later write.

        Args:
            config: list, or dictionary with `name` and `layers`.
            custom_objects: dictionary, names to layers and functions that are not installed as plugins.
        """
        name, build_shape, descriptions = None, None, config
        if isinstance(config, dict):
            name, build_shape, descriptions = (config.get(k) for k in ("name", "build_input_shape", "layers"))
        if not isinstance(descriptions, (list, tuple)):
            raise SavedModelError(f"Expected the description of a Sequential model, a list, but found {config!r:.200}")
        model = cls(name=name)
        for description in descriptions:
            layer = deserialize(description, custom_objects)
            if build_shape is not None and not model._layers and not hasattr(layer, "batch_input_shape"):
                layer.batch_input_shape, layer.dtype = tuple(build_shape), K.floatx()
            model.add(layer)
        if isinstance(config, dict):
            model.trainable = config.get("trainable", True)
        return model
