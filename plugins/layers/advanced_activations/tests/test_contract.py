"""Each layer held to the contract (`kcore.testing.check_layer`)."""

import pytest

from kcore.layers import ELU, LeakyReLU, PReLU, ReLU, Softmax, ThresholdedReLU
from kcore.testing import check_layer

CASES = [
    (LeakyReLU, {"alpha": 0.2}, {"input_shape": (None, 4, 3)}),
    (PReLU, {}, {"input_shape": (None, 4, 3)}),
    (PReLU, {"shared_axes": [1], "alpha_initializer": "ones"}, {"input_shape": (None, 4, 3)}),
    (ReLU, {"max_value": 1.5, "negative_slope": 0.1, "threshold": 0.5}, {"input_shape": (None, 4, 3)}),
    (ELU, {"alpha": 0.7}, {"input_shape": (None, 4, 3)}),
    (ThresholdedReLU, {"theta": 0.3}, {"input_shape": (None, 4, 3)}),
    (Softmax, {"axis": 1}, {"input_shape": (None, 4, 3)}),
]


@pytest.mark.parametrize(("layer", "arguments", "given"), CASES, ids=lambda v: getattr(v, "__name__", None))
def test_contract(layer, arguments, given):
    check_layer(layer, arguments, **given)
