"""The layers against values that the original API computed (tests/golden; made by tools/golden)."""

from pathlib import Path

import pytest

from kcore.testing.golden import check_golden, load_golden

GOLDEN = load_golden(Path(__file__).parent / "golden")


@pytest.mark.parametrize("case", GOLDEN, ids=str)
def test_golden(case):
    check_golden(case)
