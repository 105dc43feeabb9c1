"""EarlyStopping and ReduceLROnPlateau against tf_keras, epoch by epoch (golden/make_golden.py)."""

import json
import runpy
from pathlib import Path

import pytest

import kcore.callbacks
from kcore import backend
from kcore.layers import Dense
from kcore.models import Sequential

GOLDEN = Path(__file__).parent / "golden"
MAKER = runpy.run_path(str(GOLDEN / "make_golden.py"))
RUNS = json.loads((GOLDEN / "golden.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def model():
    model = Sequential([Dense(1, input_shape=(1,))])
    model.compile("sgd", "mse")
    return model


@pytest.mark.parametrize("run", RUNS, ids=lambda run: f"{run['callback']}-{run['series']}-{run['arguments']}")
def test_epoch_by_epoch(model, run):
    callback = getattr(kcore.callbacks, run["callback"])(**run["arguments"])
    rates = MAKER["drive"](callback, model, backend, MAKER["SERIES"][run["series"]])
    assert rates == pytest.approx(run["rates"], rel=1e-6)
    assert getattr(callback, "stopped_epoch", None) == run["stopped_epoch"]


def test_all_cases_are_there():
    assert len(RUNS) == len(MAKER["SERIES"]) * (len(MAKER["STOPPING"]) + len(MAKER["REDUCING"]))
