"""The examples of the manual's chapter 5, as they are written; what follows each checks what its comments promise."""
# ruff: noqa: F401, I001, UP008

from __future__ import annotations

import numpy as np
import pytest


def test_a_layer_from_its_configuration():
    """Section 5.1."""
    from keras.layers import Dense, Input

    layer = Dense(32)
    config = layer.get_config()
    reconstructed_layer = Dense.from_config(config)
    assert reconstructed_layer.get_config() == config

    from keras import layers

    config = layer.get_config()
    layer = layers.deserialize({'class_name': layer.__class__.__name__,
                                 'config': config})  # fmt: skip
    assert type(layer) is Dense and layer.get_config() == config

    a, b = Input((4,)), Input((4,))
    y = layer(a)
    assert layer.input is a and layer.output is y
    assert (layer.input_shape, layer.output_shape) == ((None, 4), (None, 32))
    z = layer(b)
    assert layer.get_input_at(0) is a and layer.get_output_at(1) is z
    assert layer.get_input_shape_at(1) == (None, 4) and layer.get_output_shape_at(0) == (None, 32)
    with pytest.raises(AttributeError, match="multiple inbound nodes"):
        _ = layer.output
    layer.set_weights([2 * w for w in layer.get_weights()])


def test_dense():
    """Section 5.2.1."""
    from keras.models import Sequential
    from keras.layers import Dense

    model = Sequential()
    model.add(Dense(32, input_shape=(16,)))
    assert (model.input_shape, model.output_shape) == ((None, 16), (None, 32))
    model.add(Dense(32))
    assert model.output_shape == (None, 32)


def test_flatten():
    """Section 5.2.4: the call of Conv2D is one of Keras 1, and channels come first."""
    import keras.backend as K
    from keras.models import Sequential
    from keras.layers import Conv2D, Flatten

    K.set_image_data_format("channels_first")
    try:
        model = Sequential()
        with pytest.warns(UserWarning, match="Update your `Conv2D` call to the Keras 2 API"):
            model.add(Conv2D(64, 3, 3,
                             border_mode='same',
                             input_shape=(3, 32, 32)))  # fmt: skip
        assert model.output_shape == (None, 64, 32, 32)
        model.add(Flatten())
        assert model.output_shape == (None, 65536)
    finally:
        K.set_image_data_format("channels_last")


def test_input():
    """Section 5.2.5."""
    from keras.layers import Dense, Input
    from keras.models import Model

    # a logistic regression
    x = Input(shape=(32,))
    y = Dense(16, activation='softmax')(x)  # fmt: skip
    model = Model(x, y)
    np.testing.assert_allclose(model.predict(np.random.rand(3, 32)).sum(axis=1), 1, rtol=1e-5)


def test_reshape_permute_and_repeat_vector():
    """Sections 5.2.6 to 5.2.8."""
    from keras.models import Sequential
    from keras.layers import Dense, Permute, RepeatVector, Reshape

    model = Sequential()
    model.add(Reshape((3, 4), input_shape=(12,)))
    assert model.output_shape == (None, 3, 4)
    model.add(Reshape((6, 2)))
    assert model.output_shape == (None, 6, 2)
    model.add(Reshape((-1, 2, 2)))
    assert model.output_shape == (None, 3, 2, 2)

    model = Sequential()
    model.add(Permute((2, 1), input_shape=(10, 64)))
    assert model.output_shape == (None, 64, 10)

    model = Sequential()
    model.add(Dense(32, input_dim=32))
    assert model.output_shape == (None, 32)
    model.add(RepeatVector(3))
    assert model.output_shape == (None, 3, 32)


def test_lambda():
    """Section 5.2.9."""
    from keras import backend as K
    from keras.layers import InputLayer, Lambda
    from keras.models import Sequential

    model = Sequential()
    model.add(InputLayer((5,)))
    model.add(Lambda(lambda x: x ** 2))  # fmt: skip

    def antirectifier(x):
        x -= K.mean(x, axis=1, keepdims=True)
        x = K.l2_normalize(x, axis=1)
        pos = K.relu(x)
        neg = K.relu(-x)
        return K.concatenate([pos, neg], axis=1)

    def antirectifier_output_shape(input_shape):
        shape = list(input_shape)
        assert len(shape) == 2  # only valid for 2D tensors
        shape[-1] *= 2
        return tuple(shape)

    model.add(Lambda(antirectifier,
                      output_shape=antirectifier_output_shape))  # fmt: skip
    assert model.output_shape == (None, 10)
    x = np.random.rand(4, 5).astype("float32")
    centred = x**2 - (x**2).mean(axis=1, keepdims=True)
    centred /= np.linalg.norm(centred, axis=1, keepdims=True)
    expected = np.concatenate([np.maximum(centred, 0), np.maximum(-centred, 0)], axis=1)
    np.testing.assert_allclose(model.predict(x), expected, rtol=1e-4, atol=1e-6)


