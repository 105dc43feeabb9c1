"""Training in float16 with a scaled loss."""

import numpy as np
import pytest

from kcore import backend as K
from kcore import optimizers
from kcore.constraints import NonNeg
from kcore_optimizers import SGD, LossScaleOptimizer


def _step(optimizer, values, loss_of, dtype="float16", constraint=None):
    """Parameters with these values, and a function of a factor that takes one step on their loss."""
    params = [K.variable(np.asarray(v), dtype=dtype, constraint=constraint) for v in values]
    factor = K.placeholder((), dtype=dtype)
    loss = loss_of(params) * factor
    return params, K.function([factor], [loss], updates=optimizer.get_updates(loss, params))


def _square(params):
    return sum(K.sum(K.square(p)) for p in params)


@pytest.mark.parametrize("inner", ["sgd", "adam", "rmsprop", "adadelta", "nadam", "adamax", "adagrad"])
def test_as_in_float32(inner):
    start = [np.array([[0.5, -1.0], [2.0, 0.25]]), np.array([3.0])]
    optimizer = LossScaleOptimizer(inner, initial_scale=256)
    params, step = _step(optimizer, start, _square)
    wanted, plain = _step(optimizers.get(inner), start, _square, "float32")
    for _ in range(20):
        step([1.0])
        plain([1.0])
    for p, w in zip(params, wanted, strict=True):
        assert p.dtype == "float16"
        np.testing.assert_allclose(K.get_value(p), K.get_value(w), rtol=5e-3, atol=2e-3)


def test_gradients_that_float16_cannot_hold():
    """Without the scale a gradient below 6e-8 is 0."""
    tiny = np.array([1e-4], "float32")
    params, step = _step(LossScaleOptimizer(SGD(lr=1e3)), [tiny], lambda ps: K.sum(ps[0]) * 1e-4)
    plain_params, plain = _step(SGD(lr=1e3), [tiny], lambda ps: K.sum(ps[0]) * 1e-4)
    before = K.get_value(params[0]).item()
    for f in (step, plain):
        f([2e-4])  # gradient 2e-8
    assert K.get_value(plain_params[0]).item() == before
    np.testing.assert_allclose(K.get_value(params[0]), before - 2e-5, rtol=1e-2)


def test_updates_that_float16_cannot_hold_add_up():
    """1 - 1e-5 rounds to 1; a hundred of them do not."""
    params, step = _step(LossScaleOptimizer(SGD(lr=1e-5)), [np.ones(1)], lambda ps: K.sum(ps[0]))
    for _ in range(200):
        step([1.0])
    np.testing.assert_allclose(K.get_value(params[0]), 0.998, atol=5e-4)


def test_an_overflow_leaves_everything_but_the_scale():
    optimizer = LossScaleOptimizer("adam", initial_scale=1024, growth_steps=3)
    params, step = _step(optimizer, [np.array([1.0, 2.0])], _square)
    step([1.0])
    state = [K.get_value(v) for v in optimizer.weights[2:]]
    kept = K.get_value(params[0])
    for bad in (6e4, np.inf, np.nan):
        step([bad])
    assert K.get_value(optimizer.loss_scale) == 1024 / 8
    assert K.get_value(optimizer.good_steps) == 0
    np.testing.assert_array_equal(K.get_value(params[0]), kept)
    for variable, value in zip(optimizer.weights[2:], state, strict=True):
        np.testing.assert_array_equal(K.get_value(variable), value)
    scales = []
    for _ in range(7):
        step([1.0])
        scales.append(K.get_value(optimizer.loss_scale).item())
    assert scales == [128, 128, 256, 256, 256, 512, 512]


def test_the_scale_never_falls_below_1_and_may_be_fixed():
    for dynamic, wanted in ((True, 1.0), (False, 4.0)):
        optimizer = LossScaleOptimizer("sgd", initial_scale=4, dynamic=dynamic)
        params, step = _step(optimizer, [np.ones(2)], _square)
        for _ in range(5):
            step([np.inf])
        assert K.get_value(optimizer.loss_scale) == wanted
        np.testing.assert_array_equal(K.get_value(params[0]), 1)


def test_weights_that_are_set_go_before_the_masters():
    optimizer = LossScaleOptimizer(SGD(lr=0.5))
    params, step = _step(optimizer, [np.ones(2)], lambda ps: K.sum(ps[0]))
    step([1.0])
    K.set_value(params[0], np.array([8.0, 9.0], "float16"))
    step([1.0])
    np.testing.assert_array_equal(K.get_value(params[0]), [7.5, 8.5])


def test_float32_weights_need_no_masters():
    optimizer = LossScaleOptimizer("sgd", initial_scale=2.0**20)
    params, step = _step(optimizer, [np.ones(2)], _square, "float32")
    wanted, plain = _step(SGD(), [np.ones(2)], _square, "float32")
    for _ in range(5):
        step([1.0])
        plain([1.0])
    np.testing.assert_allclose(K.get_value(params[0]), K.get_value(wanted[0]), rtol=1e-6)
    assert not any("master" in w.name for w in optimizer.weights)


def test_constraints_and_clipping_are_those_of_the_optimizer_inside():
    params, step = _step(LossScaleOptimizer(SGD(lr=1.0, clipvalue=0.75), 256), [np.array([0.5, 2.0])], _square,
                         constraint=NonNeg())  # fmt: skip
    step([1.0])
    np.testing.assert_array_equal(K.get_value(params[0]), [0, 1.25])


def test_callbacks_find_the_learning_rate():
    optimizer = LossScaleOptimizer(SGD(lr=0.25))
    assert optimizer.lr is optimizer.optimizer.lr
    assert optimizer.iterations is optimizer.optimizer.iterations
    params, step = _step(optimizer, [np.ones(1)], lambda ps: K.sum(ps[0]))
    step([1.0])
    K.set_value(optimizer.lr, 0.5)
    step([1.0])
    assert K.get_value(params[0]) == 0.25
    with pytest.raises(AttributeError, match="momentun"):
        optimizer.momentun  # noqa: B018


def test_configuration_and_state_round_trip():
    optimizer = LossScaleOptimizer({"class_name": "Adam", "config": {"lr": 0.5}}, 256, 7, False)
    again = optimizers.deserialize(optimizers.serialize(optimizer))
    assert type(again) is LossScaleOptimizer
    assert again.get_config() == optimizer.get_config()
    assert again.get_config()["optimizer"]["config"]["lr"] == 0.5
    made = [_step(o, [np.array([1.0, -2.0])], _square) for o in (optimizer, again)]
    for _ in range(3):
        made[0][1]([1.0])
    again.set_weights(optimizer.get_weights())
    K.set_value(made[1][0][0], K.get_value(made[0][0][0]))
    for _, step in made:
        step([1.0])
    np.testing.assert_array_equal(K.get_value(made[0][0][0]), K.get_value(made[1][0][0]))


def test_hyper_parameters_of_a_name_are_float32():
    before = K.floatx()
    K.set_floatx("float16")
    try:
        assert K.dtype(LossScaleOptimizer("adam").lr) == "float32"
        assert K.floatx() == "float16"
    finally:
        K.set_floatx(before)


@pytest.mark.parametrize("wrong", [{"initial_scale": 0.5}, {"growth_steps": 0}, {"initial_scale": "big"}])
def test_what_is_refused(wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} must be a number of 1 or more, got"):
        LossScaleOptimizer("sgd", **wrong)
