"""Trainings compared with those of another implementation of the API (golden/make_golden.py)."""

from pathlib import Path

import numpy as np
import pytest

from kcore import regularizers
from kcore.layers import Dense, Input
from kcore.models import Model, Sequential
from kcore.optimizers import SGD

GOLDEN = np.load(Path(__file__).parent / "golden" / "golden.npz")
OPTIONS = {"batch_size": 4, "epochs": 3, "shuffle": False, "verbose": 0}


def d(name):
    return GOLDEN[f"data/{name}"]


def softmax_model(regularizer=None):
    model = Sequential([Dense(3, activation="softmax", input_shape=(5,), kernel_regularizer=regularizer)])
    model.set_weights([d("W"), d("b")])
    return model


def check(name, model, history):
    prefix = f"{name}/history/"
    expected = {k.removeprefix(prefix): v for k, v in GOLDEN.items() if k.startswith(prefix)}
    assert set(history.history) == set(expected)
    for key, values in expected.items():
        np.testing.assert_allclose(history.history[key], values, rtol=2e-5, err_msg=key)
    for i, weight in enumerate(model.get_weights()):
        np.testing.assert_allclose(weight, GOLDEN[f"{name}/weight_{i}"], rtol=1e-4, atol=1e-6)


def test_loss_accuracy_and_validation_split():
    model = softmax_model()
    model.compile(SGD(0.5), "categorical_crossentropy", metrics=["accuracy"])
    check("plain", model, model.fit(d("x"), d("y"), validation_split=0.3, **OPTIONS))
    evaluated = model.evaluate(d("x"), d("y"), batch_size=4, verbose=0)
    np.testing.assert_allclose(evaluated, GOLDEN["plain/evaluate"], rtol=1e-5)


def test_sample_weights():
    model = softmax_model()
    model.compile(SGD(0.5), "categorical_crossentropy", metrics=["accuracy"])
    check("sample_weight", model, model.fit(d("x"), d("y"), sample_weight=d("weights"), **OPTIONS))
    evaluated = model.evaluate(d("x"), d("y"), batch_size=4, verbose=0, sample_weight=d("weights"))
    np.testing.assert_allclose(evaluated, GOLDEN["sample_weight/evaluate"], rtol=1e-5)


def test_class_weights_with_sparse_targets():
    model = softmax_model()
    model.compile(SGD(0.5), "sparse_categorical_crossentropy")
    history = model.fit(d("x"), d("classes"), class_weight={0: 0.5, 1: 2.0, 2: 3.0}, **OPTIONS)
    check("class_weight", model, history)


def test_regularization_and_validation_data():
    model = softmax_model(regularizers.l2(0.1))
    model.compile(SGD(0.5, momentum=0.9), "mse")
    check("regularized", model, model.fit(d("x"), d("y"), validation_data=(d("x")[:5], d("y")[:5]), **OPTIONS))


@pytest.mark.parametrize("as_lists", [False, True])
def test_two_inputs_and_outputs_with_loss_weights(as_lists):
    a, b = Input((5,), name="a"), Input((3,), name="b")
    first = Dense(2, name="first")
    second = Dense(3, use_bias=False, activation="softmax", name="second")
    model = Model([a, b], [first(a), second(b)])
    first.set_weights([d("W2"), d("b2")])
    second.set_weights([d("W3")])
    if as_lists:
        model.compile(SGD(0.5), ["mae", "categorical_crossentropy"], loss_weights=[0.3, 2.0])
        history = model.fit([d("x"), d("x2")], [d("y_reg"), d("y")], **OPTIONS)
    else:
        model.compile(
            SGD(0.5),
            {"first": "mae", "second": "categorical_crossentropy"},
            loss_weights={"first": 0.3, "second": 2.0},
        )
        data = {"a": d("x"), "b": d("x2")}
        history = model.fit(data, {"first": d("y_reg"), "second": d("y")}, **OPTIONS)
    check("two_outputs", model, history)


def test_temporal_sample_weights():
    model = Sequential([Dense(2, input_shape=(4, 5))])
    model.set_weights([d("W2"), d("b2")])
    model.compile(SGD(0.1), "mse", sample_weight_mode="temporal")
    check("temporal", model, model.fit(d("seq"), d("y_seq"), sample_weight=d("temporal"), **OPTIONS))
