"""fit_generator, evaluate_generator, predict_generator."""

import itertools
import threading

import numpy as np
import pytest

from kcore.callbacks import Callback
from kcore.data.sequence import Sequence as Batches
from kcore.errors import DataError, KcoreWarning
from kcore.layers import Dense, Input
from kcore.models import Model, Sequential

WAYS = pytest.mark.parametrize(
    "reading", [{"workers": 0}, {}, {"workers": 3}, {"workers": 2, "use_multiprocessing": True}]
)


class Arrays(Batches):
    """Batches of arrays, and what happened to them."""

    def __init__(self, *arrays, batch_size=6):
        self.arrays = arrays
        self.batch_size = batch_size
        self.passes = 0

    def __len__(self):
        return -(-len(self.arrays[0]) // self.batch_size)

    def __getitem__(self, index):
        rows = slice(index * self.batch_size, (index + 1) * self.batch_size)
        batch = tuple(a[rows] for a in self.arrays)
        return batch if len(batch) > 1 else batch[0]

    def on_epoch_end(self):
        self.passes += 1


def forever(arrays, batch_size=6):
    sequence = Arrays(*arrays, batch_size=batch_size)
    while True:
        for i in range(len(sequence)):
            yield sequence[i]


def fresh():
    np.random.seed(2)
    model = Sequential([Dense(3, activation="softmax", input_shape=(4,))])
    model.compile("sgd", "categorical_crossentropy", metrics=["acc"])
    return model


@WAYS
@pytest.mark.parametrize("kind", ["sequence", "generator"])
def test_the_same_as_fit(classification, reading, kind, rng):
    if kind == "generator" and reading.get("use_multiprocessing"):
        reading = {"workers": 1, "use_multiprocessing": True}  # more would give every batch twice
    weights = rng.rand(20).astype("float32")
    expected = fresh()
    history = expected.fit(
        *classification, sample_weight=weights, batch_size=6, epochs=3, shuffle=False, verbose=0,
        validation_data=classification,
    )  # fmt: skip
    data = (*classification, weights)
    model = fresh()
    if kind == "sequence":
        options = {"generator": Arrays(*data), "shuffle": False}
    else:
        options = {"generator": forever(data), "steps_per_epoch": 4}
    result = model.fit_generator(epochs=3, verbose=0, validation_data=classification, **options, **reading)
    for a, b in zip(model.get_weights(), expected.get_weights()):
        np.testing.assert_allclose(a, b, rtol=1e-6)
    assert set(result.history) == set(history.history)
    for key, values in history.history.items():
        np.testing.assert_allclose(result.history[key], values, rtol=1e-5)


@WAYS
def test_a_sequence_is_shuffled_and_used_once_an_epoch(regressor, reading):
    seen = []

    class Spy(Callback):
        def on_batch_end(self, batch, logs=None):
            seen.append(round(logs["loss"] ** 0.5))

    regressor.layers[0].set_weights([np.zeros((4, 1)), np.zeros(1)])
    regressor.compile("sgd", "mse")
    regressor.optimizer.lr.set(0.0)
    sequence = Arrays(np.zeros((20, 4)), np.arange(20.0), batch_size=1)
    np.random.seed(6)
    regressor.fit_generator(sequence, epochs=3, verbose=0, callbacks=[Spy()], **reading)
    epochs = [seen[i : i + 20] for i in (0, 20, 40)]
    assert [sorted(e) for e in epochs] == [list(range(20))] * 3
    assert epochs[0] != epochs[1] != epochs[2]
    assert sequence.passes == 3


@WAYS
def test_evaluate_and_predict(classification, reading):
    model = fresh()
    x, y = classification
    expected = model.evaluate(x, y, verbose=0)
    np.testing.assert_allclose(model.evaluate_generator(Arrays(x, y), **reading), expected, rtol=1e-5)
    for data in ((x,), (x, y), (x, y, np.ones(20))):
        np.testing.assert_allclose(model.predict_generator(Arrays(*data), **reading), model.predict(x), rtol=1e-5)
    if not reading.get("use_multiprocessing"):
        np.testing.assert_allclose(model.evaluate_generator(forever((x, y)), 4, **reading), expected, rtol=1e-5)
        assert model.predict_generator(forever((x, y)), 2, **reading).shape == (12, 3)


def test_validation_by_sequence_and_generator(classification):
    model = fresh()
    x, y = classification
    history = model.fit_generator(Arrays(x, y), epochs=2, verbose=0, validation_data=Arrays(x, y)).history
    loss, accuracy = model.evaluate(x, y, verbose=0)
    assert history["val_loss"][-1] == pytest.approx(loss)
    assert history["val_acc"][-1] == pytest.approx(accuracy)
    # a part of a sequence is the same part each epoch
    history = model.fit_generator(
        Arrays(x, y), epochs=3, verbose=0, validation_data=Arrays(x, y), validation_steps=2
    ).history
    assert history["val_loss"][-1] == pytest.approx(model.evaluate(x[:12], y[:12], verbose=0)[0])
    history = model.fit_generator(
        Arrays(x, y), epochs=3, verbose=0, validation_data=forever((x, y)), validation_steps=4
    ).history
    assert history["val_loss"][-1] == pytest.approx(model.evaluate(x, y, verbose=0)[0])
    with pytest.raises(ValueError, match="`validation_steps=None` is only valid for a generator based on"):
        model.fit_generator(Arrays(x, y), verbose=0, validation_data=forever((x, y)))


def test_class_weights(classification):
    x, y = classification
    weights = {0: 1.0, 1: 2.0, 2: 0.5}
    first, second = fresh(), fresh()
    first.fit(x, y, class_weight=weights, batch_size=6, shuffle=False, verbose=0)
    second.fit_generator(Arrays(x, y), class_weight=weights, shuffle=False, verbose=0)
    np.testing.assert_allclose(first.get_weights()[0], second.get_weights()[0], rtol=1e-6)


def test_dicts_and_lists_from_a_generator(rng):
    a, b = Input((4,), name="a"), Input((2,), name="b")
    model = Model([a, b], [Dense(1, name="p")(a), Dense(2, name="q")(b)])
    model.compile("sgd", "mse")
    x = {"a": rng.rand(6, 4), "b": rng.rand(6, 2)}
    y = {"p": rng.rand(6), "q": rng.rand(6, 2)}
    forms = [(x, y), ([x["a"], x["b"]], [y["p"], y["q"]]), (x, y, {"q": np.ones(6)})]
    history = model.fit_generator(itertools.cycle(forms), steps_per_epoch=3, verbose=0)
    assert np.isfinite(history.history["loss"][0])
    p, q = model.predict_generator(iter([x, [x["a"], x["b"]]]), 2)
    assert p.shape == (12, 1)
    assert q.shape == (12, 2)


def test_fit_itself_takes_generators(classification):
    model = fresh()
    x, y = classification
    assert len(model.fit(Arrays(x, y), epochs=2, verbose=0).epoch) == 2
    assert model.evaluate(Arrays(x, y), verbose=0) == pytest.approx(model.evaluate(x, y, verbose=0), rel=1e-5)
    assert model.predict(Arrays(x)).shape == (20, 3)


def test_progress_counts_batches(classification, capsys):
    x, y = classification
    model = fresh()
    history = model.fit_generator(Arrays(x, y), verbose=1)
    assert history.params["steps"] == 4
    assert history.params["samples"] is None
    assert capsys.readouterr().out.splitlines()[1].startswith("4/4 [====")
    model.predict_generator(Arrays(x), verbose=1)
    assert capsys.readouterr().out.startswith("4/4 [====")


# -- mistakes ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        (np.zeros((2, 4)), "should be a tuple `\\(x, y, sample_weight\\)` or `\\(x, y\\)`. Found: ndarray of shape"),
        ((np.zeros((2, 4)),), "Found: tuple of 1"),
        ((np.zeros((2, 4)), np.zeros((2, 3)), None, None), "Found: tuple of 4"),
        (None, "Found: None"),
        ((np.zeros((2, 5)), np.zeros((2, 3))), "expected dense_\\d+_input to have shape"),
        ((np.zeros((2, 4)), np.zeros((3, 3))), "Found 2 input samples and 3 target samples"),
    ],
)
@pytest.mark.parametrize("workers", [0, 1])
def test_a_wrong_batch(batch, message, workers):
    model = fresh()
    with pytest.raises(DataError, match=message):
        model.fit_generator(itertools.repeat(batch), steps_per_epoch=2, verbose=0, workers=workers)
    with pytest.raises(DataError, match=message):
        model.evaluate_generator(itertools.repeat(batch), 2, workers=workers)


