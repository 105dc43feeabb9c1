"""Each layer held to the contract (`kcore.testing.check_layer`)."""

import pytest

from kcore.layers import BatchNormalization
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
