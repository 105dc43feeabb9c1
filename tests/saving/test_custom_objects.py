"""Custom objects of every kind, given in every way."""

import contextlib

import numpy as np
import pytest

from kcore import backend as K
from kcore import constraints, initializers
from kcore.engine import Layer, Sequential
from kcore.layers import RNN, Activation, Dense
from kcore.models import load_model, model_from_json, model_from_yaml
from kcore.optimizers import SGD
from kcore.plugins import registry
from kcore.plugins.scopes import CustomObjectScope, get_custom_objects


class Scale(Layer):
    def __init__(self, factor=2.0, **kwargs):
        self.factor = factor
        super().__init__(**kwargs)

    def call(self, x):
        return x * self.factor

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


class Cell(Layer):
    def __init__(self, units, **kwargs):
        self.units = self.state_size = units
        super().__init__(**kwargs)

    def build(self, input_shape):
        self.kernel = self.add_weight("kernel", (input_shape[-1], self.units))
        super().build(input_shape)

    def call(self, x, states):
        h = K.dot(x, self.kernel) + states[0]
        return h, [h]

    def get_config(self):
        return {"units": self.units}


class Level(initializers.Initializer):
    def __init__(self, value=1.0):
        self.value = value

    def __call__(self, shape, dtype=None):
        return K.constant(self.value, shape=shape)

    def get_config(self):
        return {"value": self.value}


class Sum:
    """A regularizer."""

    def __init__(self, factor=0.1):
        self.factor = factor

    def __call__(self, w):
        return self.factor * K.sum(w)

    def get_config(self):
        return {"factor": self.factor}


class Halved(constraints.Constraint):
    def __call__(self, w):
        return w / 2


class Slow(SGD):
    pass


class Power:
    """A loss, or a metric."""

    def __init__(self, exponent=2.0):
        self.exponent = exponent

    def __call__(self, y_true, y_pred):
        return K.mean(K.pow(K.abs(y_true - y_pred), self.exponent), axis=-1)

    def get_config(self):
        return {"exponent": self.exponent}


class Total(Layer):
    """A metric with a state."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.stateful = True
        self.total = K.variable(0.0)

    def reset_states(self):
        K.set_value(self.total, 0.0)

    def __call__(self, y_true, y_pred):
        self.add_update(K.update_add(self.total, K.sum(y_pred)))
        return self.total * 1.0


def level(shape, dtype=None):
    return K.ones(shape)


def bent(x):
    return K.abs(x) - 1


def total(w):
    return 0.1 * K.sum(w)


def distance(y_true, y_pred):
    return K.mean(K.abs(y_true - y_pred), axis=-1)


def with_layer(cls, *args, **kwargs):
    return lambda: compiled(Sequential([Dense(3, input_shape=(3,)), cls(*args, **kwargs)]))


def one_layer(**arguments):
    return lambda: compiled(Sequential([Dense(2, input_shape=(3,))]), **arguments)


def compiled(model, optimizer="sgd", loss="mse", metrics=()):
    model.compile(optimizer, loss, metrics=list(metrics))
    return model


#: what makes the model, of which kind the object is, the object; what else it needs.
CASES = {
    "layer": (with_layer(Scale, 3.0), "layers", Scale),
    "cell": (lambda: compiled(Sequential([RNN(Cell(2), input_shape=(None, 3))])), "layers", Cell),
    "initializer": (with_layer(Dense, 2, kernel_initializer=Level(0.5)), "initializers", Level),
    "function that initializes": (with_layer(Dense, 2, bias_initializer=level), "initializers", level),
    "activation": (with_layer(Dense, 2, activation=bent), "activations", bent),
    "activation layer": (with_layer(Activation, bent), "activations", bent),
    "regularizer": (with_layer(Dense, 2, kernel_regularizer=Sum(0.2)), "regularizers", Sum),
    "function that regularizes": (with_layer(Dense, 2, activity_regularizer=total), "regularizers", total),
    "constraint": (with_layer(Dense, 2, kernel_constraint=Halved()), "constraints", Halved),
    "optimizer": (one_layer(optimizer=Slow(0.3)), "optimizers", Slow),
    "loss": (one_layer(loss=distance), "losses", distance),
    "loss object": (one_layer(loss=Power(3.0)), "losses", Power),
    "metric": (one_layer(metrics=[distance]), "metrics", distance),
    "metric object": (one_layer(metrics=[Power(3.0)]), "metrics", Power),
    "stateful metric": (one_layer(metrics=[Total(name="t")]), "metrics", Total),
}
FOR_TRAINING = ("optimizers", "losses", "metrics")


@contextlib.contextmanager
def registered(kind, obj):
    registry.register(kind, obj.__name__, obj)
    try:
        yield
    finally:
        registry.unregister(kind, obj.__name__)


@contextlib.contextmanager
def in_global(obj):
    get_custom_objects()[obj.__name__] = obj
    try:
        yield
    finally:
        del get_custom_objects()[obj.__name__]


def figures(model):
    """What the model computes, and how it goes on."""
    shape = [2 if size is None else size for size in (5, *model.input_shape[1:])]
    x, y = np.full(shape, 0.5), np.ones((5, *model.output_shape[1:]))
    found = [model.predict(x), model.evaluate(x, y, verbose=0), model.train_on_batch(x, y)]
    return [np.ravel(value) for value in found] + [w.ravel() for w in model.get_weights()]


@pytest.mark.parametrize("case", CASES)
def test_files(tmp_path, case):
    make, kind, obj = CASES[case]
    path = tmp_path / "model.h5"
    model = make()
    model.save(path)
    expected = figures(model)

    def check(loaded):
        for one, other in zip(figures(loaded), expected, strict=True):
            np.testing.assert_array_equal(one, other)

    with pytest.raises(ValueError, match=obj.__name__) as caught:
        load_model(path)
    assert "custom_objects" in str(caught.value)
    assert str(path) in str(caught.value)
    if kind in FOR_TRAINING:
        load_model(path, compile=False)
    check(load_model(path, custom_objects={obj.__name__: obj}))
    with CustomObjectScope({obj.__name__: obj}):
        check(load_model(path))
    with in_global(obj):
        check(load_model(path))
    with registered(kind, obj):
        check(load_model(path))
    with pytest.raises(ValueError, match=obj.__name__):
        load_model(path)


@pytest.mark.parametrize("case", [case for case, (_, kind, _) in CASES.items() if kind not in FOR_TRAINING])
@pytest.mark.parametrize("form", ["json", "yaml"])
def test_texts(case, form):
    if form == "yaml":
        pytest.importorskip("yaml")
    make, kind, obj = CASES[case]
    model = make()
    text, read = (model.to_json(), model_from_json) if form == "json" else (model.to_yaml(), model_from_yaml)
    with pytest.raises(ValueError, match=f"model_from_{form}: .*{obj.__name__}"):
        read(text)
    for context in (CustomObjectScope({obj.__name__: obj}), in_global(obj), registered(kind, obj)):
        with context:
            assert read(text).get_config() == model.get_config()
    assert read(text, custom_objects={obj.__name__: obj}).get_config() == model.get_config()
