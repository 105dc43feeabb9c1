"""Fashion-MNIST: 60,000 and 10,000 pictures of clothes, 28x28 pixels; manual, section 12.6.

H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking machine learning algorithms",
2017.
"""

from __future__ import annotations

import gzip
import os
import struct
import zlib

import numpy as np

from kcore.errors import DataError
from kcore.utils import cached_file

__all__ = ["load_data"]

Arrays = tuple[np.ndarray, np.ndarray]

ADDRESS = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
#: File name to md5, as the data set's authors state them.
HASHES: dict[str, str | None] = {
    "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
    "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
    "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
}


def load_data() -> tuple[Arrays, Arrays]:
    """The pictures, fetched if they are not in the cache.

    Returns:
        `(x_train, y_train), (x_test, y_test)`. `x`: pixels, shape `(samples, 28, 28)`, uint8 from 0 to 255. `y`:
        classes, shape `(samples,)`, uint8 from 0 to 9.

    Raises:
        DownloadError (an OSError): a file cannot be fetched; the message says what to put where.
        DataError (a ValueError): a file is damaged, or another one.
    """
    y_train, x_train, y_test, x_test = (_read_idx(_fetch(name)) for name in HASHES)
    return (x_train, y_train), (x_test, y_test)


def _fetch(name: str) -> str:
    return cached_file(name, ADDRESS + name, HASHES[name], cache_subdir=os.path.join("datasets", "fashion-mnist"))


def _read_idx(path: str) -> np.ndarray:
    """Bytes in the IDX format: two zeros, the type (8: uint8), the number of axes, their sizes, then the values."""
    try:
        with gzip.open(path, "rb") as file:
            content = file.read()
        zeros, kind, axes = struct.unpack_from(">HBB", content)
        shape = struct.unpack_from(f">{axes}I", content, 4)
        if (zeros, kind) != (0, 8):
            raise ValueError("it is no IDX file of bytes")
        # A copy, since what is read from bytes cannot be written to.
        return np.frombuffer(content, np.uint8, offset=4 + 4 * axes).reshape(shape).copy()
    except (EOFError, gzip.BadGzipFile, zlib.error, struct.error, ValueError) as error:
        raise DataError(
            f"{path} cannot be read: {error}. Delete it and call again: it is fetched anew where there is a network"
        ) from error
