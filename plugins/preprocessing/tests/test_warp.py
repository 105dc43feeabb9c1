"""The warp against SciPy's affine_transform, one channel at a time, with linear interpolation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from kcore.errors import ArgumentError
from kcore.preprocessing.image import ImageDataGenerator, apply_transform
from kcore_preprocessing.image.affine import FILL_MODES, centered, matrix, warp

MODES = pytest.mark.parametrize("mode", FILL_MODES)
SIZES = st.integers(1, 9)
STEPS = st.integers(-12, 12) | st.integers(-24, 24).map(lambda i: i / 2) | st.floats(-12, 12)
FACTORS = st.sampled_from([1, 0.5, 2, -1]) | st.floats(0.2, 3)
ANGLES = st.sampled_from([0, 0, 90, 180, -45]) | st.floats(-180, 180)


def reference(image, m, mode, cval):
    channels = [
        ndimage.affine_transform(image[..., c], m[:2, :2], m[:2, 2], order=1, mode=mode, cval=cval)
        for c in range(image.shape[2])
    ]
    return np.stack(channels, axis=2)


def decided_by_rounding(shape, m, mode):
    """Places next to a jump of the image's continuation, where the last bit of a sum decides on which side they are.

    Exact arithmetic (whole and half steps) leaves nothing open.
    """
    if mode in ("nearest", "reflect") or np.array_equal(m * 2, np.round(m * 2)):
        return np.zeros(shape[:2], bool)
    places = np.einsum("ij,jrc->irc", m[:2], np.stack([*np.indices(shape[:2]), np.ones(shape[:2])]))
    near = np.zeros(shape[:2], bool)
    for place, size in zip(places, shape):
        periods = place / max(size - 1, 1) if mode == "wrap" else np.stack([place, place - size + 1])
        off = np.abs(periods - np.round(periods)) if mode == "wrap" else np.abs(periods).min(axis=0)
        near |= off < 1e-9
    return near


def compare(got, image, m, mode, cval):
    sure = ~decided_by_rounding(image.shape, m, mode)
    np.testing.assert_allclose(got[sure], reference(image, m, mode, cval)[sure], atol=1e-9)


@MODES
@given(
    shape=st.tuples(SIZES, SIZES, st.integers(1, 3)),
    parameters=st.fixed_dictionaries(
        {"theta": ANGLES, "tx": STEPS, "ty": STEPS, "shear": ANGLES.filter(lambda a: abs(a) < 80)},
        optional={"zx": FACTORS, "zy": FACTORS},
    ),
    cval=st.sampled_from([0.0, -3.5]),
)
@settings(max_examples=150, deadline=None)
def test_any_transform(mode, shape, parameters, cval):
    image = np.random.RandomState(0).normal(size=shape)
    m = centered(matrix(**parameters), *shape[:2])
    compare(warp(image[None], m[None], mode, cval)[0], image, m, mode, cval)


@MODES
@given(shape=st.tuples(SIZES, SIZES, st.just(2)), tx=st.integers(-20, 20), ty=st.integers(-20, 20))
@settings(deadline=None)
def test_whole_steps_are_exact(mode, shape, tx, ty):
    image = np.random.RandomState(1).normal(size=shape)
    m = matrix(tx=tx, ty=ty)
    np.testing.assert_array_equal(warp(image[None], m[None], mode, 7.0)[0], reference(image, m, mode, 7.0))


@MODES
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_the_public_functions_for_both_data_formats(mode, data_format):
    last = data_format == "channels_last"
    image = np.random.RandomState(2).normal(size=(7, 11, 3))
    given = image if last else image.transpose(2, 0, 1)

    def as_last(x):
        return x if last else x.transpose(1, 2, 0)

    parameters = {"theta": 25, "tx": 1.5, "ty": -2.25, "shear": 10, "zx": 0.8, "zy": 1.3}
    m = matrix(**parameters)
    got = apply_transform(given, m, channel_axis=2 if last else 0, fill_mode=mode, cval=4.0)
    compare(as_last(got), image, m, mode, 4.0)
    g = ImageDataGenerator(fill_mode=mode, cval=4.0, data_format=data_format)
    compare(as_last(g.apply_transform(given, parameters)), image, centered(m, 7, 11), mode, 4.0)


@MODES
def test_a_batch_larger_than_a_chunk_with_a_matrix_each(mode):
    images = np.random.RandomState(3).normal(size=(5, 130, 120, 2))
    matrices = np.stack([centered(matrix(theta=10 * i + 1, tx=i + 0.3, zx=1 + i / 5), 130, 120) for i in range(5)])
    for got, image, m in zip(warp(images, matrices, mode, 1.0), images, matrices):
        compare(got, image, m, mode, 1.0)


def test_float32_stays_float32_and_the_image_is_left_alone():
    image = np.random.RandomState(4).normal(size=(1, 6, 5, 3)).astype("float32")
    before = image.copy()
    m = matrix(theta=20)[None]
    got = warp(image, m)
    assert got.dtype == "float32"
    np.testing.assert_array_equal(image, before)
    np.testing.assert_allclose(got, warp(image.astype("float64"), m), atol=1e-5)


def test_an_unknown_fill_mode():
    with pytest.raises(ArgumentError, match="fill_mode is 'mirror'; expected one of 'constant', 'nearest'"):
        apply_transform(np.zeros((3, 3, 1)), np.eye(3), 2, fill_mode="mirror")
