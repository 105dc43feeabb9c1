"""Transforms of images: a whole batch at a time, bilinear, in NumPy.

A matrix (3, 3) maps a place (row, col, 1) of the result to the place of the image where its value is read.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kcore import backend as K
from kcore.errors import ArgumentError, ShapeError
from kcore_preprocessing.image.files import to_bytes

FILL_MODES = ("constant", "nearest", "reflect", "wrap")
_CHUNK = 1 << 12  # pixels at a time: what is between two steps stays in the cache, and in memory that is used again


def matrix(
    theta: Any = 0.0, tx: Any = 0.0, ty: Any = 0.0, shear: Any = 0.0, zx: Any = 1.0, zy: Any = 1.0
) -> np.ndarray:
    """Rotation by theta, shift by tx rows and ty columns, shear (angles in degrees) and zoom, about the origin.

    Numbers, for a matrix (3, 3), or arrays (batch,), for matrices (batch, 3, 3): rotation @ shift @ shearing @ zoom,
    with

        rotation = [[cos a, -sin a], [sin a, cos a]]    shearing = [[1, -sin s], [0, cos s]]    zoom = diag(zx, zy)
    """
    a, s = np.deg2rad(theta), np.deg2rad(shear)
    cos, sin = np.cos(a), np.sin(a)
    m = np.zeros((*np.broadcast_shapes(*map(np.shape, (theta, tx, ty, shear, zx, zy))), 3, 3))
    m[..., 0, 0], m[..., 0, 1] = cos * zx, (-cos * np.sin(s) - sin * np.cos(s)) * zy
    m[..., 1, 0], m[..., 1, 1] = sin * zx, (-sin * np.sin(s) + cos * np.cos(s)) * zy
    m[..., 0, 2], m[..., 1, 2] = cos * tx - sin * ty, sin * tx + cos * ty
    m[..., 2, 2] = 1
    return m


def centered(m: np.ndarray, rows: int, cols: int) -> np.ndarray:
    """The same transforms, (..., 3, 3), about the centre of an image."""
    center = np.array([rows / 2 - 0.5, cols / 2 - 0.5])
    m = m.copy()
    m[..., :2, 2] += center - m[..., :2, :2] @ center
    return m


def warp(images: np.ndarray, matrices: np.ndarray, fill_mode: str = "nearest", cval: float = 0.0) -> np.ndarray:
    """Each image read, between its pixels bilinearly, where its matrix says.

    Args:
        images: float array (batch, rows, cols, channels).
        matrices: (batch, 3, 3).
        fill_mode: what is outside: 'constant' (`cval`), 'nearest', 'reflect' or 'wrap'.
        cval: the constant.

    Returns:
        new array of the same shape and dtype.
    """
    if fill_mode not in FILL_MODES:
        raise ArgumentError(f"fill_mode is {fill_mode!r}; expected one of {', '.join(map(repr, FILL_MODES))}")
    out = np.empty_like(images, order="C")
    step = max(1, _CHUNK // max(1, images.shape[1] * images.shape[2]))
    for i in range(0, len(images), step):
        out[i : i + step] = _warp(images[i : i + step], matrices[i : i + step], fill_mode, cval)
    return out


def _warp(images: np.ndarray, matrices: np.ndarray, fill_mode: str, cval: float) -> np.ndarray:
    n, rows, cols, channels = images.shape
    m = matrices[:, :2, :, None, None]
    places = m[:, :, 2] + m[:, :, 0] * np.arange(rows)[:, None] + m[:, :, 1] * np.arange(cols)
    outside = _outside(places, rows, cols) if fill_mode == "constant" else None
    r0, r1, fr = _neighbours(places[:, 0], rows, fill_mode)
    c0, c1, fc = _neighbours(places[:, 1], cols, fill_mode)
    for r in (r0, r1):
        r += np.arange(n)[:, None, None] * rows
        r *= cols
    corners = [r + c for r in (r0, r1) for c in (c0, c1)]
    fr, fc = fr.astype(images.dtype), fc.astype(images.dtype)

    # Channel by channel: one read is then one number, and the arithmetic runs over long rows.
    out = np.empty((channels, n, rows, cols), images.dtype)
    for plane, result in zip(np.ascontiguousarray(images.transpose(3, 0, 1, 2)).reshape(channels, -1), out):
        top, bottom = (_between(plane.take(left), plane.take(right), fc) for left, right in (corners[:2], corners[2:]))
        result[...] = _between(top, bottom, fr)
        if outside is not None:
            result[outside] = cval
    return out.transpose(1, 2, 3, 0)


def _between(a: np.ndarray, b: np.ndarray, fraction: np.ndarray) -> np.ndarray:
    """a + (b - a) * fraction, in the memory of a; b is spoilt."""
    b -= a
    b *= fraction
    a += b
    return a


def _outside(places: np.ndarray, rows: int, cols: int) -> np.ndarray | None:
    """Which places, (batch, 2, rows, cols), are not in the image; None if all are."""
    low, high = places.min(axis=(2, 3)), places.max(axis=(2, 3))
    if (low >= 0).all() and (high <= [rows - 1, cols - 1]).all():
        return None
    r, c = places[:, 0], places[:, 1]
    return (r < 0) | (r > rows - 1) | (c < 0) | (c > cols - 1)


def _neighbours(place: np.ndarray, size: int, fill_mode: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The two pixels around each place, and how far it is from the first to the second, 0..1."""
    if fill_mode == "wrap":
        # As in SciPy, the last pixel falls on the first one: the period is size - 1. Where they fall, the pixel on the
        # far side counts: the last one left of the image, the first one right of it.
        period = max(size - 1, 1)
        place = np.where(place < 0, period - np.mod(-place, period), place)
        place = np.where(place > size - 1, np.mod(place, period), place) if size > 1 else np.zeros_like(place)
    elif fill_mode == "reflect":
        below = np.floor(place)
        first = below.astype("int64") % (2 * size)
        second = (first + 1) % (2 * size)
        return np.minimum(first, 2 * size - 1 - first), np.minimum(second, 2 * size - 1 - second), place - below
    else:
        place = place.clip(0, size - 1)
    first = place.astype("int64")  # place >= 0: this is its floor
    return first, np.minimum(first + 1, size - 1), place - first


