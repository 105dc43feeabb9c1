"""`Network` and `Model`: structure, order of layers, calls on new inputs, weights."""

import numpy as np
import pytest

from kcore import backend as K
from kcore.engine import Input, Layer, Model, Sequential, get_source_inputs
from kcore.layers import Dense, Dropout


class Add(Layer):
    def call(self, inputs):
        total = inputs[0]
        for x in inputs[1:]:
            total = total + x
        return total

    def compute_output_shape(self, input_shape):
        return input_shape[0]


class Concat(Layer):
    def call(self, inputs):
        return K.concatenate(inputs)

    def compute_output_shape(self, input_shape):
        return (*input_shape[0][:-1], sum(s[-1] for s in input_shape))


def names(layers):
    return [layer.name for layer in layers]


# --- structure -----------------------------------------------------------------------------------------


def test_shared_layer_two_inputs_two_outputs():
    a, b = Input((4,), name="a"), Input((4,), name="b")
    shared = Dense(3, name="shared")
    joined = Concat(name="joined")([shared(a), shared(b)])
    out = Dense(1, name="out")(joined)
    model = Model(inputs=[a, b], outputs=[out, joined])
    assert names(model.layers) == ["a", "b", "shared", "joined", "out"]
    assert model.input_names == ["a", "b"]
    assert model.output_names == ["out", "joined"]
    assert model.input_shape == [(None, 4), (None, 4)]
    assert model.output_shape == [(None, 1), (None, 6)]
    assert [w.name for w in model.weights] == ["shared/kernel:0", "shared/bias:0", "out/kernel:0", "out/bias:0"]
    assert model.count_params() == 15 + 7
    xa, xb = np.random.rand(5, 4), np.random.rand(5, 4)
    y, z = model.predict([xa, xb])
    kernel = shared.get_weights()[0]
    np.testing.assert_allclose(z, np.concatenate([xa @ kernel, xb @ kernel], 1), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(y, z @ out._keras_history[0].get_weights()[0], rtol=1e-5, atol=1e-6)


def test_order_of_layers_is_by_depth_then_by_the_walk_from_the_outputs():
    # The order of weights in files: the walk goes from the outputs, so of the two branches the one that
    # is an argument of `join` first comes first, whichever was made first.
    x = Input((4,), name="x")
    right = Dense(2, name="right")(x)
    left_1 = Dense(2, name="left_1")(x)
    left_2 = Dense(2, name="left_2")(left_1)
    other = Dense(2, name="other")(x)
    out = Add(name="join")([other, left_2, right])
    assert names(Model(x, out).layers) == ["x", "left_1", "other", "left_2", "right", "join"]


def test_a_shared_layer_stands_where_its_furthest_call_is():
    x = Input((3,), name="x")
    shared, between = Dense(3, name="shared"), Dense(3, name="between")
    model = Model(x, Add(name="add")([shared(between(shared(x))), x]))
    assert names(model.layers) == ["x", "shared", "between", "add"]


def test_layers_by_depth_and_get_layer():
    x = Input((3,), name="x")
    model = Model(x, Dense(1, name="b")(Dense(2, name="a")(x)))
    assert {depth: names(layers) for depth, layers in model.layers_by_depth.items()} == {2: ["x"], 1: ["a"], 0: ["b"]}
    assert model.get_layer("a") is model.get_layer(index=1) is model.layers[1]
    assert model.get_layer(index=-1).name == "b"
    with pytest.raises(ValueError, match="No such layer: c"):
        model.get_layer("c")
    with pytest.raises(ValueError, match="only has 3 layers"):
        model.get_layer(index=3)
    with pytest.raises(ValueError, match="Provide either a layer name or layer index"):
        model.get_layer()


def test_unused_inputs_are_part_of_the_model():
    a, b = Input((3,), name="a"), Input((2,), name="b")
    model = Model([a, b], Dense(1)(a))
    assert "b" in names(model.layers)
    assert model.predict([np.ones((2, 3)), np.ones((2, 2))]).shape == (2, 1)
    assert Model.from_config(model.get_config()).input_names == ["a", "b"]


def test_an_input_can_be_an_output():
    x = Input((3,))
    model = Model(x, [x, Dense(2)(x)])
    data = np.random.rand(2, 3).astype("float32")
    np.testing.assert_array_equal(model.predict(data)[0], data)


def test_a_model_can_begin_in_the_middle_of_another():
    x = Input((3,))
    hidden = Dense(4, name="first", kernel_regularizer="l2")(x)
    out = Dense(2, name="second")(hidden)
    whole = Model(x, out)
    head = Model(hidden, out)
    assert [w.name for w in head.weights] == ["second/kernel:0", "second/bias:0"]
    assert head.losses == []
    data = np.random.rand(5, 3).astype("float32")
    middle = Model(x, hidden).predict(data)
    np.testing.assert_allclose(head.predict(middle), whole.predict(data), 1e-6)
    copy = Model.from_config(head.get_config())
    copy.set_weights(head.get_weights())
    np.testing.assert_allclose(copy.predict(middle), whole.predict(data), 1e-6)
    head.compile("sgd", "mse")
    assert head.train_on_batch(middle, np.zeros((5, 2))) > 0


def test_keras_1_argument_names():
    x = Input((3,))
    assert Model(input=x, output=Dense(2)(x)).output_shape == (None, 2)
    with pytest.raises(TypeError, match="received also"):
        Model(x, x, nme="a")


def test_automatic_names():
    x = Input((3,))
    assert [Model(x, x).name, Model(x, x).name, Model(x, x, name="mine").name] == ["model_1", "model_2", "mine"]


# --- what is refused ------------------------------------------------------------------------------------


def test_disconnected_graph():
    a, b = Input((3,), name="a"), Input((3,), name="b")
    out = Add(name="add")([Dense(3, name="d")(a), b])
    with pytest.raises(ValueError, match='Graph disconnected: cannot obtain value for tensor .* at layer "b"'):
        Model(a, out)


def test_tensors_that_no_layer_made():
    x = Input((3,))
    with pytest.raises(TypeError, match="Output tensors to a Model must be Keras tensors.*Lambda"):
        Model(x, x * 2)
    with pytest.raises(TypeError, match="Input tensors to a Model must be Keras tensors"):
        Model(K.placeholder((None, 3)), x)
    with pytest.raises(ValueError, match=r'layer "dense_1" was called on .*test_network.py.*Lambda'):
        Model(x, Dense(2)(x * 2))
    with pytest.raises(TypeError, match="needs `outputs`"):
        Model(x)


def test_an_input_given_twice():
    x = Input((3,))
    with pytest.raises(ValueError, match="The list of inputs passed to the Model is redundant"):
        Model([x, x], Dense(2)(x))


def test_names_used_twice():
    x = Input((3,))
    with pytest.raises(ValueError, match='The name "twin" is used 2 times in the model. All layer names'):
        Model(x, Dense(2, name="twin")(Dense(2, name="twin")(x)))


# --- calls on new inputs -----------------------------------------------------------------------------------


def nested():
    x = Input((3,), name="inner_in")
    return Model(x, Dense(2, name="inner", activation="tanh")(x), name="net")


def test_a_model_is_a_layer():
    net = nested()
    a = Input((3,), name="a")
    outer = Model(a, Dense(1, name="top")(net(a)))
    assert names(outer.layers) == ["a", "net", "top"]
    assert [w.name for w in outer.weights] == ["inner/kernel:0", "inner/bias:0", "top/kernel:0", "top/bias:0"]
    data = np.random.rand(4, 3).astype("float32")
    np.testing.assert_allclose(outer.predict(data), net.predict(data) @ outer.get_weights()[2], 1e-5)
    assert net.input_shape == (None, 3)  # its own, however often it is called
    assert len(net._inbound_nodes) == 2


def test_a_model_is_shared_and_nested_twice():
    net = nested()
    a, b = Input((3,)), Input((3,))
    middle = Model([a, b], Add()([net(a), net(b)]), name="middle")
    c = Input((3,))
    outer = Model(c, middle([c, c]))
    data = np.random.rand(4, 3).astype("float32")
    np.testing.assert_allclose(outer.predict(data), 2 * net.predict(data), 1e-5)
    assert len(outer.weights) == 2


def test_calls_with_other_shapes():
    x = Input((None, 3))
    net = Model(x, Dense(2)(Dense(4)(x)))
    assert net(Input((7, 3)))._keras_shape == (None, 7, 2)
    assert net.compute_output_shape((5, 7, 3)) == (5, 7, 2)
    assert net.compute_output_shape((None, None, 3)) == (None, None, 2)


def test_wrong_number_of_inputs():
    net = nested()
    with pytest.raises(ValueError, match="net expects 1 inputs"):
        net([Input((3,)), Input((3,))])


def test_arguments_of_calls_are_repeated():
    class Scale(Layer):
        def call(self, x, factor=1.0):
            return x * factor

    x = Input((3,))
    net = Model(x, Scale(name="scale")(x, factor=3.0))
    outer_in = Input((3,))
    outer = Model(outer_in, net(outer_in))
    np.testing.assert_array_equal(outer.predict(np.ones((1, 3))), [[3, 3, 3]])
    copy = Model.from_config(net.get_config(), custom_objects={"Scale": Scale})
    np.testing.assert_array_equal(copy.predict(np.ones((1, 3))), [[3, 3, 3]])


def test_run_internal_graph_returns_tensors_masks_and_shapes():
    net = nested()
    outputs, masks, shapes = net.run_internal_graph([Input((3,))])
    assert (len(outputs), masks, shapes) == (1, [None], [(None, 2)])


def test_masks_pass_through_nested_models():
    class Masks(Layer):
        def compute_mask(self, inputs, mask=None):
            return K.any(K.not_equal(inputs, 0.0), axis=-1)

    class Length(Layer):
        def call(self, inputs, mask=None):
            return K.sum(K.cast(mask, "float32"), axis=1, keepdims=True)

        def compute_output_shape(self, s):
            return (s[0], 1)

        def compute_mask(self, inputs, mask=None):
            return None

    x = Input((5, 2))
    masking = Model(x, Masks()(x))
    y = Input((5, 2))
    counting = Model(y, Length()(Dropout(0.5)(Masks()(y))))
    z = Input((5, 2))
    counted_inside = counting(z)
    counted_outside = Length()(masking(z))
    model = Model(z, [counted_inside, counted_outside])
    data = np.ones((1, 5, 2), "float32")
    data[0, 1] = 0
    inside, outside = model.predict(data)
    assert inside == outside == 4
    assert masking(z)._keras_mask is not None
    assert counted_inside._keras_mask is None


def test_learning_phase_of_models():
    x = Input((3,))
    assert not Model(x, Dense(2)(x)).uses_learning_phase
    assert Model(x, Dropout(0.5)(x)).uses_learning_phase
    net = Model(x, Dropout(0.5)(x))
    assert net(Input((3,)))._uses_learning_phase


# --- weights --------------------------------------------------------------------------------------------


def test_get_and_set_weights_go_by_layers():
    class Mixed(Layer):
        def build(self, input_shape):
            self.add_weight("moving", (1,), initializer="zeros", trainable=False)
            self.add_weight("gamma", (1,), initializer="ones")
            super().build(input_shape)

    x = Input((3,))
    model = Model(x, Mixed(name="b")(Mixed(name="a")(x)))
    assert [w.name for w in model.weights] == ["a/gamma:0", "b/gamma:0", "a/moving:0", "b/moving:0"]
    assert [float(w[0]) for w in model.get_weights()] == [1, 0, 1, 0]
    model.set_weights([np.array([i]) for i in range(4)])
    assert [float(w[0]) for w in model.get_weights()] == [0, 1, 2, 3]
    assert float(K.get_value(model.get_layer("b").weights[1])[0]) == 3
    with pytest.raises(ValueError, match="weight list of length 3"):
        model.set_weights(model.get_weights()[:3])


def test_trainable_of_models_and_layers():
    net = nested()
    a = Input((3,))
    outer = Model(a, Dense(1)(net(a)))
    assert (len(outer.trainable_weights), len(outer.non_trainable_weights)) == (4, 0)
    net.trainable = False
    assert (len(outer.trainable_weights), len(outer.non_trainable_weights)) == (2, 2)
    net.trainable = True
    net.layers[1].trainable = False
    assert (len(outer.trainable_weights), len(outer.non_trainable_weights)) == (2, 2)
    outer.trainable = False
    assert (len(outer.trainable_weights), len(outer.non_trainable_weights)) == (0, 4)


def test_a_weight_reached_by_two_ways_counts_once():
    shared = Dense(3)
    a, b, x = Input((3,)), Input((3,)), Input((3,))
    one, two = Model(a, shared(a)), Model(b, shared(b))
    both = Model(x, Add()([one(x), two(x)]))
    assert len(both.trainable_weights) == 2


def test_freezing_affects_models_compiled_afterwards():
    x = Input((4,))
    layer = Dense(3)
    layer.trainable = False
    y = layer(x)
    frozen = Model(x, y)
    frozen.compile("sgd", "mse")
    layer.trainable = True
    trainable = Model(x, y)
    trainable.compile("sgd", "mse")
    data, targets = np.ones((8, 4)), np.ones((8, 3))
    before = layer.get_weights()[0]
    with pytest.warns(UserWarning, match="Discrepancy between trainable weights"):
        frozen.fit(data, targets, verbose=0)
    np.testing.assert_array_equal(layer.get_weights()[0], before)
    trainable.fit(data, targets, verbose=0)
    assert np.abs(layer.get_weights()[0] - before).max() > 0


# --- size ---------------------------------------------------------------------------------------------------


def test_two_thousand_layers_without_recursion():
    x = h = Input((2,))
    layers = [Dense(2, use_bias=False) for _ in range(2000)]
    for layer in layers:
        h = layer(h)
    model = Model(x, h)
    assert len(model.layers) == 2001
    assert get_source_inputs(h) == [x]
    assert len(Model.from_config(model.get_config()).layers) == 2001
    assert model(Input((2,)))._keras_shape == (None, 2)


def test_diamonds_are_walked_once():
    # 2 ** 60 paths lead from the input to the output.
    x = h = Input((2,))
    for _ in range(60):
        h = Add()([h, h])
    assert get_source_inputs(h) == [x]
    model = Model(x, h)
    assert len(model.layers) == 61
    model.compute_output_shape((7, 2))
    Sequential([model])


def test_a_call_runs_no_earlier_layer_again():
    calls = []

    class Counted(Layer):
        def call(self, x):
            calls.append(self.name)
            return x + 1

    model = Sequential([Counted(input_shape=(2,)), *(Counted() for _ in range(49))])
    model.build()
    assert len(calls) == 50
    model(Input((2,)))
    assert len(calls) == 100
    _ = model.output_shape, model.weights, model.losses, model.updates, model.count_params()
    model.summary(print_fn=lambda line: None)
    assert len(calls) == 100
