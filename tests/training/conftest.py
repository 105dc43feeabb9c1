"""Small data and models for the tests of training."""

import numpy as np
import pytest

from kcore.layers import Dense
from kcore.models import Sequential


@pytest.fixture
def rng():
    np.random.seed(7)
    return np.random.RandomState(3)


@pytest.fixture
def classification(rng):
    """(20, 4) inputs and one-hot targets of 3 classes."""
    return rng.rand(20, 4).astype("float32"), np.eye(3, dtype="float32")[rng.randint(0, 3, 20)]


@pytest.fixture
def classifier():
    model = Sequential([Dense(3, activation="softmax", input_shape=(4,))])
    model.compile("sgd", "categorical_crossentropy", metrics=["accuracy"])
    return model


@pytest.fixture
def regressor():
    model = Sequential([Dense(1, input_shape=(4,))])
    model.compile("sgd", "mse")
    return model
