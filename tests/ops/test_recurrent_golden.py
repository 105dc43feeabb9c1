"""LSTM, GRU and SimpleRNN with their gradients, against values computed with the original (`golden/recurrent.py`)."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from kcore import backend as K
from kcore.ops import recurrent

HERE = Path(__file__).parent / "golden"
GOLDEN = np.load(HERE / "recurrent.npz")
CASES = json.loads(str(GOLDEN["cases"]))

_spec = importlib.util.spec_from_file_location("golden_recurrent", HERE / "recurrent.py")
assert _spec is not None and _spec.loader is not None
_script = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_script)

BUILD = {"LSTM": recurrent.lstm, "GRU": recurrent.gru, "SimpleRNN": recurrent.simple_rnn}


@pytest.mark.parametrize("number", range(len(CASES)), ids=[f"{i}-{c['layer']}" for i, c in enumerate(CASES)])
def test_values_and_gradients(number: int) -> None:
    case = CASES[number]
    arrays = _script.arrays(number, case)
    weights = arrays.pop("weights")
    tensors = {name: K.placeholder(a.shape, dtype=a.dtype.name) for name, a in arrays.items()}
    given = dict(tensors)
    states = [given.pop(name) for name in ("h0", "c0") if name in given]
    if states:
        given["initial_state"] = tuple(states) if case["layer"] == "LSTM" else states[0]
    arguments = {name: value for name, value in case["arguments"].items() if name != "use_bias"}
    outputs, *last = BUILD[case["layer"]](**given, **arguments)
    loss = K.sum(outputs * weights)
    for state in last:
        loss = loss + K.sum(state)
    wrt = [tensors[n] for n in ("x", "kernel", "recurrent", "bias", "h0", "c0") if n in tensors]
    gradients = K.gradients(loss, wrt)
    results = K.function(list(tensors.values()), [outputs, *last, *gradients])(list(arrays.values()))
    keys = ["outputs:0", *(f"last:{i}" for i in range(len(last))), *(f"gradient:{i}" for i in range(len(wrt)))]
    for key, ours in zip(keys, results, strict=True):
        expected = GOLDEN[f"{number}:{key}"]
        np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-5 * max(1, np.abs(expected).max()), err_msg=key)
