"""`multi_gpu_model`: parts of a batch, one set of weights."""

import numpy as np
import pytest

from kcore.layers import Dense, Dropout, Input, concatenate
from kcore.models import Model, Sequential, load_model
from kcore.utils import multi_gpu_model


def two_by_two():
    a, b = Input((3,), name="a"), Input((2,), name="b")
    x = Dense(4, activation="tanh")(concatenate([a, b]))
    return Model([a, b], [Dense(1, name="left")(x), Dense(2, name="right")(x)])


@pytest.mark.parametrize("gpus", [2, 3, [0, 1, 4, 5]])
@pytest.mark.parametrize("size", [1, 2, 7, 12])
def test_results_are_those_of_the_model(gpus, size):
    model = two_by_two()
    parallel = multi_gpu_model(model, gpus=gpus)
    assert parallel.output_names == ["left", "right"] and parallel.input_names == ["a", "b"]
    assert parallel.output_shape == [(None, 1), (None, 2)]
    rng = np.random.RandomState(0)
    data = [rng.rand(size, 3).astype("float32"), rng.rand(size, 2).astype("float32")]
    for found, expected in zip(parallel.predict(data), model.predict(data)):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_training_is_that_of_the_model(tmp_path):
    rng = np.random.RandomState(0)
    x, y = rng.rand(50, 4).astype("float32"), rng.rand(50, 1).astype("float32")

    def trained(parts):
        np.random.seed(3)
        model = Sequential([Dense(5, activation="tanh", input_shape=(4,)), Dense(1)])
        used = multi_gpu_model(model, parts) if parts else model
        used.compile("sgd", "mse")
        used.fit(x, y, epochs=3, batch_size=16, verbose=0)
        return model

    plain, parallel = trained(0), trained(3)
    for a, b in zip(plain.get_weights(), parallel.get_weights()):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    parallel.save(tmp_path / "template.h5")
    np.testing.assert_array_equal(load_model(tmp_path / "template.h5").predict(x), parallel.predict(x))


def test_the_learning_phase_reaches_every_part():
    model = Sequential([Dropout(0.5, input_shape=(100,))])
    parallel = multi_gpu_model(model, 2)
    x = np.ones((10, 100), "float32")
    np.testing.assert_array_equal(parallel.predict(x), x)
    assert parallel.uses_learning_phase


@pytest.mark.parametrize("gpus", [None, 0, 1, [0], [0, 0], "all"])
def test_less_than_two_parts(gpus):
    with pytest.raises(ValueError, match="gpus"):
        multi_gpu_model(Sequential([Dense(1, input_shape=(2,))]), gpus)
