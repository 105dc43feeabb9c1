"""Boston housing: 506 districts in the 1970s, 13 attributes each; manual, section 12.7.

D. Harrison, D. L. Rubinfeld, "Hedonic prices and the demand for clean air", 1978; from the StatLib library.
"""

from __future__ import annotations

import numpy as np

from kcore.errors import DataError
from kcore.utils import cached_file, load_npz

__all__ = ["load_data"]

Arrays = tuple[np.ndarray, np.ndarray]

ORIGIN = "https://s3.amazonaws.com/keras-datasets/boston_housing.npz"
#: sha256 of the published file, as Keras 2.1 states it.
FILE_HASH: str | None = "f553886a1f8d56431e820c5b82552d9d95cfcb96d1e678153f8839538947dff5"


def load_data(path: str = "boston_housing.npz", test_split: float = 0.2, seed: int = 113) -> tuple[Arrays, Arrays]:
    """The districts, shuffled and split; fetched if they are not in the cache.

    Args:
        path: name of the file in `~/.kcore/datasets`, or an absolute path.
        test_split: share of the samples that goes into the test part, from 0 to below 1.
        seed: of the shuffling; equal seeds give equal splits, those of Keras. NumPy's global generator is left alone.

    Returns:
        `(x_train, y_train), (x_test, y_test)`. `x`: attributes, shape `(samples, 13)`, float64, of very different
        scales. `y`: the median price of a house in units of 1000 dollars, shape `(samples,)`, float64.

    Raises:
        DataError (a ValueError): `test_split` is not in that range, or the file is damaged.
        DownloadError (an OSError): the file cannot be fetched; the message says what to put where.
    """
    if not isinstance(test_split, int | float) or not 0 <= test_split < 1:
        raise DataError(
            f"test_split is {test_split!r}, expected a share of the samples from 0 to below 1, such as 0.2",
            argument="test_split",
        )
    data = load_npz(cached_file(path, ORIGIN, FILE_HASH), {"x": ("samples", 13), "y": ("samples",)})
    # Draws as the original does, so that published results hold for the same districts.
    order = np.arange(len(data["x"]))
    np.random.RandomState(seed).shuffle(order)
    x, y = data["x"][order], data["y"][order]
    train = int(len(x) * (1 - test_split))
    return (x[:train], y[:train]), (x[train:], y[train:])
