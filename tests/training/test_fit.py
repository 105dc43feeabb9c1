"""fit, evaluate, predict and the *_on_batch methods."""

import threading

import numpy as np
import pytest

from kcore import backend as K
from kcore.callbacks import Callback
from kcore.engine.layer import Layer
from kcore.errors import ArgumentError, DataError, KcoreWarning
from kcore.layers import Dense, Dropout, Input
from kcore.models import Model, Sequential


class Recorder(Callback):
    def __init__(self):
        super().__init__()
        self.events = []

    def on_train_begin(self, logs=None):
        self.events.append("train begin")

    def on_train_end(self, logs=None):
        self.events.append("train end")

    def on_epoch_begin(self, epoch, logs=None):
        self.events.append(("epoch begin", epoch))

    def on_epoch_end(self, epoch, logs=None):
        self.events.append(("epoch end", epoch, dict(logs)))

    def on_batch_begin(self, batch, logs=None):
        self.events.append(("batch begin", batch, dict(logs)))

    def on_batch_end(self, batch, logs=None):
        self.events.append(("batch end", batch, dict(logs)))


def test_the_logs_of_a_training(classifier, classification):
    recorder = Recorder()
    history = classifier.fit(*classification, batch_size=8, epochs=2, verbose=0, callbacks=[recorder])
    kinds = [e if isinstance(e, str) else e[0] for e in recorder.events]
    epoch = ["epoch begin", *["batch begin", "batch end"] * 3, "epoch end"]
    assert kinds == ["train begin", *epoch, *epoch, "train end"]
    begins = [e for e in recorder.events if e[0] == "batch begin"][:3]
    assert begins == [("batch begin", i, {"batch": i, "size": s}) for i, s in enumerate((8, 8, 4))]
    ends = [e[2] for e in recorder.events if e[0] == "batch end"][:3]
    assert [list(logs) for logs in ends] == [["batch", "size", "loss", "acc"]] * 3
    averages = np.average([[logs["loss"], logs["acc"]] for logs in ends], axis=0, weights=[8, 8, 4])
    logs = next(e[2] for e in recorder.events if e[0] == "epoch end")
    np.testing.assert_allclose([logs["loss"], logs["acc"]], averages, rtol=1e-6)
    assert history.history["loss"][0] == logs["loss"]
    assert classifier.history is history
    assert history.epoch == [0, 1]
    assert history.params == {
        "batch_size": 8, "epochs": 2, "steps": None, "samples": 20, "verbose": 0, "do_validation": False,
        "metrics": ["loss", "acc"],
    }  # fmt: skip


def test_each_sample_once_an_epoch_and_in_new_order():
    seen = []

    class Spy(Callback):
        def on_batch_end(self, batch, logs=None):
            seen.append(logs["sum"])

    def total(y_true, y_pred):
        return K.sum(y_true)

    total.__name__ = "sum"
    model = Sequential([Dense(1, input_shape=(1,))])
    model.compile("sgd", "mse", metrics=[total])
    y = 2.0 ** np.arange(20)
    np.random.seed(3)
    model.fit(np.zeros(20), y, batch_size=1, epochs=2, verbose=0, callbacks=[Spy()])
    first, second = np.log2(seen[:20]), np.log2(seen[20:])
    for epoch in (first, second):
        np.testing.assert_array_equal(np.sort(epoch), np.arange(20))
    assert (first != second).any()
    seen.clear()
    np.random.seed(3)
    model.fit(np.zeros(20), y, batch_size=1, epochs=2, verbose=0, callbacks=[Spy()])
    np.testing.assert_array_equal(np.log2(seen[:20]), first)
    seen.clear()
    model.fit(np.zeros(20), y, batch_size=4, epochs=1, verbose=0, shuffle="batch", callbacks=[Spy()])
    whole = [(2.0 ** np.arange(i, i + 4)).sum() for i in range(0, 20, 4)]
    assert sorted(seen) == whole