def test_masking():
    """Section 5.2.11: a sample whose steps 3 and 5 are missing."""
    from keras.models import Sequential
    from keras.layers import LSTM, Masking

    timesteps, features = 7, 4
    x = np.random.rand(2, timesteps, features).astype("float32")
    x[:, [3, 5]] = 0
    model = Sequential()
    model.add(Masking(mask_value=0., input_shape=(timesteps, features)))  # fmt: skip
    model.add(LSTM(32))
    shorter = Sequential()
    shorter.add(Masking(mask_value=0.0, input_shape=(timesteps - 2, features)))
    shorter.add(LSTM(32, weights=model.get_weights()))
    np.testing.assert_allclose(model.predict(x), shorter.predict(np.delete(x, [3, 5], axis=1)), rtol=1e-5, atol=1e-6)


def test_cropping():
    """Section 5.3.7."""
    from keras.models import Sequential
    from keras.layers import Conv2D, Cropping2D

    model = Sequential()
    model.add(Cropping2D(cropping=((2, 2), (4, 4)),
                        input_shape=(28, 28, 3)))  # fmt: skip
    assert model.output_shape == (None, 24, 20, 3)
    model.add(Conv2D(64, (3, 3), padding='same'))  # fmt: skip
    model.add(Cropping2D(cropping=((2, 2), (2, 2))))
    assert model.output_shape == (None, 20, 16, 64)
    assert model.predict(np.random.rand(1, 28, 28, 3)).shape == (1, 20, 16, 64)


def test_locally_connected():
    """Sections 5.5.1 and 5.5.2."""
    from keras.models import Sequential
    from keras.layers import LocallyConnected1D, LocallyConnected2D

    model = Sequential()
    model.add(LocallyConnected1D(64, 3, input_shape=(10, 32)))
    assert model.output_shape == (None, 8, 64)
    model.add(LocallyConnected1D(32, 3))
    assert model.output_shape == (None, 6, 32)

    model = Sequential()
    model.add(LocallyConnected2D(64, (3, 3), input_shape=(32, 32, 3)))
    assert model.output_shape == (None, 30, 30, 64)
    assert model.count_params() == (30 * 30) * (3 * 3 * 3 * 64) + (30 * 30) * 64
    model.add(LocallyConnected2D(32, (3, 3)))
    assert model.output_shape == (None, 28, 28, 32)


def test_rnn_over_a_cell_of_ones_own():
    """Section 5.6.1."""
    import keras
    from keras import backend as K
    from keras.layers import RNN

    class MinimalRNNCell(keras.layers.Layer):
        def __init__(self, units, **kwargs):
            self.units = units
            self.state_size = units
            super(MinimalRNNCell, self).__init__(**kwargs)

        def build(self, input_shape):
            self.kernel = self.add_weight(shape=(input_shape[-1], self.units), initializer="uniform", name="kernel")
            self.recurrent_kernel = self.add_weight(
                shape=(self.units, self.units), initializer="uniform", name="recurrent_kernel"
            )
            self.built = True

        def call(self, inputs, states):
            prev_output = states[0]
            h = K.dot(inputs, self.kernel)
            output = h + K.dot(prev_output, self.recurrent_kernel)
            return output, [output]  # fmt: skip

    cell = MinimalRNNCell(32)
    x = keras.Input((None, 5))
    layer = RNN(cell)
    y = layer(x)
    data = np.random.rand(2, 3, 5).astype("float32")
    kernel, recurrent = layer.get_weights()
    state = np.zeros((2, 32))
    for t in range(3):
        state = data[:, t] @ kernel + state @ recurrent
    np.testing.assert_allclose(keras.models.Model(x, y).predict(data), state, rtol=1e-4, atol=1e-6)

    cells = [MinimalRNNCell(32), MinimalRNNCell(64)]
    x = keras.Input((None, 5))
    layer = RNN(cells)
    y = layer(x)
    assert keras.models.Model(x, y).predict(data).shape == (2, 64)
    assert [w.shape for w in layer.get_weights()] == [(5, 32), (32, 32), (32, 64), (64, 64)]


