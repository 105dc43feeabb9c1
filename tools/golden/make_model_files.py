"""Saved models of the original API, with what they compute: writes tests/saving/golden/.

    python tools/golden/make_model_files.py

Each model is trained three steps where it is compiled, and saved as legacy HDF5 (`NAME.h5`). `NAME.npz` has its
inputs (x0, x1, ...), targets (t0, ...), predictions of the saved model (p0, ...) and, where it trains, the losses of
the next steps of the loaded model on the same data (`losses`) and its predictions after them (q0, ...).
`manifest.json` lists the files. Every layer and optimizer is in those of `make_interchange.py`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import model_zoo
import numpy as np
import old_layouts
import peer_layers
from model_zoo import Entry

keras = peer_layers.keras
FOLDER = Path(__file__).resolve().parents[2] / "tests" / "saving" / "golden"
STEPS = 3


def make(name: str, entry: Entry) -> dict[str, Any]:
    """Build, train and save one model; return its line for the manifest."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(7)
    model = entry.build()
    inputs, targets = _alone_or_list(entry.inputs), _alone_or_list(entry.targets)
    if entry.optimizer:
        model.compile(entry.optimizer(), **entry.compile_arguments)
        for _ in range(STEPS):
            model.train_on_batch(inputs, targets)
    _shake_weights_that_start_equal(model, entry)
    path = FOLDER / f"{name}.h5"
    model.save(path, save_format="h5")

    arrays = {f"x{i}": x for i, x in enumerate(entry.inputs)} | {f"t{i}": t for i, t in enumerate(entry.targets)}
    loaded = keras.models.load_model(path)
    arrays |= _numbered("p", loaded.predict(inputs, verbose=0, batch_size=len(entry.inputs[0])))
    if entry.optimizer:
        loaded.reset_states()
        arrays["losses"] = np.array([_total_loss(loaded, inputs, targets) for _ in range(STEPS)], np.float32)
        loaded.reset_states()
        arrays |= _numbered("q", loaded.predict(inputs, verbose=0, batch_size=len(entry.inputs[0])))
    np.savez_compressed(FOLDER / f"{name}.npz", **arrays)
    line = {"name": name, "compiled": bool(entry.optimizer)}
    return {**line, "note": entry.note} if entry.note else line


def _alone_or_list(arrays: tuple) -> Any:
    return arrays[0] if len(arrays) == 1 else list(arrays)


def _shake_weights_that_start_equal(model: Any, entry: Entry) -> None:
    """Biases, alphas and moving statistics of an untrained model: without this, swapped ones would go unseen."""
    if entry.optimizer is None:
        random = np.random.RandomState(5)
        model.set_weights([np.abs(w + random.uniform(0.1, 0.5, w.shape)) for w in model.get_weights()])


def _total_loss(model: Any, inputs: Any, targets: Any) -> float:
    result = model.train_on_batch(inputs, targets, reset_metrics=True)
    return float(np.atleast_1d(result)[0])


def _numbered(letter: str, arrays: Any) -> dict[str, np.ndarray]:
    arrays = arrays if isinstance(arrays, list | tuple) else [arrays]
    return {f"{letter}{i}": array for i, array in enumerate(arrays)}


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    keras.backend.set_floatx("float32")
    manifest = [make(name, entry) for name, entry in model_zoo.entries().items()]
    text = ",\n".join(json.dumps(line) for line in manifest)
    (FOLDER / "manifest.json").write_text(f"[\n{text}\n]\n")
    old_layouts.make(FOLDER)
    size = sum(path.stat().st_size for path in FOLDER.iterdir())
    print(f"{len(manifest)} models, {size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