def test_two_runs_with_one_seed_are_equal_to_the_bit(classification):
    def run():
        np.random.seed(11)
        layers = [Dense(8, activation="relu", input_shape=(4,)), Dropout(0.5), Dense(3, activation="softmax")]
        model = Sequential(layers)
        model.compile("adam", "categorical_crossentropy")
        history = model.fit(*classification, batch_size=6, epochs=3, verbose=0)
        return history.history["loss"], model.predict(classification[0])

    (losses, predicted), (losses_2, predicted_2) = run(), run()
    assert losses == losses_2
    np.testing.assert_array_equal(predicted, predicted_2)


def test_training_learns(rng):
    x = rng.rand(200, 4).astype("float32")
    y = (x[:, 0] > x[:, 1]).astype("float32")
    model = Sequential([Dense(8, activation="relu", input_shape=(4,)), Dense(1, activation="sigmoid")])
    model.compile("adam", "binary_crossentropy", metrics=["acc"])
    model.fit(x, y, epochs=60, batch_size=10, verbose=0)
    assert model.evaluate(x, y, verbose=0)[1] > 0.95


# -- validation -------------------------------------------------------------------------------------------


def test_validation_data(classifier, classification, rng):
    x, y = classification
    weights = rng.rand(5)
    for data in ((x[:5], y[:5]), [x[:5], y[:5]], (x[:5], y[:5], weights)):
        history = classifier.fit(x, y, verbose=0, validation_data=data).history
        sample_weight = data[2] if len(data) == 3 else None
        loss, accuracy = classifier.evaluate(x[:5], y[:5], verbose=0, sample_weight=sample_weight)
        assert history["val_loss"] == [pytest.approx(loss)]
        assert history["val_acc"] == [pytest.approx(accuracy)]
    with pytest.raises(DataError, match=r"must contain 2 .* or 3"):
        classifier.fit(x, y, validation_data=(x,), verbose=0)


def test_validation_split_takes_the_last_samples(classifier, classification):
    x, y = classification
    recorder = Recorder()
    history = classifier.fit(x, y, verbose=0, validation_split=0.3, callbacks=[recorder])
    assert history.params["samples"] == 14
    assert history.params["do_validation"]
    assert history.params["metrics"] == ["loss", "acc", "val_loss", "val_acc"]
    assert history.history["val_loss"] == [pytest.approx(classifier.evaluate(x[14:], y[14:], verbose=0)[0])]
    x_val, y_val, weights = recorder.validation_data[:3]
    np.testing.assert_array_equal(x_val, x[14:])
    np.testing.assert_array_equal(y_val, y[14:])
    np.testing.assert_array_equal(weights, np.ones(6))
    for fraction in (1.5, -0.1, 0.999):
        with pytest.raises(ArgumentError, match="validation_split"):
            classifier.fit(x, y, validation_split=fraction, verbose=0)


def test_validation_does_not_train(classification):
    x, y = classification
    runs = []
    for validation in (None, (x, y)):
        np.random.seed(0)
        model = Sequential([Dense(3, activation="softmax", input_shape=(4,))])
        model.compile("sgd", "mse")
        model.fit(x, y, epochs=3, verbose=0, validation_data=validation)
        runs.append(model.get_weights()[0])
    np.testing.assert_array_equal(*runs)


def test_dropout_in_training_only(rng):
    x = Input((50,))
    model = Model(x, Dropout(0.5)(x))
    model.compile("sgd", lambda y_true, y_pred: K.mean(K.cast(K.equal(y_pred, 0), "float32"), axis=-1))
    data = np.ones((40, 50))
    assert 0.4 < model.train_on_batch(data, data) < 0.6
    assert 0.4 < model.fit(data, data, verbose=0).history["loss"][0] < 0.6
    assert model.test_on_batch(data, data) == 0
    assert model.evaluate(data, data, verbose=0) == 0
    np.testing.assert_array_equal(model.predict(data), data)
    np.testing.assert_array_equal(model.predict_on_batch(data), data)


def test_a_fixed_learning_phase(rng):
    x = Input((50,))
    data = np.ones((40, 50))
    try:
        K.set_learning_phase(1)
        assert (Model(x, Dropout(0.5)(x)).predict(data) == 0).any()
        K.set_learning_phase(0)
        model = Model(x, Dropout(0.5)(x))
        model.compile("sgd", "mse")
        assert model.train_on_batch(data, data) == 0
    finally:
        K.clear_session()


