"""CIFAR100: 50,000 and 10,000 colour pictures in 100 classes; manual, section 12.2."""

from __future__ import annotations

import os

from kcore.errors import ArgumentError
from kcore.utils import cached_file
from kcore_datasets_cifar import files

__all__ = ["load_data"]

FOLDER = "cifar-100-python"
ARCHIVE = "cifar-100-python.tar.gz"
#: md5 of the archive, as the data set's author states it.
FILE_HASH: str | None = "eb9058c3a382ffc7106e4002c42a8d85"


def load_data(label_mode: str = "fine") -> tuple[files.Arrays, files.Arrays]:
    """The pictures, fetched if they are not in the cache.

    Args:
        label_mode: 'fine' for 100 classes, 'coarse' for the 20 groups of five that they form.

    Returns:
        `(x_train, y_train), (x_test, y_test)`. `x`: RGB pixels, shape `(samples, 32, 32, 3)`, or `(samples, 3, 32,
        32)` where the configured data format is 'channels_first', uint8 from 0 to 255. `y`: classes, shape
        `(samples, 1)`, uint8 from 0 to 99, or 19.

    Raises:
        ArgumentError (a ValueError): another label_mode.
        DownloadError (an OSError): the archive cannot be fetched; the message says what to put where.
        ArchiveError, DataError (ValueErrors): the archive or a file in it is damaged, or another one.
    """
    if label_mode not in ("fine", "coarse"):
        raise ArgumentError(f"label_mode is {label_mode!r}; expected 'fine' (100 classes) or 'coarse' (20)")
    folder = cached_file(FOLDER, files.ADDRESS + ARCHIVE, FILE_HASH, untar=True)
    train, test = (files.read(os.path.join(folder, part), f"{label_mode}_labels") for part in ("train", "test"))
    return files.arranged(train, test)
