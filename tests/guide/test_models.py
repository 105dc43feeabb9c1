"""The examples of the manual's chapter 4 (models), with `keras` as they are written; sizes are smaller."""
# ruff: noqa: I001, SIM115

from __future__ import annotations

import numpy as np
import pytest


def same_architecture(a, b):
    return a.to_json() == b.to_json() and [w.shape for w in a.get_weights()] == [w.shape for w in b.get_weights()]


@pytest.fixture
def sequential():
    from keras.layers import Dense
    from keras.models import Sequential

    return Sequential([Dense(3, input_shape=(5,)), Dense(2)])


@pytest.fixture
def functional():
    from keras.layers import Dense, Input
    from keras.models import Model

    a = Input(shape=(5,))
    return Model(inputs=a, outputs=Dense(2)(Dense(3)(a)))


def test_what_both_kinds_have_in_common(sequential, functional):
    """Section 4.1."""
    from keras.models import Model, Sequential

    for model in (sequential, functional):
        lines = []
        model.summary(print_fn=lines.append)
        assert any("Total params: 26" in line for line in lines)
        weights = model.get_weights()
        assert [type(w) for w in weights] == [np.ndarray] * 4
        model.set_weights([np.ones_like(w) for w in weights])
        model.save_weights("weights.h5")
        model.set_weights(weights)
        model.load_weights("weights.h5", by_name=False)
        assert all((w == 1).all() for w in model.get_weights())

    config = functional.get_config()
    model = Model.from_config(config)
    assert same_architecture(model, functional)
    # or, for Sequential:
    config = sequential.get_config()
    model = Sequential.from_config(config)
    assert same_architecture(model, sequential)


def test_from_json_and_yaml(sequential, functional):
    """Section 4.1."""
    for model in (sequential, functional):
        original = model
        from keras.models import model_from_json

        json_string = model.to_json()
        model = model_from_json(json_string)
        assert same_architecture(model, original)
    pytest.importorskip("yaml")
    for model in (sequential, functional):
        original = model
        from keras.models import model_from_yaml

        yaml_string = model.to_yaml()
        model = model_from_yaml(yaml_string)
        assert same_architecture(model, original)


def test_loading_by_name(sequential):
    """Section 4.1: `by_name=True` loads the layers of the same name."""
    from keras.layers import Dense
    from keras.models import Sequential

    sequential.save_weights("weights.h5")
    other = Sequential([Dense(3, input_shape=(5,), name=sequential.layers[0].name), Dense(7, name="new")])
    new = other.layers[1].get_weights()
    other.load_weights("weights.h5", by_name=True)
    np.testing.assert_array_equal(other.layers[0].get_weights()[0], sequential.get_weights()[0])
    np.testing.assert_array_equal(other.layers[1].get_weights()[0], new[0])


def test_compile():
    """Section 4.2.3.1."""
    from keras.layers import Dense
    from keras.models import Sequential

    model = Sequential()
    model.add(Dense(32, input_shape=(500,)))
    model.add(Dense(10, activation="softmax"))
    model.compile(optimizer="rmsprop", loss="categorical_crossentropy", metrics=["accuracy"])
    assert model.layers == [model.get_layer(index=0), model.get_layer(index=1)]
    assert model.get_layer(name=model.layers[1].name) is model.layers[1]
    x, y = np.random.random((40, 500)), np.eye(10)[np.random.randint(10, size=40)]
    history = model.fit(x, y, epochs=3, verbose=0, validation_split=0.2)
    assert sorted(history.history) == ["acc", "loss", "val_acc", "val_loss"]
    assert model.metrics_names == ["loss", "acc"]
    for result in (model.evaluate(x, y, verbose=0), model.train_on_batch(x, y), model.test_on_batch(x, y)):
        assert np.shape(result) == (2,)
    np.testing.assert_allclose(model.predict(x), model.predict_on_batch(x), rtol=1e-5)


def process_line(line):
    *x, y = map(float, line.split())
    return np.array([x]), np.array([[y]])


