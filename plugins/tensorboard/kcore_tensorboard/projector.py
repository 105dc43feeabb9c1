"""Embeddings for TensorBoard's projector: a file of numbers for each layer, and one that lists them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from kcore import backend as K

_FOLDER = "embeddings"
_CONFIG = "projector_config.pbtxt"


class Projector:
    """Writes the present embeddings of a model, which replace the ones before.

    Args:
        log_dir: where to.
        model: the model.
        layer_names: the layers; None or empty for all `Embedding` layers.
        metadata: file of labels, or a dict from layer names to files; relative to `log_dir`, as the projector reads
            them.
        data: None to write the weights of the layers; or inputs of the model, of which the outputs of the layers are
            written.

    Raises:
        ValueError: a name is not that of a layer, or a layer has nothing to show.
    """

    def __init__(
        self, log_dir: str, model: Any, layer_names: Sequence[str] | None, metadata: Any = None, data: Any = None
    ) -> None:
        self._log_dir = log_dir
        self._layers = _layers(model, layer_names)
        self._files = _metadata(metadata, [layer.name for layer in self._layers])
        self._read = _weights_of(self._layers) if data is None else _outputs_of(model, self._layers, data)

    def write(self) -> None:
        """Write the embeddings as they are now."""
        os.makedirs(os.path.join(self._log_dir, _FOLDER), exist_ok=True)
        entries = []
        for layer, table in zip(self._layers, self._read(), strict=True):
            file = f"{_FOLDER}/{re.sub(r'[^A-Za-z0-9_.-]', '_', layer.name)}.bytes"
            self._replace(file, np.ascontiguousarray(table, "float32").tobytes())
            lines = [
                f'tensor_name: "{layer.name}"',
                f'tensor_path: "{file}"',
                *(f"tensor_shape: {size}" for size in table.shape),
            ]
            if layer.name in self._files:
                lines.append(f"metadata_path: {_quoted(self._files[layer.name])}")
            entries.append("embeddings {\n" + "".join(f"  {line}\n" for line in lines) + "}\n")
        self._replace(_CONFIG, "".join(entries).encode())

    def _replace(self, file: str, content: bytes) -> None:
        """Write a file so that whoever reads it sees the old content or the new one."""
        path = os.path.join(self._log_dir, file)
        with open(f"{path}.new", "wb") as out:
            out.write(content)
        os.replace(f"{path}.new", path)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _layers(model: Any, names: Sequence[str] | None) -> list[Any]:
    if not names:
        found = [layer for layer in model.layers if any(c.__name__ == "Embedding" for c in type(layer).__mro__)]
        if not found:
            raise ValueError("TensorBoard(embeddings_freq=...): the model has no Embedding layer; name the layers")
        return found
    by_name = {layer.name: layer for layer in model.layers}
    _refuse_unknown("embeddings_layer_names", names, by_name)
    return [by_name[name] for name in names]


def _metadata(metadata: Any, names: list[str]) -> dict[str, str]:
    if metadata is None:
        return {}
    if isinstance(metadata, Mapping):
        _refuse_unknown("embeddings_metadata", metadata, names)
        return {name: os.fspath(file) for name, file in metadata.items()}
    return dict.fromkeys(names, os.fspath(metadata))


def _refuse_unknown(argument: str, names: Any, known: Any) -> None:
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(f"TensorBoard({argument}=...): no layer {unknown[0]!r}; the layers are {', '.join(known)}")


def _weights_of(layers: list[Any]) -> Callable[[], list[np.ndarray]]:
    for layer in layers:
        if not layer.weights or K.ndim(layer.weights[0]) != 2:
            raise ValueError(
                f"TensorBoard(embeddings_layer_names=...): the layer {layer.name!r} has no matrix of weights to show; "
                "with embeddings_data its outputs are shown"
            )
    return lambda: [K.get_value(layer.weights[0]) for layer in layers]


def _outputs_of(model: Any, layers: list[Any], data: Any) -> Callable[[], list[np.ndarray]]:
    from kcore.models import Model

    view = Model(model.inputs, [layer.output for layer in layers])

    def read() -> list[np.ndarray]:
        outputs = view.predict(data)
        outputs = outputs if isinstance(outputs, list) else [outputs]
        return [output.reshape(len(output), -1) for output in outputs]

    return read
