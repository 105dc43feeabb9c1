"""Each layer held to the contract (`kcore.testing.check_layer`)."""

import pytest

from kcore.layers import LocallyConnected1D, LocallyConnected2D
from kcore.testing import check_layer

CASES = [
    (LocallyConnected1D, {"filters": 3, "kernel_size": 2}, {"input_shape": (None, 6, 4)}),
    (
        LocallyConnected2D,
        {"filters": 3, "kernel_size": (2, 3), "strides": (2, 1), "activation": "relu"},
        {"input_shape": (None, 6, 5, 2)},
    ),
    (
        LocallyConnected2D,
        {"filters": 3, "kernel_size": 2, "data_format": "channels_first"},
        {"input_shape": (None, 2, 6, 5)},
    ),
]


@pytest.mark.parametrize(("layer", "arguments", "given"), CASES, ids=lambda v: getattr(v, "__name__", None))
def test_contract(layer, arguments, given):
    check_layer(layer, arguments, **given)
