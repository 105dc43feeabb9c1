"""Weights as pictures, and histograms of pieces."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kcore_tensorboard.histogram import Histogram
from kcore_tensorboard.pictures import picture_of


@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ((), (1, 1)),
        ((4,), (1, 4)),
        ((3, 4), (3, 4)),
        ((5, 2, 7), (2 * 6 - 1, 7 * 2 - 1)),  # steps down, one pixel across
        ((3, 3, 2, 5), (2 * 4 - 1, 5 * 4 - 1)),
        ((3, 3, 3, 5), (3, 5 * 4 - 1, 3)),
        ((2, 3, 3, 1, 4), (2 * 4 - 1, 4 * 4 - 1)),
        ((3000, 4), (2048, 4)),
        ((3, 3, 1024, 1024), (2048, 2048)),
        ((0, 4), (0, 4)),
    ],
)
def test_sizes(shape, size):
    picture = picture_of(np.zeros(shape))
    assert picture.shape == size and picture.dtype == np.uint8


def test_the_kernel_of_input_and_output_channels():
    kernel = np.arange(2 * 2 * 2 * 3).reshape(2, 2, 2, 3)
    picture = picture_of(kernel)
    grey = np.round(kernel * 255 / kernel.max())
    for i in range(2):
        for o in range(3):
            np.testing.assert_array_equal(picture[3 * i : 3 * i + 2, 3 * o : 3 * o + 2], grey[:, :, i, o])
    assert not picture[2].any() and not picture[:, 2].any()


def test_colours():
    kernel = np.random.RandomState(0).rand(2, 2, 3, 4)
    picture = picture_of(kernel)
    grey = (kernel - kernel.min()) / np.ptp(kernel) * 255
    np.testing.assert_allclose(picture[:, 3:5], grey[..., 1], atol=0.51)


def test_equal_and_unusual_values():
    assert not picture_of(np.full((2, 2), 3.0)).any()
    assert picture_of(np.array([np.nan, 1.0])).tolist() == [[0, 255]]


@given(
    st.lists(
        arrays(
            "float64",
            st.integers(0, 20),
            elements=st.floats(-1e15, 1e15) | st.sampled_from([0.0, 1e-13, np.inf, np.nan]),
        ),
        max_size=4,
    )
)
def test_histograms_of_pieces(pieces):
    histogram = Histogram()
    for piece in pieces:
        assert histogram.add(piece) is histogram
    values = np.concatenate([*pieces, []])
    values = values[np.isfinite(values)]
    assert histogram.count == values.size
    if values.size:
        message = histogram.message()
        assert sum(message.bucket) == message.num == values.size
        assert (message.min, message.max) == (values.min(), values.max())
        limits = [-np.inf, *message.bucket_limit]
        for low, high, count in zip(limits, limits[1:], message.bucket):
            assert count == ((low < values) & (values <= high)).sum()
