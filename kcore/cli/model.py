"""`kcore model FILE`: what a saved model, or a file of weights, holds. Makes no model, imports no plugin."""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from typing import Any

from kcore.plugins import discovery
from kcore.saving.inspection import inspect_file

HELP = "show what a saved model or a file of weights holds, and whether it is sound; imports no plugin"


_HOLDS = {"model": "a whole model", "weights": "weights only", "architecture": "an architecture without weights"}


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("file", help="an HDF5 file that save, save_weights, or Keras 2 wrote, or JSON of to_json")
    parser.add_argument("--weights", action="store_true", help="list every array, with its shape")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Runs the command: status 1 where something is damaged."""
    try:
        record = inspect_file(args.file)
    except OSError as error:  # missing, not readable, or no HDF5 file
        print(f"kcore: {error}", file=sys.stderr)
        return 1
    if args.json:
        print(json.dumps(record, indent=2))
    else:
        print("\n".join(_lines(record, args.weights)))
    return 1 if record["damage"] else 0


def _lines(record: dict[str, Any], every_array: bool) -> list[str]:
    holds = _HOLDS[record["holds"]]
    version = f"Keras {record['keras_version']}" if record["keras_version"] else "an unknown version of Keras"
    backend = f" on {record['backend']}" if record["backend"] else ""
    lines = [f"{record['path']}: {holds}, {_size(record['file_bytes'])}, layout of {version}{backend}", ""]
    lines += _model_lines(record["model"], every_array)
    weights = record["weights"]
    kinds = ", ".join(weights["dtypes"]) or "none"
    if record["holds"] != "architecture":
        lines += [
            "",
            f"{weights['numbers']:,} weights in {weights['arrays']} arrays ({kinds}), {_size(weights['bytes'])}",
        ]
    if record["training"]:
        lines += ["", *_training_lines(record)]
    if record["provenance"]:
        lines += ["", *_provenance_lines(record["provenance"])]
    lines += ["", *(["Damaged:", *(f"  {text}" for text in record["damage"])] if record["damage"] else ["Sound."])]
    return lines


def _model_lines(model: dict[str, Any], every_array: bool) -> list[str]:
    chain = all(not layer["from"] for layer in model["layers"])
    rows = [["layer", "class", "weights", "shapes", *([] if chain else ["gets"])]]
    for layer in model["layers"]:
        shapes = " ".join("x".join(map(str, array["shape"])) or "scalar" for array in layer["weights"])
        row = [layer["name"], layer["class"] or "", f"{layer['numbers']:,}", _short(shapes)]
        rows.append([*row, *([] if chain else [_short(", ".join(layer["from"]), 50)])])
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    title = f'{model["class"]} "{model["name"]}"' if model["class"] and model["name"] else model["class"]
    lines = [title, ""] if title else []
    for number, row in enumerate(rows):
        cells = [c.rjust(w) if i == 2 else c.ljust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))]
        lines.append("  ".join(cells).rstrip())
        if number == 0:
            lines.append("  ".join("-" * w for w in widths))
        elif every_array:
            arrays = model["layers"][number - 1]["weights"]
            lines += [f"    {a['name']}  {'x'.join(map(str, a['shape'])) or 'scalar'}  {a['dtype']}" for a in arrays]
    return lines


def _training_lines(record: dict[str, Any]) -> list[str]:
    training, state = record["training"], record["optimizer_weights"]
    optimizer = training.get("optimizer_config")
    optimizer = optimizer if isinstance(optimizer, dict) else {}
    config = optimizer.get("config")
    shown = (
        {k: f"{v:.6g}" if isinstance(v, float) else v for k, v in config.items()} if isinstance(config, dict) else {}
    )
    arguments = ", ".join(f"{k}={v}" for k, v in shown.items())
    lines = [f"Training: {optimizer.get('class_name')}({_short(arguments, 90)})"]
    for key in ("loss", "metrics", "weighted_metrics", "loss_weights", "sample_weight_mode"):
        if training.get(key) not in (None, []):
            lines.append(f"  {key}: {_short(json.dumps(training[key]), 100)}")
    if state["arrays"]:
        lines.append(f"  state of the optimizer: {state['arrays']} arrays, {_size(state['bytes'])}")
    return lines


def _provenance_lines(provenance: dict[str, Any]) -> list[str]:
    """Which distributions the classes came from, and whether these are here."""
    by_origin: dict[tuple[str, str] | None, list[str]] = defaultdict(list)
    for full_name, origin in provenance["classes"].items():
        known = isinstance(origin, list) and len(origin) == 2
        by_origin[(str(origin[0]), str(origin[1])) if known else None].append(full_name.rpartition(":")[2])
    installed = discovery.index().distributions
    lines = [f"Saved by kcore {provenance.get('kcore')}, with classes of"]
    for origin, names in by_origin.items():
        if origin is None:
            lines.append(f"  the program itself: {', '.join(names)}")
            continue
        here = installed.get(origin[0])
        if origin[0] == "kcore":
            state = ""
        elif here is None:
            state = f" (not installed: pip install {origin[0]})"
        else:
            state = "" if here.version == origin[1] else f" ({here.version} is installed)"
        lines.append(f"  {origin[0]} {origin[1]}{state}: {', '.join(names)}")
    return lines


def _short(text: str, most: int = 60) -> str:
    return text if len(text) <= most else text[: most - 4] + " ..."


def _size(count: float | None) -> str:
    if count is None:
        return "unknown size"
    for unit in ("bytes", "KB", "MB"):
        if count < 1000:
            return f"{count:,.0f} {unit}" if unit == "bytes" else f"{count:,.1f} {unit}"
        count /= 1000
    return f"{count:,.1f} GB"
