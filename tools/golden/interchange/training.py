"""Optimizers with their state, and ways to compile: one model of each, on whatever `keras` module is given."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from layer_case import spec

from interchange.shapes import Builder

ROWS, STEPS = 6, 2
LOSSES = ["categorical_crossentropy", "mean_squared_error"]
#: Optimizers of which there are no files.
NO_FILES = {
    "LossScaleOptimizer": "kcore's own; Keras 2 has none",
    "TFOptimizer": "has no configuration to be saved",
}
#: Optimizers whose later kind computes something else: epsilon under the root; a schedule that is not saved.
CHANGED = ("RMSprop", "Adagrad", "Nadam")
#: What each loses on the way from kcore to tf-keras: 2.1.6, whose layout kcore writes, has no place for it.
LOST = {
    **dict.fromkeys(("RMSprop_decay", "Adagrad_decay", "Adadelta_decay"), "the step counter, and with it the decay"),
    "Nadam": "the momentum schedule",
    "Nadam_schedule": "the momentum schedule",
    "compile_metrics": "tf-keras makes one metric for all outputs of a list in a file: the last one's value",
    "SGD_clipnorm": "Keras clips by the norm of all gradients, tf-keras by that of each",
}


@dataclass(frozen=True)
class Training:
    """How a model is compiled: an optimizer with arguments of 2.1.6; `later`: tf-keras's second kind of optimizers."""

    name: str
    optimizer: str = "SGD"
    arguments: dict[str, Any] = field(default_factory=dict)
    later: bool = False
    compile: dict[str, Any] = field(default_factory=lambda: {"loss": LOSSES})
    weighted: bool = False


def trainings() -> dict[str, Training]:
    """Every case by its name."""
    return {one.name: one for one in (*_optimizers(), *_compiled())}


def _optimizers() -> Iterator[Training]:
    table: dict[str, dict[str, dict[str, Any]]] = {
        "SGD": {
            "": {"lr": 0.1}, "_momentum": {"lr": 0.1, "momentum": 0.8}, "_clipnorm": {"lr": 0.5, "clipnorm": 0.2},
            "_nesterov": {"lr": 0.1, "momentum": 0.7, "nesterov": True, "decay": 0.1},
            "_clipvalue": {"lr": 0.5, "momentum": 0.5, "clipvalue": 0.02},
        },
        "RMSprop": {"": {"lr": 0.01}, "_decay": {"lr": 0.02, "rho": 0.8, "epsilon": 1e-4, "decay": 0.2}},
        "Adam": {
            "": {"lr": 0.01}, "_decay": {"lr": 0.02, "beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-4, "decay": 0.2},
            "_amsgrad": {"lr": 0.02, "amsgrad": True},
        },
        "Adagrad": {"": {"lr": 0.05}, "_decay": {"lr": 0.05, "decay": 0.2}},
        "Adadelta": {"": {"lr": 1.0}, "_decay": {"lr": 2.0, "rho": 0.8, "decay": 0.2}},
        "Adamax": {"": {"lr": 0.01}, "_decay": {"lr": 0.02, "beta_1": 0.8, "beta_2": 0.9, "decay": 0.2}},
        "Nadam": {"": {"lr": 0.01}, "_schedule": {"lr": 0.02, "beta_1": 0.8, "schedule_decay": 0.02}},
    }  # fmt: skip
    for optimizer, cases in table.items():
        for suffix, arguments in cases.items():
            yield Training(f"{optimizer}{suffix}", optimizer, arguments)
            if "decay" not in arguments and optimizer not in CHANGED:
                yield Training(f"{optimizer}{suffix}_later", optimizer, arguments, later=True)


def _compiled() -> Iterator[Training]:
    forms: dict[str, dict[str, Any]] = {
        "one_loss": {"loss": "mse"},
        "losses_by_name": {"loss": {"score": "mae", "label": "categorical_crossentropy"}},
        "loss_weights": {"loss": LOSSES, "loss_weights": [0.3, 2.0]},
        "loss_weights_by_name": {"loss": LOSSES, "loss_weights": {"score": 0.5, "label": 1.5}},
        "metrics": {"loss": LOSSES, "metrics": ["mae", "mse"]},
        "metrics_by_name": {"loss": LOSSES, "metrics": {"label": ["accuracy", "mae"], "score": "mse"}},
        "metric_of_one": {"loss": LOSSES, "metrics": {"score": ["mae"]}},
        "weighted_metrics": {"loss": LOSSES, "metrics": {"label": "accuracy"}, "weighted_metrics": {"score": ["mae"]}},
        "sample_weights": {"loss": LOSSES},
        "own_functions": {"loss": ["own_loss", "own_loss"], "metrics": {"score": ["own_metric"]}},
    }
    for name, form in forms.items():
        yield Training(f"compile_{name}", "Adam", {"lr": 0.01}, compile=form, weighted=name == "sample_weights")
    classes = {
        "loss": ["losses.CategoricalCrossentropy", "losses.MeanSquaredError"],
        "metrics": {"label": ["metrics.CategoricalAccuracy"], "score": ["metrics.MeanAbsoluteError"]},
    }
    yield Training("compile_classes", "Adam", {"lr": 0.01}, later=True, compile=classes)


def network(builder: Builder) -> Any:
    """Two outputs; an inner stack used twice, frozen layers, moving statistics, a recurrent layer."""
    Input, Model = builder.keras.layers.Input, builder.keras.models.Model
    inner = builder.keras.models.Sequential(name="inner")
    inner.add(builder.layer(spec("Dense", units=3, activation="tanh", batch_input_shape=[None, 5]), "inner_1"))
    inner.add(builder.layer(spec("BatchNormalization", axis=1), "inner_2"))
    x, steps = Input((5,), name="vector"), Input((3, 4), name="steps")
    a = inner(x)
    b = builder.layer(spec("Dense", units=5, trainable=False), "frozen")(a)
    c = inner(b)
    read = builder.layer(spec("LSTM", units=3), "read")(steps)
    joined = builder.layer(spec("Concatenate"), "joined")([a, c, read])
    label = builder.layer(spec("Dense", units=2, activation="softmax"), "label")(joined)
    score = builder.layer(spec("Dense", units=2, use_bias=False), "score")(
        builder.layer(spec("Add"), "added")([c, read])
    )
    return Model([x, steps], [label, score], name="whole")


def data(training: Training) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray] | None]:
    """Inputs, targets, and weights of the samples or None."""
    random = np.random.RandomState(3)
    x = [random.standard_normal((ROWS, 5)), random.standard_normal((ROWS, 3, 4))]
    y = [np.eye(2)[random.randint(2, size=ROWS)], random.standard_normal((ROWS, 2))]
    weights = [random.uniform(0.2, 2.0, ROWS) for _ in y] if training.weighted else None
    return _float32(x), _float32(y), weights and _float32(weights)


