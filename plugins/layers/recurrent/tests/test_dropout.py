"""Drop-out in recurrent layers: masks that are fixed over time, scaled, and off in the test phase."""

import numpy as np
import pytest

from kcore import backend as K
from kcore.layers import GRU, LSTM, RNN, ConvLSTM2D, Input, SimpleRNN, SimpleRNNCell

BATCH, STEPS, UNITS = 40, 6, 50
RATE = 0.3


def sequence(x, layer, training):
    """The layer's outputs at all steps of `x`, with kernels of identity and no bias."""
    inputs = Input(batch_shape=x.shape)
    outputs = layer(inputs)
    shapes = [K.int_shape(weight) for weight in layer.weights]
    layer.set_weights([np.tile(np.eye(shape[0], dtype="float32"), shape[1] // shape[0]) for shape in shapes])
    return K.function([inputs, K.learning_phase()], [outputs])([x, training])[0]


def simple(**arguments):
    return SimpleRNN(UNITS, activation="linear", use_bias=False, return_sequences=True, **arguments)


def simple_of_cell(**arguments):
    return RNN(SimpleRNNCell(UNITS, activation="linear", use_bias=False, **arguments), return_sequences=True)


def simple_unrolled(**arguments):
    return simple(unroll=True, **arguments)


LAYERS = (simple, simple_of_cell, simple_unrolled)


@pytest.mark.parametrize("make", LAYERS)
def test_the_input_mask_is_the_same_at_all_steps_and_scaled(make):
    """With kernels of identity the step adds ``mask * 1`` to the state: the outputs' differences are the mask."""
    ones = np.ones((BATCH, STEPS, UNITS), "float32")
    added = np.diff(sequence(ones, make(dropout=RATE), 1), axis=1, prepend=0.0)
    np.testing.assert_allclose(added, np.repeat(added[:, :1], STEPS, axis=1), atol=1e-5)
    kept = added[:, 0] > 0.5
    np.testing.assert_allclose(added[:, 0], kept / (1 - RATE), atol=1e-5)
    assert abs(kept.mean() - (1 - RATE)) < 5 * np.sqrt(RATE * (1 - RATE) / kept.size)
    assert len(np.unique(kept, axis=0)) == BATCH  # each sample has a mask of its own


@pytest.mark.parametrize("make", LAYERS)
def test_the_state_mask_is_the_same_at_all_steps_and_scaled(make):
    """One input at the first step only: each later step multiplies the state by the mask."""
    x = np.zeros((BATCH, STEPS, UNITS), "float32")
    x[:, 0] = 1.0
    states = sequence(x, make(recurrent_dropout=RATE), 1)
    kept = states[:, 1] > 0.5
    powers = (1 / (1 - RATE)) ** np.arange(STEPS)[:, None]
    expected = kept[:, None] * powers
    expected[:, 0] = 1.0
    np.testing.assert_allclose(states, expected, rtol=1e-5)
    assert abs(kept.mean() - (1 - RATE)) < 5 * np.sqrt(RATE * (1 - RATE) / kept.size)


@pytest.mark.parametrize("make", LAYERS)
def test_each_batch_has_masks_of_its_own(make):
    x = np.ones((BATCH, STEPS, UNITS), "float32")
    layer = make(dropout=RATE, recurrent_dropout=RATE)
    inputs = Input(batch_shape=x.shape)
    function = K.function([inputs, K.learning_phase()], [layer(inputs)])
    assert not np.allclose(function([x, 1])[0], function([x, 1])[0])
    np.testing.assert_array_equal(function([x, 0])[0], function([x, 0])[0])


@pytest.mark.parametrize("implementation", [1, 2])
@pytest.mark.parametrize("kind", [SimpleRNN, GRU, LSTM])
def test_off_in_the_test_phase(kind, implementation):
    x = np.random.RandomState(0).normal(size=(3, STEPS, 4)).astype("float32")
    inputs = Input((STEPS, 4))
    arguments = {"return_sequences": True, "implementation": implementation}
    plain = kind(5, **arguments)
    dropped = kind(5, dropout=0.5, recurrent_dropout=0.5, **arguments)
    results = [plain(inputs), dropped(inputs)]
    dropped.set_weights(plain.get_weights())
    function = K.function([inputs, K.learning_phase()], results)
    expected, tested = function([x, 0])
    np.testing.assert_allclose(tested, expected, rtol=1e-5, atol=1e-6)
    expected, trained = function([x, 1])
    assert not np.allclose(trained, expected, atol=1e-3)


def test_conv_lstm():
    x = np.random.RandomState(0).normal(size=(2, 3, 4, 4, 2)).astype("float32")
    inputs = Input((3, 4, 4, 2))
    plain, dropped = ConvLSTM2D(2, 3), ConvLSTM2D(2, 3, dropout=0.5, recurrent_dropout=0.5)
    results = [plain(inputs), dropped(inputs)]
    dropped.set_weights(plain.get_weights())
    function = K.function([inputs, K.learning_phase()], results)
    expected, tested = function([x, 0])
    np.testing.assert_allclose(tested, expected, rtol=1e-5, atol=1e-6)
    assert not np.allclose(function([x, 1])[1], expected, atol=1e-3)
