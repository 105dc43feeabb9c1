"""Models of an entry of the table, in every shape that files hold, on whatever `keras` module is given."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from layer_case import spec

from interchange.entry import Entry, Variant, named

MERGE_MODES = ("concat", "sum", "mul", "ave", None)
RECURRENT = ("SimpleRNN", "GRU", "LSTM", "RNN", "CuDNNGRU", "CuDNNLSTM")
STEPS = 2
#: Shapes of model, in the order of tables of results.
SHAPES = (
    "alone", "sequential", "shared", "nested", "time_distributed", "bidirectional", "masked", "stateful",
    "channels_first",
)  # fmt: skip


@dataclass
class Builder:
    """Makes the parts of models: `translate` changes descriptions into the words of the framework."""

    keras: Any
    custom_objects: dict[str, Any]
    translate: Callable[[Any], Any] = lambda layer: layer

    def layer(self, layer: dict[str, Any], name: str) -> Any:
        """The layer of a description."""
        described = self.translate(named(layer, name))
        return self.keras.layers.deserialize(described, custom_objects=self.custom_objects)

    def inputs(self) -> _Inputs:
        """New inputs for a model."""
        return _Inputs(self.keras)

    def model(self, inputs: Any, outputs: Any, name: str = "whole") -> Any:
        """A model of a graph; whatever gives several tensors gives several outputs."""
        return self.keras.models.Model(_alone_or_list(inputs), _alone_or_list(_flat(outputs)), name=name)


@dataclass
class _Inputs:
    """Inputs of a model under construction, one for each shape unless `fresh`."""

    keras: Any
    tensors: list[Any] = field(default_factory=list)
    sources: list[Any] = field(default_factory=list)

    def of(self, sources: Any, fixed: bool = False, fresh: bool = False) -> list[Any]:
        """Tensors for what a layer is fed with; equal shapes at different places are different inputs."""
        used: list[int] = [*range(len(self.tensors))] if fresh else []
        found = []
        for source in sources:
            place = next((i for i, s in enumerate(self.sources) if s == source and i not in used), None)
            if place is None:
                place = len(self.tensors)
                self.sources.append(source)
                self.tensors.append(self._tensor(source, fixed, f"x{place}"))
            used.append(place)
            found.append(self.tensors[place])
        return found

    def _tensor(self, source: Any, fixed: bool, name: str) -> Any:
        shape, dtype = shape_of(source), "int32" if isinstance(source, dict) else "float32"
        return self.keras.layers.Input(batch_shape=(shape[0] if fixed else None, *shape[1:]), dtype=dtype, name=name)


@dataclass(frozen=True)
class Built:
    """A model, and what is fed to each of its inputs."""

    model: Any
    sources: list[Any]


def shape_of(source: Any) -> tuple[int, ...]:
    """The shape, with the batch, of what is fed."""
    if not isinstance(source, dict):
        return tuple(source)
    numbers, shape = source["values"], []
    while isinstance(numbers, list):
        shape.append(len(numbers))
        numbers = numbers[0]
    return tuple(shape)


def shapes_of(entry: Entry) -> Iterator[str]:
    """The shapes of model in which a layer occurs."""
    left_out = entry.leave_out or {}
    return (shape for shape in SHAPES if shape not in left_out and _occurs(entry, shape))


def _occurs(entry: Entry, shape: str) -> bool:
    if shape in ("alone", "channels_first", "stateful"):
        return bool(entry.variants(shape))
    if shape in ("bidirectional", "masked"):
        return entry.class_name in RECURRENT and (shape, entry.class_name[:5]) != ("masked", "CuDNN")
    return True


def build(builder: Builder, entry: Entry, shape: str) -> Built:
    """The model of an entry in one shape."""
    if shape in ("alone", "channels_first", "stateful"):
        return _side_by_side(builder, entry.variants(shape), fixed=shape == "stateful")
    return _OF_MAIN[shape](builder, entry.main)


def _side_by_side(builder: Builder, variants: list[Variant], fixed: bool) -> Built:
    """Each configuration alone behind the inputs."""
    inputs = builder.inputs()
    outputs = []
    for variant in variants:
        x = inputs.of(variant.inputs, fixed)
        arguments = {
            key: inputs.of(sources, fixed)
            for key, sources in (("initial_state", variant.initial_state), ("constants", variant.constants))
            if sources
        }
        outputs.append(builder.layer(variant.layer, variant.name)(_alone_or_list(x), **arguments))
    return Built(builder.model(inputs.tensors, outputs), inputs.sources)


def _sequential(builder: Builder, variant: Variant) -> Built:
    """A stack: the layer, and one after it."""
    return Built(_stack(builder, variant, "whole"), list(variant.inputs))


def _stack(builder: Builder, variant: Variant, name: str) -> Any:
    source = variant.inputs[0]
    first = {"batch_input_shape": [None, *shape_of(source)[1:]]}
    if isinstance(source, dict):
        first["dtype"] = "int32" if variant.layer["class_name"] != "Embedding" else "float32"
    layer = {**variant.layer, "config": {**variant.config, **first}}
    model = builder.keras.models.Sequential(name=name)
    model.add(builder.layer(layer, "first"))
    model.add(builder.layer(spec("Activation", activation="sigmoid"), "second"))
    return model


def _shared(builder: Builder, variant: Variant) -> Built:
    """One layer with two nodes, and the second node's output in use by another layer."""
    inputs = builder.inputs()
    layer = builder.layer(variant.layer, "shared")
    a = layer(_alone_or_list(inputs.of(variant.inputs, fresh=True)))
    b = layer(_alone_or_list(inputs.of(variant.inputs, fresh=True)))
    joined = builder.layer(spec("Concatenate", axis=-1), "joined")([b, a])
    return Built(builder.model(inputs.tensors, [joined, b]), inputs.sources)


