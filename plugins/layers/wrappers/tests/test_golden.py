"""The layers against values that the original API computed (tests/golden; made by tools/golden)."""

import importlib.util
from pathlib import Path

import pytest

import kcore
from kcore.testing.golden import check_golden, load_golden

FOLDER = Path(__file__).parent / "golden"
GOLDEN = load_golden(FOLDER)


@pytest.fixture(scope="module")
def cells():
    """The cells that the cases' authors wrote for any `keras`, here for kcore."""
    spec = importlib.util.spec_from_file_location("golden_custom_cells", FOLDER / "custom_cells.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.make(kcore)


@pytest.mark.parametrize("case", GOLDEN, ids=str)
def test_golden(case, cells):
    check_golden(case, custom_objects=cells)