def _as_image(x: Any, row_axis: int, col_axis: int, channel_axis: int) -> np.ndarray:
    """One image as (rows, cols, channels), of a float type."""
    x = np.asarray(x)
    if x.ndim != 3:
        raise ShapeError(f"x has the shape {x.shape}; expected one image, with 3 axes", shapes=(x.shape,))
    axes = (row_axis, col_axis, channel_axis)
    if not all(-3 <= axis < 3 for axis in axes) or len({axis % 3 for axis in axes}) < 3:
        raise ArgumentError(
            f"row_axis, col_axis and channel_axis are {axes}; expected three different axes of one image, 0 to 2. "
            "With the channels last they are 0, 1 and 2"
        )
    x = x if np.issubdtype(x.dtype, np.floating) else x.astype(K.floatx())
    return x.transpose(axes)


def _back(x: np.ndarray, row_axis: int, col_axis: int, channel_axis: int) -> np.ndarray:
    return x.transpose(np.argsort([axis % 3 for axis in (row_axis, col_axis, channel_axis)]))


def transform(
    x: Any, m: np.ndarray, row_axis: int, col_axis: int, channel_axis: int, fill_mode: str, cval: float
) -> np.ndarray:
    """One image, transformed about its centre; the axes may stand in any order."""
    axes = (row_axis, col_axis, channel_axis)
    image = _as_image(x, *axes)
    return _back(warp(image[None], centered(m, *image.shape[:2])[None], fill_mode, cval)[0], *axes)


def apply_transform(
    x: Any, transform_matrix: Any, channel_axis: int = 0, fill_mode: str = "nearest", cval: float = 0.0
) -> np.ndarray:
    """An image read where a matrix says; about the origin, pixel (0, 0).

    Args:
        x: one image, 3 axes.
        transform_matrix: (3, 3); maps (row, col, 1) of the result to the image.
        channel_axis: of x.
        fill_mode: 'constant', 'nearest', 'reflect' or 'wrap': what is outside of the image.
        cval: the constant.
    """
    row, col = [axis for axis in range(3) if axis != channel_axis % 3]
    image = _as_image(x, row, col, channel_axis)
    m = np.asarray(transform_matrix, "float64")
    if m.shape != (3, 3):
        raise ShapeError(f"transform_matrix has the shape {m.shape}; expected (3, 3)", shapes=(m.shape,))
    return _back(warp(image[None], m[None], fill_mode, cval)[0], row, col, channel_axis)


