"""What type checkers and editors know of a program that uses kcore: mypy reads this file, nothing runs it."""

from __future__ import annotations

from typing import Any, assert_type

import numpy as np

import kcore
from kcore import backend as K
from kcore.applications import vgg16
from kcore.applications.vgg16 import VGG16
from kcore.callbacks import EarlyStopping, History
from kcore.datasets import mnist
from kcore.engine import Layer
from kcore.graph import Tensor
from kcore.layers import Dense, Input
from kcore.losses import mean_squared_error
from kcore.models import Model, Sequential, load_model
from kcore.optimizers import Adam
from kcore.preprocessing.image import ImageDataGenerator
from kcore.utils import to_categorical


class Scaled(Layer):
    """A layer of the user's own, whose `call` names what it takes."""

    def __init__(self, factor: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.factor = factor

    def build(self, input_shape: Any) -> None:
        self.bias = self.add_weight(name="bias", shape=(input_shape[-1],), initializer="zeros")
        super().build(input_shape)

    def call(self, inputs: Any, mask: Any = None) -> Any:
        return self.factor * inputs + self.bias


model = Sequential([Dense(3, activation="relu", input_shape=(4,)), Scaled(2.0)])
model.compile(Adam(lr=0.01), loss=mean_squared_error, metrics=["accuracy"])
history = model.fit(np.zeros((8, 4)), np.zeros((8, 3)), callbacks=[EarlyStopping()])
assert_type(history, History)
assert_type(history.history, dict[str, list[Any]])
assert_type(Dense(3), Dense)
assert_type(kcore.layers.Dense(3), Dense)
assert_type(kcore.models.Sequential(), Sequential)
assert_type(load_model("model.h5"), Model)
assert_type(Input((4,)), Tensor)
assert_type(K.dot(Input((4,)), Input((4,))), Tensor)
assert_type(VGG16(weights=None), Model)
assert_type(vgg16.VGG16(weights=None), Model)
assert_type(ImageDataGenerator(), ImageDataGenerator)
assert_type(to_categorical([0, 1]).ndim, int)
assert_type(mnist.load_data()[0][0].ndim, int)
