"""EarlyStopping and TerminateOnNaN, on logs given by hand."""

from types import SimpleNamespace

import numpy as np
import pytest

from kcore.callbacks import EarlyStopping, TerminateOnNaN


def epochs_run(callback, values, monitor="val_loss"):
    """How many epochs a training with these monitored values runs."""
    callback.set_model(SimpleNamespace(stop_training=False))
    callback.on_train_begin({})
    for epoch, value in enumerate(values):
        callback.on_epoch_end(epoch, {monitor: value})
        if callback.model.stop_training:
            break
    callback.on_train_end({})
    return epoch + 1


@pytest.mark.parametrize(
    ("arguments", "values", "expected"),
    [
        ({}, [3, 2, 1, 2, 3], 4),
        ({"patience": 1}, [3, 2, 1, 2, 3], 4),
        ({"patience": 2}, [3, 2, 1, 2, 3], 5),
        ({"patience": 2}, [3, 4, 2, 3, 1], 5),
        ({"patience": 2}, [5, 4, 3, 2, 1], 5),
        ({"min_delta": 0.5}, [3, 2, 1.6, 1], 3),
        ({"min_delta": -0.5}, [3, 2, 1.6, 1], 3),
        ({"mode": "max"}, [1, 2, 3, 2], 4),
        ({"mode": "max", "min_delta": 1.5}, [1, 2, 3], 2),
        ({}, [1, float("nan"), 0.5], 2),
    ],
)
def test_when_training_stops(arguments, values, expected):
    assert epochs_run(EarlyStopping(**arguments), values) == expected


@pytest.mark.parametrize(("monitor", "rising"), [("val_acc", True), ("val_loss", False), ("fmeasure", True)])
def test_direction_follows_from_the_name(monitor, rising):
    values = [1, 2, 3, 4] if rising else [4, 3, 2, 1]
    assert epochs_run(EarlyStopping(monitor=monitor), values, monitor) == 4
    assert epochs_run(EarlyStopping(monitor=monitor), values[::-1], monitor) == 2


def test_state_and_message(capsys):
    callback = EarlyStopping(patience=2, verbose=1)
    epochs_run(callback, [3, 1, 2, 2, 2])
    assert callback.stopped_epoch == 3 and callback.best == 1 and callback.wait == 2
    assert capsys.readouterr().out == "Epoch 00004: early stopping\n"


def test_can_be_used_again():
    callback = EarlyStopping()
    assert epochs_run(callback, [1, 2]) == 2
    assert epochs_run(callback, [9, 8, 7]) == 3


def test_unknown_number_and_mode_are_warned_about():
    with pytest.warns(RuntimeWarning, match=r"val_loss.*not available.*acc, loss"):
        callback = EarlyStopping()
        callback.set_model(SimpleNamespace(stop_training=False))
        callback.on_epoch_end(0, {"loss": 1, "acc": 0})
    assert not callback.model.stop_training
    with pytest.warns(RuntimeWarning, match="'minimum' is unknown"):
        assert EarlyStopping(mode="minimum").mode == "auto"


@pytest.mark.parametrize("loss", [float("nan"), float("inf"), -np.float32("inf"), np.float32("nan")])
def test_terminate_on_nan(loss, capsys):
    callback = TerminateOnNaN()
    callback.set_model(SimpleNamespace(stop_training=False))
    callback.on_batch_end(0, {"loss": np.float32(1e30)})
    callback.on_batch_end(1, {})
    assert not callback.model.stop_training
    callback.on_batch_end(2, {"loss": loss})
    assert callback.model.stop_training
    assert capsys.readouterr().out == "Batch 2: Invalid loss, terminating training\n"
