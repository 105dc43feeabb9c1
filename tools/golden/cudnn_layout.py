"""The weights of CuDNNLSTM and CuDNNGRU in terms of those of LSTM and GRU(reset_after=True).

The layout was not derived but observed: tf-keras converts the weights of one into those of the other when it
loads an HDF5 file, and loading files whose weights are 0, 1, 2, ... shows where each number goes:

- gates stand in the order of the plain layers: i, f, c, o and z, r, h;
- kernel, each gate's (input_dim, units) block: plain = block.T.reshape(block.shape, order="F");
- recurrent_kernel, each gate's (units, units) block: plain = block.T;
- bias: input bias then recurrent bias, (8 * units,) or (6 * units,); LSTM's bias is the sum of the halves, GRU's
  is bias.reshape(2, 3 * units).

`make_layer_golden.py` checks these rules against such files (`verify`) before it uses them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import peer_layers

GATES = {"CuDNNLSTM": 4, "CuDNNGRU": 3}


def of(class_name: str) -> CuDNNLayout | None:
    """The layout of a CuDNN layer; None for any other."""
    return CuDNNLayout(class_name) if class_name in GATES else None


class CuDNNLayout:
    """Translates a CuDNN layer's configuration, weights and gradients to and from the plain layer's."""

    def __init__(self, class_name: str) -> None:
        self.plain_class = class_name.removeprefix("CuDNN")
        self.gates = GATES[class_name]

    def plain_layer(self, layer: dict[str, Any]) -> dict[str, Any]:
        """LSTM or GRU that computes what the CuDNN layer does."""
        config = {**layer["config"], "recurrent_activation": "sigmoid"}
        if self.plain_class == "GRU":
            config["reset_after"] = True
        return {"class_name": self.plain_class, "config": config}

    def weights(self, plain: Any) -> list[tuple[str, tuple[int, ...], bool]]:
        """Name, shape and trainability of the CuDNN layer's weights, for a built plain layer."""
        kernel, recurrent, _ = plain.weights
        bias = (2 * self.gates * plain.units,)
        return [("kernel", tuple(kernel.shape), True), ("recurrent_kernel", tuple(recurrent.shape), True),
                ("bias", bias, True)]  # fmt: skip

    def to_plain(self, plain: Any, weights: list[np.ndarray]) -> list[np.ndarray]:
        """CuDNN weights as the plain layer's."""
        kernel, recurrent, bias = weights
        halves = bias.reshape(2, -1)
        return [
            self._each_gate(kernel, _transpose_order),
            self._each_gate(recurrent, np.transpose),
            halves if self.plain_class == "GRU" else halves.sum(axis=0),
        ]

    def gradients_from_plain(self, plain: Any, gradients: list[np.ndarray]) -> list[np.ndarray]:
        """Gradients with respect to the CuDNN weights: the transpose of `to_plain`, which moves or adds numbers."""
        kernel, recurrent, bias = gradients
        moved = []
        for gradient, change in ((kernel, _transpose_order), (recurrent, np.transpose)):
            places = self._each_gate(np.arange(gradient.size).reshape(gradient.shape), change)
            back = np.empty(gradient.size)
            back[places.ravel()] = gradient.ravel()
            moved.append(back.reshape(gradient.shape))
        return [*moved, bias.ravel() if self.plain_class == "GRU" else np.concatenate([bias, bias])]

    def _each_gate(self, matrix: np.ndarray, change: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        return np.hstack([change(block) for block in np.hsplit(matrix, self.gates)])


def _transpose_order(block: np.ndarray) -> np.ndarray:
    return block.T.reshape(block.shape, order="F")


def verify(units: int = 2, input_dim: int = 3) -> None:
    """Compare the rules with what tf-keras does to a file of CuDNN weights that a plain layer loads."""
    keras = peer_layers.keras
    keras.backend.set_floatx("float32")
    for class_name, gates in GATES.items():
        layout = CuDNNLayout(class_name)
        plain = layout.plain_layer({"class_name": class_name, "config": {"units": units, "name": "rnn"}})
        layer = peer_layers.build(plain, "float32", {})
        model = keras.Sequential([keras.Input((None, input_dim)), layer])
        shapes = {"kernel:0": (input_dim, gates * units), "recurrent_kernel:0": (units, gates * units),
                  "bias:0": (2 * gates * units,)}  # fmt: skip
        weights = {name: np.arange(np.prod(shape), dtype="f4").reshape(shape) for name, shape in shapes.items()}
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "cudnn.h5"
            _write(path, weights)
            model.load_weights(str(path))
        for loaded, ours in zip(layer.get_weights(), layout.to_plain(layer, list(weights.values()))):
            np.testing.assert_array_equal(loaded, ours, err_msg=f"{class_name}: the layout is another one")


def _write(path: Path, weights: dict[str, np.ndarray]) -> None:
    with h5py.File(path, "w") as file:
        file.attrs.update({"layer_names": [b"rnn"], "keras_version": b"2.1.6", "backend": b"tensorflow"})
        group = file.create_group("rnn")
        group.attrs["weight_names"] = [name.encode() for name in weights]
        for name, array in weights.items():
            group[name] = array