def flip_axis(x: Any, axis: int) -> np.ndarray:
    """An array with one axis reversed."""
    return np.flip(np.asarray(x), axis)


def random_rotation(
    x: Any, rg: float, row_axis: int = 1, col_axis: int = 2, channel_axis: int = 0, fill_mode: str = "nearest",
    cval: float = 0.0,
) -> np.ndarray:  # fmt: skip
    """An image rotated by -rg..rg degrees, drawn from `np.random`; for the other arguments see `apply_transform`."""
    return transform(x, matrix(theta=np.random.uniform(-rg, rg)), row_axis, col_axis, channel_axis, fill_mode, cval)


def random_shift(
    x: Any, wrg: float, hrg: float, row_axis: int = 1, col_axis: int = 2, channel_axis: int = 0,
    fill_mode: str = "nearest", cval: float = 0.0,
) -> np.ndarray:  # fmt: skip
    """An image shifted by up to `wrg` of its width and `hrg` of its height (fractions), drawn from `np.random`."""
    rows, cols, _ = _as_image(x, row_axis, col_axis, channel_axis).shape
    tx = np.random.uniform(-hrg, hrg) * rows
    ty = np.random.uniform(-wrg, wrg) * cols
    return transform(x, matrix(tx=tx, ty=ty), row_axis, col_axis, channel_axis, fill_mode, cval)


def random_shear(
    x: Any, intensity: float, row_axis: int = 1, col_axis: int = 2, channel_axis: int = 0, fill_mode: str = "nearest",
    cval: float = 0.0,
) -> np.ndarray:  # fmt: skip
    """An image sheared by an angle of -intensity..intensity, in radians, drawn from `np.random`."""
    shear = np.rad2deg(np.random.uniform(-intensity, intensity))
    return transform(x, matrix(shear=shear), row_axis, col_axis, channel_axis, fill_mode, cval)


def random_zoom(
    x: Any, zoom_range: Any, row_axis: int = 1, col_axis: int = 2, channel_axis: int = 0, fill_mode: str = "nearest",
    cval: float = 0.0,
) -> np.ndarray:  # fmt: skip
    """An image zoomed by two factors, for rows and columns, from (lower, upper), drawn from `np.random`."""
    if np.shape(zoom_range) != (2,):
        raise ArgumentError(f"zoom_range is {zoom_range!r}; expected two numbers, (lower, upper)")
    zx, zy = (1, 1) if tuple(zoom_range) == (1, 1) else np.random.uniform(zoom_range[0], zoom_range[1], 2)
    return transform(x, matrix(zx=zx, zy=zy), row_axis, col_axis, channel_axis, fill_mode, cval)


def random_channel_shift(x: Any, intensity: float, channel_axis: int = 0) -> np.ndarray:
    """An image with -intensity..intensity, drawn from `np.random`, added; kept between its extremes."""
    return shift_channels(np.asarray(x), np.random.uniform(-intensity, intensity))


def shift_channels(x: np.ndarray, intensity: float) -> np.ndarray:
    """`x + intensity`, kept between the extremes of x."""
    return np.clip(x + intensity, x.min(), x.max()).astype(x.dtype)


def random_brightness(x: Any, brightness_range: Any) -> np.ndarray:
    """An image scaled to 0..255, times a factor from (lower, upper), drawn from `np.random`."""
    if np.shape(brightness_range) != (2,):
        raise ArgumentError(f"brightness_range is {brightness_range!r}; expected two numbers, (lower, upper)")
    factor = np.random.uniform(*brightness_range)
    return _times(to_bytes(np.asarray(x, dtype=K.floatx())), factor)


def brighten(x: np.ndarray, factor: float) -> np.ndarray:
    """`x * factor` in whole steps of 256, as on a picture; the scale of x is kept where it is not 0..255."""
    low, high = x.min(), x.max()
    if low >= 0 and high <= 255:
        return _times(x, factor)
    return _times(to_bytes(x), factor) * ((high - low) / 255) + low


def _times(x: np.ndarray, factor: float) -> np.ndarray:
    return np.trunc(np.clip(np.trunc(x) * x.dtype.type(factor), 0, 255))
