"""The examples of the manual's section 3.3 (FAQ), with `keras` as they are written; sizes are smaller."""
# ruff: noqa: I001

from __future__ import annotations

import json
import subprocess
import sys

import h5py
import numpy as np
import pytest


@pytest.fixture
def model():
    from keras.layers import Dense
    from keras.models import Sequential

    model = Sequential([Dense(4, activation="tanh", input_shape=(6,)), Dense(3, activation="softmax")])
    model.compile(loss="categorical_crossentropy", optimizer="rmsprop")
    return model


@pytest.fixture
def data():
    return np.random.random((64, 6)).astype("float32"), np.eye(3)[np.random.randint(3, size=64)]


def test_several_devices(model, data):
    """Section 3.3.4.1."""
    from keras.utils import multi_gpu_model

    x, y = data
    parallel_model = multi_gpu_model(model, gpus=8)
    parallel_model.compile(loss="categorical_crossentropy", optimizer="rmsprop")
    history = parallel_model.fit(x, y, epochs=5, batch_size=32)
    assert history.history["loss"][-1] < history.history["loss"][0]
    np.testing.assert_allclose(parallel_model.predict(x), model.predict(x), rtol=1e-5)


def test_save_and_load(model, data):
    """Section 3.3.6.1."""
    from keras.models import load_model

    x, y = data
    model.fit(x, y, verbose=0)
    before = model.predict(x), model.get_weights()
    model.save("my_model.h5")
    model.fit(x, y, verbose=0, shuffle=False)
    continued = model.get_weights()
    del model
    model = load_model("my_model.h5")
    np.testing.assert_array_equal(model.predict(x), before[0])
    model.fit(x, y, verbose=0, shuffle=False)  # the optimizer goes on where it was
    for a, b in zip(model.get_weights(), continued):
        np.testing.assert_allclose(a, b, rtol=1e-6)


def test_save_the_architecture(model):
    """Section 3.3.6.2."""
    from keras.models import model_from_json, model_from_yaml

    json_string = model.to_json()
    assert json.loads(json_string)["class_name"] == "Sequential"
    assert model_from_json(json_string).get_config() == model.get_config()
    pytest.importorskip("yaml")
    yaml_string = model.to_yaml()
    assert model_from_yaml(yaml_string).get_config() == model.get_config()


def test_save_the_weights(data):
    """Section 3.3.6.3."""
    from keras.layers import Dense
    from keras.models import Sequential

    fname = "my_model_weights.h5"
    original = Sequential()
    original.add(Dense(2, input_dim=3, name="dense_1"))
    original.add(Dense(3, name="dense_2"))
    original.save_weights(fname)
    model = Sequential()
    model.add(Dense(2, input_dim=3, name="dense_1"))
    model.add(Dense(10, name="new_dense"))
    new = model.layers[1].get_weights()
    model.load_weights(fname, by_name=True)
    np.testing.assert_array_equal(model.layers[0].get_weights()[0], original.layers[0].get_weights()[0])
    np.testing.assert_array_equal(model.layers[1].get_weights()[0], new[0])
    with pytest.raises(ValueError):
        model.load_weights(fname)


def test_custom_objects():
    """Section 3.3.6.4."""
    from keras import backend as K
    from keras.engine.topology import Layer
    from keras.models import Sequential, load_model, model_from_json
    from keras.utils import CustomObjectScope

    class AttentionLayer(Layer):
        def build(self, input_shape):
            self.score = self.add_weight(name="score", shape=(input_shape[-1], 1), initializer="glorot_uniform")
            super().build(input_shape)

        def call(self, x):
            return K.sum(K.softmax(K.squeeze(K.dot(x, self.score), -1))[:, :, None] * x, axis=1)

        def compute_output_shape(self, input_shape):
            return (input_shape[0], input_shape[2])

    original = Sequential([AttentionLayer(input_shape=(5, 4))])
    original.save("my_model.h5")
    x = np.random.random((3, 5, 4))
    model = load_model("my_model.h5", custom_objects={"AttentionLayer": AttentionLayer})
    np.testing.assert_array_equal(model.predict(x), original.predict(x))
    with CustomObjectScope({"AttentionLayer": AttentionLayer}):
        model = load_model("my_model.h5")
    np.testing.assert_array_equal(model.predict(x), original.predict(x))
    model = model_from_json(original.to_json(), custom_objects={"AttentionLayer": AttentionLayer})
    assert type(model.layers[0]) is AttentionLayer
    with pytest.raises(ValueError, match="AttentionLayer"):
        load_model("my_model.h5")


