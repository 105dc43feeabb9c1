"""The callbacks in real trainings."""

import csv
import json

import numpy as np

from kcore import backend as K
from kcore.callbacks import (
    Callback,
    CSVLogger,
    EarlyStopping,
    LambdaCallback,
    LearningRateScheduler,
    ModelCheckpoint,
    ReduceLROnPlateau,
    TerminateOnNaN,
)
from kcore.layers import Dense
from kcore.models import Sequential, load_model
from kcore.optimizers import SGD

rng = np.random.RandomState(1)
X = rng.normal(size=(60, 4)).astype("float32")
Y = (X @ rng.normal(size=(4, 2)) > 0).astype("float32")


def model(lr=0.1, loss="mse", metrics=("accuracy",)):
    np.random.seed(1)
    m = Sequential([Dense(8, activation="tanh", input_shape=(4,)), Dense(2, activation="sigmoid")])
    m.compile(SGD(lr=lr), loss, metrics=list(metrics))
    return m


def fit(m, *callbacks, epochs=3, **arguments):
    arguments = {"batch_size": 20, "verbose": 0, "validation_split": 0.25, **arguments}
    return m.fit(X, Y, epochs=epochs, callbacks=list(callbacks), **arguments)


def test_early_stopping():
    history = fit(model(), EarlyStopping(monitor="loss", min_delta=1e9, patience=2), epochs=20)
    assert history.epoch == [0, 1, 2]


def test_terminate_on_nan(capsys):
    batches = []
    poison = LambdaCallback(on_batch_end=lambda batch, logs: batches.append(batch))
    x = X.copy()
    x[25] = np.nan
    model_ = model()
    history = model_.fit(x, Y, batch_size=20, epochs=5, verbose=0, shuffle=False, callbacks=[TerminateOnNaN(), poison])
    assert "Batch 1: Invalid loss" in capsys.readouterr().out
    assert len(history.epoch) == 1 and batches == [0, 1]


def test_schedule_and_history():
    m = model()
    history = fit(m, LearningRateScheduler(lambda epoch: 0.5**epoch))
    assert history.history["lr"] == [1.0, 0.5, 0.25] and K.get_value(m.optimizer.lr) == 0.25


def test_rate_of_zero_changes_nothing():
    m = model()
    before = m.get_weights()
    fit(m, LearningRateScheduler(lambda epoch: 0.0), epochs=1)
    for a, b in zip(before, m.get_weights()):
        np.testing.assert_array_equal(a, b)


def test_plateau():
    m = model()
    history = fit(m, ReduceLROnPlateau(monitor="loss", min_delta=1e9, patience=1, factor=0.5), epochs=4)
    np.testing.assert_allclose(history.history["lr"], [0.1, 0.1, 0.05, 0.025], rtol=1e-6)


def test_checkpoints_can_be_loaded(tmp_path):
    m = model()
    path = tmp_path / "m{epoch}-{val_loss:.3f}.h5"
    history = fit(m, ModelCheckpoint(path), ModelCheckpoint(tmp_path / "w.h5", save_weights_only=True), epochs=2)
    names = sorted(p.name for p in tmp_path.glob("m*.h5"))
    assert names == [f"m{i + 1}-{loss:.3f}.h5" for i, loss in enumerate(history.history["val_loss"])]
    np.testing.assert_allclose(load_model(tmp_path / names[1]).predict(X), m.predict(X), rtol=1e-6)
    other = model()
    other.load_weights(tmp_path / "w.h5")
    np.testing.assert_allclose(other.predict(X), m.predict(X), rtol=1e-6)


def test_training_goes_on_where_a_checkpoint_left_it(tmp_path):
    from kcore.optimizers import Adam

    def compiled():
        m = model()
        m.compile(Adam(lr=0.05, decay=0.1), "mse")
        return m

    straight = compiled()
    fit(straight, epochs=4, shuffle=False)
    first = compiled()
    fit(first, ModelCheckpoint(tmp_path / "m.h5"), epochs=2, shuffle=False)
    second = load_model(tmp_path / "m.h5")
    fit(second, epochs=4, initial_epoch=2, shuffle=False)
    for a, b in zip(straight.get_weights(), second.get_weights()):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_csv(tmp_path):
    path = tmp_path / "log.csv"
    history = fit(model(), CSVLogger(path), LearningRateScheduler(lambda epoch: 0.1))
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["0", "1", "2"]
    for name in ("loss", "acc", "val_loss", "val_acc"):
        np.testing.assert_allclose([float(row[name]) for row in rows], history.history[name])


def test_examples_of_the_manual(tmp_path):
    """Manual 11.1.13 and 11.2.1: a JSON log by lambdas, and a history of batch losses."""

    class LossHistory(Callback):
        def on_train_begin(self, logs={}):  # noqa: B006  as the manual has it
            self.losses = []

        def on_batch_end(self, batch, logs={}):  # noqa: B006
            self.losses.append(logs.get("loss"))

    batches = []
    json_log = open(tmp_path / "loss_log.json", mode="w", buffering=1)  # noqa: SIM115
    json_logging = LambdaCallback(
        on_epoch_end=lambda epoch, logs: json_log.write(json.dumps({"epoch": epoch, "loss": logs["loss"]}) + "\n"),
        on_train_end=lambda logs: json_log.close(),
    )
    history = LossHistory()
    fit(model(), history, json_logging, LambdaCallback(on_batch_begin=lambda batch, logs: batches.append(batch)))
    assert json_log.closed and len(history.losses) == 9 and batches == [0, 1, 2] * 3
    lines = (tmp_path / "loss_log.json").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [0, 1, 2]