def test_rnn_with_states_and_constants():
    """Section 5.6.1's notes: initial states as tensors, states given to reset_states, constants for the cell."""
    import keras
    from keras import backend as K
    from keras.layers import LSTM, RNN

    class Scaled(keras.layers.Layer):
        state_size = 3

        def call(self, inputs, states, constants=None):
            output = states[0] + inputs * constants[0]
            return output, [output]

    x, scale, start = keras.Input((None, 3)), keras.Input((3,)), keras.Input((3,))
    y = RNN(Scaled())(x, initial_state=start, constants=scale)
    data, scales, starts = np.random.rand(2, 4, 3), np.random.rand(2, 3), np.random.rand(2, 3)
    found = keras.models.Model([x, scale, start], y).predict([data, scales, starts])
    np.testing.assert_allclose(found, starts + data.sum(axis=1) * scales, rtol=1e-5)

    model = keras.models.Sequential([LSTM(4, stateful=True, batch_input_shape=(2, 4, 3))])
    first = model.predict(data, batch_size=2)
    assert not np.allclose(model.predict(data, batch_size=2), first)
    model.reset_states()
    np.testing.assert_array_equal(model.predict(data, batch_size=2), first)
    model.layers[0].reset_states(states=[np.ones((2, 4)), np.ones((2, 4))])
    assert not np.allclose(model.predict(data, batch_size=2), first)


def test_stacked_cells():
    """Section 5.6.9."""
    import keras

    output_dim, timesteps, input_dim = 6, 5, 3
    cells = [
        keras.layers.LSTMCell(output_dim),
        keras.layers.LSTMCell(output_dim),
        keras.layers.LSTMCell(output_dim),
    ]

    inputs = keras.Input((timesteps, input_dim))
    x = keras.layers.RNN(cells)(inputs)
    assert keras.models.Model(inputs, x).predict(np.random.rand(2, 5, 3)).shape == (2, 6)


def test_embedding():
    """Section 5.7.1."""
    from keras.models import Sequential
    from keras.layers import Embedding

    model = Sequential()
    model.add(Embedding(1000, 64, input_length=10))
    assert model.output_shape == (None, 10, 64)
    input_array = np.random.randint(1000, size=(32, 10))
    model.compile('rmsprop', 'mse')  # fmt: skip
    output_array = model.predict(input_array)
    assert output_array.shape == (32, 10, 64)
    np.testing.assert_array_equal(output_array, model.get_weights()[0][input_array])


@pytest.mark.parametrize("name", ["Add", "Subtract", "add", "subtract"])
def test_merge(name):
    """Sections 5.8.1, 5.8.2, 5.8.8 and 5.8.9: the layers, and the functions."""
    import keras

    input1 = keras.layers.Input(shape=(16,))
    x1 = keras.layers.Dense(8, activation='relu')(input1)  # fmt: skip
    input2 = keras.layers.Input(shape=(32,))
    x2 = keras.layers.Dense(8, activation='relu')(input2)  # fmt: skip
    if name == "Add":
        merged = keras.layers.Add()([x1, x2])
    elif name == "Subtract":
        merged = keras.layers.Subtract()([x1, x2])
    elif name == "add":
        merged = keras.layers.add([x1, x2])
    else:
        merged = keras.layers.subtract([x1, x2])

    out = keras.layers.Dense(4)(merged)
    model = keras.models.Model(inputs=[input1, input2], outputs=out)
    data = [np.random.rand(3, 16), np.random.rand(3, 32)]
    a, b, both = keras.models.Model([input1, input2], [x1, x2, merged]).predict(data)
    np.testing.assert_allclose(both, a + b if name.lower() == "add" else a - b, rtol=1e-6)
    assert model.predict(data).shape == (3, 4)


def test_time_distributed():
    """Section 5.12.1; the images of the last part are smaller."""
    from keras.models import Sequential
    from keras.layers import Conv2D, Dense, TimeDistributed

    model = Sequential()
    model.add(TimeDistributed(Dense(8), input_shape=(10, 16)))
    assert model.output_shape == (None, 10, 8)
    model.add(TimeDistributed(Dense(32)))
    assert model.output_shape == (None, 10, 32)
    assert model.predict(np.random.rand(32, 10, 16)).shape == (32, 10, 32)

    model = Sequential()
    model.add(TimeDistributed(Conv2D(64, (3, 3)),
                              input_shape=(10, 299, 299, 3)))  # fmt: skip
    assert model.output_shape == (None, 10, 297, 297, 64)
    model = Sequential([TimeDistributed(Conv2D(64, (3, 3)), input_shape=(10, 29, 29, 3))])
    assert model.predict(np.random.rand(1, 10, 29, 29, 3)).shape == (1, 10, 27, 27, 64)


