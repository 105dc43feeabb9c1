"""Every layer in every shape of model, saved by kcore, for `check_interchange.py`.

    .venv/bin/python tools/golden/write_interchange.py FOLDER [LAYER ...]

Writes `FOLDER/LAYER.shape.h5`, and inputs (x0, ...) and predictions (p0, ...) beside it in `LAYER.shape.npz`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from array_store import ArrayStore
from interchange import custom
from interchange.cells import make_cells
from interchange.layers import entries
from interchange.shapes import Builder, build, shapes_of
from interchange.values import draw_inputs, draw_weights

import kcore
from kcore import backend as K


def write(folder: Path, name: str, model: Any, inputs: list[np.ndarray]) -> None:
    """One model's file, and its numbers."""
    outputs = model.predict(inputs if len(inputs) > 1 else inputs[0], batch_size=len(inputs[0]))
    model.reset_states()
    model.save(folder / f"{name}.h5")
    outputs = outputs if isinstance(outputs, list) else [outputs]
    arrays = {f"x{i}": x for i, x in enumerate(inputs)} | {f"p{i}": y for i, y in enumerate(outputs)}
    np.savez_compressed(folder / f"{name}.npz", **arrays)


def main(folder: Path, names: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    builder = Builder(kcore, {**custom.objects(kcore), **make_cells(kcore)})
    store, table = ArrayStore("layers"), entries()
    count = 0
    for entry in [table[name] for name in names or table]:
        for shape in shapes_of(entry):
            name = f"{entry.class_name}.{shape}"
            K.clear_session()
            store.start(name)
            built = build(builder, entry, shape)
            draw_weights(built.model, store)
            write(folder, name, built.model, draw_inputs(built, store)[1])
            count += 1
    print(f"{count} models")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
