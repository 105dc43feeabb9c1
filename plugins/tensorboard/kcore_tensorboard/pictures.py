"""Weights as pictures."""

from __future__ import annotations

import numpy as np

_MOST = 2048  # pixels of a side: larger pictures are of no use


def picture_of(weight: np.ndarray) -> np.ndarray:
    """A weight as a picture, its smallest value black and its largest white.

    A vector is a line, a matrix (inputs, outputs) a rectangle. A convolution's kernel (height, width, inputs, outputs)
    is a sheet of kernels, a row for each input and a column for each output, one pixel apart; with three inputs, which
    are colours, there is one row in colour. Further axes before these are laid out as rows too.

    Args:
        weight: numbers of any shape.

    Returns:
        uint8, (height, width) or (height, width, 3), cut to 2048 pixels a side.
    """
    grey = _to_bytes(weight)
    if grey.ndim < 3:
        return np.atleast_2d(grey)[:_MOST, :_MOST]
    if grey.ndim == 3:
        grey = grey[:, None]  # a kernel over steps: (steps, 1, inputs, outputs)
    *_, height, width, inputs, outputs = grey.shape
    tiles = grey.reshape(-1, height, width, inputs, outputs)
    if inputs == 3:
        tiles = tiles.transpose(0, 4, 1, 2, 3)  # (rows, columns, height, width, colours)
    else:
        tiles = tiles.transpose(0, 3, 4, 1, 2).reshape(-1, outputs, height, width)
    return _sheet(tiles[: _MOST // (height + 1) + 1, : _MOST // (width + 1) + 1])[:_MOST, :_MOST]


def _sheet(tiles: np.ndarray) -> np.ndarray:
    """Tiles (rows, columns, height, width, ...) beside each other, one pixel apart."""
    rows, columns, height, width, *colours = tiles.shape
    sheet = np.zeros((rows, height + 1, columns, width + 1, *colours), "uint8")
    sheet[:, :height, :, :width] = np.moveaxis(tiles, 1, 2)
    return sheet.reshape(rows * (height + 1), columns * (width + 1), *colours)[:-1, :-1]


def _to_bytes(values: np.ndarray) -> np.ndarray:
    values = np.nan_to_num(np.asarray(values, "float64"))
    low, high = (values.min(), values.max()) if values.size else (0.0, 0.0)
    scale = 255 / (high - low) if high > low else 0.0
    return ((values - low) * scale).round().astype("uint8")