def test_bidirectional():
    """Section 5.12.2."""
    from keras.models import Sequential
    from keras.layers import LSTM, Activation, Bidirectional, Dense

    model = Sequential()
    model.add(Bidirectional(LSTM(10, return_sequences=True),
                            input_shape=(5, 10)))  # fmt: skip
    model.add(Bidirectional(LSTM(10)))
    model.add(Dense(5))
    model.add(Activation('softmax'))  # fmt: skip
    model.compile(loss='categorical_crossentropy', optimizer='rmsprop')  # fmt: skip
    x, y = np.random.rand(32, 5, 10), np.eye(5)[np.random.randint(5, size=32)]
    history = model.fit(x, y, epochs=10, verbose=0)
    assert model.layers[0].output_shape == (None, 5, 20) and model.layers[1].output_shape == (None, 20)
    assert history.history["loss"][-1] < history.history["loss"][0]


def test_ones_own_layer():
    """Section 5.13."""
    from keras import backend as K
    from keras.engine.topology import Layer
    import numpy as np
    from keras.models import Sequential

    class MyLayer(Layer):
        def __init__(self, output_dim, **kwargs):
            self.output_dim = output_dim
            super(MyLayer, self).__init__(**kwargs)

        def build(self, input_shape):
            # Create a trainable weight variable for this layer.
            self.kernel = self.add_weight(
                name="kernel", shape=(input_shape[1], self.output_dim), initializer="uniform", trainable=True
            )
            super(MyLayer, self).build(input_shape)  # Be sure to call this somewhere!

        def call(self, x):
            return K.dot(x, self.kernel)

        def compute_output_shape(self, input_shape):
            return (input_shape[0], self.output_dim)  # fmt: skip

    model = Sequential([MyLayer(3, input_shape=(4,))])
    assert model.output_shape == (None, 3) and [w.name for w in model.weights] == ["my_layer_1/kernel:0"]
    model.compile("sgd", "mse")
    x = np.random.rand(64, 4)
    history = model.fit(x, x[:, :3] - x[:, 1:], epochs=20, verbose=0)
    assert history.history["loss"][-1] < history.history["loss"][0]


def test_layers_with_several_inputs_and_outputs_and_layers_inside():
    """Section 5.13 carried on: what `Layer` promises to those who write one."""
    import keras
    from keras import backend as K
    from keras.engine.topology import Layer
    from keras.models import Model, load_model

    class Gate(Layer):
        """Two inputs, two outputs; the weights of a Dense inside are its own."""

        def __init__(self, units, **kwargs):
            super(Gate, self).__init__(**kwargs)
            self.units = units
            self.dense = keras.layers.Dense(units, activation="sigmoid")

        def build(self, input_shape):
            first, second = input_shape
            assert first == (None, 6) and second == (None, 4)
            self.dense.build(first)
            self._trainable_weights = list(self.dense.trainable_weights)
            super(Gate, self).build(input_shape)

        def call(self, inputs):
            opened = self.dense(inputs[0])
            return [opened * inputs[1], (1 - opened) * inputs[1]]

        def compute_output_shape(self, input_shape):
            return [input_shape[1], input_shape[1]]

        def get_config(self):
            return dict(super(Gate, self).get_config(), units=self.units)

    a, b = keras.Input((6,)), keras.Input((4,))
    kept, dropped = Gate(4)([a, b])
    model = Model([a, b], [kept, dropped])
    assert len(model.trainable_weights) == 2
    model.compile("adam", "mse")
    x, y = np.random.rand(16, 6), np.random.rand(16, 4)
    history = model.fit([x, y], [y, 0 * y], epochs=30, verbose=0)
    assert history.history["loss"][-1] < history.history["loss"][0]
    np.testing.assert_allclose(sum(model.predict([x, y])), y, rtol=1e-4, atol=1e-6)
    model.save("gate.h5")
    again = load_model("gate.h5", custom_objects={"Gate": Gate})
    np.testing.assert_array_equal(again.predict([x, y]), model.predict([x, y]))
