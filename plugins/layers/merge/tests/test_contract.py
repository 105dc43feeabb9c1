"""Each layer held to the contract (`kcore.testing.check_layer`)."""

import pytest

from kcore.layers import Add, Average, Concatenate, Dot, Maximum, Minimum, Multiply, Subtract
from kcore.testing import check_layer

CASES = [
    (Add, {}, {"input_shape": [(None, 4, 3), (None, 4, 3)]}),
    (Subtract, {}, {"input_shape": [(None, 4, 3), (None, 4, 3)]}),
    (Multiply, {}, {"input_shape": [(None, 4, 3), (None, 4, 3)]}),
    (Average, {}, {"input_shape": [(None, 4, 3), (None, 4, 3)]}),
    (Maximum, {}, {"input_shape": [(None, 4, 3), (None, 4, 3)]}),
    (Minimum, {}, {"input_shape": [(None, 4, 3), (None, 4, 3)]}),
    (Add, {}, {"input_shape": [(None, 4, 3), (None, 3)]}),
    (Multiply, {}, {"input_shape": [(None, 4, 3), (None, 1, 3), (None, 4, 1)]}),
    (Concatenate, {}, {"input_shape": [(None, 4, 3), (None, 4, 3)]}),
    (Concatenate, {"axis": 1}, {"input_shape": [(None, 4, 3), (None, 2, 3)]}),
    (Dot, {"axes": 1}, {"input_shape": [(None, 4), (None, 4)]}),
    (Dot, {"axes": (2, 1), "normalize": True}, {"input_shape": [(None, 4, 3), (None, 3, 2)]}),
]


@pytest.mark.parametrize(("layer", "arguments", "given"), CASES, ids=lambda v: getattr(v, "__name__", None))
def test_contract(layer, arguments, given):
    check_layer(layer, arguments, **given)
