"""The files of CIFAR10 and CIFAR100: pickled dictionaries with rows of 3072 bytes.

A. Krizhevsky, "Learning multiple layers of features from tiny images", 2009.
"""

from __future__ import annotations

import os

import numpy as np

from kcore import backend as K
from kcore.errors import DataError
from kcore.utils import load_pickle

Arrays = tuple[np.ndarray, np.ndarray]

ADDRESS = "https://www.cs.toronto.edu/~kriz/"


def read(path: str, labels: str) -> Arrays:
    """Pictures (samples, 3, 32, 32) and classes (samples,), both uint8.

    Args:
        path: one pickle.
        labels: the key of the classes.
    """
    content = load_pickle(path)
    pictures = content.get(b"data") if isinstance(content, dict) else None
    classes = content.get(labels.encode()) if isinstance(content, dict) else None
    if not isinstance(pictures, np.ndarray) or pictures.shape != (len(classes or ()), 3 * 32 * 32):
        raise DataError(
            f"{path} does not hold pictures of 3072 bytes with {labels!r}: delete the folder "
            f"{os.path.dirname(path)} and its archive, and call again"
        )
    return pictures.reshape(-1, 3, 32, 32), np.array(classes, np.uint8)


def arranged(train: Arrays, test: Arrays) -> tuple[Arrays, Arrays]:
    """Channels where the configuration wants them, classes as columns (samples, 1)."""
    channels_last = K.image_data_format() == "channels_last"

    def part(x: np.ndarray, y: np.ndarray) -> Arrays:
        return np.ascontiguousarray(x.transpose(0, 2, 3, 1)) if channels_last else x, y.reshape(-1, 1)

    return part(*train), part(*test)
