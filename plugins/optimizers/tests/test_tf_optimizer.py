"""TFOptimizer: optimizer objects from elsewhere."""

import numpy as np
import pytest

from kcore import backend as K
from kcore import optimizers
from kcore.constraints import NonNeg
from kcore_optimizers import TFOptimizer


class Applies:
    """The smallest object that can be wrapped."""

    def apply_gradients(self, grads_and_vars):
        return [K.update_sub(v, 0.5 * g) for g, v in grads_and_vars]


class Computes(Applies):
    """An object in the manner of TensorFlow 1, which also computes gradients and counts steps."""

    def compute_gradients(self, loss, params):
        return [(2 * g, p) for g, p in zip(K.gradients(loss, params), params)]

    def apply_gradients(self, grads_and_vars, global_step=None):
        return [*super().apply_gradients(grads_and_vars), K.update_add(global_step, 1)]


@pytest.mark.parametrize(("wrapped", "expected"), [(Applies(), [0.5, 1.0]), (Computes(), [0.0, 0.0])])
def test_steps(wrapped, expected):
    p = K.variable([1.0, 2.0])
    optimizer = TFOptimizer(wrapped)
    loss = K.sum(K.square(p)) / 2
    step = K.function([], [loss], updates=optimizer.get_updates(loss, [p]))
    step([])
    np.testing.assert_allclose(K.get_value(p), expected)
    assert K.get_value(optimizer.iterations) == 1
    assert [w.shape for w in optimizer.get_weights()] == [()]


def test_constraints_hold():
    p = K.variable([1.0, 2.0], constraint=NonNeg())
    loss = 10 * K.sum(p)
    K.function([], [loss], updates=TFOptimizer(Applies()).get_updates(loss, [p]))([])
    assert K.get_value(p).tolist() == [0, 0]


def test_get_wraps():
    assert isinstance(optimizers.get(Applies()), TFOptimizer)


def test_errors():
    with pytest.raises(TypeError, match="apply_gradients"):
        TFOptimizer(object())
    with pytest.raises(NotImplementedError, match="include_optimizer=False"):
        TFOptimizer(Applies()).get_config()
