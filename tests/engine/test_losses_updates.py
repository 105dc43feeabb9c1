"""Losses and updates belong to the calls that made them, in whatever model these stand."""

import numpy as np
import pytest

from kcore import backend as K
from kcore.engine import Input, Layer, Model, Sequential, Wrapper
from kcore.layers import ActivityRegularization, Dense, add


class Averages(Layer):
    """Follows the mean of its inputs, as batch normalization does."""

    def build(self, input_shape):
        self.mean = self.add_weight("mean", (), initializer="zeros", trainable=False)
        super().build(input_shape)

    def call(self, x):
        self.add_update([K.update(self.mean, K.mean(x))], x)
        return x * 1.0


class Steps(Layer):
    """Counts steps: an update that depends on no input."""

    def build(self, input_shape):
        self.count = self.add_weight("count", (), initializer="zeros", trainable=False)
        self.add_update(K.update_add(self.count, 1.0))
        super().build(input_shape)


class Remembers(Layer):
    """Keeps the sum of its inputs from batch to batch."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.stateful = True

    def build(self, input_shape):
        self.state = K.variable(np.zeros(()), name="state")
        super().build(input_shape)

    def call(self, x):
        self.add_update([(self.state, self.state + K.sum(x))], x)
        return x * 0 + self.state

    def reset_states(self):
        K.set_value(self.state, np.zeros(()))


def trained(model, data):
    model.compile("sgd", "mse")
    model.train_on_batch(data, np.zeros((len(data), *model.output_shape[1:])))


ONES = np.ones((2, 3), "float32")


def test_penalties_on_weights():
    x = Input((3,))
    model = Model(x, Dense(2, kernel_regularizer="l2", bias_regularizer="l1")(x))
    assert len(model.losses) == 2
    assert model.get_losses_for(None) == model.losses
    assert model.get_losses_for(x) == []


def test_a_shared_layers_penalty_counts_once():
    layer = Dense(2, kernel_regularizer="l2")
    a, b = Input((3,)), Input((3,))
    assert len(Model([a, b], [layer(a), layer(b)]).losses) == 1
    net = Model(a, layer(a))
    c = Input((3,))
    assert len(Model(c, net(c)).losses) == 1


def test_penalties_on_outputs_belong_to_calls():
    layer = Dense(2, activity_regularizer="l2")
    a, b = Input((3,)), Input((3,))
    ya, yb = layer(a), layer(b)
    assert len(layer.losses) == 2
    assert len(Model(a, ya).losses) == 1
    assert len(Model([a, b], [ya, yb]).losses) == 2
    assert layer.get_losses_for(a) == Model(a, ya).losses
    trained(Model(a, ya), ONES)  # needs no data for b


def test_activity_regularization_value():
    x = Input((3,))
    model = Model(x, ActivityRegularization(l1=0.5, l2=0.25)(x))
    model.compile("sgd", "mse")
    loss = model.test_on_batch(2 * ONES, 2 * ONES)
    assert loss == pytest.approx(0.5 * 12 + 0.25 * 24)


def test_updates_happen_in_training_only():
    x = Input((3,))
    layer = Averages()
    model = Model(x, layer(x))
    assert len(model.updates) == 1
    trained(model, 5 * ONES)
    assert K.get_value(layer.mean) == 5
    model.predict(7 * ONES)
    model.evaluate(7 * ONES, ONES, verbose=0)
    assert K.get_value(layer.mean) == 5


def test_updates_of_calls_in_other_models_do_not_take_part():
    layer = Averages()
    a, b = Input((3,)), Input((3,))
    first, second = Model(a, Dense(1)(layer(a))), Model(b, Dense(1)(layer(b)))
    assert len(first.updates) == len(second.updates) == 1
    trained(first, 2 * ONES)
    assert K.get_value(layer.mean) == 2
    trained(second, 3 * ONES)
    assert K.get_value(layer.mean) == 3


def test_updates_inside_nested_models_depend_on_the_outer_inputs():
    a = Input((3,))
    layer = Averages()
    net = Model(a, Dense(1)(layer(a)))
    b = Input((3,))
    outer = Model(b, Dense(1)(net(b)))
    assert len(outer.updates) == 1
    trained(outer, 4 * ONES)
    assert K.get_value(layer.mean) == 4
    # and the inner model, trained alone afterwards, needs nothing of the outer one
    assert len(net.updates) == 1
    trained(net, 6 * ONES)
    assert K.get_value(layer.mean) == 6


def test_nesting_in_nesting_and_sequential():
    layer = Averages(input_shape=(3,))
    inner = Sequential([layer, Dense(1)])
    a = Input((3,))
    middle = Model(a, inner(a))
    outer = Sequential([middle])
    trained(outer, 8 * ONES)
    assert K.get_value(layer.mean) == 8


def test_a_nested_model_called_twice_on_one_input():
    net = Sequential([Averages(input_shape=(3,)), Dense(2, activity_regularizer="l2")])
    a = Input((3,))
    model = Model(a, [net(a), net(a)])
    assert len(model.losses) == 1  # the same value, so one penalty
    assert len(model.updates) == 1


def test_frozen_layers_make_no_updates():
    x = Input((3,))
    layer = Averages()
    model = Model(x, Dense(1)(layer(x)))
    layer.trainable = False
    assert model.updates == []
    assert layer.updates == []
    assert layer.get_updates_for(x) == []
    layer.trainable = True
    assert len(model.updates) == 1
    model.trainable = False
    assert model.updates == []


@pytest.mark.parametrize("level", ["layer", "inner", "middle"])
def test_freezing_at_any_level_of_nesting(level):
    a, b, c = Input((3,)), Input((3,)), Input((3,))
    layer = Averages()
    inner = Model(a, layer(a))
    middle = Model(b, inner(b))
    outer = Model(c, Dense(1)(middle(c)))
    assert len(outer.updates) == 1
    {"layer": layer, "inner": inner, "middle": middle}[level].trainable = False
    assert outer.updates == []


def test_updates_of_no_input():
    x = Input((3,))
    layer = Steps()
    model = Model(x, Dense(1)(layer(x)))
    assert model.get_updates_for(None) == model.updates
    model.compile("sgd", "mse")
    for _ in range(3):
        model.train_on_batch(ONES, np.zeros((2, 1)))
    assert K.get_value(layer.count) == 3


def test_layers_inside_the_call_of_a_layer():
    class Block(Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.dense = Dense(3, kernel_regularizer="l2", activity_regularizer="l1")
            self.averages = Averages()

        def call(self, x):
            return self.averages(self.dense(x))

        def compute_output_shape(self, s):
            return s

    block = Block()
    a, b = Input((3,)), Input((3,))
    first, second = Model(a, Dense(1)(block(a))), Model(b, Dense(1)(block(b)))
    for model in (first, second):
        assert len(model.losses) == 2
        assert len(model.updates) == 1
        trained(model, ONES)


def test_wrappers():
    class Around(Wrapper):
        def build(self, input_shape):
            self.layer.build(input_shape)
            super().build()

        def call(self, x):
            return self.layer.call(x + 1)

    inner = Averages()
    around = Around(inner)
    x = Input((3,))
    model = Model(x, Dense(1)(around(x)))
    assert len(model.updates) == 1
    trained(model, ONES)
    assert K.get_value(inner.mean) == 2
    around.trainable = False
    assert not inner.trainable
    assert model.updates == []
    dense = Around(Dense(2, kernel_regularizer="l2"))
    assert len(Model(x, dense(x)).losses) == 1
    frozen = Around(Dense(2, trainable=False))
    assert not frozen.layer.trainable  # wrapping does not thaw
    frozen(x)
    assert len(frozen.non_trainable_weights) == 2


def test_states_are_kept_in_predict_and_reset():
    x = Input(batch_shape=(2, 3))
    layer, averages = Remembers(), Averages()
    model = Model(x, averages(layer(x)))
    assert model.stateful
    assert len(model.state_updates) == 1
    assert len(model.updates) == 2
    assert model.predict(ONES, batch_size=2)[0, 0] == 0
    assert model.predict(ONES, batch_size=2)[0, 0] == 6
    model.reset_states()
    assert model.predict(ONES, batch_size=2)[0, 0] == 0
    y = Input(batch_shape=(2, 3))
    outer = Model(y, model(y))
    assert outer.stateful
    assert len(outer.state_updates) == 1  # not those of `averages`
    outer.reset_states()
    assert K.get_value(layer.state) == 0


def test_losses_added_to_a_model():
    x = Input((3,))
    y = Dense(1)(x)
    model = Model(x, y)
    model.add_loss(K.mean(K.square(y)))
    assert len(model.losses) == 1
    model.compile("sgd", None)
    assert model.train_on_batch(ONES, None) > 0


def test_add_update_takes_pairs_and_lists():
    layer = Averages()
    layer(Input((3,)))
    v = K.variable(0.0)
    layer.add_update((v, v + 1))
    layer.add_update([(v, v + 2), (v, v + 3)])
    layer.add_update(None)
    assert len(layer.get_updates_for(None)) == 3


class Calls(Layer):
    """Counts its calls: each makes an update that is equal to the others."""

    def build(self, input_shape):
        self.count = self.add_weight("count", (), initializer="zeros", trainable=False)
        super().build(input_shape)

    def call(self, x):
        update = K.update_add(self.count, 1.0)
        self.add_update(update, x)
        self.add_update(update, x)  # the same one: counts once
        return x * 1.0


def test_equal_updates_of_two_calls_both_take_place():
    layer, a, b = Calls(), Input((3,)), Input((3,))
    model = Model([a, b], [layer(a), layer(b)])
    assert len(model.updates) == 2
    model.compile("sgd", "mse")
    model.train_on_batch([ONES, ONES], [ONES, ONES])
    assert K.get_value(layer.count) == 2
    nested = Model(c := Input((3,)), Model(a, layer(a))(c))
    trained(nested, ONES)
    assert K.get_value(layer.count) == 3


def test_equal_penalties_of_two_layers_and_of_two_calls_both_count():
    x = np.array([[1.0, 2.0], [3.0, 4.0]], "float32")
    inputs = Input((2,))
    twice = ActivityRegularization(l2=0.5)(ActivityRegularization(l2=0.5)(inputs))  # equal values: one node
    shared = ActivityRegularization(l1=1.0)
    model = Model(inputs, add([twice, shared(inputs), shared(inputs)]))
    assert len(model.losses) == 4
    model.compile("sgd", "mse")
    outer = Sequential([model])
    outer.compile("sgd", "mse")
    for one in (model, outer):
        assert one.evaluate(x, 3 * x, verbose=0) == pytest.approx(2 * 15 + 2 * 10)