def _inner(builder: Builder, variant: Variant) -> Any:
    """A small model of the layer: a stack where it has one input."""
    if len(variant.inputs) == 1:
        return _stack(builder, variant, "inner")
    inputs = builder.inputs()
    tensors = inputs.of(variant.inputs)
    return builder.model(tensors, builder.layer(variant.layer, "first")(tensors), "inner")


def _nested(builder: Builder, variant: Variant) -> Built:
    """A stack of a graph of a stack, the innermost used twice; a graph of it where it has several inputs."""
    inner = _inner(builder, variant)
    inputs = builder.inputs()
    several = len(variant.inputs) > 1
    a = inputs.of(variant.inputs, fresh=True)
    b = inputs.of(variant.inputs, fresh=True) if several else a
    twice = [inner(_alone_or_list(a)), inner(_alone_or_list(b))]
    added = builder.layer(spec("Add"), "added")(twice)
    middle = builder.model(inputs.tensors, builder.layer(spec("Dense", units=2), "after")(added), "middle")
    if several:
        outer = builder.inputs()
        tensors = outer.of(inputs.sources)
        return Built(builder.model(tensors, middle(tensors)), inputs.sources)
    whole = builder.keras.models.Sequential(name="whole")
    whole.add(middle)
    whole.add(builder.layer(spec("Activation", activation="tanh"), "last"))
    return Built(whole, inputs.sources)


def _time_distributed(builder: Builder, variant: Variant) -> Built:
    """The layer at each step, and a model of it at each step."""
    (source,) = variant.inputs
    inputs = builder.inputs()
    (x,) = inputs.of([_repeated(source)])
    wrap = builder.keras.layers.TimeDistributed
    outputs = [
        wrap(builder.layer(variant.layer, "stepped"), name="steps")(x),
        wrap(_inner(builder, variant), name="models")(x),
    ]
    return Built(builder.model(inputs.tensors, outputs), inputs.sources)


def _repeated(source: Any) -> Any:
    """The same with an axis of steps behind the batch."""
    if isinstance(source, dict):
        return {**source, "values": [[sample, sample[::-1]] for sample in source["values"]]}
    return (source[0], STEPS, *source[1:])


def _bidirectional(builder: Builder, variant: Variant) -> Built:
    """The layer both ways, merged in each way."""
    inputs = builder.inputs()
    (x,) = inputs.of(variant.inputs)
    wrapped = [
        builder.layer(spec("Bidirectional", layer=variant.layer, merge_mode=mode), f"both_{mode}")
        for mode in MERGE_MODES
    ]
    return Built(builder.model(inputs.tensors, [layer(x) for layer in wrapped]), inputs.sources)


def _masked(builder: Builder, variant: Variant) -> Built:
    """Words of which some are none, embedded, masked, and read by the layer."""
    words = {"values": [[1, 4, 2, 0, 0], [3, 3, 5, 1, 0]], "dtype": "int32"}
    model = builder.keras.models.Sequential(name="whole")
    embedding = spec("Embedding", input_dim=6, output_dim=variant.inputs[0][-1], mask_zero=True, input_length=5)
    model.add(builder.layer(embedding, "words"))
    model.add(builder.layer({**variant.layer, "config": {**variant.config, "return_sequences": True}}, "reading"))
    model.add(builder.layer(spec("TimeDistributed", layer=spec("Dense", units=2)), "answer"))
    return Built(model, [words])


_OF_MAIN = {
    "sequential": _sequential, "shared": _shared, "nested": _nested, "time_distributed": _time_distributed,
    "bidirectional": _bidirectional, "masked": _masked,
}  # fmt: skip


def _alone_or_list(values: Any) -> Any:
    return values[0] if len(values) == 1 else list(values)


def _flat(values: Any) -> list[Any]:
    if isinstance(values, list | tuple):
        return [one for value in values for one in _flat(value)]
    return [values]
