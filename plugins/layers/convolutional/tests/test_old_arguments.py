"""Calls as Keras 1 wrote them."""

import inspect

import pytest

from kcore.layers import Conv1D, Conv2D, Conv3D

CALLS = [
    (Conv2D, (64, 3, 2), {"border_mode": "same"}, {"kernel_size": (3, 2), "padding": "same"}),
    (Conv2D, (64, 3, 3), {"subsample": (2, 1)}, {"kernel_size": (3, 3), "strides": (2, 1)}),
    (Conv2D, (), {"nb_filter": 4, "nb_row": 3, "nb_col": 2, "dim_ordering": "th", "bias": False},
     {"filters": 4, "kernel_size": (3, 2), "data_format": "channels_first", "use_bias": False}),
    (Conv2D, (4, 3), {"init": "ones"}, {"kernel_size": (3, 3)}),
    (Conv1D, (), {"nb_filter": 4, "filter_length": 3, "subsample_length": 2}, {"kernel_size": (3,), "strides": (2,)}),
    (Conv3D, (4, 1, 2, 3), {}, {"kernel_size": (1, 2, 3), "strides": (1, 1, 1)}),
]  # fmt: skip


@pytest.mark.parametrize(("layer", "args", "kwargs", "expected"), CALLS)
def test_they_are_translated_with_a_warning(layer, args, kwargs, expected):
    with pytest.warns(
        UserWarning, match=rf"Update your `{layer.__name__}` call to the Keras 2 API: `{layer.__name__}\("
    ):
        made = layer(*args, **kwargs)
    for name, value in expected.items():
        assert getattr(made, name) == value, name


def test_calls_of_keras_2_are_left_alone():
    assert Conv1D(4, 3, 2).strides == (2,)
    assert Conv2D(4, (3, 2), 2, "same").strides == (2, 2)
    assert Conv2D(4, 3, (2, 1)).strides == (2, 1)
    assert Conv2D(4, 3, strides=2).strides == (2, 2)
    assert list(inspect.signature(Conv2D).parameters)[:3] == ["filters", "kernel_size", "strides"]
    with pytest.raises(TypeError, match="nb_rows"):
        Conv2D(4, 3, nb_rows=3)
