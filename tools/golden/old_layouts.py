"""Weights in layouts of other times and other layers, with what the original API makes of them when it loads a file.

Each case is a file of weights only: version and backend in its attributes, one layer with arrays in its group; the
values are what tf-keras's layer holds after `load_weights`. Written to `old_layouts.json`, arrays in
`old_layouts.npz`, in the form of the golden cases of layers.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import peer_layers
from array_store import ArrayStore
from layer_case import spec

keras = peer_layers.keras
Shapes = list[tuple[int, ...]]


def make(folder: Path) -> None:
    """Write the cases."""
    store = ArrayStore("old_layouts")
    keras.backend.set_floatx("float32")
    records = [_record(store, *case) for case in _cases()]
    store.save(folder / "old_layouts.npz")
    lines = ",\n".join(json.dumps(record, separators=(",", ":")) for record in records)
    (folder / "old_layouts.json").write_text(f'{{"cases": [\n{lines}\n]}}\n')


def _cases() -> list[tuple[str, dict[str, Any], tuple, str, str, Shapes]]:
    """Name, layer, input shape (None for unknown), version and backend of the file, shapes of its arrays."""
    steps, image = (None, 3), (4, 5, 2)
    gru = {"units": 2, "recurrent_activation": "sigmoid", "reset_after": True}
    lstm = {"units": 2, "recurrent_activation": "sigmoid"}
    cudnn_lstm: Shapes = [(3, 8), (2, 8), (16,)]
    cudnn_gru: Shapes = [(3, 6), (2, 6), (12,)]
    conv2d = spec("Conv2D", filters=4, kernel_size=[3, 2])
    old_gates: Shapes = [(3, 2), (2, 2), (2,)]
    first = {"data_format": "channels_first"}
    return [
        ("CuDNNLSTM in LSTM", spec("LSTM", **lstm), steps, "2.1.6", "tensorflow", cudnn_lstm),
        ("CuDNNGRU in GRU", spec("GRU", **gru), steps, "2.1.6", "tensorflow", cudnn_gru),
        ("LSTM in CuDNNLSTM", spec("CuDNNLSTM", units=2), steps, "2.1.6", "tensorflow", [(3, 8), (2, 8), (8,)]),
        ("GRU in CuDNNGRU", spec("CuDNNGRU", units=2), steps, "2.1.6", "tensorflow", [(3, 6), (2, 6), (2, 6)]),
        ("CuDNNLSTM in Bidirectional LSTM", spec("Bidirectional", layer=spec("LSTM", **lstm)), steps, "2.1.6",
         "tensorflow", cudnn_lstm * 2),
        ("CuDNNGRU in Bidirectional GRU", spec("Bidirectional", layer=spec("GRU", **gru)), steps, "2.1.6",
         "tensorflow", cudnn_gru * 2),
        ("Theano kernel of Conv2D", conv2d, image, "2.1.6", "theano", [(3, 2, 2, 4), (4,)]),
        ("Theano kernel of Conv1D", spec("Conv1D", filters=4, kernel_size=3), (6, 2), "2.1.6", "theano",
         [(3, 2, 4), (4,)]),
        ("Theano kernel of Conv3D", spec("Conv3D", filters=4, kernel_size=[2, 3, 1]), (4, 4, 2, 2), "2.1.6", "theano",
         [(2, 3, 1, 2, 4), (4,)]),
        ("Theano kernel of Conv2DTranspose", spec("Conv2DTranspose", filters=4, kernel_size=3), image, "2.1.6",
         "theano", [(3, 3, 4, 2), (4,)]),
        ("Theano kernels of ConvLSTM2D", spec("ConvLSTM2D", filters=2, kernel_size=2), (3, 4, 4, 1), "2.1.6", "theano",
         [(2, 2, 1, 8), (2, 2, 2, 8), (8,)]),
        ("Theano kernel in TimeDistributed Conv2D", spec("TimeDistributed", layer=conv2d), (3, *image), "2.1.6",
         "theano", [(3, 2, 2, 4), (4,)]),
        ("TensorFlow kernel of Dense is the same everywhere", spec("Dense", units=2), (3,), "2.1.6", "theano",
         [(3, 2), (2,)]),
        ("Keras 1: Conv1D", spec("Conv1D", filters=4, kernel_size=3), (6, 2), "1", "tensorflow", [(3, 1, 2, 4), (4,)]),
        ("Keras 1: Conv1D, th order", spec("Conv1D", filters=4, kernel_size=3), (6, 2), "1", "tensorflow",
         [(4, 2, 3, 1), (4,)]),
        ("Keras 1: Conv2D, tf order", conv2d, image, "1", "tensorflow", [(3, 2, 2, 4), (4,)]),
        ("Keras 1: Conv2D, channels_first", spec("Conv2D", filters=4, kernel_size=[3, 2], **first), (2, 4, 5), "1",
         "tensorflow", [(4, 2, 3, 2), (4,)]),
        ("Keras 1: Conv2D, channels_first, Theano", spec("Conv2D", filters=4, kernel_size=[3, 2], **first), (2, 4, 5),
         "1", "theano", [(4, 2, 3, 2), (4,)]),
        ("Keras 1: Conv2DTranspose", spec("Conv2DTranspose", filters=4, kernel_size=3), image, "1", "tensorflow",
         [(4, 2, 3, 3), (4,)]),
        ("Keras 1: Conv3D, channels_first", spec("Conv3D", filters=3, kernel_size=2, **first), (2, 3, 3, 3), "1",
         "tensorflow", [(3, 2, 2, 2, 2), (3,)]),
        ("Keras 1: LSTM of 12 weights", spec("LSTM", units=2), steps, "1", "tensorflow", old_gates * 4),
        ("Keras 1: GRU of 9 weights", spec("GRU", units=2, reset_after=False), steps, "1", "tensorflow", old_gates * 3),
        ("Keras 1: ConvLSTM2D of 12 weights", spec("ConvLSTM2D", filters=2, kernel_size=2), (3, 4, 4, 1), "1",
         "tensorflow", [(2, 2, 1, 2), (2, 2, 2, 2), (2,)] * 4),
        ("Keras 1: Bidirectional LSTM", spec("Bidirectional", layer=spec("LSTM", units=2)), steps, "1", "tensorflow",
         old_gates * 8),
        ("Keras 1: TimeDistributed Conv2D", spec("TimeDistributed", layer=conv2d), (3, *image), "1", "tensorflow",
         [(3, 2, 2, 4), (4,)]),
        ("Keras 1: Dense", spec("Dense", units=2), (3,), "1", "tensorflow", [(3, 2), (2,)]),
    ]  # fmt: skip


def _record(
    store: ArrayStore, name: str, layer: dict[str, Any], shape: tuple, version: str, backend: str, shapes: Shapes
) -> dict[str, Any]:
    store.start(name)
    drawn = [store.draw(one) for one in shapes]
    built = _layer(layer)
    model = keras.Sequential([keras.Input(shape), built])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "old.h5"
        write_weights(path, built.name, [array.astype("float32") for _, array in drawn], version, backend)
        model.load_weights(str(path))
    loaded = built.get_weights()
    if backend == "theano":
        loaded = [_correlation_kernel(array) for array in loaded]
    return {
        "name": name, "layer": layer, "input_shape": list(shape), "keras_version": version, "backend": backend,
        "saved": [ref for ref, _ in drawn], "loaded": [store.keep(array) for array in loaded],
    }  # fmt: skip


def _correlation_kernel(array: np.ndarray) -> np.ndarray:
    """Keras 2 flips the kernels of Theano, which computes true convolutions, along their window; tf-keras does not."""
    return np.flip(array, axis=tuple(range(array.ndim - 2))) if array.ndim > 2 else array


def _layer(layer: dict[str, Any]) -> Any:
    if layer["class_name"].startswith("CuDNN"):
        return getattr(peer_layers.v1_layers(), layer["class_name"])(**layer["config"])
    translated = peer_layers.translate(layer)
    if "data_format" in layer["config"]:  # The weights are loaded, never run, so that channels_first may stay.
        translated["config"]["data_format"] = layer["config"]["data_format"]
    return keras.layers.deserialize(translated)


def write_weights(path: Path, layer: str, arrays: list[np.ndarray], version: str, backend: str) -> None:
    """A file of one layer's weights, as `save_weights` of that version wrote it."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [layer.encode()]
        file.attrs["backend"] = backend.encode()
        if version != "1":  # Keras 1 wrote no version.
            file.attrs["keras_version"] = version.encode()
        group = file.create_group(layer)
        names = [f"{layer}_w{i}" for i in range(len(arrays))]
        group.attrs["weight_names"] = [name.encode() for name in names]
        for weight, array in zip(names, arrays):
            group[weight] = array
