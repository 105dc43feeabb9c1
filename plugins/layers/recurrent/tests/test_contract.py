"""Each layer held to the contract (`kcore.testing.check_layer`)."""

import pytest

from kcore.layers import (
    GRU,
    LSTM,
    RNN,
    ConvLSTM2D,
    CuDNNGRU,
    CuDNNLSTM,
    GRUCell,
    LSTMCell,
    SimpleRNN,
    SimpleRNNCell,
)
from kcore.testing import check_layer


def of_lstm(**kwargs):
    return RNN(LSTMCell(4), **kwargs)


def of_stack(**kwargs):
    return RNN([GRUCell(4), SimpleRNNCell(3)], **kwargs)


CASES = [
    (SimpleRNN, {"units": 5}, {"input_shape": (None, 4, 3)}),
    (SimpleRNN, {"units": 5, "return_sequences": True, "go_backwards": True}, {"input_shape": (None, 4, 3)}),
    (
        SimpleRNN,
        {"units": 4, "dropout": 0.2, "recurrent_dropout": 0.2, "kernel_regularizer": "l2"},
        {"input_shape": (None, 4, 3)},
    ),
    (SimpleRNN, {"units": 4, "unroll": True, "use_bias": False}, {"input_shape": (None, 4, 3), "unknown_sizes": False}),
    (SimpleRNN, {"units": 4, "stateful": True}, {"input_shape": (2, 4, 3)}),
    (SimpleRNN, {"units": 4, "activation": "selu", "return_state": True}, {"input_shape": (None, 4, 3)}),
    (GRU, {"units": 5}, {"input_shape": (None, 4, 3)}),
    (GRU, {"units": 5, "return_sequences": True, "go_backwards": True}, {"input_shape": (None, 4, 3)}),
    (
        GRU,
        {"units": 4, "dropout": 0.2, "recurrent_dropout": 0.2, "kernel_regularizer": "l2"},
        {"input_shape": (None, 4, 3)},
    ),
    (GRU, {"units": 4, "unroll": True, "use_bias": False}, {"input_shape": (None, 4, 3), "unknown_sizes": False}),
    (GRU, {"units": 4, "stateful": True}, {"input_shape": (2, 4, 3)}),
    (GRU, {"units": 4, "activation": "selu", "return_state": True}, {"input_shape": (None, 4, 3)}),
    (LSTM, {"units": 5}, {"input_shape": (None, 4, 3)}),
    (LSTM, {"units": 5, "return_sequences": True, "go_backwards": True}, {"input_shape": (None, 4, 3)}),
    (
        LSTM,
        {"units": 4, "dropout": 0.2, "recurrent_dropout": 0.2, "kernel_regularizer": "l2"},
        {"input_shape": (None, 4, 3)},
    ),
    (LSTM, {"units": 4, "unroll": True, "use_bias": False}, {"input_shape": (None, 4, 3), "unknown_sizes": False}),
    (LSTM, {"units": 4, "stateful": True}, {"input_shape": (2, 4, 3)}),
    (LSTM, {"units": 4, "activation": "selu", "return_state": True}, {"input_shape": (None, 4, 3)}),
    (GRU, {"units": 4, "reset_after": True}, {"input_shape": (None, 4, 3)}),
    (LSTM, {"units": 4, "implementation": 2, "dropout": 0.3}, {"input_shape": (None, 4, 3)}),
    (CuDNNLSTM, {"units": 4}, {"input_shape": (None, 4, 3)}),
    (CuDNNGRU, {"units": 4, "return_sequences": True}, {"input_shape": (None, 4, 3)}),
    (of_lstm, {}, {"input_shape": (None, 4, 3)}),
    (of_stack, {"return_sequences": True}, {"input_shape": (None, 4, 3)}),
    (ConvLSTM2D, {"filters": 2, "kernel_size": 2}, {"input_shape": (None, 3, 5, 4, 2)}),
    (
        ConvLSTM2D,
        {
            "filters": 2,
            "kernel_size": 3,
            "padding": "same",
            "return_sequences": True,
            "dropout": 0.1,
            "recurrent_dropout": 0.1,
        },
        {"input_shape": (None, 3, 4, 4, 2)},
    ),
    (
        ConvLSTM2D,
        {"filters": 2, "kernel_size": 2, "data_format": "channels_first"},
        {"input_shape": (None, 3, 2, 5, 4)},
    ),
]


@pytest.mark.parametrize(("layer", "arguments", "given"), CASES, ids=lambda v: getattr(v, "__name__", None))
def test_contract(layer, arguments, given):
    check_layer(layer, arguments, **given)
