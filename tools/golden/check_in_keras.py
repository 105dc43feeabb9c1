"""tf-keras loads the files that kcore wrote (`write_for_keras.py`), predicts the same, and trains on the same.

    peer/bin/python tools/golden/check_in_keras.py FOLDER

Prints for each file the largest difference of the predictions, and of the losses of the next steps of training.
Status 1 if a file cannot be loaded or a difference is above 1e-5.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import numpy as np
import tf_keras as keras

TOLERANCE = 1e-5


def difference(ours: list, theirs: list) -> float:
    """The largest difference, relative to the largest value of an array; infinite where shapes differ."""
    if [a.shape for a in ours] != [np.shape(a) for a in theirs]:
        return float("inf")
    pairs = [(a.astype("float64"), np.asarray(b, "float64")) for a, b in zip(ours, theirs) if a.size]
    return max((float(np.abs(a - b).max() / max(1.0, np.abs(a).max())) for a, b in pairs), default=0.0)


def numbered(file: np.lib.npyio.NpzFile, letter: str) -> list:
    return [file[f"{letter}{i}"] for i in range(len(file.files)) if f"{letter}{i}" in file.files]


def check(path: Path) -> tuple[float, float | None]:
    """Differences of the predictions, and of the losses of the next steps."""
    with np.load(path.with_suffix(".npz")) as file:
        inputs, outputs, targets = (numbered(file, letter) for letter in "xpt")
        losses = file["losses"] if "losses" in file.files else None
    inputs, targets = (a[0] if len(a) == 1 else a for a in (inputs, targets))
    model = keras.models.load_model(path, compile=False)
    predictions = model.predict(inputs, batch_size=len(outputs[0]), verbose=0)
    of_outputs = difference(outputs, predictions if isinstance(predictions, list) else [predictions])
    if losses is None:
        return of_outputs, None
    # 2.1.6 has optimizers by the names of tf-keras's former ones, with their arguments and state.
    names = ("SGD", "RMSprop", "Adam", "Adagrad", "Adadelta", "Adamax", "Nadam")
    scope = {name: getattr(keras.optimizers.legacy, name) for name in names}
    loaded = keras.models.load_model(path, custom_objects=scope)
    found = [np.atleast_1d(loaded.train_on_batch(inputs, targets, reset_metrics=True))[0] for _ in losses]
    return of_outputs, difference([losses], [np.array(found)])


def main(folder: Path) -> int:
    warnings.simplefilter("ignore")
    failed = 0
    for path in sorted(folder.glob("*.h*5")):
        keras.backend.clear_session()
        try:
            predictions, losses = check(path)
        except Exception as error:
            print(f"{path.stem:28} cannot be loaded: {type(error).__name__}: {str(error)[:300]}")
            failed += 1
            continue
        bad = predictions > TOLERANCE or (losses or 0.0) > TOLERANCE
        failed += bad
        shown = "none" if losses is None else f"{losses:.1e}"
        print(f"{path.stem:28} predictions {predictions:.1e}  next losses {shown}{'  DIFFERENT' if bad else ''}")
    print(f"{failed} failed")
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
