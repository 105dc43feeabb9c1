"""The examples of the manual's chapter 20 (utilities), with `keras` as they are written; sizes are smaller."""

from __future__ import annotations

import math

import h5py
import numpy as np
import pytest


def test_custom_object_scope():
    """Section 20.1."""
    from keras import backend as K
    from keras.layers import Dense
    from keras.models import Sequential, model_from_json
    from keras.utils import CustomObjectScope

    def MyObject(w):
        return 0.5 * K.sum(K.square(w))

    with CustomObjectScope({"MyObject": MyObject}):
        layer = Dense(3, kernel_regularizer="MyObject", input_shape=(2,))
        config = Sequential([layer]).to_json()
        again = model_from_json(config)
    assert layer.kernel_regularizer is again.layers[0].kernel_regularizer is MyObject
    with pytest.raises(ValueError, match="MyObject"):
        Dense(3, kernel_regularizer="MyObject")


def test_hdf5_matrix():
    """Section 20.2."""
    from keras.layers import Dense
    from keras.models import Sequential
    from keras.utils import HDF5Matrix

    values = np.random.random((50, 4)).astype("float32")
    with h5py.File("file.hdf5", "w") as f:
        f["data"] = values
    model = Sequential([Dense(2, input_shape=(4,))])
    x_data = HDF5Matrix("file.hdf5", "data")
    np.testing.assert_allclose(model.predict(x_data), model.predict(values), rtol=1e-6)
    part = HDF5Matrix("file.hdf5", "data", start=10, end=30, normalizer=lambda x: 2 * x)
    assert part.shape == (20, 4)
    np.testing.assert_allclose(model.predict(part), model.predict(2 * values[10:30]), rtol=1e-6)


def test_sequence():
    """Section 20.3; `imread` and `resize` stand for those of scikit-image."""
    from keras.layers import Dense, Flatten
    from keras.models import Sequential
    from keras.utils import Sequence

    def imread(file_name):
        return np.load(file_name)

    def resize(image, size):
        return image[: size[0], : size[1]]

    class CIFAR10Sequence(Sequence):
        def __init__(self, x_set, y_set, batch_size):
            self.x, self.y = x_set, y_set
            self.batch_size = batch_size

        def __len__(self):
            return math.ceil(len(self.x) / self.batch_size)

        def __getitem__(self, idx):
            batch_x = self.x[idx * self.batch_size : (idx + 1) * self.batch_size]
            batch_y = self.y[idx * self.batch_size : (idx + 1) * self.batch_size]

            return np.array([resize(imread(file_name), (5, 5)) for file_name in batch_x]), np.array(batch_y)

    names = [f"{i}.npy" for i in range(10)]
    for name in names:
        np.save(name, np.random.random((6, 6, 3)))
    model = Sequential([Flatten(input_shape=(5, 5, 3)), Dense(1)])
    model.compile("sgd", "mse")
    sequence = CIFAR10Sequence(names, list(range(10)), batch_size=4)
    history = model.fit_generator(sequence, epochs=3, workers=2, verbose=0)
    assert len(sequence) == 3 and len(history.epoch) == 3
    assert model.predict_generator(sequence).shape == (10, 1)


def test_to_categorical_and_normalize():
    """Sections 20.4 and 20.5."""
    import keras

    assert keras.utils.to_categorical([0, 2, 1]).tolist() == [[1, 0, 0], [0, 0, 1], [0, 1, 0]]
    assert keras.utils.to_categorical([1], num_classes=3).tolist() == [[0, 1, 0]]
    np.testing.assert_allclose(keras.utils.normalize(np.array([[3.0, 4.0]]), axis=-1, order=2), [[0.6, 0.8]])


def test_get_file(tmp_path):
    """Section 20.6."""
    import keras

    (tmp_path / "there.txt").write_text("content")
    origin = (tmp_path / "there.txt").as_uri()
    path = keras.utils.get_file("example.txt", origin, cache_dir=str(tmp_path / "cache"))
    assert path == str(tmp_path / "cache" / "datasets" / "example.txt")
    with open(path) as f:
        assert f.read() == "content"


def test_print_summary(capsys):
    """Section 20.7."""
    import keras
    from keras.layers import Dense
    from keras.models import Sequential

    model = Sequential([Dense(2, input_shape=(4,))])
    keras.utils.print_summary(model)
    assert "Total params: 10" in capsys.readouterr().out
    lines = []
    keras.utils.print_summary(model, line_length=50, positions=[0.5, 0.8, 1.0], print_fn=lines.append)
    assert capsys.readouterr().out == "" and lines[0] == "_" * 50


def test_plot_model():
    """Section 20.8, and chapter 18."""
    pytest.importorskip("pydot")
    from keras.layers import Dense
    from keras.models import Sequential
    from keras.utils import plot_model

    plot_model(Sequential([Dense(2, input_shape=(4,))]), to_file="model.dot", show_shapes=True)
    with open("model.dot") as f:
        assert "Dense" in f.read()


def test_multi_gpu_model():
    """Section 20.9."""
    from keras.layers import Dense
    from keras.models import Sequential, load_model
    from keras.utils import multi_gpu_model

    model = Sequential([Dense(4, input_shape=(6,), activation="softmax")])
    parallel_model = multi_gpu_model(model, gpus=8)
    parallel_model.compile(loss="categorical_crossentropy", optimizer="rmsprop")
    x, y = np.random.random((64, 6)), np.random.random((64, 4))
    parallel_model.fit(x, y, epochs=2, batch_size=32, verbose=0)
    # Saved by the template model, which shares the weights.
    model.save("my_model.h5")
    np.testing.assert_allclose(
        load_model("my_model.h5", compile=False).predict(x), parallel_model.predict(x), rtol=1e-5
    )
