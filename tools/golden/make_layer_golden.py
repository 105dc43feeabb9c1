"""Golden values of every layer, computed with tf-keras: writes plugins/layers/<family>/tests/golden/.

    python tools/golden/make_layer_golden.py                      # everything
    python tools/golden/make_layer_golden.py recurrent wrappers   # these families

Needs an environment of its own with tensorflow-cpu and tf-keras (see README.md); the tests need neither. Values
are computed in float64 where TensorFlow can and stored as float32, so that a test measures kcore's error alone.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import shutil
import sys
from pathlib import Path

import cudnn_layout
import peer_layers
import peer_run
import tensorflow as tf
from array_store import ArrayStore
from layer_case import check_names

ROOT = Path(__file__).resolve().parents[2]
FAMILIES = [
    "core", "convolutional", "pooling", "local", "recurrent", "embeddings", "merge", "advanced_activations",
    "normalization", "noise", "wrappers",
]  # fmt: skip
CELLS = ROOT / "plugins" / "layers" / "recurrent" / "tests" / "golden" / "custom_cells.py"


def make_family(family: str) -> None:
    """Compute and write the cases of one family."""
    cases = check_names(importlib.import_module(f"layer_cases.{family}").cases())
    store = ArrayStore(family)
    custom = _custom_cells()
    records = []
    for case in cases:
        try:
            records.append(peer_run.run_case(case, store, custom))
        except Exception as error:
            raise RuntimeError(f"{family}: the case {case.name} cannot be computed") from error
        peer_layers.keras.backend.clear_session()
    folder = _folder(family)
    folder.mkdir(parents=True, exist_ok=True)
    store.save(folder / "arrays.npz")
    _write_cases(folder / "cases.json", records)
    if family == "wrappers":  # a distribution's tests stand alone, so that this one has the cells as well
        shutil.copy(CELLS, folder)
    size = sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
    print(f"{family}: {len(records)} cases, {size / 1024:.0f} KiB")


def _custom_cells() -> dict:
    """The cells that lie beside the goldens of the recurrent layers, built on tf-keras."""
    spec = importlib.util.spec_from_file_location("custom_cells", CELLS)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.make(peer_layers.keras)


def _folder(family: str) -> Path:
    return ROOT / "plugins" / "layers" / family / "tests" / "golden"


def _write_cases(path: Path, records: list[dict]) -> None:
    """One case a line, so that a change shows as the lines of the cases that changed."""
    made_by = (
        f"tools/golden/make_layer_golden.py with tf-keras {peer_layers.keras.__version__}, TensorFlow {tf.__version__}"
    )
    lines = ",\n".join(json.dumps(record, separators=(",", ":")) for record in records)
    path.write_text(f'{{"made_by": {json.dumps(made_by)},\n"cases": [\n{lines}\n]}}\n')


def main(families: list[str]) -> None:
    unknown = sorted(set(families) - set(FAMILIES))
    if unknown:
        sys.exit(f"no such families: {unknown}; there are {FAMILIES}")
    cudnn_layout.verify()
    for family in families or FAMILIES:
        make_family(family)


if __name__ == "__main__":
    main(sys.argv[1:])
