"""The examples of the manual's chapter 11 (callbacks), with `keras` as they are written; sizes are smaller."""
# ruff: noqa: SIM115

from __future__ import annotations

import json

import numpy as np
import pytest


@pytest.fixture
def data():
    return np.random.random((60, 12)), np.eye(10)[np.random.randint(10, size=60)]


@pytest.fixture
def model():
    from keras.layers import Activation, Dense
    from keras.models import Sequential

    model = Sequential()
    model.add(Dense(10, input_dim=12, kernel_initializer="uniform"))
    model.add(Activation("softmax"))
    model.compile(loss="categorical_crossentropy", optimizer="rmsprop")
    return model


def test_reduce_lr_on_plateau(model, data):
    """Section 11.1.11."""
    from keras import backend as K
    from keras.callbacks import ReduceLROnPlateau

    X_train, Y_train = data
    reduce_lr = ReduceLROnPlateau(monitor="val_loss", factor=0.2, patience=5, min_lr=0.001)
    K.set_value(model.optimizer.lr, 0.1)
    history = model.fit(X_train, Y_train, callbacks=[reduce_lr], validation_split=0.5, epochs=60, verbose=0)
    rates = history.history["lr"]
    assert rates[0] == pytest.approx(0.1) and rates[-1] < 0.1 and min(rates) >= 0.000999


def test_csv_logger(model, data):
    """Section 11.1.12."""
    from keras.callbacks import CSVLogger

    X_train, Y_train = data
    csv_logger = CSVLogger("training.log")
    history = model.fit(X_train, Y_train, callbacks=[csv_logger], epochs=2)
    with open("training.log") as f:
        lines = f.read().split()
    assert lines[0] == "epoch,loss"
    assert [float(line.partition(",")[2]) for line in lines[1:]] == history.history["loss"]


def test_lambda_callbacks(model, data, capsys):
    """Section 11.1.13."""
    from keras.callbacks import LambdaCallback

    class Process:
        alive = True

        def is_alive(self):
            return self.alive

        def terminate(self):
            self.alive = False

    batch_print_callback = LambdaCallback(on_batch_begin=lambda batch, logs: print(batch))

    json_log = open("loss_log.json", mode="w", buffering=1)
    json_logging_callback = LambdaCallback(
        on_epoch_end=lambda epoch, logs: json_log.write(json.dumps({"epoch": epoch, "loss": logs["loss"]}) + "\n"),
        on_train_end=lambda logs: json_log.close(),
    )

    processes = [Process(), Process()]
    cleanup_callback = LambdaCallback(on_train_end=lambda logs: [p.terminate() for p in processes if p.is_alive()])

    history = model.fit(
        *data,
        epochs=2,
        verbose=0,
        callbacks=[batch_print_callback, json_logging_callback, cleanup_callback],
    )
    assert capsys.readouterr().out.split() == ["0", "1", "0", "1"]
    with open("loss_log.json") as f:
        logged = [json.loads(line) for line in f]
    assert [entry["loss"] for entry in logged] == history.history["loss"]
    assert json_log.closed and not any(p.is_alive() for p in processes)


def test_recording_losses(data):
    """Sections 11.2 and 11.2.1."""
    import keras
    from keras.layers import Activation, Dense
    from keras.models import Sequential

    x_train, y_train = data

    class LossHistory(keras.callbacks.Callback):
        def on_train_begin(self, logs={}):  # noqa: B006
            self.losses = []

        def on_batch_end(self, batch, logs={}):  # noqa: B006
            self.losses.append(logs.get("loss"))

    model = Sequential()
    model.add(Dense(10, input_dim=12, kernel_initializer="uniform"))
    model.add(Activation("softmax"))
    model.compile(loss="categorical_crossentropy", optimizer="rmsprop")

    history = LossHistory()
    model.fit(x_train, y_train, batch_size=16, epochs=20, verbose=0, callbacks=[history])
    assert len(history.losses) == 20 * 4
    assert np.mean(history.losses[-4:]) < np.mean(history.losses[:4])
    assert history.params["batch_size"] == 16 and history.params["samples"] == 60 and history.model is model


def test_checkpoints(data, capsys):
    """Section 11.2.2."""
    from keras.callbacks import ModelCheckpoint
    from keras.layers import Activation, Dense
    from keras.models import Sequential, load_model

    x_train, y_train = data
    X_test, Y_test = x_train[:20], y_train[:20]

    model = Sequential()
    model.add(Dense(10, input_dim=12, kernel_initializer="uniform"))
    model.add(Activation("softmax"))
    model.compile(loss="categorical_crossentropy", optimizer="rmsprop")

    checkpointer = ModelCheckpoint(filepath="weights.hdf5", verbose=1, save_best_only=True)
    history = model.fit(
        x_train,
        y_train,
        batch_size=16,
        epochs=20,
        verbose=0,
        validation_data=(X_test, Y_test),
        callbacks=[checkpointer],
    )
    best = min(history.history["val_loss"])
    assert load_model("weights.hdf5").evaluate(X_test, Y_test, verbose=0) == pytest.approx(best, rel=1e-5)
    assert "Epoch 00001: val_loss improved from inf to " in capsys.readouterr().out


def test_the_hooks_see_what_the_manual_says(model, data):
    """Section 11.1.1."""
    import keras

    seen = {}

    class Look(keras.callbacks.Callback):
        def on_batch_begin(self, batch, logs=None):
            seen.setdefault("batch begin", set(logs))

        def on_batch_end(self, batch, logs=None):
            seen.setdefault("batch end", set(logs))

        def on_epoch_end(self, epoch, logs=None):
            seen.setdefault("epoch end", set(logs))

    model.compile(loss="categorical_crossentropy", optimizer="rmsprop", metrics=["accuracy"])
    model.fit(*data, validation_split=0.5, verbose=0, callbacks=[Look()])
    assert "size" in seen["batch begin"]
    assert {"loss", "acc"} <= seen["batch end"]
    assert seen["epoch end"] == {"loss", "acc", "val_loss", "val_acc"}