def test_a_generator_that_ends_early(classification):
    model = fresh()
    with pytest.raises(DataError, match="ended after 3 batches, but an epoch takes 5"):
        model.fit_generator(itertools.islice(forever(classification), 3), steps_per_epoch=5, verbose=0)
    with pytest.raises(DataError, match="ended after 3 batches"):
        model.predict_generator(itertools.islice(forever(classification), 3), 5)


def test_steps_are_needed_for_generators(classification):
    model = fresh()
    with pytest.raises(ValueError, match="`steps_per_epoch=None` is only valid for a generator based on"):
        model.fit_generator(forever(classification))
    with pytest.raises(ValueError, match="`steps=None` is only valid"):
        model.evaluate_generator(forever(classification))


def test_several_processes_with_a_generator_warn(classification):
    with pytest.warns(KcoreWarning, match="may duplicate your data"):
        fresh().fit_generator(
            forever(classification), steps_per_epoch=2, workers=2, use_multiprocessing=True, verbose=0
        )


def test_nan_from_a_generator(classification):
    x, y = classification
    bad = x.copy()
    bad[0, 0] = np.nan
    model = fresh()
    history = model.fit_generator(itertools.cycle([(x, y), (bad, y)]), steps_per_epoch=2, verbose=0)
    assert np.isnan(history.history["loss"][0])


