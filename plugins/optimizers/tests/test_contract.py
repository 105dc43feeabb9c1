"""What training, saving and callbacks rely on: variables, state, configuration, constraints, errors."""

import numpy as np
import pytest

import kcore_optimizers
from kcore import backend as K
from kcore import optimizers
from kcore.constraints import NonNeg
from kcore.errors import DataError, GradientError, NotInstalledError
from kcore.optimizers import Optimizer

NAMES = [n for n in kcore_optimizers.__all__ if n not in ("TFOptimizer", "LossScaleOptimizer")]
ARGUMENTS = {
    "SGD": {"lr": 0.5, "momentum": 0.25, "decay": 0.125, "nesterov": True},
    "RMSprop": {"lr": 0.5, "rho": 0.75, "epsilon": 0.01, "decay": 0.125},
    "Adagrad": {"lr": 0.5, "epsilon": 0.01, "decay": 0.125},
    "Adadelta": {"lr": 0.5, "rho": 0.75, "epsilon": 0.01, "decay": 0.125},
    "Adam": {"lr": 0.5, "beta_1": 0.75, "beta_2": 0.875, "epsilon": 0.01, "decay": 0.125, "amsgrad": True},
    "Adamax": {"lr": 0.5, "beta_1": 0.75, "beta_2": 0.875, "epsilon": 0.01, "decay": 0.125},
    "Nadam": {"lr": 0.5, "beta_1": 0.75, "beta_2": 0.875, "epsilon": 0.01, "schedule_decay": 0.25},
}


def training(optimizer, constraint=None):
    """Two parameters, of 4 and of 1 elements, and a function that takes one step."""
    params = [K.variable(np.ones((2, 2)), constraint=constraint), K.variable(np.full(1, 3.0))]
    loss = K.sum(K.square(params[0])) + K.sum(K.square(params[1]) * params[1])
    return params, K.function([], [loss], updates=optimizer.get_updates(loss, params))


def make(name, **arguments):
    return getattr(kcore_optimizers, name)(**arguments)


# -- configuration ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_configuration_round_trip(name):
    given = {**ARGUMENTS[name], "clipnorm": 2.0, "clipvalue": 0.5}
    config = make(name, **given).get_config()
    assert config == given
    again = optimizers.deserialize(optimizers.serialize(make(name, **given)))
    assert type(again) is getattr(kcore_optimizers, name) and again.get_config() == given


@pytest.mark.parametrize("name", NAMES)
def test_defaults(name):
    config = make(name).get_config()
    assert "clipnorm" not in config and "clipvalue" not in config
    assert config.get("epsilon", K.epsilon()) == K.epsilon()
    assert all(type(value) in (float, bool) for value in config.values())


def test_configuration_holds_what_was_set_since():
    adam = make("Adam")
    K.set_value(adam.lr, 0.25)
    assert adam.get_config()["lr"] == 0.25


@pytest.mark.parametrize("name", ["sgd", "SGD", "rmsprop", "adam", "nadam", "adadelta"])
def test_names_in_any_case(name):
    assert type(optimizers.get(name)).__name__.lower() == name.lower()


def test_door_has_lower_case_names():
    from kcore.optimizers import rmsprop

    assert rmsprop is kcore_optimizers.RMSprop


def test_what_get_accepts_and_refuses():
    sgd = make("SGD")
    assert optimizers.get(sgd) is sgd
    with pytest.raises(NotInstalledError, match="adm"):
        optimizers.get("adm")
    with pytest.raises(ValueError, match="3"):
        optimizers.get(3)


@pytest.mark.parametrize("name", NAMES)
def test_unknown_argument(name):
    with pytest.raises(TypeError, match="learning_rat"):
        make(name, learning_rat=0.1)


# -- hyper-parameters during training --------------------------------------------------------------------