def test_output_of_an_intermediate_layer(data):
    """Section 3.3.8."""
    from keras import backend as K
    from keras.layers import Dense, Dropout
    from keras.models import Model, Sequential

    x, _ = data
    model = Sequential()
    model.add(Dense(4, input_dim=6, name="first"))
    model.add(Dense(4, name="my_layer"))
    model.add(Dropout(0.5))
    model.add(Dense(2))
    layer_name = "my_layer"
    intermediate_layer_model = Model(inputs=model.input, outputs=model.get_layer(layer_name).output)
    intermediate_output = intermediate_layer_model.predict(x)
    get_2nd_layer_output = K.function([model.layers[0].input], [model.layers[1].output])
    np.testing.assert_allclose(get_2nd_layer_output([x])[0], intermediate_output, rtol=1e-5)

    get_3rd_layer_output = K.function([model.layers[0].input, K.learning_phase()], [model.layers[2].output])
    np.testing.assert_allclose(get_3rd_layer_output([x, 0])[0], intermediate_output, rtol=1e-5)
    assert (get_3rd_layer_output([x, 1])[0] == 0).mean() > 0.3


def test_data_larger_than_memory(model, data):
    """Section 3.3.9."""
    x, y = data

    def data_generator():
        while True:
            for i in range(0, 64, 16):
                yield x[i : i + 16], y[i : i + 16]

    losses = [model.train_on_batch(x[:32], y[:32]), model.test_on_batch(x[32:], y[32:])]
    history = model.fit_generator(data_generator(), steps_per_epoch=4, epochs=2)
    assert np.isfinite(losses).all() and len(history.epoch) == 2


def test_early_stopping_and_history(model, data):
    """Sections 3.3.10, 3.3.11 and 3.3.13."""
    from keras.callbacks import EarlyStopping

    x, y = data
    early_stopping = EarlyStopping(monitor="val_loss", patience=2)
    model.optimizer.lr = 0.5
    hist = model.fit(x, y, validation_split=0.2, callbacks=[early_stopping], epochs=100, verbose=0)
    losses = hist.history["val_loss"]
    assert len(losses) < 100 and min(losses) == losses[-3]
    # The validation data are the last 20 %.
    hist = model.fit(x, y, validation_split=0.25, verbose=0)
    np.testing.assert_allclose(hist.history["val_loss"][0], model.evaluate(x[48:], y[48:], verbose=0), rtol=1e-5)


def test_freezing_layers(data):
    """Section 3.3.14."""
    from keras.layers import Dense, Input
    from keras.models import Model

    frozen_layer = Dense(32, trainable=False)
    assert not frozen_layer.trainable
    x = Input(shape=(6,))
    layer = Dense(3)
    layer.trainable = False
    y = layer(x)
    frozen_model = Model(x, y)
    frozen_model.compile(optimizer="rmsprop", loss="mse")
    layer.trainable = True
    trainable_model = Model(x, y)
    trainable_model.compile(optimizer="rmsprop", loss="mse")

    before = layer.get_weights()
    with pytest.warns(UserWarning, match="Discrepancy"):
        frozen_model.fit(*data)
    np.testing.assert_array_equal(layer.get_weights()[0], before[0])
    trainable_model.fit(*data)
    assert (layer.get_weights()[0] != before[0]).any()


def test_stateful_rnn():
    """Section 3.3.15."""
    from keras.layers import Dense, LSTM
    from keras.models import Sequential

    x = np.random.random((32, 21, 16))
    model = Sequential()
    model.add(LSTM(32, input_shape=(10, 16), batch_size=32, stateful=True))
    model.add(Dense(16, activation="softmax"))
    model.compile(optimizer="rmsprop", loss="categorical_crossentropy")
    model.train_on_batch(x[:, :10, :], np.reshape(x[:, 10, :], (32, 16)))
    model.train_on_batch(x[:, 10:20, :], np.reshape(x[:, 20, :], (32, 16)))
    model.reset_states()
    first = model.predict(x[:, :10])
    assert not np.allclose(model.predict(x[:, :10]), first)
    model.layers[0].reset_states()
    np.testing.assert_array_equal(model.predict(x[:, :10]), first)


