"""1,797 handwritten digits of 8x8 pixels, shipped in the package: nothing is downloaded.

The test part of "Optical Recognition of Handwritten Digits" by E. Alpaydin and C. Kaynak (1998), UCI Machine
Learning Repository, https://doi.org/10.24432/C50P49, licence CC BY 4.0.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kcore.errors import DataError

__all__ = ["load_data"]

Arrays = tuple[np.ndarray, np.ndarray]


def load_data(test_split: float = 0.2, seed: int = 113) -> tuple[Arrays, Arrays]:
    """The digits, shuffled and split into a training and a test part.

    Args:
        test_split: share of the 1,797 samples that goes into the test part, from 0 to 1.
        seed: of the shuffling; equal seeds give equal splits. NumPy's global generator is left alone.

    Returns:
        `(x_train, y_train), (x_test, y_test)`. `x`: pixels, shape `(samples, 8, 8)`, uint8 from 0 (paper)
        to 16 (ink). `y`: digits, shape `(samples,)`, uint8 from 0 to 9.

    Raises:
        DataError: `test_split` is outside of 0 to 1.

    Example:
        >>> (x_train, y_train), (x_test, y_test) = load_data()
        >>> x_train.shape, x_test.shape
        ((1438, 8, 8), (359, 8, 8))
    """
    if not 0 <= test_split <= 1:
        raise DataError(
            f"test_split is {test_split!r}, expected a share of the samples from 0 to 1, such as 0.2",
            argument="test_split",
        )
    with np.load(Path(__file__).with_name("digits.npz")) as data:
        x, y = data["x"], data["y"]
    order = np.random.RandomState(seed).permutation(len(x))
    x, y = x[order], y[order]
    train = len(x) - round(len(x) * test_split)
    return (x[:train], y[:train]), (x[train:], y[train:])
