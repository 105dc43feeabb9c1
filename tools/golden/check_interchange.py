"""tf-keras loads what kcore saved (`write_interchange.py`): the same configuration, weights and predictions.

    peer/bin/python tools/golden/check_interchange.py FOLDER [TABLE.md]

Prints what differs and should not; status 1 where something does. `TABLE.md` becomes the table of results.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from check_in_keras import difference, numbered
from interchange import peer, training
from interchange.cells import make_cells
from interchange.layers import NO_FILES, entries
from interchange.shapes import SHAPES, build, shapes_of

TOLERANCE = 1e-5
HEAD = """# kcore's files in tf-keras

Every layer of the first-party plugins, in every shape of model, built and saved by kcore {ours}, loaded by tf-keras
{version}: the layers have the configurations that tf-keras itself gives them, and the entry is the largest difference
of the predictions, relative to the largest magnitude of an output. `alone` has all configurations of the table side
by side (their number behind it). `channels_first` and CuDNN layers, which TensorFlow does not run on a CPU, are
computed by channels_last and plain layers with the weights that tf-keras loaded.

    .venv/bin/python tools/golden/write_interchange.py FOLDER
    peer/bin/python tools/golden/check_interchange.py FOLDER tools/golden/interchange/results.md

"""
TRAINING_HEAD = """
## Training

A model with two outputs, shared and frozen layers, trained two steps by kcore, saved, and trained on by tf-keras (with
its former optimizers, which are those of Keras 2): differences of loss and metrics, of the losses of the next two
steps, and of the weights after them; and what the layout of 2.1.6 or a change of meaning loses.