# -- batches ----------------------------------------------------------------------------------------------


def test_predict_is_the_same_in_any_batches(rng):
    x = Input((4,))
    model = Model(x, [Dense(3, name="a")(x), Dense(2, name="b")(x)])
    data = rng.rand(10, 4)
    whole = model.predict_on_batch(data)
    for batch_size in (1, 3, 10, 64):
        for have, want in zip(model.predict(data, batch_size=batch_size), whole):
            np.testing.assert_allclose(have, want, rtol=1e-5)
    with pytest.raises(ArgumentError, match="`batch_size` must be an int, 1 or more"):
        model.predict(data, batch_size=0)


def test_results_belong_to_the_caller(regressor, rng):
    x = rng.rand(8, 4)
    first = regressor.predict(x)
    kept = first.copy()
    single = regressor.predict_on_batch(x)
    regressor.predict(x + 1)
    regressor.predict_on_batch(x + 1)
    np.testing.assert_array_equal(first, kept)
    np.testing.assert_array_equal(single, kept)


def test_the_identity_model_returns_copies():
    x = Input((3,))
    model = Model(x, x)
    data = np.ones((2, 3), "float32")
    result = model.predict(data)
    result[:] = 5
    single = model.predict_on_batch(data)
    single[:] = 5
    np.testing.assert_array_equal(data, 1)


def test_train_on_batch_is_a_step_of_fit(classification):
    x, y = classification
    models = []
    for _ in range(2):
        np.random.seed(1)
        model = Sequential([Dense(3, activation="softmax", input_shape=(4,))])
        model.compile("rmsprop", "categorical_crossentropy", metrics=["acc"])
        models.append(model)
    first, second = models
    first.fit(x, y, batch_size=20, shuffle=False, epochs=2, verbose=0, class_weight={0: 1, 1: 2, 2: 3})
    for _ in range(2):
        loss, accuracy = second.train_on_batch(x, y, class_weight={0: 1, 1: 2, 2: 3})
    assert isinstance(loss, float)
    assert 0 <= accuracy <= 1
    for a, b in zip(first.get_weights(), second.get_weights()):
        np.testing.assert_allclose(a, b, rtol=1e-6)


def test_sequential_takes_class_weight_third(classifier, classification):
    x, y = classification
    weighted = classifier.test_on_batch(x, y, np.full(20, 2.0))[0]
    assert weighted == pytest.approx(2 * classifier.test_on_batch(x, y)[0])
    assert classifier.train_on_batch(x, y, {0: 2, 1: 2, 2: 2})[0] == pytest.approx(weighted)


def test_predict_classes_and_probabilities(classifier, regressor, classification):
    x = classification[0]
    p = classifier.predict_proba(x)
    np.testing.assert_array_equal(classifier.predict_classes(x), p.argmax(1))
    assert regressor.predict_classes(x).shape == (20, 1)


def test_adding_a_layer_changes_predictions(rng):
    model = Sequential([Dense(3, input_shape=(4,))])
    x = rng.rand(2, 4)
    assert model.predict(x).shape == (2, 3)
    model.add(Dense(5))
    assert model.predict(x).shape == (2, 5)
    model.pop()
    assert model.predict(x).shape == (2, 3)


# -- epochs -----------------------------------------------------------------------------------------------


def test_initial_epoch(classifier, classification, capsys):
    history = classifier.fit(*classification, initial_epoch=3, epochs=5, verbose=2)
    assert history.epoch == [3, 4]
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.startswith("Epoch")] == ["Epoch 4/5", "Epoch 5/5"]


def test_old_and_unknown_arguments(classifier, classification):
    with pytest.warns(KcoreWarning, match=r"Keras 2 API: `fit\(..., epochs=2, verbose=0\)`"):
        history = classifier.fit(*classification, nb_epoch=2, verbose=0)
    assert len(history.epoch) == 2
    with pytest.raises(TypeError, match="not understood: 'speed', given to fit"):
        classifier.fit(*classification, speed=11)


