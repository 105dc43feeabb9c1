"""Every layer in every shape of model, and every optimizer, saved by tf-keras: writes tests/saving/interchange/.

    python tools/golden/make_interchange.py [layers] [trainings]

`layers.tar.xz` has files `LAYER.shape.h5` in legacy HDF5; `layers.json` the inputs and predictions of each, as
references into `layers.npz` (see README.md). `trainings.*` has models that were trained some steps, with what
`evaluate` says of them, the losses of the next steps, and the weights after them. `later_keys.json` says which keys
the configurations of the layers have that 2.1.6 did not know.
"""

from __future__ import annotations

import io
import json
import sys
import tarfile
import tempfile
from pathlib import Path

import h5py
import later_keys
import tensorflow as tf
from array_store import ArrayStore
from interchange import peer, training
from interchange.cells import make_cells
from interchange.layers import entries
from interchange.shapes import build, shapes_of
from interchange.values import draw_inputs, draw_weights

FOLDER = Path(__file__).resolve().parents[2] / "tests" / "saving" / "interchange"
keras = peer.keras


Made = tuple[list[dict], dict[str, bytes]]


def make_layers(store: ArrayStore) -> Made:
    """Records and files of the table's models."""
    records, files = [], {}
    objects = peer.custom_objects(make_cells(keras))
    builder = peer.builder(objects)
    for entry in entries().values():
        for shape in shapes_of(entry):
            name = f"{entry.class_name}.{shape}"
            keras.backend.clear_session()
            store.start(name)
            try:
                built = build(builder, entry, shape)
                draw_weights(built.model, store)
                refs, inputs = draw_inputs(built, store)
                files[name] = saved(built.model)
                outputs = peer.predict(entry, shape, built.model, inputs, objects)
            except Exception as error:
                raise RuntimeError(f"{name} cannot be made") from error
            records.append({"name": name, "inputs": refs, "outputs": [store.keep(y) for y in outputs]})
    return records, files


def make_trainings(store: ArrayStore) -> Made:
    """Records and files of the models that are trained."""
    records, files = [], {}
    builder = peer.builder({})
    for name, case in training.trainings().items():
        keras.backend.clear_session()
        store.start(name)
        model = training.compiled(case, builder, peer.optimizer(case), run_eagerly=True)
        draw_weights(model, store)
        training.train(model, case)
        files[name] = saved(model)
        records.append({"name": name, "next": [store.keep(a) for a in training.goes_on(model, case, keras)]})
    return records, files


def saved(model: object) -> bytes:
    """The file of a model."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.h5"
        model.save(path, save_format="h5")  # type: ignore[attr-defined]
        return path.read_bytes()


def pack(files: dict[str, bytes], path: Path) -> None:
    """One archive of all files; equal files make equal archives."""
    with tarfile.open(path, "w:xz", preset=9) as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(f"{name}.h5")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


def write_later_keys(files: dict[str, bytes], path: Path) -> None:
    """Which keys the files' configurations have that 2.1.6 did not know."""
    configs = {}
    for name, data in files.items():
        with h5py.File(io.BytesIO(data)) as file:
            configs[name] = json.loads(file.attrs["model_config"])
    path.write_text(json.dumps(later_keys.table(configs), indent=1) + "\n")


PARTS = {"layers": make_layers, "trainings": make_trainings}


def main(parts: list[str]) -> None:
    keras.backend.set_floatx("float32")
    FOLDER.mkdir(parents=True, exist_ok=True)
    made_by = f"tools/golden/make_interchange.py with tf-keras {keras.__version__}, TensorFlow {tf.__version__}"
    for part in parts or PARTS:
        store = ArrayStore(part)
        records, files = PARTS[part](store)
        pack(files, FOLDER / f"{part}.tar.xz")
        if part == "layers":
            write_later_keys(files, FOLDER / "later_keys.json")
        store.save(FOLDER / f"{part}.npz")
        lines = ",\n".join(json.dumps(record, separators=(",", ":")) for record in records)
        (FOLDER / f"{part}.json").write_text(f'{{"made_by": {json.dumps(made_by)},\n"cases": [\n{lines}\n]}}\n')
        print(f"{part}: {len(records)} models, {sum(map(len, files.values())) / 1024:.0f} KiB of files")


if __name__ == "__main__":
    main(sys.argv[1:])