# -- faults -----------------------------------------------------------------------------------------------


def no_workers():
    return not [t for t in threading.enumerate() if t.name.startswith("kcore-data")]


class Fails(Callback):
    def __init__(self, hook, error):
        super().__init__()
        setattr(self, hook, lambda *args: self._raise(error))

    @staticmethod
    def _raise(error):
        raise error


@pytest.mark.parametrize("processes", [False, True])
@pytest.mark.parametrize("error", [RuntimeError("mine"), KeyboardInterrupt()])
@pytest.mark.parametrize("hook", ["on_epoch_begin", "on_batch_begin", "on_batch_end", "on_epoch_end"])
def test_nothing_runs_on_after_an_error_or_an_interrupt(classification, hook, error, processes):
    import multiprocessing

    x, y = classification
    model = fresh()
    with pytest.raises(type(error)):
        model.fit_generator(
            Arrays(x, y), epochs=3, verbose=0, workers=2, use_multiprocessing=processes,
            validation_data=Arrays(x, y), callbacks=[Fails(hook, error)],
        )  # fmt: skip
    assert no_workers()
    assert multiprocessing.active_children() == []
    assert len(model.fit_generator(Arrays(x, y), verbose=0).epoch) == 1
    assert np.isfinite(model.predict(x)).all()


def test_nothing_runs_on_after_stop_training(classification):
    class Stop(Callback):
        def on_batch_end(self, batch, logs=None):
            self.model.stop_training = True

    x, y = classification
    model = fresh()
    history = model.fit_generator(Arrays(x, y), epochs=5, verbose=0, workers=3, callbacks=[Stop()])
    assert len(history.epoch) == 1
    assert no_workers()


def test_an_error_in_the_generator_leaves_the_model_usable(classification):
    x, y = classification

    def generator():
        yield x, y
        raise OSError("disk gone")

    model = fresh()
    with pytest.raises(OSError, match="disk gone") as error:
        model.fit_generator(generator(), steps_per_epoch=3, verbose=0)
    assert any(entry.name == "generator" for entry in error.traceback)
    assert no_workers()
    assert np.isfinite(model.evaluate(x, y, verbose=0)).all()


def test_a_part_of_a_step_is_a_step(classification):
    """The manual's examples write `steps_per_epoch=len(x_train) / 32`."""
    seen = []

    def batches():
        while True:
            seen.append(len(seen))
            yield classification

    model = fresh()
    model.fit_generator(batches(), steps_per_epoch=5 / 2, verbose=0, workers=0)
    assert len(seen) == 3
