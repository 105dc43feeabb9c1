"""Flows under `fit_generator`, read by threads and processes: every image once an epoch, the same batches."""

from __future__ import annotations

import multiprocessing

import numpy as np
import pytest

from kcore import backend as K
from kcore.engine import Layer
from kcore.layers import Dense, Flatten
from kcore.models import Sequential
from kcore.preprocessing.image import ImageDataGenerator

COUNT, EPOCHS = 37, 3  # the last batch of an epoch is smaller
METHODS = [m for m in ("fork", "spawn") if m in multiprocessing.get_all_start_methods()]
Y = np.arange(COUNT, dtype="float32")[:, None]
X = np.random.RandomState(0).uniform(0, 255, (COUNT, 4, 4, 3)).astype("float32")


class Recorder(Layer):
    """Passes its input on; the sum of all inputs seen in training is a weight."""

    def build(self, input_shape):
        self.seen = self.add_weight(name="seen", shape=(COUNT,), initializer="zeros", trainable=False)
        super().build(input_shape)

    def call(self, x):
        # The first pixel has the image's number.
        numbers = K.cast(x[:, 0, 0, 0], "int32")
        self.add_update(K.update_add(self.seen, K.sum(K.one_hot(numbers, COUNT), axis=0)), x)
        return x


def train(start_method=None, workers=1, shuffle=True, **augment):
    """How often each image was trained with, and the weights, after `EPOCHS` epochs."""
    x = X.copy()
    x[:, 0, 0, 0] = np.arange(COUNT)
    np.random.seed(3)
    model = Sequential([Recorder(input_shape=(4, 4, 3)), Flatten(), Dense(1)])
    model.compile("sgd", "mse")
    before = multiprocessing.get_start_method(allow_none=True)
    if start_method:
        multiprocessing.set_start_method(start_method, force=True)
    try:
        flow = ImageDataGenerator(**augment).flow(x, Y, batch_size=5, seed=7)
        model.fit_generator(
            flow,
            epochs=EPOCHS,
            workers=workers,
            use_multiprocessing=start_method is not None,
            shuffle=shuffle,
            verbose=0,
        )
    finally:
        multiprocessing.set_start_method(before, force=True)
    return K.get_value(model.layers[0].seen), model.get_weights()


@pytest.mark.parametrize("workers", [0, 1, 4])
def test_threads(workers):
    assert train(workers=workers)[0].tolist() == [EPOCHS] * COUNT


@pytest.mark.parametrize("start_method", METHODS)
def test_processes(start_method):
    assert train(start_method, 2)[0].tolist() == [EPOCHS] * COUNT


def test_threads_and_processes_train_the_same_model():
    moves = {"rotation_range": 30, "zoom_range": 0.2, "rescale": 1 / 2550, "shuffle": False}
    _, expected = train(workers=0, **moves)
    for start_method, workers in ((None, 4), (METHODS[0], 4)):
        _, weights = train(start_method, workers, **moves)
        for a, b in zip(weights, expected):
            np.testing.assert_array_equal(a, b)
