"""Batches of generators on every kind of device: drawn as often as asked for, and sent ahead; results as of arrays."""

from __future__ import annotations

import itertools
import threading
import weakref

import numpy as np
import pytest

from kcore import backend as K
from kcore.callbacks import Callback, LambdaCallback
from kcore.data.enqueuer import SequenceEnqueuer
from kcore.data.sequence import Sequence as Batches
from kcore.engine import loop
from kcore.engine.collect import Predictions
from kcore.engine.session import Batch
from kcore.errors import DataError
from kcore.layers import Dense, Input, Lambda
from kcore.models import Model, Sequential
from kcore.runtime import devices

READINGS = pytest.mark.parametrize("workers", [0, 1, 3])


@pytest.fixture(params=["numpy", "elsewhere", "emulated"])
def device(request, monkeypatch):
    """The CPU; a device with memory of its own; the GPU's on the host, whose copies are as late as CUDA allows."""
    if request.param == "elsewhere":
        return request.getfixturevalue("elsewhere")
    if request.param == "emulated":
        cupy = pytest.importorskip("kcore_backends_cupy")
        if pytest.importorskip("kcore_backends_cupy.emulation.compiler").compiler() is None:
            pytest.skip("there is no g++")
        monkeypatch.setenv("KCORE_CUPY_EMULATE", "1")
        made = cupy.CupyDevice()
    else:
        made = devices.NumpyDevice()
    monkeypatch.setattr(devices, "_current", made)
    return made


@pytest.fixture
def all_ready(monkeypatch):
    """Workers are never late: whoever asks whether a batch is there waits until it is."""
    ready = SequenceEnqueuer.ready

    def wait(self):
        if self._pending:
            self._pending[0].exception()
        return ready(self)

    monkeypatch.setattr(SequenceEnqueuer, "ready", wait)


