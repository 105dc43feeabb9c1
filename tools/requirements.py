"""Prints what the core and its plugins need from an index, one requirement a line.

    python tools/requirements.py [--dev]

Our own distributions are left out: they are installed from this repository. With --dev the
development tools of the root's extra `dev` and what the plugins' tests need (extra `test`) are added.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def requirements(dev: bool) -> list[str]:
    """Every requirement of every distribution; with `dev` those of the development tools and of the tests too."""
    files = [ROOT / "pyproject.toml", *sorted(ROOT.glob("plugins/**/pyproject.toml"))]
    found: set[str] = set()
    for file in files:
        project = tomllib.loads(file.read_text(encoding="utf-8"))["project"]
        found.update(project.get("dependencies", []))
        if dev:
            found.update(project.get("optional-dependencies", {}).get("dev" if file.parent == ROOT else "test", []))
    return sorted(name for name in found if not name.startswith("kcore"))


if __name__ == "__main__":
    print("\n".join(requirements("--dev" in sys.argv[1:])))
