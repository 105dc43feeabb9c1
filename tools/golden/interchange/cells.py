"""The cells that users write: the manual's `MinimalRNNCell` and one with constants, of the layers' goldens."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

FILE = Path(__file__).resolve().parents[3] / "plugins" / "layers" / "recurrent" / "tests" / "golden" / "custom_cells.py"


def make_cells(keras: Any) -> dict[str, Any]:
    """The cell classes by name, built on the given `keras`."""
    return runpy.run_path(str(FILE))["make"](keras)
