"""Axes of length 0, batches of no samples, layers of no units: a sensible result, or an error of kcore's own."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from kcore import backend as K
from kcore import layers as L
from kcore.errors import ArgumentError, DataError, KcoreError, ShapeError
from kcore.models import Model, Sequential
from kcore.utils import Sequence


def run(layer, shape, dynamic, train):
    """The outputs of a layer for two samples of a shape, or the loss of a step with it."""
    x = L.Input(dynamic)
    model = Model(x, layer(x))
    data = np.zeros((2, *shape))
    outputs = model.predict(data)
    if not train:
        return outputs
    model.compile("sgd", "mse")
    return model.train_on_batch(data, np.zeros(outputs.shape))


STEPS, ROWS = ((0, 3), (None, 3)), ((0, 5, 3), (None, None, 3))
REFUSED = [
    (lambda: L.LSTM(4), *STEPS, "lstm_sequence needs at least one time step, and x float32(2, 0, 3)"),
    (lambda: L.LSTM(4, return_sequences=True), *STEPS, "at least one time step"),
    (lambda: L.GRU(4), *STEPS, "gru_sequence needs at least one time step"),
    (lambda: L.SimpleRNN(4), *STEPS, "rnn_sequence needs at least one time step"),
    (lambda: L.Bidirectional(L.LSTM(4)), *STEPS, "at least one time step"),
    (lambda: L.RNN(L.LSTMCell(4)), *STEPS, "index -1 is out of range for axis 0 of float32(0, 2, 4), which is empty"),
    (lambda: L.ConvLSTM2D(4, 3), (0, 5, 5, 3), (None, 5, 5, 3), "axis 1 of float32(2, 0, 5, 5, 3), which is empty"),
    (lambda: L.LSTM(4), (0, 3), (0, 3), "needs at least one time step; its input of shape (None, 0, 3) has none"),
    (lambda: L.LSTM(4), (5, 0), (5, 0), "needs at least one feature"),
    (lambda: L.Conv1D(4, 3), *STEPS, "the input has no elements"),
    (lambda: L.Conv1D(4, 3, padding="causal"), *STEPS, "the input has no elements"),
    (lambda: L.Conv2D(4, 3, padding="same"), *ROWS, "the input has no elements"),
    (lambda: L.Conv2D(4, 3, padding="same"), (5, 5, 0), (5, 5, 0), "conv needs at least one channel"),
    (lambda: L.DepthwiseConv2D(3, padding="same"), *ROWS, "the input has no elements"),
    (lambda: L.Conv2DTranspose(4, 3, strides=2, padding="same"), *ROWS, "the input has no elements"),
    (lambda: L.MaxPooling2D(padding="same"), *ROWS, "the input has no elements"),
    (lambda: L.AveragePooling1D(), *STEPS, "the input has no elements"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "shape", "dynamic", "text"), REFUSED)
def test_layers_that_need_something(make, shape, dynamic, text):
    with pytest.raises(ShapeError) as raised:
        run(make(), shape, dynamic, train=False)
    assert text in str(raised.value)
    assert __file__ in raised.value.line


GIVEN = [
    (lambda: L.Flatten(), (0, 3), (0, 3), (2, 0)),
    (lambda: L.TimeDistributed(L.Dense(4)), *STEPS, (2, 0, 4)),
    (lambda: L.Dense(4), (0,), (0,), (2, 4)),
    (lambda: L.Permute((2, 1)), *STEPS, (2, 3, 0)),
    (lambda: L.UpSampling2D(), *ROWS, (2, 0, 10, 3)),
    (lambda: L.ZeroPadding2D(), *ROWS, (2, 2, 7, 3)),
    (lambda: L.Cropping1D(1), (2, 3), (None, 3), (2, 0, 3)),
    (lambda: L.Embedding(5, 4), (0,), (None,), (2, 0, 4)),
    (lambda: L.Dropout(0.5), *STEPS, (2, 0, 3)),
    (lambda: L.Masking(), *STEPS, (2, 0, 3)),
    (lambda: L.BatchNormalization(), *STEPS, (2, 0, 3)),
]  # fmt: skip


@pytest.mark.parametrize(("make", "shape", "dynamic", "expected"), GIVEN)
def test_layers_that_do_not_mind(make, shape, dynamic, expected):
    assert run(make(), shape, dynamic, train=False).shape == expected


def test_pooling_of_everything_where_there_is_nothing():
    assert (run(L.GlobalMaxPooling1D(), *STEPS, train=False) == -np.inf).all()
    assert np.isnan(run(L.GlobalAveragePooling1D(), *STEPS, train=False)).all()


@pytest.mark.parametrize(
    "make", [lambda: L.Dropout(0.5), lambda: L.TimeDistributed(L.Dense(4)), lambda: L.BatchNormalization()]
)
def test_a_step_on_samples_of_nothing(make):
    assert np.isnan(run(make(), *STEPS, train=True))  # the mean of no numbers, without a warning


@pytest.mark.parametrize(
    "make",
    [
        lambda: L.Dense(0),
        lambda: L.LSTM(0),
        lambda: L.Conv2D(0, 3),
        lambda: L.Conv2D(2, 0),
        lambda: L.Conv2D(2, 2, strides=0),
        lambda: L.Embedding(0, 4),
        lambda: L.RepeatVector(0),
        lambda: L.MaxPooling1D(0),
    ],
)
def test_sizes_of_0(make):
    with pytest.raises(ArgumentError, match="must be an int.*1 or more. Received: 0"):
        make()


@pytest.fixture
def model():
    model = Sequential([L.Dense(1, input_shape=(3,))])
    model.compile("sgd", "mse")
    return model


NO_X, NO_Y = np.zeros((0, 3)), np.zeros((0, 1))


class NoBatches(Sequence):
    def __len__(self):
        return 0

    def __getitem__(self, index):
        raise IndexError(index)


def empty_batches():
    while True:
        yield NO_X, NO_Y


def test_no_samples(model):
    assert model.predict(NO_X).shape == (0, 1)
    assert model.predict_on_batch(NO_X).shape == (0, 1)
    x, y = np.zeros((4, 3)), np.zeros((4, 1))
    for call, text in (
        (lambda: model.fit(NO_X, NO_Y), r"x has no samples: its arrays are ndarray of shape \(0, 3\)"),
        (lambda: model.evaluate(NO_X, NO_Y), "x has no samples"),
        (lambda: model.train_on_batch(NO_X, NO_Y), "x has no samples"),
        (lambda: model.test_on_batch(NO_X, NO_Y), "x has no samples"),
        (lambda: model.fit(x, y, validation_data=(NO_X, NO_Y)), "validation_data has no samples"),
        (lambda: model.fit_generator(empty_batches(), 2, verbose=0), "a batch of the generator has no samples"),
        (lambda: model.fit_generator(NoBatches()), "the NoBatches has no batches: its length is 0"),
        (lambda: model.predict_generator(NoBatches()), "the NoBatches has no batches"),
        (lambda: model.predict([]), r"Expected to see 1 array\(s\).* the following list of 0 arrays"),
        (lambda: model.fit([], []), r"Expected to see 1 array\(s\).* the following list of 0 arrays"),
    ):
        with pytest.raises(DataError, match=text):
            call()
    with pytest.raises(ArgumentError, match="`steps_per_epoch` must be an int, 1 or more. Received: 0"):
        model.fit_generator(empty_batches(), steps_per_epoch=0)
    with pytest.raises(ArgumentError, match="`batch_size` must be an int, 1 or more. Received: 0"):
        model.fit(x, y, batch_size=0)


def test_a_fraction_of_a_step_is_a_step(model):
    """`steps_per_epoch=samples / batch_size`, as scripts write it: the last, smaller batch counts."""
    seen = []

    def batches():
        while True:
            seen.append(1)
            yield np.zeros((2, 3)), np.zeros((2, 1))

    model.fit_generator(batches(), steps_per_epoch=5 / 2, max_queue_size=1, workers=0, verbose=0)
    assert len(seen) == 3


FUNCTIONS = {
    "max": (lambda: K.max(K.zeros((2, 0)), axis=1), (2,)),
    "softmax": (lambda: K.softmax(K.zeros((2, 0))), (2, 0)),
    "concatenate": (lambda: K.concatenate([K.zeros((2, 0)), K.zeros((2, 3))]), (2, 3)),
    "map_fn": (lambda: K.map_fn(lambda x: x * 2, K.zeros((0, 3))), (0, 3)),
    "batch_dot": (lambda: K.batch_dot(K.zeros((0, 2, 3)), K.zeros((0, 3, 4))), (0, 2, 4)),
    "dot": (lambda: K.dot(K.zeros((2, 0)), K.zeros((0, 4))), (2, 4)),
    "one_hot": (lambda: K.one_hot(K.zeros((0,), dtype="int32"), 3), (0, 3)),
    "gather": (lambda: K.gather(K.zeros((0, 3)), K.zeros((0,), dtype="int32")), (0, 3)),
    "cumprod": (lambda: K.gradients(K.cumprod(X, 1), X)[0], (2, 0)),
    "batch_flatten": (lambda: K.batch_flatten(K.zeros((2, 0, 3))), (2, 0)),
    "foldl": (lambda: K.foldl(lambda a, x: a + x, K.zeros((0, 3))), None),
    "argmax": (lambda: K.argmax(K.zeros((2, 0)), axis=1), None),
    "rnn": (lambda: K.rnn(lambda x, s: (x, s), K.zeros((2, 0, 3)), [K.ones((2, 3))])[0], None),
    "stack": (lambda: K.stack([]), None),
    "conv2d": (lambda: K.conv2d(K.zeros((1, 0, 5, 2)), K.zeros((3, 3, 2, 2)), padding="same"), None),
}
X = K.variable(np.zeros((2, 0)))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name):
    make, shape = FUNCTIONS[name]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        if shape is None:
            with pytest.raises(KcoreError):
                K.eval(make())
        else:
            assert K.eval(make()).shape == shape


def test_a_step_of_no_samples_computes():
    """What `fit` refuses, a backend function is free to do: sizes of 0 spread through the plan."""
    model = Sequential([L.Dense(1, input_shape=(3,))])
    model.compile("sgd", "mse")
    model._make_train_function()
    before = model.get_weights()
    (loss,) = model.train_function([NO_X, NO_Y, np.ones((0,))])
    assert np.isnan(loss)
    assert [w.shape for w in model.get_weights()] == [w.shape for w in before]
