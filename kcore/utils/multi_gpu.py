"""`multi_gpu_model`: one model applied to parts of each batch."""

from __future__ import annotations

from typing import Any

from kcore import backend as K
from kcore.engine import Layer, Model
from kcore.errors import ArgumentError
from kcore.origin import in_place
from kcore.runtime.devices import current_device
from kcore.shapes import listed
from kcore.utils.placement import device_number


def multi_gpu_model(model: Any, gpus: Any = None, cpu_merge: bool = True, cpu_relocation: bool = False) -> Any:
    """A model that splits each batch, applies `model` to every part, and joins the results. Manual, section 20.9.

    The weights are shared: save, and load, the model that was given. Each part is computed on a GPU of its own, with
    copies of the weights that are sent there in every step; gradients are added where the weights are. The results
    are those of the plain model (but for layers that look at the whole batch, such as `BatchNormalization` in
    training). On NumPy all parts run on the host, so that a script written for several devices runs everywhere.

    Args:
        model: the template model.
        gpus: number of GPUs, 2 or more, or a list of their numbers; None for all that there are.
        cpu_merge, cpu_relocation: whether results are joined, and weights kept, on the host. kcore does both on the
            GPU that runs the plan, where the optimizer works, and takes the arguments for the sake of scripts.

    Returns:
        A model with the inputs and output names of `model`.

    Raises:
        ArgumentError (a ValueError): less than two parts, or a GPU that is not there.
    """
    devices = _devices(gpus)
    parts = len(devices)
    outputs: list[list[Any]] = [[] for _ in model.outputs]
    for part in range(parts):
        inputs = [
            BatchPart(part, parts, name=f"{name.split(':')[0]}_part_{part}_of_{parts}")(x)
            for name, x in zip(model.input_names, model.inputs)
        ]
        with in_place(devices[part]):
            results = model(inputs if len(inputs) > 1 else inputs[0])
        for found, result in zip(outputs, results if isinstance(results, list) else [results]):
            found.append(result)
    names = _distinct(model.output_names)
    joined = [BatchJoin(name=name)(tensors) for name, tensors in zip(names, outputs)]
    return Model(list(model.inputs), joined)


def _devices(gpus: Any) -> list[int | None]:
    """The number of the device of each part."""
    if gpus is None:
        gpus = current_device().numbers()
        if len(gpus) < 2:
            raise ArgumentError(
                f"multi_gpu_model: gpus=None means all GPUs, and there are not several here ({len(gpus)}): give "
                "`gpus`, the number of parts of a batch"
            )
    devices = list(range(gpus)) if isinstance(gpus, int) else listed(gpus, "gpus", "devices")
    if len(devices) < 2 or len(set(devices)) != len(devices):
        raise ArgumentError(
            "For multi-gpu usage to be effective, call `multi_gpu_model` with `gpus >= 2`, or a list of two or more "
            f"different devices. Received: gpus={gpus!r}"
        )
    return [device_number(d, "multi_gpu_model: gpus") for d in devices]


def _distinct(names: list[str]) -> list[str]:
    """Names of layers, which a model wants different: a model may give one layer's output twice."""
    found: list[str] = []
    for name in names:
        found.append(name if name not in found else f"{name}_{sum(n == name for n in names[: len(found)])}")
    return found


class BatchPart(Layer):
    """One of several equal parts of a batch; the last takes what is left over.

    Args:
        part: number of the part, from 0.
        parts: number of parts.
        kwargs: as for `Layer`.

    Input shape:
        (batch, ...)

    Output shape:
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
