"""Layers whose recurrences are cuDNN's: whole models beside the NumPy device, by a fake of the library on the host."""

from __future__ import annotations

import ctypes
import importlib.util
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kcore.engine.input_layer import Input
from kcore.layers import GRU, LSTM, Bidirectional, CuDNNGRU, CuDNNLSTM, Dense, SimpleRNN, TimeDistributed
from kcore.models import Model, Sequential
from kcore.runtime import devices, executor
from kcore.runtime.numpy_device import NumpyDevice

pytest.importorskip("kcore_backends_cupy")

from kcore_backends_cupy import CupyDevice, cudnn_rnn
from kcore_backends_cupy.cudnn_rnn import CudnnRnn
from kcore_backends_cupy.emulation import streams

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "plugins" / "backends" / "cupy" / "tests" / "fake_cudnn_rnn.cc"

pytestmark = pytest.mark.skipif(shutil.which("g++") is None, reason="there is no g++")


class Fake(CudnnRnn):
    """The fake library; as the real one's, its calls are recorded while a graph is captured."""

    def run(self, name: str, *args: Any) -> None:
        if name.startswith(("cudnnRNNForward", "cudnnRNNBackward")):
            streams.launch(lambda: super(Fake, self).run(name, *args))
        else:
            super().run(name, *args)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> str:
    target = tmp_path_factory.mktemp("fake") / "libcudnn.so"
    subprocess.run(["g++", "-O2", "-std=c++17", "-shared", "-fPIC", str(SOURCE), "-o", str(target)], check=True)
    return str(target)


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch, path: str) -> CupyDevice:
    monkeypatch.setenv("KCORE_CUPY_EMULATE", "1")
    monkeypatch.setattr(cudnn_rnn, "find", lambda device: Fake(path))
    ctypes.CDLL(path).fake_refuse(0)
    return CupyDevice()


def sequence_to_one() -> Any:
    return Sequential([CuDNNLSTM(6, input_shape=(5, 3)), Dense(2)])


def stacked() -> Any:
    return Sequential([CuDNNGRU(5, return_sequences=True, input_shape=(5, 3)), CuDNNGRU(4), Dense(2)])


def sigmoid_gates() -> Any:
    layers = [
        LSTM(5, recurrent_activation="sigmoid", return_sequences=True, input_shape=(5, 3)),
        GRU(4, recurrent_activation="sigmoid", reset_after=True, return_sequences=True),
        SimpleRNN(4, go_backwards=True),
    ]
    return Sequential([*layers, Dense(2)])


def two_ways() -> Any:
    layers = [Bidirectional(CuDNNLSTM(4, return_sequences=True), input_shape=(5, 3)), Bidirectional(CuDNNGRU(3))]
    return Sequential([*layers, Dense(2)])


def stateful() -> Any:
    first = CuDNNLSTM(4, stateful=True, return_sequences=True, batch_input_shape=(8, 5, 3))
    return Sequential([first, CuDNNGRU(3, stateful=True), Dense(2)])


def states_between_layers() -> Any:
    x = Input((5, 3))
    sequence, h, c = CuDNNLSTM(4, return_sequences=True, return_state=True)(x)
    other = CuDNNLSTM(4)(sequence, initial_state=[h, c])
    return Model(x, Dense(2)(other))


def for_each_part() -> Any:
    """A layer over layers: the inner sequences are a batch of their own."""
    return Sequential([TimeDistributed(CuDNNGRU(3), input_shape=(2, 5, 3)), CuDNNLSTM(3), Dense(2)])


MODELS = (sequence_to_one, stacked, sigmoid_gates, two_ways, stateful, states_between_layers, for_each_part)


def trained(make: Callable[[], Any], on: Any) -> tuple[list[float], np.ndarray, list[str]]:
    """Losses, predictions and all plans of a model that have a recurrent layer."""
    plans: list[str] = []
    bind = executor.Instance.__init__

    def remember(self: Any, plan: Any, *args: Any) -> None:
        bind(self, plan, *args)
        plans.append(plan.show())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(devices, "_current", on)
        patch.setattr(executor.Instance, "__init__", remember)
        np.random.seed(2)
        model = make()
        model.compile("rmsprop", "mse")
        r = np.random.RandomState(0)
        x = r.standard_normal((24, *model.input_shape[1:])).astype("float32")
        y = r.standard_normal((24, 2)).astype("float32")
        losses = model.fit(x, y, batch_size=8, epochs=3, verbose=0, shuffle=False).history["loss"]
        if model.stateful:
            model.reset_states()
        predictions = model.predict(x, batch_size=8)
        return losses, predictions, [plan for plan in plans if "_sequence(" in plan]


@pytest.mark.parametrize("make", MODELS, ids=lambda make: make.__name__)
def test_a_model_is_that_of_the_numpy_device(device: CupyDevice, make: Callable[[], Any]) -> None:
    ours, predictions, plans = trained(make, device)
    theirs, wanted, _ = trained(make, NumpyDevice())
    np.testing.assert_allclose(ours, theirs, rtol=2e-4)
    np.testing.assert_allclose(predictions, wanted, rtol=2e-3, atol=2e-4)
    assert len(plans) == 2  # of training and of prediction
    for plan in plans:
        assert " cudnn_sequence(" in plan
        assert not re.search(" (lstm|gru|rnn)_sequence", plan)


def test_the_comparison_of_gpu_check(device: CupyDevice, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """What `make gpu-check` runs on a GPU, here with cuDNN in it."""
    file = ROOT / "benchmarks" / "gpu" / "recurrent.py"
    spec = importlib.util.spec_from_file_location("gpu_recurrent", file)
    program: Any = importlib.util.module_from_spec(spec)  # type: ignore[arg-type]
    spec.loader.exec_module(program)  # type: ignore[union-attr]
    monkeypatch.setattr(devices, "_current", device)
    monkeypatch.setattr(sys, "argv", ["recurrent.py", "--tiny"])
    program.main()
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [row["layer"] for row in rows] == ["lstm", "gru", "rnn"]
    for row in rows:
        assert all(row[k] for k in ("used", "agrees", "repeats", "captured")), row
        assert 0 < row["difference"]["float16"] <= 3e-2  # two ways of computing, not one twice
