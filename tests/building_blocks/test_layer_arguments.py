"""What a layer cannot do is refused when it is made: the message has the argument, the layer and what was given."""

from __future__ import annotations

import numpy as np
import pytest

from kcore import backend as K
from kcore import layers as L
from kcore.errors import ArgumentError, ShapeError

RATES = ("Dropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D", "GaussianDropout", "AlphaDropout")
NO_RATES = (-0.1, 1.5, None, "0.5", True, np.ones(2))

REFUSED = [
    *((name, {"rate": rate}, "rate") for name in RATES for rate in NO_RATES),
    *((name, {"units": 2, key: 2}, key) for name in ("SimpleRNN", "GRU", "LSTM", "LSTMCell", "GRUCell")
      for key in ("dropout", "recurrent_dropout")),
    ("ConvLSTM2D", {"filters": 2, "kernel_size": 3, "dropout": -1}, "dropout"),
    ("LSTM", {"units": 2, "implementation": 3}, "implementation"),
    ("GRU", {"units": 2, "implementation": "1"}, "implementation"),
    ("GaussianNoise", {"stddev": -1}, "stddev"),
    ("GaussianNoise", {"stddev": None}, "stddev"),
    ("LeakyReLU", {"alpha": None}, "alpha"),
    ("ELU", {"alpha": "1"}, "alpha"),
    ("ThresholdedReLU", {"theta": "a"}, "theta"),
    ("ReLU", {"max_value": -1.0}, "max_value"),
    ("ReLU", {"negative_slope": None}, "negative_slope"),
    ("ReLU", {"threshold": "a"}, "threshold"),
    ("Softmax", {"axis": 0.5}, "axis"),
    ("Concatenate", {"axis": "a"}, "axis"),
    ("Dot", {"axes": "a"}, "axes"),
    ("PReLU", {"shared_axes": "a"}, "shared_axes"),
    ("BatchNormalization", {"axis": None}, "axis"),
    ("BatchNormalization", {"momentum": 2}, "momentum"),
    ("BatchNormalization", {"epsilon": -1e-3}, "epsilon"),
    ("Masking", {"mask_value": "a"}, "mask_value"),
    ("ActivityRegularization", {"l1": "a"}, "l1"),
    ("Reshape", {"target_shape": "ab"}, "target_shape"),
    ("Reshape", {"target_shape": (2, 1.5)}, "target_shape"),
    ("Permute", {"dims": (0, 1)}, "dims"),
    ("RepeatVector", {"n": 0}, "n"),
    ("Lambda", {"function": 3}, "function"),
    ("Dense", {"units": "3"}, "units"),
    ("Embedding", {"input_dim": 0, "output_dim": 3}, "input_dim"),
    ("Conv2D", {"filters": 2, "kernel_size": (3, 3, 3)}, "kernel_size"),
    ("Conv2D", {"filters": 2, "kernel_size": 3, "padding": "sme"}, "padding"),
    ("Conv2D", {"filters": 2, "kernel_size": 3, "data_format": "channel_last"}, "data_format"),
    ("ZeroPadding2D", {"padding": -1}, "padding"),
    ("Cropping2D", {"cropping": "a"}, "cropping"),
    ("UpSampling2D", {"size": 0}, "size"),
    ("Bidirectional", {"layer": lambda: L.LSTM(3), "merge_mode": "x"}, "merge_mode"),
    ("TimeDistributed", {"layer": 3}, "TimeDistributed"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "arguments", "argument"), REFUSED)
def test_refused(name, arguments, argument):
    given = {key: value() if callable(value) else value for key, value in arguments.items()}
    with pytest.raises((ArgumentError, ShapeError)) as caught:
        getattr(L, name)(**given)  # here
    message = str(caught.value)
    assert argument in message
    if argument in given and not isinstance(given[argument], np.ndarray):
        assert repr(given[argument]) in message
    assert "# here" in caught.value.line


@pytest.mark.parametrize("rate", [0, 0.5, np.float32(0.5), np.array(0.25)])
def test_numbers_of_any_kind_are_rates(rate):
    x = K.constant(np.ones((2, 3)))
    assert K.eval(L.Dropout(rate)(x)).shape == (2, 3)
