"""How batches reach a device with memory of its own: read ahead, with the order and results of the plain path."""

from __future__ import annotations

import numpy as np
import pytest

from kcore.callbacks import Callback, LambdaCallback
from kcore.engine import callbacks, loop
from kcore.engine.batches import ArraySource
from kcore.engine.collect import Averages, Collector
from kcore.engine.progbar import Progbar
from kcore.layers import Dense
from kcore.models import Sequential
from kcore.runtime import devices
from kcore.runtime.numpy_device import NumpyDevice
from kcore.runtime.staging import Kept


def _model():
    np.random.seed(7)
    model = Sequential([Dense(3, activation="tanh", input_shape=(4,)), Dense(2)])
    model.compile("sgd", "mse", metrics=["mae"])
    return model


def _data(samples=22):
    r = np.random.RandomState(0)
    return r.rand(samples, 4), r.rand(samples, 2)


def _trained(**more):
    model = _model()
    history = model.fit(*_data(), batch_size=8, epochs=3, verbose=0, **more)
    return history.history, model.get_weights(), model.predict(_data()[0], batch_size=5)


def _expected(monkeypatch, **more):
    with monkeypatch.context() as patch:
        patch.setattr(devices, "_current", NumpyDevice())
        return _trained(**more)


@pytest.mark.parametrize("more", [{}, {"shuffle": False}, {"shuffle": "batch"}, {"validation_split": 0.3}])
def test_order_and_results_are_those_of_the_plain_path(elsewhere, monkeypatch, more):
    history, weights, predicted = _trained(**more)
    wanted, wanted_weights, wanted_predicted = _expected(monkeypatch, **more)
    assert history == wanted
    for a, b in zip(weights, wanted_weights, strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(predicted, wanted_predicted)


class Seen(Collector):
    """The sizes of the batches that were computed."""

    def __init__(self):
        super().__init__()
        self.sizes = []

    def now(self, size, outputs):
        self.sizes.append(size)


def test_the_next_batch_is_read_while_the_present_one_is_computed(elsewhere):
    """And a prediction is awaited when the next one was handed to the device."""
    model = _model()
    elsewhere.events.clear()
    model.predict(_data()[0], batch_size=8)
    kinds = [kind for kind, _ in elsewhere.events]
    ahead = ["deliver", "send", "fill"]
    assert kinds == ["fill", *ahead, "deliver", "send", "wait", "fill", "deliver", "send", "wait", "wait"]
    assert [size for kind, size in elsewhere.events if kind == "fill"] == [8, 8, 6]


def test_a_row_that_cannot_be_read_is_an_error_of_its_own_batch(elsewhere):
    class Broken:
        shape, dtype, ndim = (22, 4), np.dtype("float32"), 2
        rows = _data()[0].astype("float32")

        def __len__(self):
            return 22

        def __getitem__(self, key):
            if np.arange(22)[key].max() >= 16:
                raise OSError("the file is damaged")
            return self.rows[key]

    model = _model()
    model.predict(_data()[0])  # makes the step
    ended = []
    with pytest.raises(OSError, match="the file is damaged"):
        loop.run_epoch(
            model.predict_function, ArraySource([Broken()], 22, 8), Seen(), after=lambda n, size: ended.append(size)
        )
    assert ended == [8, 8]


@pytest.mark.parametrize("drawn", [(), (1,), (0, 1, 2)])
def test_the_progress_bar_awaits_results_when_it_is_drawn(elsewhere, monkeypatch, drawn):
    """Not after each batch, as a callback that looks at every batch does; it shows the averages so far."""
    shown = []

    class Bar(Progbar):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.live = True

        def due(self):
            return self.is_due

        def show(self, current, values):
            shown.append((current, dict(values), waits()))

        def finish(self, current=None, values=()):
            pass

    class Plan(Callback):
        def on_batch_begin(self, batch, logs=None):
            Bar.is_due = batch in drawn

    def waits():
        return [kind for kind, _ in elsewhere.events].count("wait")

    monkeypatch.setattr(callbacks, "Progbar", Bar)
    model = _model()
    model.fit(*_data(), batch_size=8, shuffle=False, callbacks=[Plan()])
    assert [(current, waited) for current, _, waited in shown] == [([8, 16, 22][i], i + 1) for i in drawn]
    assert waits() == 3
    if drawn == (0, 1, 2):
        last = {name: values[-1] for name, values in model.history.history.items()}
        assert shown[-1][1] == last and list(last) == ["loss", "mean_absolute_error"]


def test_a_callback_that_looks_at_every_batch_gets_its_results(elsewhere):
    seen = []
    looks = LambdaCallback(on_batch_end=lambda batch, logs: seen.append((logs["size"], logs["loss"])))
    model = _model()
    history = model.fit(*_data(), batch_size=8, shuffle=False, callbacks=[looks])
    assert [size for size, _ in seen] == [8, 8, 6]
    np.testing.assert_allclose(sum(n * loss for n, loss in seen) / 22, history.history["loss"][0])


def test_results_that_come_later_are_averaged_alike():
    """The loop does not wait for each, unless a callback looks at them."""
    waited = []
    averages, plain = Averages(["loss", "acc"], ["acc"]), Averages(["loss", "acc"], ["acc"])
    most = averages.most_coming
    for i in range(most + 5):
        outputs = [np.array(1 / (i + 1), "float32"), np.array(i, "float32")]
        averages.later(3, lambda outputs=outputs: waited.append(1) or outputs)
        plain.now(3, outputs)
        assert len(waited) == max(0, i + 1 - most)  # for the oldest
    assert averages.values() == plain.values()
    assert averages.samples == plain.samples
    assert averages.last == plain.last
    averages.reset()
    assert averages.values() == [] and averages.last == []


def test_data_that_the_device_keeps(elsewhere, monkeypatch):
    """From the first of several epochs on; not for one epoch alone, nor for data on disk."""
    asked = []

    def keep(arrays, dtypes):
        asked.append([(a.shape, d) for a, d in zip(arrays, dtypes, strict=True)])
        return Kept(elsewhere, [np.asarray(a, d) for a, d in zip(arrays, dtypes, strict=True)])

    monkeypatch.setattr(elsewhere, "keep", keep)
    for shuffle in (True, False, "batch"):
        found, wanted = _trained(shuffle=shuffle), _expected(monkeypatch, shuffle=shuffle)
        assert found[0] == wanted[0]
    assert len(asked) == 3  # three epochs of fit; predict is one
    assert asked[0][0] == ((22, 4), "float32")
    model = _model()
    model.fit(*_data(), epochs=1, verbose=0)
    assert len(asked) == 3
