"""Each layer held to the contract (`kcore.testing.check_layer`)."""

import numpy as np
import pytest

from kcore import backend as K
from kcore.layers import BatchNormalization
from kcore.models import Input, Model
from kcore.testing import check_layer

CASES = [
    (BatchNormalization, {}, {"input_shape": (None, 4)}),
    (BatchNormalization, {"axis": 1}, {"input_shape": (None, 3, 4, 5)}),
    (BatchNormalization, {"momentum": 0.9, "epsilon": 1e-2, "scale": False}, {"input_shape": (None, 4, 3)}),
    (BatchNormalization, {"center": False, "gamma_regularizer": "l2"}, {"input_shape": (None, 4, 3, 2)}),
]


@pytest.mark.parametrize(("layer", "arguments", "given"), CASES, ids=lambda v: getattr(v, "__name__", None))
def test_contract(layer, arguments, given):
    check_layer(layer, arguments, **given)


def test_shared_over_two_inputs_both_move_the_averages():
    layer = BatchNormalization(momentum=0.5)
    a, b = Input((3,)), Input((3,))
    model = Model([a, b], [layer(a), layer(b)])
    rng = np.random.default_rng(0)
    x, y = rng.normal(1, 2, size=(2, 8, 3)).astype("float32")
    K.function([a, b, K.learning_phase()], model.outputs, model.updates)([x, y, 1])
    unbiased = 8 / (8 - 1.001)
    mean = 0.5 * (0.5 * x.mean(0)) + 0.5 * y.mean(0)
    variance = 0.5 * (0.5 + 0.5 * unbiased * x.var(0)) + 0.5 * unbiased * y.var(0)
    np.testing.assert_allclose(layer.get_weights()[2], mean, rtol=1e-5)
    np.testing.assert_allclose(layer.get_weights()[3], variance, rtol=1e-5)
