"""CIFAR10: 50,000 and 10,000 colour pictures in 10 classes; manual, section 12.1."""

from __future__ import annotations

import os

import numpy as np

from kcore.utils import cached_file
from kcore_datasets_cifar import files

__all__ = ["load_data"]

FOLDER = "cifar-10-batches-py"
ARCHIVE = "cifar-10-python.tar.gz"
#: md5 of the archive, as the data set's author states it.
FILE_HASH: str | None = "c58f30108f718f92721af3b95e74349a"


def load_data() -> tuple[files.Arrays, files.Arrays]:
    """The pictures, fetched if they are not in the cache.

    Returns:
        `(x_train, y_train), (x_test, y_test)`. `x`: RGB pixels, shape `(samples, 32, 32, 3)`, or `(samples, 3, 32,
        32)` where the configured data format is 'channels_first', uint8 from 0 to 255. `y`: classes, shape
        `(samples, 1)`, uint8 from 0 to 9.

    Raises:
        DownloadError (an OSError): the archive cannot be fetched; the message says what to put where.
        ArchiveError, DataError (ValueErrors): the archive or a file in it is damaged, or another one.
    """
    folder = cached_file(FOLDER, files.ADDRESS + ARCHIVE, FILE_HASH, untar=True)
    batches = [files.read(os.path.join(folder, f"data_batch_{i}"), "labels") for i in range(1, 6)]
    x, y = (np.concatenate(parts) for parts in zip(*batches))
    return files.arranged((x, y), files.read(os.path.join(folder, "test_batch"), "labels"))
