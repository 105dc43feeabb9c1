"""Every layer in every shape of model, and every optimizer, saved by kcore, for `check_interchange.py`.

    .venv/bin/python tools/golden/write_interchange.py FOLDER

Writes `FOLDER/LAYER.shape.h5`, and inputs (x0, ...) and predictions (p0, ...) beside it in `LAYER.shape.npz`;
and `FOLDER/training.NAME.h5`, with what its training comes to in the next steps (n0, ...).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from array_store import ArrayStore
from interchange import custom, training
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


def write_layers(folder: Path) -> int:
    """The table's models; how many there are."""
    builder = Builder(kcore, {**custom.objects(kcore), **make_cells(kcore)})
    store, count = ArrayStore("layers"), 0
    for entry in entries().values():
        for shape in shapes_of(entry):
            name = f"{entry.class_name}.{shape}"
            K.clear_session()
            store.start(name)
            built = build(builder, entry, shape)
            draw_weights(built.model, store)
            write(folder, name, built.model, draw_inputs(built, store)[1])
            count += 1
    return count


def write_trainings(folder: Path) -> int:
    """The models that are trained, with optimizers and arguments of 2.1.6; how many there are."""
    store, count = ArrayStore("trainings"), 0
    for name, case in training.trainings().items():
        if case.later:
            continue
        K.clear_session()
        store.start(name)
        model = training.compiled(case, Builder(kcore, {}), getattr(kcore.optimizers, case.optimizer)(**case.arguments))
        draw_weights(model, store)
        training.train(model, case)
        model.save(folder / f"training.{name}.h5")
        arrays = {f"n{i}": array for i, array in enumerate(training.goes_on(model, case, kcore))}
        np.savez_compressed(folder / f"training.{name}.npz", **arrays)
        count += 1
    return count


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    print(f"{write_layers(folder)} models, {write_trainings(folder)} trained ones")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
