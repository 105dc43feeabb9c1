"""Small models of every shape that files hold, with data to train them on; built on tf-keras."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from peer_layers import keras

L = keras.layers
Legacy = keras.optimizers.legacy
GATES = {"recurrent_activation": "hard_sigmoid"}


@dataclass(frozen=True)
class Entry:
    """A model, how it is compiled, and its data; `trains` is False where a step depends on random numbers."""

    build: Callable[[], Any]
    inputs: tuple[np.ndarray, ...]
    targets: tuple[np.ndarray, ...] = ()
    optimizer: Callable[[], Any] | None = None
    compile_arguments: dict[str, Any] = field(default_factory=dict)
    note: str = ""


def entries() -> dict[str, Entry]:
    """Every model by the name of its file."""
    return {**_trained(), "lambda_bytecode": _lambda()}


def _random(name: str) -> np.random.RandomState:
    return np.random.RandomState(sum(map(ord, name)))


def _one_hot(random: np.random.RandomState, n: int, classes: int) -> np.ndarray:
    return np.eye(classes, dtype="float32")[random.randint(classes, size=n)]


# --- models of different shapes, each with an optimizer of its own ---------------------------------------------------


def _trained() -> dict[str, Entry]:
    return {
        "dense_stack": _dense_stack(),
        "convolutional": _convolutional(),
        "shared_layers": _shared_layers(),
        "nested_models": _nested_models(),
        "wrapped_layers": _wrapped_layers(),
        "recurrent_cells": _recurrent_cells(),
        "stateful": _stateful(),
        "regularized": _regularized(),
    }


def _dense_stack() -> Entry:
    random = _random("dense_stack")

    def build() -> Any:
        return keras.Sequential(
            [
                L.Dense(6, activation="relu", input_shape=(5,)),
                L.BatchNormalization(momentum=0.9),
                L.Dense(4, use_bias=False),
                L.Activation("softmax"),
            ]
        )

    return Entry(
        build, (_normal(random, 8, 5),), (_one_hot(random, 8, 4),),
        lambda: Legacy.SGD(0.05, momentum=0.9, nesterov=True, decay=0.01),
        {"loss": "categorical_crossentropy", "metrics": ["accuracy"]},
    )  # fmt: skip


def _convolutional() -> Entry:
    random = _random("convolutional")

    def build() -> Any:
        return keras.Sequential(
            [
                L.Conv2D(4, 3, padding="same", activation="relu", input_shape=(6, 7, 2)),
                L.BatchNormalization(),
                L.MaxPooling2D(),
                L.SeparableConv2D(5, (2, 3), depth_multiplier=2, activation="elu"),
                L.DepthwiseConv2D(2, padding="same"),
                L.Conv2DTranspose(3, 2, strides=2),
                L.ZeroPadding2D(((1, 0), (0, 1))),
                L.GlobalAveragePooling2D(),
                L.Dense(1, activation="sigmoid"),
            ]
        )

    return Entry(
        build, (_normal(random, 4, 6, 7, 2),), (random.randint(2, size=(4, 1)).astype("float32"),),
        lambda: Legacy.RMSprop(0.01), {"loss": "binary_crossentropy", "metrics": ["accuracy"]},
    )  # fmt: skip


def _shared_layers() -> Entry:
    random = _random("shared_layers")

    def build() -> Any:
        first, second = keras.Input((5,), name="first", dtype="int32"), keras.Input((5,), name="second", dtype="int32")
        embedding = L.Embedding(10, 4, mask_zero=True, name="words")
        encoder = L.LSTM(3, name="encoder", **GATES)
        merged = L.concatenate([encoder(embedding(first)), encoder(embedding(second))])
        hidden = L.Dense(4, activation="tanh", name="hidden")(merged)
        again = L.Dense(4, name="looped", activation="tanh")
        score = L.Dense(1, name="score")(again(again(hidden)))
        label = L.Dense(3, activation="softmax", name="label")(hidden)
        return keras.Model([first, second], [score, label])

    words = tuple(random.randint(1, 10, size=(6, 5)).astype("int32") for _ in range(2))
    for sentences in words:
        sentences[::2, 3:] = 0
    return Entry(
        build, words, (_normal(random, 6, 1), _one_hot(random, 6, 3)), lambda: Legacy.Adam(0.02, decay=0.1),
        {"loss": {"score": "mse", "label": "categorical_crossentropy"}, "loss_weights": {"score": 1.0, "label": 0.2},
         "metrics": {"label": "accuracy"}},
    )  # fmt: skip


def _nested_models() -> Entry:
    random = _random("nested_models")

    def build() -> Any:
        image = keras.Input((4, 4, 1))
        vision = keras.Model(image, L.Flatten()(L.Conv2D(2, 3, activation="relu")(image)), name="vision")
        head = keras.Sequential([L.Dense(3, activation="relu", input_shape=(8,)), L.Dense(2)], name="head")
        left, right = keras.Input((4, 4, 1), name="left"), keras.Input((4, 4, 1), name="right")
        difference = L.subtract([head(vision(left)), head(vision(right))])
        both = L.concatenate([vision(left), vision(right)])
        joined = L.concatenate([difference, L.Dense(2, name="joint")(both)])
        return keras.Model([left, right], L.Dense(1, name="out")(joined))

    images = tuple(_normal(random, 5, 4, 4, 1) for _ in range(2))
    return Entry(build, images, (_normal(random, 5, 1),), lambda: Legacy.Adagrad(0.05), {"loss": "mae"})


def _wrapped_layers() -> Entry:
    random = _random("wrapped_layers")

    def build() -> Any:
        frame = keras.Sequential([L.Conv2D(2, 2, activation="relu", input_shape=(3, 3, 1)), L.Flatten()], name="frame")
        video = keras.Input((4, 3, 3, 1))
        x = L.TimeDistributed(frame)(video)
        x = L.TimeDistributed(L.Dense(3, activation="tanh"))(x)
        x = L.Masking()(x)
        x = L.Bidirectional(L.LSTM(3, return_sequences=True, **GATES), merge_mode="sum")(x)
        x = L.Bidirectional(L.GRU(2, reset_after=False, **GATES))(x)
        return keras.Model(video, L.Dense(2, activation="softmax")(x))

    return Entry(
        build, (_normal(random, 4, 4, 3, 3, 1),), (random.randint(2, size=(4, 1)).astype("float32"),),
        lambda: Legacy.Adadelta(1.0), {"loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"]},
    )  # fmt: skip


def _recurrent_cells() -> Entry:
    random = _random("recurrent_cells")

    def build() -> Any:
        x = keras.Input((None, 3))
        stack = L.RNN([L.LSTMCell(3, **GATES), L.GRUCell(2, reset_after=False, **GATES)], return_sequences=True)(x)
        y = L.SimpleRNN(3, return_sequences=True, go_backwards=True)(stack)
        y = L.GRU(3, reset_after=True, recurrent_activation="sigmoid", return_sequences=True)(y)
        y, h, c = L.LSTM(3, return_state=True, recurrent_activation="sigmoid")(y)
        y = L.add([y, h, c])
        return keras.Model(x, L.Dense(1)(y))

    return Entry(
        build, (_normal(random, 4, 5, 3),), (_normal(random, 4, 1),), lambda: Legacy.Adamax(0.02),
        {"loss": "mean_squared_error"},
    )  # fmt: skip


def _stateful() -> Entry:
    random = _random("stateful")

    def build() -> Any:
        return keras.Sequential(
            [
                L.LSTM(3, stateful=True, return_sequences=True, batch_input_shape=(2, 4, 3), **GATES),
                L.GRU(3, stateful=True, reset_after=False, **GATES),
                L.Dense(2),
            ]
        )

    return Entry(
        build, (_normal(random, 2, 4, 3),), (_normal(random, 2, 2),), lambda: Legacy.SGD(0.1), {"loss": "mse"},
        note="states are zero when the model has been loaded, and go on over the next steps",
    )  # fmt: skip


def _regularized() -> Entry:
    random = _random("regularized")

    def build() -> Any:
        l1, l2, both = keras.regularizers.l1(0.01), keras.regularizers.l2(0.02), keras.regularizers.l1_l2(0.01, 0.03)
        constraints = keras.constraints
        return keras.Sequential(
            [
                L.Dense(
                    5, kernel_regularizer=l2, bias_regularizer=l1, kernel_initializer="he_normal", input_shape=(4,)
                ),
                L.PReLU(alpha_regularizer=both, alpha_initializer=keras.initializers.Constant(0.2)),
                L.Dense(5, kernel_constraint=constraints.MaxNorm(1.0), bias_constraint="non_neg"),
                L.LeakyReLU(0.2),
                L.Dense(5, kernel_constraint=constraints.UnitNorm(), kernel_initializer="orthogonal"),
                L.ELU(0.7),
                L.Dense(2, kernel_constraint=constraints.MinMaxNorm(0.5, 1.0, rate=0.9)),
            ]
        )

    return Entry(
        build, (_normal(random, 6, 4),), (_normal(random, 6, 2),), lambda: Legacy.Adam(0.02, amsgrad=True),
        {"loss": "logcosh", "metrics": ["mae", "mse"]},
    )  # fmt: skip


# --- a function as bytecode ------------------------------------------------------------------------------------------


def _lambda() -> Entry:
    random = _random("lambda")

    def build() -> Any:
        return keras.Sequential([L.Dense(3, input_shape=(4,)), L.Lambda(lambda x: x * 2.0 + 1.0)])

    return Entry(build, (_normal(random, 2, 4),), note="holds bytecode: to be refused unless it is allowed by name")


def _normal(random: np.random.RandomState, *shape: int) -> np.ndarray:
    return random.standard_normal(shape).astype("float32")
