"""Builds the wheel of every distribution of this repository into a folder.

    python tools/wheels.py FOLDER

Builds with the installed hatchling, without isolation and without a network.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from pathlib import Path

from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).resolve().parents[1]


def project_folders() -> list[Path]:
    """The folders of all distributions, the core first."""
    return [ROOT, *sorted(file.parent for file in ROOT.glob("plugins/**/pyproject.toml"))]


def build(folder: Path, target: Path) -> Path:
    """Builds one wheel and returns its path."""
    builder = WheelBuilder(str(folder))
    with contextlib.redirect_stdout(io.StringIO()):
        (wheel,) = list(builder.build(directory=str(target), versions=["standard"]))
    return Path(wheel)


def build_all(target: Path) -> list[Path]:
    """Builds all wheels into `target` and returns their paths."""
    os.makedirs(target, exist_ok=True)
    return [build(folder, target) for folder in project_folders()]


if __name__ == "__main__":
    for wheel in build_all(Path(sys.argv[1]).resolve()):
        print(wheel.name)
