"""`Sequential`: a model that is a chain."""

import numpy as np
import pytest

from kcore.engine import Input, InputLayer, Layer, Model, Sequential
from kcore.layers import Activation, Dense, Dropout


def names(layers):
    return [layer.name for layer in layers]


def test_a_sequential_is_a_model():
    model = Sequential([Dense(4, input_shape=(3,)), Activation("relu"), Dense(2)])
    assert isinstance(model, Model)
    assert model.name == "sequential_1"
    assert Sequential(name="mine").name == "mine"
    assert names(model.layers) == ["dense_1", "activation_1", "dense_2"]
    assert model.inputs[0]._keras_history[0].name == "dense_1_input"
    assert model.input_shape == (None, 3)
    assert model.output_shape == (None, 2)
    assert model.input_names == ["dense_1_input"]
    assert model.output_names == ["dense_2"]
    assert model.predict(np.ones((2, 3))).shape == (2, 2)
    assert model.model is model


def test_pop_and_add_again():
    model = Sequential([Dense(4, input_shape=(3,)), Dense(5), Dense(2)])
    model.compile("sgd", "mse")
    assert model.predict(np.ones((1, 3))).shape == (1, 2)
    popped = model.layers[-1]
    model.pop()
    assert model.output_shape == (None, 5)
    assert model.layers[-1].outbound_nodes == []
    assert len(model.weights) == 4
    assert model.predict(np.ones((1, 3))).shape == (1, 5)
    model.add(popped)
    assert model.output_shape == (None, 2)
    for _ in range(3):
        model.pop()
    assert (model.layers, model.inputs, model.outputs) == ([], [], [])
    with pytest.raises(TypeError, match="There are no layers in the model"):
        model.pop()
    model.add(Dense(1, input_shape=(7,)))
    assert model.predict(np.ones((1, 7))).shape == (1, 1)


def test_layers_can_be_added_after_use():
    model = Sequential([Dense(4, input_shape=(3,))])
    model.summary(print_fn=lambda line: None)
    x = Input((3,))
    before = model(x)
    model.add(Dense(2))
    assert model(x)._keras_shape == (None, 2)
    assert before._keras_shape == (None, 4)
    model.compile("sgd", "mse")
    model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)


def test_first_layers():
    by_input = Sequential([InputLayer((3,), name="data"), Dense(2)])
    assert names(by_input.layers) == ["data", "dense_1"]
    assert by_input.input_names == ["data"]
    x = Input((3,))
    assert Sequential([Model(x, Dense(2)(x)), Dense(1)]).output_shape == (None, 1)
    inner = Sequential([Dense(2, input_shape=(3,))])
    outer = Sequential([Sequential([inner]), Dense(1)])
    assert outer.input_shape == (None, 3)
    inner.add(Dense(6))
    assert Sequential([inner]).output_shape == (None, 6)
    stateful = Sequential([Dense(2, batch_input_shape=(8, 3), dtype="float64")])
    assert stateful.inputs[0].dtype == "float64"
    assert stateful.input_shape == (8, 3)


def test_what_is_refused():
    with pytest.raises(ValueError, match="The first layer in a Sequential model must get an `input_shape`"):
        Sequential([Dense(3)])
    with pytest.raises(TypeError, match="The added layer must be an instance of class Layer. Found: 'relu'"):
        Sequential(["relu"])
    with pytest.raises(TypeError, match="model is empty"):
        Sequential().build()
    with pytest.raises(TypeError, match="Cannot add an empty model"):
        Sequential([Sequential()])

    class Two(Layer):
        def call(self, x):
            return [x, x]

        def compute_output_shape(self, s):
            return [s, s]

    with pytest.raises(ValueError, match="should have a single output tensor, but two_1 has 2"):
        Sequential([Two(input_shape=(3,))])


def test_failed_add_leaves_the_model_as_it_was():
    model = Sequential([Dense(4, input_shape=(3,))])
    with pytest.raises(ValueError, match="elements"):
        from kcore.layers import Reshape

        model.add(Reshape((3,)))
    assert len(model.layers) == 1
    assert model.predict(np.ones((1, 3))).shape == (1, 4)


def test_configuration_is_the_list_of_keras_2_1():
    model = Sequential([Dense(4, input_shape=(3,), name="d"), Dropout(0.5)])
    config = model.get_config()
    assert [c["class_name"] for c in config] == ["Dense", "Dropout"]
    assert config[0]["config"]["batch_input_shape"] == (None, 3)
    copy = Sequential.from_config(config)
    assert names(copy.layers) == ["d", "dropout_1"]
    assert copy.get_config() == config


def test_configurations_of_later_versions():
    layer = {"class_name": "Dense", "config": {"units": 2, "name": "d", "dtype": "float32"}}
    model = Sequential.from_config({"name": "seq", "layers": [layer], "build_input_shape": [None, 3]})
    assert model.name == "seq"
    assert model.input_shape == (None, 3)
    start = {
        "class_name": "InputLayer",
        "config": {"batch_input_shape": [None, 3], "dtype": "float32", "sparse": False, "ragged": False, "name": "i"},
    }
    model = Sequential.from_config({"name": "seq", "layers": [start, layer]})
    assert model.input_names == ["i"]
    for damaged in ("text", {"name": "no layers"}, 3):
        with pytest.raises(ValueError, match="description of a Sequential model"):
            Sequential.from_config(damaged)


def test_argument_orders_of_sequential():
    model = Sequential([Dense(3, activation="softmax", input_shape=(4,))])
    model.compile("sgd", "categorical_crossentropy", ["accuracy"], None)
    x, y = np.random.rand(6, 4), np.eye(3)[[0, 1, 2, 0, 1, 2]]
    plain = model.test_on_batch(x, y)
    weighted = model.train_on_batch(x, y, {0: 2.0, 1: 2.0, 2: 2.0})  # class_weight comes third
    assert weighted[0] == pytest.approx(2 * plain[0], rel=1e-5)


def test_classes_and_probabilities():
    model = Sequential([Dense(3, activation="softmax", input_shape=(4,))])
    x = np.random.rand(6, 4)
    np.testing.assert_array_equal(model.predict_classes(x), model.predict_proba(x).argmax(-1))
    binary = Sequential([Dense(1, activation="sigmoid", input_shape=(4,))])
    np.testing.assert_array_equal(binary.predict_classes(x), (binary.predict(x) > 0.5).astype("int32"))
    linear = Sequential([Dense(1, bias_initializer="ones", kernel_initializer="ones", input_shape=(4,))])
    with pytest.warns(UserWarning, match="invalid probability values"):
        linear.predict_proba(x)


def test_a_sequential_in_a_graph():
    vision = Sequential([Dense(4, input_shape=(3,))], name="vision")
    a, b = Input((3,)), Input((3,))
    assert vision(a)._keras_history == (vision, 1, 0)
    model = Model([a, b], [vision(a), vision(b)])
    assert len(model.weights) == 2
    copy = Model.from_config(model.get_config())
    assert names(copy.layers) == names(model.layers)  # the nested model keeps its name
    copy.set_weights(model.get_weights())
    data = [np.random.rand(2, 3), np.random.rand(2, 3)]
    for one, other in zip(copy.predict(data), model.predict(data), strict=True):
        np.testing.assert_array_equal(one, other)


def test_regularizers_of_layers():
    first = Dense(4, input_shape=(3,))
    first.regularizers = ["one"]
    assert Sequential([first, Dense(2)]).regularizers == ["one"]
