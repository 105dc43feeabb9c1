"""Warnings name the user's own line, whatever they pass through on the way to him."""

from __future__ import annotations

import linecache
import subprocess
import sys
import warnings

import numpy as np
import pytest

from kcore.callbacks import EarlyStopping, ReduceLROnPlateau
from kcore.errors import KcoreWarning, warn
from kcore.layers import Dense
from kcore.models import Sequential, load_model

X, Y = np.zeros((4, 2), "float32"), np.zeros((4, 1), "float32")


@pytest.fixture
def model():
    model = Sequential([Dense(1, input_dim=2)])
    model.compile("sgd", "mse")
    return model


def warned_line(record: pytest.WarningsRecorder) -> str:
    (warning,) = record
    assert warning.filename == __file__
    return linecache.getline(warning.filename, warning.lineno)


def test_missing_monitor(model):
    with pytest.warns(RuntimeWarning, match="val_loss") as record:
        model.fit(X, Y, verbose=0, callbacks=[EarlyStopping()])  # here
    assert "# here" in warned_line(record)


def test_unknown_mode():
    with pytest.warns(RuntimeWarning, match="unknown") as record:
        ReduceLROnPlateau(mode="up")  # here
    assert "# here" in warned_line(record)


def test_changed_trainable(model):
    model.layers[0].trainable = False
    with pytest.warns(KcoreWarning, match="Discrepancy") as record:
        model.train_on_batch(X, Y)  # here
    assert "# here" in warned_line(record)


def test_renamed_argument(model):
    with pytest.warns(KcoreWarning, match="epochs=1") as record:
        model.fit(X, Y, nb_epoch=1, verbose=0)  # here
    assert "# here" in warned_line(record)


def test_unreadable_optimizer_state(model, tmp_path):
    import h5py

    model.fit(X, Y, verbose=0)
    model.save(tmp_path / "model.h5")
    with h5py.File(tmp_path / "model.h5", "r+") as file:
        del file["optimizer_weights"].attrs["weight_names"]
    with pytest.warns(KcoreWarning, match="freshly") as record:
        load_model(tmp_path / "model.h5")  # here
    assert "# here" in warned_line(record)


def test_one_place_is_told_once():
    with warnings.catch_warnings(record=True) as record:
        warnings.simplefilter("default")
        for _ in range(3):
            warn("told once")
    assert [str(w.message) for w in record] == ["told once"]
    assert record[0].category is KcoreWarning


@pytest.mark.parametrize("arguments", [["-c", "{}"], ["-"], ["-i"]], ids=["command", "standard input", "prompt"])
def test_a_program_without_a_file_is_warned(arguments):
    """The loader of its `__main__` raises where others answer that there is no such line."""
    code = "from kcore.errors import warn; warn('told'); print('went on')"
    arguments = [argument.format(code) for argument in arguments]
    command = [sys.executable, "-W", "default", *arguments]
    result = subprocess.run(command, input=code + "\n", capture_output=True, text=True, check=True, timeout=60)
    assert "KcoreWarning: told" in result.stderr
    assert "went on" in result.stdout


def test_a_plugin_that_warns_while_it_is_imported(tmp_path, monkeypatch):
    """Python's own frames stand between the user's `import` and the plugin's code."""
    (tmp_path / "kcore_warns_at_import.py").write_text("from kcore.errors import warn\nwarn('told')\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.warns(KcoreWarning, match="told") as record:
        import kcore_warns_at_import  # noqa: F401 # here
    assert "# here" in warned_line(record)