def _float32(arrays: list[np.ndarray]) -> list[np.ndarray]:
    return [array.astype("float32") for array in arrays]


def own_functions(keras: Any) -> dict[str, Any]:
    """A loss and a metric of a user."""
    K = keras.backend

    def own_loss(y_true: Any, y_pred: Any) -> Any:
        return K.mean(K.square(K.square(y_true - y_pred)), axis=-1)

    def own_metric(y_true: Any, y_pred: Any) -> Any:
        return K.mean(K.abs(y_true - 2.0 * y_pred), axis=-1)

    return {"own_loss": own_loss, "own_metric": own_metric}


def compiled(training: Training, builder: Builder, optimizer: Any, **more: Any) -> Any:
    """The model, compiled; `more` are arguments of `compile` that only one framework has."""
    model = network(builder)
    model.compile(optimizer=optimizer, **more, **_meant(training.compile, builder.keras, own_functions(builder.keras)))
    return model


def _meant(node: Any, keras: Any, functions: dict[str, Any]) -> Any:
    """The arguments with functions, and objects of classes (`losses.Huber`), in the place of their names."""
    if isinstance(node, dict):
        return {key: _meant(value, keras, functions) for key, value in node.items()}
    if isinstance(node, list):
        return [_meant(value, keras, functions) for value in node]
    if isinstance(node, str) and "." in node:
        module, class_name = node.split(".")
        return getattr(getattr(keras, module), class_name)()
    return functions.get(node, node) if isinstance(node, str) else node


def goes_on(model: Any, training: Training, keras: Any) -> list[np.ndarray]:
    """What `evaluate` says, the losses of the next steps, and the trainable weights after them."""
    x, y, weights = data(training)
    evaluated = np.atleast_1d(model.evaluate(x, y, sample_weight=weights, batch_size=ROWS, verbose=0))
    losses = train(model, training)
    return [evaluated, losses, *(np.asarray(keras.backend.get_value(weight)) for weight in model.trainable_weights)]


def train(model: Any, training: Training) -> np.ndarray:
    """Train some steps on the data; the losses."""
    x, y, weights = data(training)
    return np.array([np.atleast_1d(model.train_on_batch(x, y, sample_weight=weights))[0] for _ in range(STEPS)])