def test_removing_a_layer():
    """Section 3.3.16."""
    from keras.layers import Dense
    from keras.models import Sequential

    model = Sequential()
    model.add(Dense(32, activation="relu", input_dim=784))
    model.add(Dense(16, activation="relu"))
    assert len(model.layers) == 2
    model.pop()
    assert len(model.layers) == 1 and model.output_shape == (None, 32)


def test_pretrained_models():
    """Section 3.3.17; the weights are not downloaded."""
    from keras.applications.xception import Xception
    from keras.applications.vgg16 import VGG16
    from keras.applications.vgg19 import VGG19
    from keras.applications.resnet50 import ResNet50
    from keras.applications.inception_v3 import InceptionV3
    from keras.applications.inception_resnet_v2 import InceptionResNetV2
    from keras.applications.mobilenet import MobileNet

    assert all(map(callable, (Xception, VGG19, ResNet50, InceptionV3, InceptionResNetV2, MobileNet)))
    model = VGG16(weights=None, include_top=True)
    assert model.output_shape == (None, 1000) and model.count_params() == 138357544


def test_validation_data_are_never_shuffled(data):
    """Sections 3.3.11 and 3.3.12: training data are shuffled each epoch, validation data are not."""
    from keras.callbacks import Callback
    from keras.layers import Dense
    from keras.models import Sequential

    class Look(Callback):
        def on_train_begin(self, logs=None):
            seen.append(np.array(self.validation_data[0]))

    seen = []
    x, y = data
    model = Sequential([Dense(3, input_shape=(6,))])
    model.compile("sgd", "mse")
    for shuffle in (True, False):
        model.fit(x, y, validation_split=0.25, shuffle=shuffle, epochs=2, verbose=0, callbacks=[Look()])
    for rows in seen:
        np.testing.assert_array_equal(rows, x[48:])


def test_hdf5_inputs(model, data):
    """Section 3.3.18, and 20.2."""
    from keras.utils.io_utils import HDF5Matrix

    with h5py.File("file.hdf5", "w") as f:
        f["x_data"] = data[0]
    with h5py.File("file.hdf5", "r") as f:
        x_data = f["x_data"]
        direct = model.predict(x_data)
    x_data = HDF5Matrix("file.hdf5", "x_data")
    np.testing.assert_array_equal(model.predict(x_data), direct)
    np.testing.assert_array_equal(model.predict(data[0]), direct)


def test_the_configuration_file(tmp_path):
    """Section 3.3.19."""
    (tmp_path / "kcore.json").write_text(
        json.dumps({"image_data_format": "channels_first", "epsilon": 1e-6, "floatx": "float64", "backend": "numpy"})
    )
    code = "from kcore import backend as K; print(K.image_data_format(), K.epsilon(), K.floatx(), K.backend())"
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, env={"KCORE_HOME": str(tmp_path)}, capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["channels_first", "1e-06", "float64", "numpy"]


REPRODUCIBLE = """
import numpy as np
import random as rn
import os
os.environ['PYTHONHASHSEED'] = '0'
np.random.seed(42)
rn.seed(12345)

from keras.layers import Dense, Dropout
from keras.models import Sequential
x, y = np.random.random((200, 10)), np.random.random((200, 1))
model = Sequential([Dense(32, activation='relu', input_shape=(10,)), Dropout(0.5), Dense(1)])
model.compile('adam', 'mse')
print([loss.hex() for loss in map(float, model.fit(x, y, epochs=3, verbose=0).history['loss'])])
"""


def test_reproducible_results(tmp_path):
    """Section 3.3.20: two processes, the same losses to the bit."""
    (tmp_path / "script.py").write_text(REPRODUCIBLE)
    command = [sys.executable, "-m", "kcore", "run", "script.py"]
    outputs = [subprocess.run(command, capture_output=True, text=True, check=True).stdout for _ in range(2)]
    assert outputs[0] == outputs[1] and outputs[0].count("0x1.") == 3
