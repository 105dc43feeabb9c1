"""Each layer held to the contract (`kcore.testing.check_layer`)."""

import pytest

from kcore.layers import LSTM, Bidirectional, Conv2D, Dense, TimeDistributed
from kcore.testing import check_layer


def each_dense(**kwargs):
    return TimeDistributed(Dense(2), **kwargs)


def each_conv(**kwargs):
    return TimeDistributed(Conv2D(2, 2), **kwargs)


def both_last(**kwargs):
    return Bidirectional(LSTM(3), **kwargs)


def both(**kwargs):
    return Bidirectional(LSTM(3, return_sequences=True), **kwargs)


CASES = [
    (each_dense, {}, {"input_shape": (None, 4, 3)}),
    (each_conv, {}, {"input_shape": (None, 3, 4, 5, 2)}),
    (both_last, {}, {"input_shape": (None, 4, 3)}),
    (both, {"merge_mode": "sum"}, {"input_shape": (None, 4, 3)}),
    (both, {"merge_mode": None}, {"input_shape": (None, 4, 3)}),
]


@pytest.mark.parametrize(("layer", "arguments", "given"), CASES, ids=lambda v: getattr(v, "__name__", None))
def test_contract(layer, arguments, given):
    check_layer(layer, arguments, **given)
