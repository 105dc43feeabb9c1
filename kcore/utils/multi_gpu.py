"""`multi_gpu_model`: one model applied to parts of each batch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kcore import backend as K
from kcore.engine import Layer, Model
from kcore.errors import ArgumentError


def multi_gpu_model(model: Any, gpus: Any = None, cpu_merge: bool = True, cpu_relocation: bool = False) -> Any:
    """A model that splits each batch, applies `model` to every part, and joins the results. Manual, section 20.9.

    The weights are shared: save, and load, the model that was given. All parts run on the device in use,
    one after the other: kcore drives one device. So the results are those of the plain model (but for layers
    that look at the whole batch, such as `BatchNormalization` in training), and a script written for several
    devices runs everywhere.

    Args:
        model: the template model.
        gpus: number of parts, 2 or more, or a list of that many devices.
        cpu_merge: where the results are joined; without effect on one device.
        cpu_relocation: where the weights are kept; without effect on one device.

    Returns:
        A model with the inputs and output names of `model`.

    Raises:
        ArgumentError (a ValueError): less than two parts.
    """
    parts = _number_of_parts(gpus)
    outputs: list[list[Any]] = [[] for _ in model.outputs]
    for part in range(parts):
        inputs = [
            BatchPart(part, parts, name=f"{name.split(':')[0]}_part_{part}_of_{parts}")(x)
            for name, x in zip(model.input_names, model.inputs)
        ]
        results = model(inputs if len(inputs) > 1 else inputs[0])
        for found, result in zip(outputs, results if isinstance(results, list) else [results]):
            found.append(result)
    names = _distinct(model.output_names)
    joined = [BatchJoin(name=name)(tensors) for name, tensors in zip(names, outputs)]
    return Model(list(model.inputs), joined)


def _number_of_parts(gpus: Any) -> int:
    if gpus is None:
        raise ArgumentError("multi_gpu_model: kcore uses one device; give `gpus`, the number of parts of a batch")
    devices = list(range(gpus)) if isinstance(gpus, int) else list(gpus) if isinstance(gpus, Iterable) else []
    if len(devices) < 2 or len(set(devices)) != len(devices):
        raise ArgumentError(
            "For multi-gpu usage to be effective, call `multi_gpu_model` with `gpus >= 2`, or a list of two or more "
            f"different devices. Received: gpus={gpus!r}"
        )
    return len(devices)


def _distinct(names: list[str]) -> list[str]:
    """Names of layers, which a model wants different: a model may give one layer's output twice."""
    found: list[str] = []
    for name in names:
        found.append(name if name not in found else f"{name}_{sum(n == name for n in names[: len(found)])}")
    return found


class BatchPart(Layer):
    """One of several equal parts of a batch; the last takes what is left over.

    # Arguments
        part: number of the part, from 0.
        parts: number of parts.
        kwargs: as for `Layer`.

    # Input shape
        (batch, ...)

    # Output shape
        (about batch / parts, ...)
    """

    def __init__(self, part: int, parts: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.part = part
        self.parts = parts

    def call(self, inputs: Any) -> Any:
        size = K.shape(inputs)[0]
        step = size // self.parts
        start = step * self.part
        length = size - start if self.part == self.parts - 1 else step
        return K.gather(inputs, K.arange(length) + start)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (None, *input_shape[1:])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "part": self.part, "parts": self.parts}


class BatchJoin(Layer):
    """Parts of a batch put together again, along the first axis."""

    def call(self, inputs: Any) -> Any:
        return K.concatenate(inputs, axis=0)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (None, *input_shape[0][1:])
