"""Every optimizer against the steps that tf-keras takes, and against its formula in float64."""

import json
from pathlib import Path

import numpy as np
import pytest

import kcore_optimizers
from kcore import backend as K

GOLDEN = np.load(Path(__file__).parent / "golden" / "golden.npz")
CASES = json.loads(str(GOLDEN["cases"]))
START, SCALE, SHIFT = ([GOLDEN[f"{what}/{i}"] for i in range(2)] for what in ("start", "scale", "shift"))
# Cases that tf-keras has not (it clips each gradient by its own norm), or to be sure of both.
FURTHER = {"SGD clipnorm": {"lr": 0.05, "clipnorm": 1.5}, "Adam clips": {"lr": 0.05, "clipnorm": 2, "clipvalue": 0.3}}
ALL = {**CASES, **FURTHER}


def make(case):
    return getattr(kcore_optimizers, case.split()[0])(**ALL[case])


def problem():
    """Parameters, and a convex loss whose gradient changes its sign on the way."""
    params = [K.variable(p) for p in START]
    terms = [K.sum(a * K.square(p - b) + 0.1 * K.pow(p, 4)) for p, a, b in zip(params, SCALE, SHIFT)]
    return params, terms[0] + terms[1]


def path_of(optimizer, steps):
    """The values of both parameters after each step: two arrays (steps, ...)."""
    params, loss = problem()
    step = K.function([], [loss], updates=optimizer.get_updates(loss, params))
    path = [[], []]
    for _ in range(steps):
        step([])
        for values, p in zip(path, params):
            values.append(K.get_value(p))
    return [np.stack(values) for values in path]


@pytest.mark.parametrize("case", CASES)
def test_steps_are_those_of_keras(case):
    expected = [GOLDEN[f"{case}/{i}"] for i in range(2)]
    for values, wanted in zip(path_of(make(case), len(expected[0])), expected):
        np.testing.assert_allclose(values, wanted, rtol=1e-4, atol=1e-5)


# -- the formulas of the classes' docstrings, in float64 -------------------------------------------------


def sgd(p, g, s, t, lr, momentum=0.0, nesterov=False):
    s["v"] = momentum * s["v"] - lr * g
    return p + (momentum * s["v"] - lr * g if nesterov else s["v"])


def rmsprop(p, g, s, t, lr, rho=0.9, epsilon=1e-7):
    s["a"] = rho * s["a"] + (1 - rho) * g**2
    return p - lr * g / (np.sqrt(s["a"]) + epsilon)


def adagrad(p, g, s, t, lr, epsilon=1e-7):
    s["a"] = s["a"] + g**2
    return p - lr * g / (np.sqrt(s["a"]) + epsilon)


def adadelta(p, g, s, t, lr, rho=0.95, epsilon=1e-7):
    s["a"] = rho * s["a"] + (1 - rho) * g**2
    change = g * np.sqrt(s["d"] + epsilon) / np.sqrt(s["a"] + epsilon)
    s["d"] = rho * s["d"] + (1 - rho) * change**2
    return p - lr * change


def adam(p, g, s, t, lr, beta_1=0.9, beta_2=0.999, epsilon=1e-7, amsgrad=False):
    s["m"] = beta_1 * s["m"] + (1 - beta_1) * g
    s["v"] = beta_2 * s["v"] + (1 - beta_2) * g**2
    s["max"] = np.maximum(s["max"], s["v"])
    magnitude = s["max"] if amsgrad else s["v"]
    return p - lr * np.sqrt(1 - beta_2**t) / (1 - beta_1**t) * s["m"] / (np.sqrt(magnitude) + epsilon)


def adamax(p, g, s, t, lr, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
    s["m"] = beta_1 * s["m"] + (1 - beta_1) * g
    s["u"] = np.maximum(beta_2 * s["u"], np.abs(g))
    return p - lr / (1 - beta_1**t) * s["m"] / (s["u"] + epsilon)


def nadam(p, g, s, t, lr, beta_1=0.9, beta_2=0.999, epsilon=1e-7, schedule_decay=0.004):
    def mu(step):
        return beta_1 * (1 - 0.5 * 0.96 ** (step * schedule_decay))

    so_far = np.prod([mu(i) for i in range(1, t + 1)])
    s["m"] = beta_1 * s["m"] + (1 - beta_1) * g
    s["v"] = beta_2 * s["v"] + (1 - beta_2) * g**2
    direction = (1 - mu(t)) * g / (1 - so_far) + mu(t + 1) * s["m"] / (1 - so_far * mu(t + 1))
    return p - lr * direction / (np.sqrt(s["v"] / (1 - beta_2**t)) + epsilon)


FORMULAS = {f.__name__: f for f in (sgd, rmsprop, adagrad, adadelta, adam, adamax, nadam)}


class Slots(dict):
    def __missing__(self, name):
        return 0.0


def reference_path(case, steps):
    arguments = dict(ALL[case])
    lr, decay = arguments.pop("lr"), arguments.pop("decay", 0.0)
    clipnorm, clipvalue = arguments.pop("clipnorm", None), arguments.pop("clipvalue", None)
    formula = FORMULAS[case.split()[0].lower()]
    params, slots = [p.astype("float64") for p in START], [Slots(), Slots()]
    path = [[], []]
    for t in range(1, steps + 1):
        gradients = [2 * a * (p - b) + 0.4 * p**3 for p, a, b in zip(params, SCALE, SHIFT)]
        if clipnorm:
            norm = np.sqrt(sum(np.sum(g**2) for g in gradients))
            gradients = [g / max(1, norm / clipnorm) for g in gradients]
        if clipvalue:
            gradients = [np.clip(g, -clipvalue, clipvalue) for g in gradients]
        rate = lr / (1 + decay * (t - 1))
        params = [formula(p, g, s, t, rate, **arguments) for p, g, s in zip(params, gradients, slots)]
        for values, p in zip(path, params):
            values.append(p)
    return [np.stack(values) for values in path]


@pytest.mark.parametrize("case", ALL)
def test_steps_follow_the_formula(case):
    for values, wanted in zip(path_of(make(case), 20), reference_path(case, 20)):
        np.testing.assert_allclose(values, wanted, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("name", ["SGD", "RMSprop", "Adagrad", "Adam", "Adamax", "Nadam"])
def test_default_arguments_go_downhill(name):
    optimizer = getattr(kcore_optimizers, name)()
    params, loss = problem()
    step = K.function([], [loss], updates=optimizer.get_updates(loss, params))
    losses = [float(step([])[0]) for _ in range(30)]
    assert losses == sorted(losses, reverse=True) and losses[-1] < losses[0]
