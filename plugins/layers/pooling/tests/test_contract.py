"""Each layer held to the contract (`kcore.testing.check_layer`)."""

import pytest

from kcore.layers import (
    AveragePooling1D,
    AveragePooling2D,
    AveragePooling3D,
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalAveragePooling3D,
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    GlobalMaxPooling3D,
    MaxPooling1D,
    MaxPooling2D,
    MaxPooling3D,
)
from kcore.testing import check_layer

CASES = [
    (MaxPooling1D, {}, {"input_shape": (None, 7, 3)}),
    (MaxPooling1D, {"pool_size": 3, "strides": 2, "padding": "same"}, {"input_shape": (None, 7, 3)}),
    (AveragePooling1D, {}, {"input_shape": (None, 7, 3)}),
    (AveragePooling1D, {"pool_size": 3, "strides": 2, "padding": "same"}, {"input_shape": (None, 7, 3)}),
    (GlobalMaxPooling1D, {}, {"input_shape": (None, 7, 3)}),
    (GlobalAveragePooling1D, {}, {"input_shape": (None, 7, 3)}),
    (MaxPooling2D, {}, {"input_shape": (None, 6, 7, 2)}),
    (MaxPooling2D, {"pool_size": 3, "strides": 2, "padding": "same"}, {"input_shape": (None, 6, 7, 2)}),
    (AveragePooling2D, {}, {"input_shape": (None, 6, 7, 2)}),
    (AveragePooling2D, {"pool_size": 3, "strides": 2, "padding": "same"}, {"input_shape": (None, 6, 7, 2)}),
    (GlobalMaxPooling2D, {}, {"input_shape": (None, 6, 7, 2)}),
    (GlobalAveragePooling2D, {}, {"input_shape": (None, 6, 7, 2)}),
    (MaxPooling3D, {}, {"input_shape": (None, 4, 5, 4, 2)}),
    (MaxPooling3D, {"pool_size": 3, "strides": 2, "padding": "same"}, {"input_shape": (None, 4, 5, 4, 2)}),
    (AveragePooling3D, {}, {"input_shape": (None, 4, 5, 4, 2)}),
    (AveragePooling3D, {"pool_size": 3, "strides": 2, "padding": "same"}, {"input_shape": (None, 4, 5, 4, 2)}),
    (GlobalMaxPooling3D, {}, {"input_shape": (None, 4, 5, 4, 2)}),
    (GlobalAveragePooling3D, {}, {"input_shape": (None, 4, 5, 4, 2)}),
    (MaxPooling2D, {"data_format": "channels_first"}, {"input_shape": (None, 2, 6, 7)}),
    (GlobalAveragePooling2D, {"data_format": "channels_first"}, {"input_shape": (None, 2, 6, 7)}),
]


@pytest.mark.parametrize(("layer", "arguments", "given"), CASES, ids=lambda v: getattr(v, "__name__", None))
def test_contract(layer, arguments, given):
    check_layer(layer, arguments, **given)
