"""LearningRateScheduler and ReduceLROnPlateau, on logs given by hand."""

from types import SimpleNamespace

import numpy as np
import pytest

from kcore import backend as K
from kcore.callbacks import LearningRateScheduler, ReduceLROnPlateau


def model(lr=1.0):
    return SimpleNamespace(optimizer=SimpleNamespace(lr=K.variable(lr)))


def rates(callback, values, monitor="val_loss"):
    """The learning rate after each epoch with these monitored values."""
    callback.set_model(model())
    callback.on_train_begin({})
    result = []
    for epoch, value in enumerate(values):
        callback.on_epoch_begin(epoch, {})
        logs = {monitor: value}
        callback.on_epoch_end(epoch, logs)
        assert "lr" in logs
        result.append(round(float(K.get_value(callback.model.optimizer.lr)), 6))
    return result


# -- scheduler -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (lambda epoch: 1.0 / (1 + epoch), [1.0, 0.5, 0.333333]),
        (lambda epoch, lr: lr / 2, [0.5, 0.25, 0.125]),
        (lambda epoch, lr=None: lr / 2, [0.5, 0.25, 0.125]),
        (lambda epoch, drop=0.5: drop**epoch, [1.0, 0.5, 0.25]),
        (lambda epoch: np.float32(0.5), [0.5] * 3),
        (lambda epoch: 2, [2.0] * 3),
    ],
)
def test_schedule(schedule, expected):
    assert rates(LearningRateScheduler(schedule), [0, 0, 0]) == expected


def test_an_error_in_the_schedule_is_not_hidden():
    def schedule(epoch, lr):
        return lr + None

    with pytest.raises(TypeError, match="NoneType"):
        rates(LearningRateScheduler(schedule), [0])


def test_rate_in_the_logs_and_message(capsys):
    callback = LearningRateScheduler(lambda epoch: 0.25, verbose=1)
    callback.set_model(model())
    callback.on_epoch_begin(0)
    logs = {}
    callback.on_epoch_end(0, logs)
    assert logs == {"lr": 0.25}
    assert "Epoch 00001: LearningRateScheduler setting learning rate to 0.25" in capsys.readouterr().out


@pytest.mark.parametrize("wrong", [None, "0.1", [0.1], float("nan")])
def test_schedule_must_return_a_number(wrong):
    with pytest.raises(ValueError, match=r"should be float|finite"):
        rates(LearningRateScheduler(lambda epoch: wrong), [0])


def test_optimizer_without_rate():
    callback = LearningRateScheduler(lambda epoch: 0.1)
    callback.set_model(SimpleNamespace(optimizer=object()))
    with pytest.raises(ValueError, match='"lr"'):
        callback.on_epoch_begin(0)


# -- plateau ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "values", "expected"),
    [
        ({"patience": 2}, [5, 4, 4, 4, 4], [1, 1, 1, 0.1, 0.1]),
        ({"patience": 1, "factor": 0.5}, [5, 5, 5, 5], [1, 0.5, 0.25, 0.125]),
        ({"patience": 1, "factor": 0.5, "min_lr": 0.3}, [5, 5, 5, 5], [1, 0.5, 0.3, 0.3]),
        ({"patience": 1, "factor": 0.5, "cooldown": 2}, [5] * 6, [1, 0.5, 0.5, 0.25, 0.25, 0.125]),
        ({"patience": 1, "min_delta": 0.5}, [5, 4.6, 4.0], [1, 0.1, 0.1]),
        ({"patience": 1, "mode": "max"}, [1, 2, 2], [1, 1, 0.1]),
        ({"patience": 3}, [5, 5, 5, 4, 4, 4], [1] * 6),
    ],
)
def test_plateau(arguments, values, expected):
    assert rates(ReduceLROnPlateau(**arguments), values) == pytest.approx(expected)


def test_accuracies_rise():
    callback = ReduceLROnPlateau(monitor="val_acc", patience=1)
    assert rates(callback, [0.1, 0.2, 0.2], "val_acc") == pytest.approx([1, 1, 0.1])


def test_can_be_used_again():
    callback = ReduceLROnPlateau(patience=2)
    assert rates(callback, [1, 1]) == rates(callback, [5, 5]) == [1, 1]


def test_old_name_and_wrong_arguments():
    with pytest.warns(UserWarning, match="min_delta"):
        assert ReduceLROnPlateau(epsilon=0.5).min_delta == 0.5
    with pytest.raises(ValueError, match=r"factor >= 1\.0"):
        ReduceLROnPlateau(factor=1.0)
    with pytest.raises(TypeError, match="eps"):
        ReduceLROnPlateau(eps=0.5)


def test_message(capsys):
    rates(ReduceLROnPlateau(patience=1, verbose=1), [1, 1])
    assert "Epoch 00002: ReduceLROnPlateau reducing learning rate to 0.1." in capsys.readouterr().out


def test_unknown_number_is_warned_about():
    callback = ReduceLROnPlateau()
    callback.set_model(model())
    with pytest.warns(RuntimeWarning, match=r"val_loss.*not available.*loss, lr"):
        callback.on_epoch_end(0, {"loss": 1})
