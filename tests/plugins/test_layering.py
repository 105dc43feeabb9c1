"""Who may import whom, where the contracts in pyproject.toml (`make imports`) cannot say it: plugins.

The core imports no plugin; a plugin imports the plugins that it declares, and no private name of anybody's.
"""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROJECTS = {
    file.parent: tomllib.loads(file.read_text("utf-8"))["project"] for file in ROOT.glob("plugins/**/pyproject.toml")
}


def imports(folder: Path) -> Iterator[tuple[Path, str, list[str]]]:
    """File, module and names of each import in a package."""
    for file in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from ((file, alias.name, []) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield file, node.module or "", [alias.name for alias in node.names]


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def test_the_core_imports_no_plugin_and_nothing_private_of_its_parts():
    for file, module, names in imports(ROOT / "kcore"):
        assert not module.startswith("kcore_"), file
        assert not any(map(is_private, module.split("."))), (file, module)
        assert not module.startswith("kcore") or not any(map(is_private, names)), (file, names)


@pytest.mark.parametrize("folder", PROJECTS, ids=lambda folder: PROJECTS[folder]["name"])
def test_a_plugin_imports_what_it_declares_and_nothing_private(folder):
    own = PROJECTS[folder]["name"].replace("-", "_")
    declared = {need.partition(">")[0].replace("-", "_") for need in PROJECTS[folder]["dependencies"]} | {own}
    for file, module, names in imports(folder / own):
        package = module.partition(".")[0]
        if package == "kcore" or package.startswith("kcore_"):
            assert package in declared, f"{file} imports {module}, which is not among the dependencies"
            assert not any(map(is_private, [*module.split("."), *names])), (file, module, names)
