"""kcore's files, for `check_in_keras.py`: every golden model, saved again by kcore, and what it computes.

    .venv/bin/python tools/golden/write_for_keras.py FOLDER [MODEL.h5 ...]

`MODEL.h5` are further files, each with inputs (x) beside it in `MODEL.npz`.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

import numpy as np

from kcore.models import load_model

GOLDEN = Path(__file__).resolve().parents[2] / "tests" / "saving" / "golden"
STEPS = 3


def write(source: Path, folder: Path, compiled: bool = True) -> None:
    """Load one file; write `folder/NAME.h5`, and inputs, targets, predictions and the next losses in `NAME.npz`."""
    with np.load(source.with_suffix(".npz")) as file:
        inputs, targets = ([file[key] for key in sorted(file.files) if key[0] == letter] for letter in "xt")
    model = load_model(str(source), compile=compiled)
    outputs = model.predict(inputs[0] if len(inputs) == 1 else inputs, batch_size=len(inputs[0]))
    model.reset_states()
    model.save(str(folder / f"{source.stem}.h5"))
    outputs = outputs if isinstance(outputs, list) else [outputs]
    arrays = {f"x{i}": x for i, x in enumerate(inputs)} | {f"p{i}": p for i, p in enumerate(outputs)}
    if compiled:
        targets = targets or [np.eye(outputs[0].shape[1])[outputs[0].argmax(axis=1)]]
        arrays |= {f"t{i}": t for i, t in enumerate(targets)}
        data = [a[0] if len(a) == 1 else a for a in (inputs, targets)]
        arrays["losses"] = np.array([np.atleast_1d(model.train_on_batch(*data))[0] for _ in range(STEPS)])
    np.savez_compressed(folder / f"{source.stem}.npz", **arrays)


def main(folder: Path, more: list[Path]) -> None:
    warnings.simplefilter("ignore")
    folder.mkdir(parents=True, exist_ok=True)
    for entry in json.loads((GOLDEN / "manifest.json").read_text()):
        if entry["name"] != "lambda_bytecode":
            write(GOLDEN / f"{entry['name']}.h5", folder, entry["compiled"])
    for path in more:
        write(path, folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]])