class Parts(Batches):
    def __init__(self, *arrays, size=6):
        self.arrays, self.size = arrays, size

    def __len__(self):
        return -(-len(self.arrays[0]) // self.size)

    def __getitem__(self, index):
        rows = slice(index * self.size, (index + 1) * self.size)
        return tuple(a[rows] for a in self.arrays)

    def all(self):
        return [self[i] for i in range(len(self))]  # iterating over a Sequence has no end


def fresh():
    np.random.seed(2)
    model = Sequential([Dense(5, activation="tanh", input_shape=(4,)), Dense(3, activation="softmax")])
    model.compile("adam", "categorical_crossentropy", metrics=["acc"])
    return model


def counted(batches, drawn):
    """Gives batches over and over, and notes each in `drawn`."""
    for batch in itertools.cycle(batches.all()):
        drawn.append(len(drawn))
        yield batch


def same(model, other):
    for a, b in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


@READINGS
@pytest.mark.parametrize("kind", ["sequence", "generator"])
def test_training_is_that_of_arrays(device, all_ready, classification, workers, kind, rng):
    weights = rng.rand(20).astype("float32")
    data = Parts(*classification, weights)
    model, expected = fresh(), fresh()
    options = {"epochs": 3, "verbose": 0, "validation_data": classification}
    history = expected.fit(*classification, 6, sample_weight=weights, shuffle=False, **options)
    if kind == "sequence":
        found = model.fit_generator(data, shuffle=False, workers=workers, **options)
    else:
        found = model.fit_generator(counted(data, []), 4, workers=workers, **options)
    same(model, expected)
    for key, values in history.history.items():
        np.testing.assert_allclose(found.history[key], values, rtol=1e-5)
    x, y = classification
    np.testing.assert_allclose(
        model.evaluate_generator(Parts(x, y), workers=workers), expected.evaluate(x, y, 6, verbose=0), rtol=1e-5
    )
    np.testing.assert_allclose(model.predict_generator(Parts(x), workers=workers), expected.predict(x), rtol=1e-5)


@READINGS
def test_no_batch_is_drawn_that_is_not_asked_for(device, all_ready, classification, workers):
    drawn, held_out, seen = [], [], []
    model = fresh()
    model.fit_generator(
        counted(Parts(*classification), drawn), 3, epochs=3, verbose=0, workers=workers,
        validation_data=counted(Parts(*classification), held_out), validation_steps=2,
        callbacks=[LambdaCallback(on_batch_end=lambda batch, logs: seen.append(len(drawn)))],
    )  # fmt: skip
    assert len(drawn) == 9 and len(held_out) == 6
    if not workers:
        assert seen == list(range(1, 10))  # in the program's own thread: none before its turn
    drawn.clear()
    model.evaluate_generator(counted(Parts(*classification), drawn), 3, workers=workers)
    assert len(drawn) == 3
    drawn.clear()
    model.predict_generator(counted(Parts(*classification), drawn), 2, workers=workers)
    assert len(drawn) == 2


@READINGS
def test_a_finite_generator(device, all_ready, classification, workers):
    """As many batches as are asked for are enough; with one too few, all of them were trained on."""
    batches = Parts(*classification).all()
    ended = []
    model, expected = fresh(), fresh()
    model.fit_generator(iter(batches * 2), 4, epochs=2, verbose=0, workers=workers)
    with pytest.raises(DataError, match="ended after 3 batches, but an epoch takes 4"):
        model.fit_generator(
            iter(batches[:3]), 4, verbose=0, workers=workers,
            callbacks=[LambdaCallback(on_batch_end=lambda batch, logs: ended.append(batch))],
        )  # fmt: skip
    for batch in batches * 2 + batches[:3]:
        expected.train_on_batch(*batch)
    assert ended == [0, 1, 2]
    same(model, expected)


@READINGS
@pytest.mark.parametrize("at", [0, 1, 3])
@pytest.mark.parametrize("wrong", [OSError("disk gone"), np.zeros((6, 5))])
def test_an_error_comes_up_at_its_own_batch(device, all_ready, classification, workers, at, wrong):
    """Raised by the generator, or by a batch that does not fit the model."""
    batches = Parts(*classification).all()

    def generator():
        yield from batches[:at]
        if isinstance(wrong, Exception):
            raise wrong
        yield wrong, batches[0][1]

    ended = []
    model, expected = fresh(), fresh()
    with pytest.raises((OSError, DataError), match=r"disk gone|expected dense_\d+_input to have shape"):
        model.fit_generator(
            generator(), 4, verbose=0, workers=workers,
            callbacks=[LambdaCallback(on_batch_end=lambda batch, logs: ended.append(batch))],
        )  # fmt: skip
    for batch in batches[:at]:
        expected.train_on_batch(*batch)
    assert ended == list(range(at))
    same(model, expected)
    model.fit_generator(iter(batches), 4, verbose=0)
    for batch in batches:
        expected.train_on_batch(*batch)
    same(model, expected)


@READINGS
def test_training_that_stops_within_an_epoch(device, all_ready, classification, workers):
    """The batch that was sent ahead is forgotten."""

    class Stop(Callback):
        def on_batch_end(self, batch, logs=None):
            self.model.stop_training = batch == 1

    model, expected = fresh(), fresh()
    batches = Parts(*classification).all()
    for _ in range(2):
        model.fit_generator(Parts(*classification), 4, workers=workers, verbose=0, shuffle=False, callbacks=[Stop()])
        for batch in batches[:2]:
            expected.train_on_batch(*batch)
    same(model, expected)


@READINGS
def test_lengths_that_change_from_batch_to_batch(device, all_ready, workers):
    def made():
        np.random.seed(3)
        x = Input((None, 3))
        model = Model(x, Lambda(lambda t: K.mean(t, axis=1))(Dense(2, activation="tanh")(x)))
        model.compile("sgd", "mse")
        return model

    r = np.random.RandomState(4)
    batches = [(r.rand(5, steps, 3), r.rand(5, 2)) for steps in (4, 7, 7, 2, 4, 9, 2)]
    model, expected = made(), made()
    history = model.fit_generator(iter(batches), 7, verbose=0, workers=workers)
    losses = [expected.train_on_batch(*batch) for batch in batches]
    np.testing.assert_allclose(history.history["loss"], np.mean(losses), rtol=1e-5)
    same(model, expected)
    found = model.predict_generator(iter([x for x, _ in batches]), 7, workers=workers)
    np.testing.assert_allclose(found, np.concatenate([model.predict_on_batch(x) for x, _ in batches]), rtol=1e-5)


@READINGS
def test_some_batches_with_weights_and_some_without(device, all_ready, classification, workers, rng):
    batches = Parts(*classification, rng.rand(20)).all()
    batches[1:3] = [batch[:2] for batch in batches[1:3]]
    model, expected = fresh(), fresh()
    model.fit_generator(iter(batches * 2), 4, epochs=2, verbose=0, workers=workers)
    for x, y, *weights in batches * 2:
        expected.train_on_batch(x, y, sample_weight=weights[0] if weights else None)
    same(model, expected)


def test_a_callback_that_trains_and_predicts_beside(device, all_ready, classification):
    """While the next batch is on its way to the inputs of the same plan."""

    class Beside(Callback):
        def on_batch_end(self, batch, logs=None):
            self.model.train_on_batch(x[:6], y[:6])
            predicted.append(self.model.predict_on_batch(x[:6]))

    x, y = classification
    model, expected = fresh(), fresh()
    predicted, wanted = [], []
    model.fit_generator(Parts(x, y), 4, verbose=0, shuffle=False, callbacks=[Beside()])
    for batch in Parts(x, y).all():
        expected.train_on_batch(*batch)
        expected.train_on_batch(x[:6], y[:6])
        wanted.append(expected.predict_on_batch(x[:6]))
    same(model, expected)
    np.testing.assert_allclose(predicted, wanted, rtol=1e-5)


def test_a_generator_that_is_late_holds_no_callback_up(device, classification):
    """Only a batch that is there is sent ahead."""
    ended = threading.Event()

    def generator():
        x, y = classification
        yield x, y
        assert ended.wait(20), "the end of the first batch waits for the second"
        yield x, y

    model = fresh()
    model.fit_generator(
        generator(), 2, verbose=0, callbacks=[LambdaCallback(on_batch_end=lambda batch, logs: ended.set())]
    )


def test_arrays_go_while_the_next_ones_are_awaited(device, classification):
    alive = []

    def generator():
        x, y = classification
        while True:
            assert [ref for ref in alive if ref() is not None] == []
            array = x.copy()
            alive.append(weakref.ref(array))
            pair = (array, y)
            del array
            yield pair
            del pair

    fresh().fit_generator(generator(), 4, epochs=2, verbose=0, workers=0)
    assert len(alive) == 8


class Scripted:
    """A source whose batches are there before their turn, or not."""

    samples = None

    def __init__(self, ready):
        self.steps = len(ready)
        self._ready = ready
        self._given = 0

    def epoch(self, step, another=False):
        def read(value, targets):
            targets[0][...] = value

        for i in range(self.steps):
            self._given += 1
            yield Batch(2, ((2, 4),), lambda targets, i=i: read(i, targets))

    def ready(self):
        return self._ready[self._given]

    def close(self):
        pass


def test_what_is_there_is_sent_ahead(elsewhere):
    """Before the results of the present batch are looked at; never beyond the epoch's end."""
    np.random.seed(1)
    model = Sequential([Dense(2, input_shape=(4,))])
    step = model.predict_function
    predictions = Predictions(None)
    loop.run_epoch(
        step, Scripted([True, False, True, True]), predictions, after=lambda *_: elsewhere.events.append(("after", 2))
    )
    expected = [model.predict_on_batch(np.full((2, 4), i)) for i in range(4)]
    np.testing.assert_allclose(predictions.arrays()[0], np.concatenate(expected), rtol=1e-6)
    order = [kind for kind, _ in elsewhere.events[: elsewhere.events.index(("wait", 2)) + 1]]
    assert order == ["fill", "deliver", "send", "after", "fill", "deliver", "send", "wait"]
    kinds = [kind for kind, _ in elsewhere.events if kind in ("fill", "deliver", "after")]
    assert kinds[:12] == [
        "fill", "deliver", "after",  # the second batch is not there
        "fill", "deliver", "fill", "after",
        "deliver", "fill", "after",
        "deliver", "after",
    ]  # fmt: skip