@pytest.mark.parametrize("assign", [lambda o: K.set_value(o.lr, 0.0), lambda o: setattr(o, "lr", 0.0)])
@pytest.mark.parametrize("name", NAMES)
def test_learning_rate_can_be_set_without_compiling_anew(name, assign):
    optimizer = make(name)
    params, step = training(optimizer)
    step([])
    before = K.get_value(params[0])
    assign(optimizer)
    step([])
    assert optimizer.get_config()["lr"] == 0.0
    np.testing.assert_array_equal(K.get_value(params[0]), before)


@pytest.mark.parametrize("name", NAMES)
def test_steps_are_counted(name):
    optimizer = make(name)
    _, step = training(optimizer)
    for expected in (1, 2, 3):
        step([])
        assert K.get_value(optimizer.iterations) == expected


@pytest.mark.parametrize("name", NAMES)
def test_constraint_holds_after_each_step(name):
    optimizer = make(name, lr=2.0)  # far too large: it shoots below 0
    params, step = training(optimizer, constraint=NonNeg())
    for _ in range(3):
        step([])
        assert (K.get_value(params[0]) >= 0).all()


# -- state -----------------------------------------------------------------------------------------------

COUNTER, SLOTS = [()], [(2, 2), (1,)]
LAYOUTS = {
    "SGD": COUNTER + SLOTS,
    "RMSprop": SLOTS,
    "Adagrad": SLOTS,
    "Adadelta": SLOTS * 2,
    "Adam": COUNTER + SLOTS * 2 + [(1,), (1,)],
    "Adamax": COUNTER + SLOTS * 2,
    "Nadam": COUNTER + SLOTS * 2,
}


@pytest.mark.parametrize("name", NAMES)
def test_state_has_the_order_of_keras_files(name):
    optimizer = make(name)
    assert optimizer.get_weights() == []
    training(optimizer)
    assert [w.shape for w in optimizer.get_weights()] == LAYOUTS[name]
    names = [w.name for w in optimizer.weights]
    assert len(set(names)) == len(names)


def test_amsgrad_keeps_the_largest_averages():
    optimizer = make("Adam", amsgrad=True)
    training(optimizer)
    assert [w.shape for w in optimizer.get_weights()] == COUNTER + SLOTS * 3