def test_batches_from_a_file():
    """Section 4.2.3.8."""
    from keras.layers import Dense
    from keras.models import Sequential

    np.savetxt("my_file.txt", np.random.random((12, 4)))
    model = Sequential([Dense(1, input_shape=(3,))])
    model.compile("sgd", "mse")
    opened = []

    def generate_arrays_from_file(path):
        while 1:
            f = open(path)
            opened.append(f)
            for line in f:
                # create Numpy arrays of input data
                # and labels, from each line in the file
                x, y = process_line(line)
                yield (x, y)
            f.close()

    history = model.fit_generator(generate_arrays_from_file("my_file.txt"), steps_per_epoch=12, epochs=10, verbose=0)
    losses = history.history["loss"]
    assert len(losses) == 10 and losses[-1] < losses[0]
    loss = model.evaluate_generator(generate_arrays_from_file("my_file.txt"), steps=12)
    prediction = model.predict_generator(generate_arrays_from_file("my_file.txt"), steps=12)
    y = np.loadtxt("my_file.txt")[:, 3:]
    assert loss == pytest.approx(((prediction - y) ** 2).mean(), rel=1e-5)
    for f in opened:
        f.close()


def test_functional_models():
    """Sections 4.3.1 and 4.3.2."""
    from keras.models import Model
    from keras.layers import Input, Dense

    a = Input(shape=(32,))
    b = Dense(32)(a)
    model = Model(inputs=a, outputs=b)
    assert [type(layer).__name__ for layer in model.layers] == ["InputLayer", "Dense"]
    assert model.inputs == [a] and model.outputs == [b]

    a1, a2 = Input(shape=(3,)), Input(shape=(4,))
    b1 = Dense(2)(a1)
    b3 = Dense(5)(a2)
    model = Model(inputs=[a1, a2], outputs=[b1, b3, b3])
    outputs = model.predict([np.ones((6, 3)), np.ones((6, 4))])
    assert [o.shape for o in outputs] == [(6, 2), (6, 5), (6, 5)]
    np.testing.assert_array_equal(outputs[1], outputs[2])


def test_batches_of_several_inputs_from_a_file():
    """Section 4.3.3.8."""
    from keras.layers import Dense, Input, concatenate
    from keras.models import Model

    inputs = [Input(shape=(2,), name="input_1"), Input(shape=(1,), name="input_2")]
    model = Model(inputs, Dense(1, name="output")(concatenate(inputs)))
    model.compile("sgd", "mse")
    np.savetxt("my_file.txt", np.random.random((12, 4)))

    def process_line(line):
        x1, x2, x3, y = map(float, line.split())
        return np.array([[x1, x2]]), np.array([[x3]]), np.array([[y]])

    opened = []

    def generate_arrays_from_file(path):
        while 1:
            f = open(path)
            opened.append(f)
            for line in f:
                x1, x2, y = process_line(line)
                yield ({"input_1": x1, "input_2": x2}, {"output": y})
            f.close()

    history = model.fit_generator(generate_arrays_from_file("my_file.txt"), steps_per_epoch=12, epochs=10, verbose=0)
    assert len(history.history["loss"]) == 10
    for f in opened:
        f.close()


def test_wrong_uses(sequential):
    """What 4.2 and 4.3 say is raised."""
    with pytest.raises(RuntimeError, match="compile"):
        sequential.fit(np.ones((2, 5)), np.ones((2, 2)))
    with pytest.raises(ValueError, match="no_such_loss"):
        sequential.compile("sgd", "no_such_loss")
    with pytest.raises(ValueError, match="no_such_optimizer"):
        sequential.compile("no_such_optimizer", "mse")
    sequential.compile("sgd", "mse")
    with pytest.raises(ValueError, match=r"\(5,\)|5"):
        sequential.fit(np.ones((2, 4)), np.ones((2, 2)))
    with pytest.raises(ValueError, match="generator should be a tuple"):
        sequential.fit_generator(iter([np.ones((2, 5))]), steps_per_epoch=1, workers=0)
    with pytest.raises(ValueError):
        sequential.get_layer("no_such_layer")
