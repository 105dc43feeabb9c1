"""Fashion-MNIST from a server on loopback that serves small files of the same format."""

import gzip
import struct

import numpy as np
import pytest

import kcore_datasets_fashion_mnist as fashion_mnist
from kcore.errors import DataError, DownloadError
from kcore.testing import serve

DRAWS = np.random.RandomState(0)
ARRAYS = {
    "train-labels-idx1-ubyte.gz": DRAWS.randint(0, 10, 5).astype("uint8"),
    "train-images-idx3-ubyte.gz": DRAWS.randint(0, 256, (5, 28, 28)).astype("uint8"),
    "t10k-labels-idx1-ubyte.gz": DRAWS.randint(0, 10, 2).astype("uint8"),
    "t10k-images-idx3-ubyte.gz": DRAWS.randint(0, 256, (2, 28, 28)).astype("uint8"),
}


def idx(array):
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


@pytest.fixture
def served(tmp_path, monkeypatch):
    folder = tmp_path / "served"
    folder.mkdir()
    for name, array in ARRAYS.items():
        (folder / name).write_bytes(gzip.compress(idx(array)))
    monkeypatch.setenv("KCORE_HOME", str(tmp_path / "home"))
    with serve(folder) as address:
        monkeypatch.setattr(fashion_mnist, "ADDRESS", address)
        monkeypatch.setattr(fashion_mnist, "HASHES", dict.fromkeys(ARRAYS))
        yield folder


def test_arrays(served):
    (x_train, y_train), (x_test, y_test) = fashion_mnist.load_data()
    for found, expected in zip((y_train, x_train, y_test, x_test), ARRAYS.values(), strict=True):
        np.testing.assert_array_equal(found, expected)
        assert found.dtype == np.uint8 and found.flags.writeable


def test_cache(served, tmp_path):
    fashion_mnist.load_data()
    cache = tmp_path / "home" / "datasets" / "fashion-mnist"
    assert sorted(path.name for path in cache.iterdir()) == sorted(ARRAYS)
    (served / "t10k-images-idx3-ubyte.gz").unlink()
    fashion_mnist.load_data()
    (cache / "t10k-images-idx3-ubyte.gz").unlink()
    with pytest.raises(DownloadError, match="put it at .*fashion-mnist/t10k-images-idx3-ubyte.gz"):
        fashion_mnist.load_data()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"text",
        gzip.compress(b"\0\0\x0d\1\0\0\0\1\1"),
        gzip.compress(idx(DRAWS.randint(0, 9, (3, 3)).astype("uint8"))[:-1]),
        gzip.compress(bytes(1000))[:-9],
    ],
)
def test_damaged(served, tmp_path, content):
    (served / "t10k-labels-idx1-ubyte.gz").write_bytes(content)
    with pytest.raises(DataError, match="t10k-labels-idx1-ubyte.gz cannot be read"):
        fashion_mnist.load_data()
