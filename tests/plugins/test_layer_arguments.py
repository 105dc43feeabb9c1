"""What layers refuse says which layer refuses it, what it was given and what it takes."""

from __future__ import annotations

import re
import traceback

import numpy as np
import pytest

from kcore import backend as K
from kcore import layers
from kcore.engine import Layer
from kcore.errors import ArgumentError, ShapeError
from kcore.layers import Input
from kcore.models import Model

CONVOLUTIONS = {"filters": 2, "kernel_size": 3}
DEPTHWISE = {**CONVOLUTIONS, "depth_multiplier": 1}
PLAIN = ("filters", "kernel_size", "strides", "dilation_rate")
# Class: the arguments that are sizes, and good values of those that must be given.
SIZES = {
    "Dense": (("units",), {}),
    "RepeatVector": (("n",), {}),
    "Embedding": (("input_dim", "output_dim", "input_length"), {"input_dim": 3, "output_dim": 2}),
    **dict.fromkeys(("SimpleRNN", "GRU", "LSTM", "CuDNNGRU", "CuDNNLSTM"), (("units",), {})),
    **dict.fromkeys(("SimpleRNNCell", "GRUCell", "LSTMCell"), (("units",), {})),
    **dict.fromkeys(("Conv1D", "Conv2D", "Conv3D", "ConvLSTM2D"), (PLAIN, CONVOLUTIONS)),
    **dict.fromkeys(("SeparableConv1D", "SeparableConv2D"), ((*PLAIN, "depth_multiplier"), DEPTHWISE)),
    "DepthwiseConv2D": (("kernel_size", "strides", "depth_multiplier"), {"kernel_size": 3}),
    **dict.fromkeys(("Conv2DTranspose", "Conv3DTranspose"), (PLAIN[:3], CONVOLUTIONS)),
    **dict.fromkeys(("LocallyConnected1D", "LocallyConnected2D"), (PLAIN[:3], CONVOLUTIONS)),
    **{f"{mode}Pooling{n}D": (("pool_size", "strides"), {}) for mode in ("Max", "Average") for n in (1, 2, 3)},
    **{f"UpSampling{n}D": (("size",), {}) for n in (1, 2, 3)},
}
WRONG_SIZES = (0, -3, 2.5, "a", True, (1, 2, 3, 4), ())
ALLOWED = {
    ("Embedding", "output_dim"): (0,),  # the manual's "int >= 0"
    ("Embedding", "input_length"): ((1, 2, 3, 4), ()),  # the lengths of several axes
}
WRONG = [
    (kind, argument, wrong)
    for kind, (sizes, _) in SIZES.items()
    for argument in sizes
    for wrong in WRONG_SIZES
    if wrong not in ALLOWED.get((kind, argument), ())
]


@pytest.mark.parametrize(("kind", "argument", "wrong"), WRONG)
def test_sizes_are_positive_ints(kind, argument, wrong):
    given = {**SIZES[kind][1], argument: wrong}
    expected = rf"`{argument}` of layer \w+ \({kind}(Cell)?\) must be .* or more\. Received: {re.escape(repr(wrong))}$"
    with pytest.raises(ArgumentError, match=expected) as caught:
        getattr(layers, kind)(**given)
    assert isinstance(caught.value, ValueError) and isinstance(caught.value, TypeError)


def test_sizes_computed_with_a_division_are_taken():
    assert layers.LSTM(6 / 2).units == 3
    assert layers.Conv2D(4 / 2, (6 / 2, np.int64(5))).kernel_size == (3, 5)
    assert layers.MaxPooling2D(4 / 2).strides == (2, 2)


@pytest.mark.parametrize(
    ("kind", "given", "allowed"),
    [
        ("MaxPooling2D", {}, '"valid", "same"'),
        ("AveragePooling1D", {}, '"valid", "same"'),
        ("Conv2D", CONVOLUTIONS, '"valid", "same"'),
        ("ConvLSTM2D", CONVOLUTIONS, '"valid", "same"'),
        ("LocallyConnected1D", CONVOLUTIONS, '"valid"'),
    ],
)
@pytest.mark.parametrize("wrong", ["causal", "full", None, 1])
def test_paddings(kind, given, allowed, wrong):
    expected = rf"`padding` argument of layer \w+ \({kind}(Cell)?\) must be one of {allowed}\. Received: {wrong!r}"
    with pytest.raises(ValueError, match=expected):
        getattr(layers, kind)(**given, padding=wrong)
    if kind != "LocallyConnected1D":
        getattr(layers, kind)(**given, padding="SAME")


@pytest.mark.parametrize("wrong", [-1, "a", 1.5, None, (1, 2, 3, 4), ((1, -1),) * 3, ((1, 2, 3),) * 3, ("a",) * 3])
@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("setting", ["cropping", "padding"])
def test_amounts_at_the_ends_of_axes(setting, rank, wrong):
    kind = {"cropping": "Cropping", "padding": "ZeroPadding"}[setting] + f"{rank}D"
    expected = rf"`{setting}` of layer \w+ \({kind}\) must .* Received: {re.escape(repr(wrong))}$"
    with pytest.raises(ArgumentError, match=expected):
        getattr(layers, kind)(wrong)


