"""No layer is forgotten: each one that a plugin of this repository offers is held to the contract by its tests."""

from __future__ import annotations

import importlib.util
import json
import runpy
from pathlib import Path

import pytest

from kcore.engine import Layer
from kcore.plugins import registry

ROOT = Path(__file__).resolve().parents[2]
PROJECTS = runpy.run_path(str(ROOT / "tools" / "catalogue.py"))["plugin_projects"]()
OFFERED = {
    project["name"]: sorted(project["entry-points"]["kcore.layers"])
    for project in PROJECTS
    if project["name"].startswith("kcore-layers-")
}
#: Classes that do nothing until somebody derives from them.
BASES = {"ElementwiseMerge"}
FAMILIES = ROOT / "plugins" / "layers"


def folder_of(distribution: str) -> Path:
    return FAMILIES / distribution.removeprefix("kcore-layers-").replace("-", "_") / "tests"


def layer_classes(distribution: str) -> set[type]:
    """What the plugin offers, less its functions; two names of one class count once."""
    found = [registry.get("layers", f"{distribution}:{name}") for name in OFFERED[distribution]]
    return {one for one in found if isinstance(one, type) and issubclass(one, Layer) and one.__name__ not in BASES}


def made_by(case) -> set[type]:
    """The classes of the layer of a case and of the layers in it: cells, what is wrapped."""
    factory, arguments = case[:2]
    return classes_in(factory(**arguments))


def classes_in(layer: Layer) -> set[type]:
    parts = [part for value in vars(layer).values() for part in (value if isinstance(value, list) else [value])]
    inner = [classes_in(part) for part in parts if isinstance(part, Layer)]
    return {type(layer)}.union(*inner)


@pytest.mark.parametrize("distribution", OFFERED)
def test_every_layer_is_held_to_the_contract(distribution):
    file = folder_of(distribution) / "test_contract.py"
    spec = importlib.util.spec_from_file_location(f"contract_of_{file.parent.parent.name}", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    cases = module.CASES.values() if isinstance(module.CASES, dict) else module.CASES
    checked = set().union(*map(made_by, cases))
    assert {one.__name__ for one in layer_classes(distribution) - checked} == set()


@pytest.mark.parametrize("distribution", OFFERED)
def test_every_layer_has_golden_values(distribution):
    text = (folder_of(distribution) / "golden" / "cases.json").read_text(encoding="utf-8")
    named = set(names_in([case["layer"] for case in json.loads(text)["cases"]]))
    assert {one.__name__ for one in layer_classes(distribution)} - named - WITHIN_OTHERS == set()


#: The cell of `ConvLSTM2D`, whose values are its own; and what is made of a function, which no configuration holds.
WITHIN_OTHERS = {"ConvLSTM2DCell", "Lambda"}


def names_in(node):
    """The class names in a configuration, nested ones too."""
    if isinstance(node, dict):
        if "class_name" in node:
            yield node["class_name"]
        node = list(node.values())
    if isinstance(node, list):
        for part in node:
            yield from names_in(part)