class StopAt(Callback):
    def __init__(self, hook, number):
        super().__init__()
        self.calls = 0
        self.ended = False
        setattr(self, hook, lambda n, logs=None: self._stop(n == number))

    def _stop(self, now):
        self.calls += 1
        self.model.stop_training |= now

    def on_train_end(self, logs=None):
        self.ended = True


def test_stop_training(classifier, classification):
    x, y = classification
    stop = StopAt("on_epoch_end", 1)
    history = classifier.fit(x, y, epochs=9, verbose=0, callbacks=[stop])
    assert history.epoch == [0, 1]
    assert stop.ended
    stop = StopAt("on_batch_end", 2)
    history = classifier.fit(x, y, batch_size=4, epochs=9, verbose=0, callbacks=[stop], validation_data=(x, y))
    assert stop.calls == 3
    assert history.epoch == [0]
    assert "val_loss" not in history.history  # as in Keras: an epoch that was cut short is not validated
    assert len(classifier.fit(x, y, verbose=0, epochs=2).epoch) == 2


# -- states -----------------------------------------------------------------------------------------------


class Counting(Layer):
    """A stateful layer that adds the number of batches seen before."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.stateful = True

    def build(self, input_shape):
        self.count = self.add_weight("count", (), initializer="zeros", trainable=False)
        super().build(input_shape)

    def call(self, inputs):
        self.add_update(K.update_add(self.count, 1.0))
        return inputs + self.count

    def reset_states(self):
        K.set_value(self.count, 0.0)


def test_stateful_models_keep_their_state():
    model = Sequential([Counting(batch_input_shape=(2, 3))])
    zeros = np.zeros((6, 3))
    np.testing.assert_array_equal(model.predict(zeros, batch_size=2)[:, 0], [0, 0, 1, 1, 2, 2])
    np.testing.assert_array_equal(model.predict_on_batch(zeros[:2])[:, 0], [3, 3])
    model.reset_states()
    model.compile("sgd", "mae")
    assert model.evaluate(zeros, zeros, batch_size=2, verbose=0) == 1
    with pytest.raises(DataError, match=r"can be divided by the batch size. Found: 5 samples. Batch size: 2"):
        model.predict(zeros[:5], batch_size=2)
    with pytest.raises(DataError, match="can be divided"):
        model.fit(zeros[:5], zeros[:5], batch_size=2, verbose=0)


# -- printing ---------------------------------------------------------------------------------------------


def test_what_is_printed_to_a_file(classifier, classification, capsys):
    x, y = classification
    classifier.fit(x, y, epochs=2, validation_split=0.5)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Train on 10 samples, validate on 10 samples"
    assert lines[1] == "Epoch 1/2"
    assert lines[2].startswith("10/10 [==============================] - 0s ")
    assert [part.split(":")[0] for part in lines[2].split(" - ")[2:]] == ["loss", "acc", "val_loss", "val_acc"]
    assert len(lines) == 5
    classifier.evaluate(x, y)
    classifier.predict(x, verbose=1)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert all(line.startswith("20/20 [====") for line in lines)
    classifier.fit(x, y, verbose=0)
    classifier.evaluate(x, y, verbose=0)
    classifier.predict(x)
    assert capsys.readouterr().out == ""


# -- threads ----------------------------------------------------------------------------------------------


def test_twenty_threads_predict_what_one_predicts(rng):
    model = Sequential([Dense(16, activation="relu", input_shape=(4,)), Dense(3)])
    data = [rng.rand(n, 4).astype("float32") for n in range(1, 21)]
    expected = [model.predict(x, batch_size=7) for x in data]
    fresh = Sequential([Dense(16, activation="relu", input_shape=(4,)), Dense(3)])
    fresh.set_weights(model.get_weights())
    wrong = []
    barrier = threading.Barrier(20)

    def work(i):
        barrier.wait()
        for _ in range(20):
            for predict in (lambda: fresh.predict(data[i], batch_size=7), lambda: fresh.predict_on_batch(data[i])):
                if not np.allclose(predict(), expected[i], rtol=1e-5, atol=1e-6):
                    wrong.append(i)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
