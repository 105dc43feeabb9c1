"""MNIST: 60,000 and 10,000 handwritten digits of 28x28 pixels; manual, section 12.5.

Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to document recognition", 1998.
"""

from __future__ import annotations

import numpy as np

from kcore.utils import cached_file, load_npz

__all__ = ["load_data"]

Arrays = tuple[np.ndarray, np.ndarray]

ORIGIN = "https://s3.amazonaws.com/img-datasets/mnist.npz"
#: md5 of the published file, as Keras 2.1 states it. A file of the same arrays may be compressed otherwise.
FILE_HASH: str | None = "8a61469f7ea1b51cbae51d4f78837e45"

ARRAYS: dict[str, tuple[int | str, ...]] = {
    "x_train": ("train", 28, 28),
    "y_train": ("train",),
    "x_test": ("test", 28, 28),
    "y_test": ("test",),
}


def load_data(path: str = "mnist.npz") -> tuple[Arrays, Arrays]:
    """The digits, fetched if they are not in the cache.

    Args:
        path: name of the file in `~/.kcore/datasets`, or an absolute path.

    Returns:
        `(x_train, y_train), (x_test, y_test)`. `x`: pixels, shape `(samples, 28, 28)`, uint8 from 0 (paper) to 255
        (ink). `y`: digits, shape `(samples,)`, uint8 from 0 to 9.

    Raises:
        DownloadError (an OSError): the file cannot be fetched; the message says what to put where.
        DataError (a ValueError): the file there is damaged, or another one.
    """
    data = load_npz(cached_file(path, ORIGIN, FILE_HASH), ARRAYS)
    return (data["x_train"], data["y_train"]), (data["x_test"], data["y_test"])
