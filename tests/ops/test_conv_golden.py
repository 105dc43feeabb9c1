"""Convolution and pooling, with their gradients, against values computed with the original (`golden/conv.py`)."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kcore import backend as K

HERE = Path(__file__).parent / "golden"
GOLDEN = np.load(HERE / "conv.npz")
CASES = json.loads(str(GOLDEN["cases"]))

_spec = importlib.util.spec_from_file_location("golden_conv", HERE / "conv.py")
assert _spec is not None and _spec.loader is not None
_script = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_script)


def _tuples(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


@pytest.mark.parametrize("number", range(len(CASES)), ids=[f"{i}-{c['function']}" for i, c in enumerate(CASES)])
def test_value_and_gradients(number: int) -> None:
    case = CASES[number]
    arrays = _script.arrays(number, case)
    operands = [K.placeholder(a.shape) for a in arrays]
    arguments = {name: _tuples(value) for name, value in case["arguments"].items()}
    y = getattr(K, case["function"])(*operands, **arguments)
    expected = GOLDEN[f"{number}:y"]
    assert y.shape == expected.shape
    weights = (np.random.default_rng(number).integers(-8, 9, expected.shape) / 8).astype("float32")
    gradients = K.gradients(K.sum(y * weights), operands)
    computed = K.function(operands, [y, *gradients])(arrays)
    np.testing.assert_allclose(computed[0], expected, rtol=1e-5, atol=1e-5)
    for index, value in enumerate(computed[1:]):
        np.testing.assert_allclose(value, GOLDEN[f"{number}:{index}"], rtol=1e-5, atol=1e-5)
