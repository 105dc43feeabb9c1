"""The callback protocol and the core's own callbacks."""

from types import SimpleNamespace

import numpy as np
import pytest

from kcore.callbacks import BaseLogger, Callback, CallbackList, History, LambdaCallback, ProgbarLogger
from kcore.engine import callbacks as module
from kcore.engine import progbar
from kcore.engine.callbacks import overrides
from kcore.errors import KcoreWarning
from kcore.plugins import hooks
from kcore.plugins.hookspecs import hookimpl


class EpochOnly(Callback):
    def on_epoch_end(self, epoch, logs=None):
        pass


def test_only_hooks_that_are_defined_are_called():
    callbacks = CallbackList([EpochOnly()])
    assert callbacks.listens("on_epoch_end")
    assert not callbacks.listens("on_batch_end")
    assert not overrides(Callback(), "on_epoch_end")
    given = Callback()
    given.on_batch_end = lambda batch, logs=None: None
    assert overrides(given, "on_batch_end")
    callbacks.append(given)
    assert callbacks.listens("on_batch_end")


def test_hooks_given_after_construction_are_found(classifier, classification):
    calls = []
    callback = Callback()
    callbacks = CallbackList([callback])
    callback.on_batch_end = lambda batch, logs=None: calls.append(batch)
    callbacks.on_train_begin()
    callbacks.on_batch_end(0)
    assert calls == [0]


def test_all_see_one_dict_of_logs(classifier, classification):
    class Adds(Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["lr"] = 0.5

        def on_batch_begin(self, batch, logs=None):
            logs["mark"] = batch

        def on_batch_end(self, batch, logs=None):
            assert logs["mark"] == batch

    history = classifier.fit(*classification, epochs=2, verbose=0, callbacks=[Adds()])
    assert history.history["lr"] == [0.5, 0.5]


def test_lambda_callbacks(classifier, classification):
    calls = []
    callback = LambdaCallback(
        on_batch_end=lambda batch, logs: calls.append(("batch", batch, logs["loss"] > 0)),
        on_epoch_begin=lambda epoch, logs: calls.append(("epoch", epoch)),
        on_train_end=lambda logs: calls.append("end"),
    )
    classifier.fit(*classification, batch_size=10, verbose=0, callbacks=[callback])
    assert calls == [("epoch", 0), ("batch", 0, True), ("batch", 1, True), "end"]


def test_base_logger_averages_as_the_loop_does(classifier, classification):
    class Keep(Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.logs = dict(logs)

    before, after = Keep(), Keep()
    classifier.fit(*classification, batch_size=8, verbose=0, callbacks=[before, BaseLogger(), after])
    assert before.logs == pytest.approx(after.logs)


def test_base_logger_in_a_loop_of_ones_own():
    logger = BaseLogger(stateful_metrics=["count"])
    logger.set_params({"metrics": ["loss", "count", "missing"]})
    logger.on_epoch_begin(0)
    logger.on_batch_end(0, {"batch": 0, "size": 2, "loss": 1.0, "count": 3})
    logger.on_batch_end(1, {"batch": 1, "size": 1, "loss": 4.0, "count": 5})
    logs = {}
    logger.on_epoch_end(0, logs)
    assert logs == {"loss": 2.0, "count": 5}


def test_history_collects_late_keys():
    history = History()
    history.on_train_begin()
    history.on_epoch_end(3, {"loss": 1})
    history.on_epoch_end(4, {"loss": 2, "lr": 3})
    assert history.epoch == [3, 4]
    assert history.history == {"loss": [1, 2], "lr": [3]}


def test_the_logger_shows_running_averages(monkeypatch):
    drawn = []

    class Bar(progbar.Progbar):
        def __init__(self, target, **kwargs):
            super().__init__(target, **kwargs)
            self.live = True

        def due(self):
            return True

        def show(self, current, values):
            drawn.append((current, values))

        def finish(self, current=None, values=()):
            drawn.append((current, values))

    monkeypatch.setattr(module, "Progbar", Bar)
    logger = ProgbarLogger(stateful_metrics=["count"])
    logger.set_params({"metrics": ["loss", "count", "val_loss"], "samples": 3, "epochs": 1, "verbose": 1})
    logger.on_train_begin()
    logger.on_epoch_begin(0)
    logger.on_batch_end(0, {"batch": 0, "size": 2, "loss": 1.0, "count": 3})
    logger.on_batch_end(1, {"batch": 1, "size": 1, "loss": 4.0, "count": 5})
    logger.on_epoch_end(0, {"loss": 2.0, "count": 5, "val_loss": 7.0})
    assert drawn == [
        (2, [("loss", 1.0), ("count", 3)]),
        (3, [("loss", 2.0), ("count", 5)]),
        (3, [("loss", 2.0), ("count", 5), ("val_loss", 7.0)]),
    ]


def test_count_mode():
    with pytest.raises(ValueError, match="'samples' or 'steps'"):
        ProgbarLogger("epochs")


def test_a_slow_hook_is_named(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=lambda: now[0]))

    class Slow(Callback):
        def on_batch_end(self, batch, logs=None):
            now[0] += 0.5

    callbacks = CallbackList([Slow()], queue_length=2)
    callbacks.on_train_begin()
    for batch, duration in enumerate((0.1, 2.0, 0.01)):  # the first is not known, the second is slower than the hook
        now[0] += duration
        callbacks.on_batch_end(batch)
    now[0] += 0.01
    with pytest.warns(KcoreWarning, match=r"on_batch_end takes 0.500 s, longer than the batch"):
        callbacks.on_batch_end(3)
    now[0] += 0.01
    callbacks.on_batch_end(4)  # said once


def test_plugins_add_callbacks(classifier, classification):
    class Plugin:
        @staticmethod
        @hookimpl
        def kcore_fit_callbacks(model):
            return [LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(plugin=model.name))]

    hooks.register(Plugin)
    try:
        history = classifier.fit(*classification, verbose=0)
    finally:
        hooks.unregister(Plugin)
    assert history.history["plugin"] == [classifier.name]
    assert "plugin" not in classifier.fit(*classification, verbose=0).history


def test_an_error_in_a_callback_leaves_the_model_usable(classifier, classification):
    def fail(*args):
        raise RuntimeError("mine")

    hook_names = ["on_train_begin", "on_epoch_begin", "on_batch_begin", "on_batch_end", "on_epoch_end", "on_train_end"]
    for hook in hook_names:
        with pytest.raises(RuntimeError, match="mine"):
            classifier.fit(*classification, verbose=0, callbacks=[LambdaCallback(**{hook: fail})])
        assert len(classifier.fit(*classification, verbose=0).epoch) == 1
        assert np.isfinite(classifier.predict(classification[0])).all()