@pytest.mark.parametrize(
    ("layer", "shape", "problem"),
    [
        (layers.Cropping1D((2, 2)), (4, 1), "crops 2 [+] 2 of axis 1, which has 4 elements"),
        (layers.Cropping2D(((0, 0), (3, 4))), (9, 6, 1), "crops 3 [+] 4 of axis 2, which has 6 elements"),
        (layers.Embedding(5, 3, input_length=4), (6,), r"has input_length 4, but its input has shape \(None, 6\)"),
        (layers.Conv1D(2, 5), (4, 1), "larger than the input"),
        (layers.Conv2D(2, 3, dilation_rate=3), (6, 6, 1), "larger than the input"),
        (layers.Conv3D(2, 5), (4, 4, 4, 1), "larger than the input"),
        (layers.SeparableConv2D(2, 7), (5, 5, 1), "larger than the input"),
        (layers.DepthwiseConv2D(7), (5, 5, 1), "larger than the input"),
        (layers.ConvLSTM2D(2, 7), (4, 5, 5, 1), "larger than the input"),
        (layers.LocallyConnected1D(2, 7), (5, 1), "larger than its input"),
        (layers.LocallyConnected2D(2, (3, 7)), (5, 5, 1), "larger than its input"),
        (layers.MaxPooling1D(5), (4, 1), "larger than the input"),
        (layers.AveragePooling2D(5), (4, 4, 1), "larger than the input"),
        (layers.MaxPooling3D(5), (4, 4, 4, 1), "larger than the input"),
        (layers.TimeDistributed(layers.Conv2D(2, 7)), (3, 5, 5, 1), "larger than the input"),
        (layers.Softmax(axis=2), (5,), "axis 2 is out of range"),
        (layers.Dropout(0.5, noise_shape=(3, 4)), (5,), r"`noise_shape` of .*\(None, 5\).* Received: \(3, 4\)"),
        (layers.Dropout(0.5, noise_shape=(None, 1, 5)), (5,), "`noise_shape` of .* Received"),
        (layers.AlphaDropout(0.5, noise_shape=(None, 2)), (5,), "`noise_shape` of .* Received"),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_inputs_that_do_not_fit(layer, shape, problem):
    with pytest.raises(ShapeError, match=problem) as caught:
        layer(Input(shape))
    assert layer.name in str(caught.value) and f"({type(layer).__name__})" in str(caught.value)
    assert caught.value.layer == layer.name


@pytest.mark.parametrize("noise_shape", [(None, 1), (3, 1), (3, None), (5,), (1,)])
def test_noise_shapes_that_fit(noise_shape):
    for kind in (layers.Dropout, layers.AlphaDropout):
        assert K.int_shape(kind(0.5, noise_shape=noise_shape)(Input(batch_shape=(3, 5)))) == (3, 5)


class Wrong(Layer):
    """Adds what does not fit; or raises what a user's layer may raise."""

    def __init__(self, error=None, **kwargs):
        super().__init__(**kwargs)
        self.error = error

    def call(self, inputs):
        if self.error is not None:
            raise self.error
        return inputs + K.zeros((1, 7))


def test_an_error_in_call_says_the_layer_once_and_keeps_the_users_line():
    inner = Input((5,))
    with pytest.raises(ShapeError, match=r"^layer mine \(Wrong\): add: .* do not broadcast") as caught:
        Wrong(name="mine")(inner)
    assert any("inputs + K.zeros((1, 7))" in line for line in traceback.format_tb(caught.value.__traceback__))
    assert caught.value.op == "add"


class Outer(Layer):
    def call(self, inputs):
        return Wrong(name="within")(inputs)


def test_of_nested_layers_the_innermost_is_named():
    with pytest.raises(ShapeError, match=r"^layer within \(Wrong\): add") as caught:
        Outer(name="around")(Input((5,)))
    assert "around" not in str(caught.value)
    assert caught.value.layer == "within"


def test_an_error_of_the_user_is_left_as_it_is():
    error = KeyError("x")
    with pytest.raises(KeyError) as caught:
        Wrong(error)(Input((5,)))
    assert caught.value is error and error.args == ("x",)


def test_a_name_that_is_part_of_a_word_is_not_taken_for_the_layers():
    with pytest.raises(ShapeError, match=r"^layer ad \(Wrong\): add"):
        Wrong(name="ad")(Input((5,)))


def test_a_window_larger_than_an_input_of_unknown_size_is_found_when_it_runs():
    x = Input((None, None, 1))
    model = Model(x, layers.Conv2D(3, 7)(x))
    with pytest.raises(ShapeError, match=r"larger than the input[^$]*test_layer_arguments"):
        model.predict(np.ones((1, 5, 5, 1)))