| case | evaluate | next losses | weights | lost |
|---|---|---|---|---|
"""


def check(path: Path, entry: Any, shape: str, objects: dict[str, Any]) -> float:
    """The difference of the predictions; raises where configuration or weights differ."""
    with np.load(path.with_suffix(".npz")) as file:
        inputs, outputs = (numbered(file, letter) for letter in "xp")
    peer.keras.backend.clear_session()
    model = peer.keras.models.load_model(path, custom_objects=objects, compile=False)
    own = build(peer.builder(objects), entry, shape).model
    expected, found = (layers_of({"class_name": "Model", "config": one.get_config()}) for one in (own, model))
    if expected != found:
        raise ValueError(f"another configuration: {first_difference(found, expected)}")
    return difference(outputs, peer.predict(entry, shape, model, inputs, objects))


MODELS = ("Functional", "Model", "Sequential")
# Initializers for which 2.1.6 has only functions: as it writes them.
SCALED = {
    "GlorotUniform": ("fan_avg", "uniform", 1.0), "GlorotNormal": ("fan_avg", "truncated_normal", 1.0),
    "HeUniform": ("fan_in", "uniform", 2.0), "HeNormal": ("fan_in", "truncated_normal", 2.0),
    "LecunUniform": ("fan_in", "uniform", 1.0), "LecunNormal": ("fan_in", "truncated_normal", 1.0),
}  # fmt: skip


def layers_of(described: dict[str, Any]) -> list[Any]:
    """The layers of a model and of the models in it, each with its class and arguments.

    How they are connected is what the predictions tell; names of stacks are not in files of 2.1.6.
    """
    if described["class_name"] in MODELS:
        return [one for layer in described["config"]["layers"] for one in layers_of(layer)]
    if described["class_name"] == "InputLayer":
        return []
    return [[described["class_name"], _plain(described["config"])]]


def _plain(node: Any) -> Any:
    if isinstance(node, list | tuple):
        return [_plain(item) for item in node]
    if not isinstance(node, dict):
        return node
    if node.get("class_name") in MODELS:
        return layers_of(node)
    if node.get("class_name") in SCALED:
        mode, distribution, scale = SCALED[node["class_name"]]
        config = {"scale": scale, "mode": mode, "distribution": distribution, "seed": node["config"]["seed"]}
        node = {"class_name": "VarianceScaling", "config": config}
    # Left out: the shapes that it was built for, modules, bytecode of functions (which Python writes in several ways)
    return {
        key: _plain(value)
        for key, value in node.items()
        if key not in ("build_config", "module", "output_shape_module", "registered_name")
        and not (key in ("function", "output_shape") and isinstance(value, tuple))
    }


def first_difference(found: Any, expected: Any, at: str = "") -> str:
    """Where two configurations differ."""
    if isinstance(found, dict) and isinstance(expected, dict):
        for key in {**found, **expected}:
            if found.get(key) != expected.get(key):
                return first_difference(found.get(key), expected.get(key), f"{at}/{key}")
    if isinstance(found, list) and isinstance(expected, list) and len(found) == len(expected):
        for i, (one, two) in enumerate(zip(found, expected)):
            if one != two:
                return first_difference(one, two, f"{at}/{i}")
    return f"{at}: {str(found)[:200]} instead of {str(expected)[:200]}"


def check_training(path: Path, case: Any) -> list[float]:
    """Differences of what `evaluate` says, of the next losses, and of the weights after them."""
    with np.load(path.with_suffix(".npz")) as file:
        ours = numbered(file, "n")
    peer.keras.backend.clear_session()
    objects = {**peer.legacy_optimizers(), **training.own_functions(peer.keras)}
    theirs = training.goes_on(peer.keras.models.load_model(path, custom_objects=objects), case, peer.keras)
    return [difference(ours[:1], theirs[:1]), difference(ours[1:2], theirs[1:2]), difference(ours[2:], theirs[2:])]


def layer_results(folder: Path) -> dict[str, dict[str, str]]:
    """By layer and shape, the difference as text."""
    results: dict[str, dict[str, str]] = {}
    objects = peer.custom_objects(make_cells(peer.keras))
    for name, entry in entries().items():
        row = results.setdefault(name, {})
        for shape in shapes_of(entry):
            path = folder / f"{name}.{shape}.h5"
            row[shape] = told(path.stem, lambda path=path, shape=shape: [check(path, entry, shape, objects)])  # noqa: B023
    return results


def training_results(folder: Path) -> dict[str, str]:
    """By case, the three differences as text; and what is lost, where something has to be."""
    found = {}
    for name, case in training.trainings().items():
        if not case.later:
            path = folder / f"training.{name}.h5"
            lost = training.LOST.get(name, "")
            found[name] = told(path.stem, lambda path=path, case=case: check_training(path, case), bool(lost))
            found[name] += f" | {lost}"
    return found


def told(what: str, differences: Any, may_differ: bool = False) -> str:
    """Differences as text; "FAILS" where something cannot be read, or differs that may not. Says so at once."""
    try:
        numbers = differences()
    except Exception as problem:
        print(f"{what}: {type(problem).__name__}: {str(problem)[:600]}", flush=True)
        return "FAILS"
    text = " | ".join(f"{number:.0e}" if number else "0" for number in numbers)
    if may_differ == (max(numbers) <= TOLERANCE):
        print(f"{what}: {text}", flush=True)
        return f"{text} FAILS"
    return text


def main(folder: Path, table: Path | None) -> int:
    layers, trained = layer_results(folder), training_results(folder)
    cells = [cell for row in layers.values() for cell in row.values()] + [*trained.values()]
    failed = sum("FAILS" in cell for cell in cells)
    print(f"{len(cells)} models, {failed} failed")
    if table:
        head = HEAD.format(version=peer.keras.__version__, ours=our_version(folder))
        table.write_text(head + rows(layers) + training_rows(trained))
    return min(failed, 1)


def our_version(folder: Path) -> str:
    with h5py.File(next(folder.glob("*.h5"))) as file:
        return json.loads(file.attrs["kcore_provenance"])["kcore"]


def training_rows(trained: dict[str, str]) -> str:
    lines = [f"| {name} | {cells} |" for name, cells in trained.items()]
    return TRAINING_HEAD + "\n".join(lines) + "\n"


def rows(results: dict[str, dict[str, str]]) -> str:
    lines = ["| layer | " + " | ".join(SHAPES) + " |", "|---|" + "---|" * len(SHAPES)]
    table = entries()
    for name, row in results.items():
        counts = {group: len(table[name].variants(group)) for group in ("alone", "stateful", "channels_first")}
        cells = [f"{row[s]} ({counts[s]})" if s in row and counts.get(s, 1) > 1 else row.get(s, "") for s in SHAPES]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    reasons = ["", "Left out:", ""]
    reasons += [f"- {name} ({shape}): {why}" for name in table for shape, why in (table[name].leave_out or {}).items()]
    reasons += [f"- {name}: {why}" for name, why in NO_FILES.items()]
    return "\n".join([*lines, *reasons, ""])


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None))
