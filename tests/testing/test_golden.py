"""check_golden itself: it accepts right values and names the array that is wrong."""

import copy

import numpy as np
import pytest

from kcore.engine import Layer
from kcore.testing.golden import GoldenCase, check_golden, plain_weight_name

X = [[1.0, -2.0], [3.0, 0.5]]
SCALE = [2.0, -1.0]
UPSTREAM = [[1.0, 2.0], [-1.0, 4.0]]


class Scaled(Layer):
    """output = inputs * scale; a mask passes through."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def build(self, input_shape):
        self.scale = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="scale")
        super().build(input_shape)

    def call(self, inputs):
        return inputs * self.scale


def floats(values):
    return {"values": np.asarray(values).tolist(), "dtype": "float32"}


def record():
    """What Scaled gives, by hand."""
    x, scale, upstream = np.array(X), np.array(SCALE), np.array(UPSTREAM)
    return {
        "name": "scaled",
        "layer": {"class_name": "Scaled", "config": {}},
        "inputs": [floats(X)],
        "masks": [[1, 0]],
        "weights": [{"name": "scale", "value": floats(SCALE)}],
        "outputs": [floats(x * scale)],
        "output_masks": [[1, 0]],
        "upstream": [floats(UPSTREAM)],
        "weight_gradients": [floats((upstream * x).sum(axis=0))],
        "input_gradients": [floats(upstream * scale)],
    }


def check(changed):
    check_golden(GoldenCase("scaled", changed, {}), custom_objects={"Scaled": Scaled})


def test_right_values_pass():
    check(record())


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("outputs", "output 0 differs"),
        ("weight_gradients", "gradient of weight 0 differs"),
        ("input_gradients", "gradient of input 0 differs"),
    ],
)
def test_a_wrong_array_is_named(key, message):
    changed = copy.deepcopy(record())
    values = np.array(changed[key][0]["values"])
    values.ravel()[0] *= 1.0001
    changed[key] = [floats(values)]
    with pytest.raises(AssertionError, match=message):
        check(changed)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("weights", [{"name": "kernel", "value": floats(SCALE)}], "weights are"),
        ("output_masks", [[1, 1]], "mask of output 0"),
        ("output_masks", None, "has the mask"),
        ("outputs", [floats([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]])], "compute_output_shape"),
    ],
)
def test_wrong_names_masks_and_shapes_are_found(key, value, message):
    with pytest.raises(AssertionError, match=message):
        check({**record(), key: value})


def test_references_name_slices_of_the_stored_vectors():
    store = {"drawn": np.arange(4, dtype="int16") * 4096, "computed": np.arange(6, dtype="float32")}
    case = GoldenCase("slices", {"arrays": [["computed", 2, [2, 2]], ["drawn", 3, [3], 0.5, 1.0], None]}, store)
    computed, drawn, nothing = case.arrays("arrays")
    np.testing.assert_array_equal(computed, [[2, 3], [4, 5]])
    np.testing.assert_array_equal(drawn, [2.5, 1.0, 1.5])
    assert nothing is None


@pytest.mark.parametrize("name", ["kernel", "dense_1/kernel:0", "rnn_1/kernel_1:0", "a/forward_lstm_1/kernel:0"])
def test_plain_weight_names(name):
    assert plain_weight_name(name) == "kernel"