def test_order_of_averages():
    optimizer = make("Adam")
    _, step = training(optimizer)
    step([])
    count, m, _, v, *_ = optimizer.get_weights()
    assert count == 1
    np.testing.assert_allclose(m, 0.1 * 2.0, rtol=1e-5)
    np.testing.assert_allclose(v, 0.001 * 4.0, rtol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_training_goes_on_from_saved_state(name):
    first = make(name, lr=0.01)
    params, step = training(first)
    for _ in range(4):
        step([])
    values, state = [K.get_value(p) for p in params], first.get_weights()
    step([])

    second = make(name, lr=0.01)
    others, other_step = training(second)
    for p, value in zip(others, values):
        K.set_value(p, value)
    second.set_weights(state)
    other_step([])
    for p, q in zip(params, others):
        np.testing.assert_allclose(K.get_value(p), K.get_value(q), rtol=1e-6)


@pytest.mark.parametrize("name", ["RMSprop", "Adagrad", "Adadelta"])
def test_state_of_keras_2_3_with_the_counter(name):
    optimizer = make(name)
    training(optimizer)
    state = [np.full(w.shape, 0.5, "float32") for w in optimizer.get_weights()]
    optimizer.set_weights([np.int64(7), *state])
    assert K.get_value(optimizer.iterations) == 7
    assert all((w == 0.5).all() for w in optimizer.get_weights())


def test_adam_state_of_keras_2_0():
    optimizer = make("Adam")
    training(optimizer)
    state = [np.int64(7), *(np.full(shape, 0.5, "float32") for shape in SLOTS * 2)]
    optimizer.set_weights(state)
    assert optimizer.get_weights()[0] == 7 and (optimizer.get_weights()[3] == 0.5).all()


def test_nadam_state_of_keras_2_3():
    optimizer = make("Nadam")
    training(optimizer)
    optimizer.set_weights([np.int64(7), np.float32(0.25), *(np.zeros(shape, "float32") for shape in SLOTS * 2)])
    assert K.get_value(optimizer.iterations) == 7 and K.get_value(optimizer.m_schedule) == 0.25


def test_nadam_after_very_many_steps():
    optimizer = make("Nadam")
    training(optimizer)
    optimizer.set_weights([np.int64(10**9), *(np.zeros(shape, "float32") for shape in SLOTS * 2)])
    assert K.get_value(optimizer.m_schedule) == 0


def test_wrong_state_is_refused_whole():
    optimizer = make("SGD")
    with pytest.raises(DataError, match=r"0 weights.*first trained"):
        optimizer.set_weights([np.int64(1)])
    training(optimizer)
    with pytest.raises(DataError, match="3 weights, but was given 2"):
        optimizer.set_weights([np.int64(1), np.zeros((2, 2))])
    with pytest.raises(DataError, match=r"\(1,\).*\(5,\)"):
        optimizer.set_weights([np.int64(1), np.ones((2, 2)), np.zeros(5)])
    assert all((w == 0).all() for w in optimizer.get_weights())


# -- gradients -------------------------------------------------------------------------------------------


def test_common_norm_is_clipped():
    optimizer = make("SGD", lr=1.0, clipnorm=0.5)
    params, step = training(optimizer)
    before = [K.get_value(p) for p in params]
    step([])
    steps = [b - K.get_value(p) for p, b in zip(params, before)]
    np.testing.assert_allclose(np.sqrt(sum(np.sum(s**2) for s in steps)), 0.5, rtol=1e-5)


def test_small_gradients_are_not_clipped():
    p = K.variable([0.1, 0.0])
    optimizer = make("SGD", lr=1.0, clipnorm=0.5)
    loss = K.sum(K.square(p)) / 2
    K.function([], [loss], updates=optimizer.get_updates(loss, [p]))([])
    np.testing.assert_allclose(K.get_value(p), [0, 0], atol=1e-8)


def test_zero_gradient_with_clipnorm_stays_zero():
    p = K.variable([0.0, 0.0])
    optimizer = make("SGD", lr=1.0, clipnorm=0.5)
    loss = K.sum(K.square(p))
    K.function([], [loss], updates=optimizer.get_updates(loss, [p]))([])
    assert K.get_value(p).tolist() == [0, 0]


def test_parameter_without_gradient_is_named():
    used, unused = K.variable([1.0], name="used"), K.variable([1.0], name="unused")
    with pytest.raises(GradientError, match="no gradient for unused"):
        make("SGD").get_updates(K.sum(used), [used, unused])


def test_base_class_says_what_is_missing():
    with pytest.raises(NotImplementedError, match="get_updates"):
        Optimizer().get_updates(None, [])


def test_own_optimizer_in_the_manner_of_keras_2():
    class Sign(Optimizer):
        def __init__(self, lr=0.1, **kwargs):
            super().__init__(**kwargs)
            with K.name_scope(self.__class__.__name__):
                self.iterations = K.variable(0, dtype="int64", name="iterations")
                self.lr = K.variable(lr, name="lr")

        def get_updates(self, loss, params):
            grads = self.get_gradients(loss, params)
            self.updates = [K.update_add(self.iterations, 1)]
            self.weights = [self.iterations]
            for p, g in zip(params, grads):
                new_p = p - self.lr * K.sign(g)
                if getattr(p, "constraint", None) is not None:
                    new_p = p.constraint(new_p)
                self.updates.append(K.update(p, new_p))
            return self.updates

        def get_config(self):
            return dict(list(super().get_config().items()) + [("lr", float(K.get_value(self.lr)))])

    params, step = training(Sign(lr=0.25))
    step([])
    np.testing.assert_allclose(K.get_value(params[0]), 0.75)
    config = optimizers.serialize(Sign(lr=0.25))
    assert optimizers.deserialize(config, custom_objects={"Sign": Sign}).get_config() == {"lr": 0.25}
