"""ModelCheckpoint, with a model that only writes down what it is asked to save."""

from pathlib import Path

import pytest

from kcore.callbacks import ModelCheckpoint


class Recorder:
    def __init__(self):
        self.saved = []

    def save(self, path, overwrite=True):
        self.saved.append(path)

    def save_weights(self, path, overwrite=True):
        self.saved.append(f"weights of {path}")


def saved(callback, values, monitor="val_loss"):
    callback.set_model(Recorder())
    for epoch, value in enumerate(values):
        callback.on_epoch_end(epoch, {monitor: value})
    return callback.model.saved


def test_every_epoch():
    assert saved(ModelCheckpoint("m{epoch:02d}-{val_loss:.1f}.h5"), [3, 4]) == ["m01-3.0.h5", "m02-4.0.h5"]


def test_weights_only_and_paths():
    callback = ModelCheckpoint(Path("folder") / "m.h5", save_weights_only=True)
    assert saved(callback, [1]) == [f"weights of {Path('folder') / 'm.h5'}"]


def test_period():
    assert saved(ModelCheckpoint("{epoch}", period=2), [1] * 5) == ["2", "4"]


@pytest.mark.parametrize(
    ("arguments", "values", "expected"),
    [
        ({}, [3, 4, 2, 2, 1], ["1", "3", "5"]),
        ({"mode": "max"}, [3, 4, 2, 5], ["1", "2", "4"]),
        ({"period": 2}, [1, 2, 3, 1.5], ["2", "4"]),
    ],
)
def test_best_only(arguments, values, expected):
    assert saved(ModelCheckpoint("{epoch}", save_best_only=True, **arguments), values) == expected


def test_accuracies_rise():
    callback = ModelCheckpoint("{epoch}", monitor="val_acc", save_best_only=True)
    assert saved(callback, [0.5, 0.4, 0.6], "val_acc") == ["1", "3"]


def test_the_best_is_remembered_from_training_to_training():
    callback = ModelCheckpoint("{epoch}", save_best_only=True)
    saved(callback, [3, 2])
    callback.on_train_begin({})
    assert saved(callback, [2.5, 1]) == ["2"]


def test_a_model_that_could_not_be_saved_is_not_the_best():
    class Broken(Recorder):
        def save(self, path, overwrite=True):
            raise OSError("disk full")

    callback = ModelCheckpoint("{epoch}", save_best_only=True)
    callback.set_model(Broken())
    with pytest.raises(OSError, match="disk full"):
        callback.on_epoch_end(0, {"val_loss": 1})
    assert saved(callback, [2]) == ["1"]


def test_messages(capsys):
    saved(ModelCheckpoint("m.h5", save_best_only=True, verbose=1), [3, 4])
    lines = [line for line in capsys.readouterr().out.splitlines() if line]
    assert lines == [
        "Epoch 00001: val_loss improved from inf to 3.00000, saving model to m.h5",
        "Epoch 00002: val_loss did not improve from 3.00000",
    ]
    saved(ModelCheckpoint("m.h5", verbose=1), [3])
    assert "Epoch 00001: saving model to m.h5" in capsys.readouterr().out


def test_errors():
    with pytest.raises(KeyError, match=r"val_acc.*epoch, val_loss"):
        saved(ModelCheckpoint("{val_acc}.h5"), [1])
    with pytest.warns(RuntimeWarning, match=r"val_loss.*not available"):
        assert saved(ModelCheckpoint("m.h5", save_best_only=True), [1], "loss") == []
