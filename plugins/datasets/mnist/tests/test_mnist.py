"""MNIST from a server on loopback that serves a small file of the same format."""

import numpy as np
import pytest

import kcore_datasets_mnist as mnist
from kcore.errors import DataError, DownloadError
from kcore.testing import serve

DRAWS = np.random.RandomState(0)
ARRAYS = {
    "x_train": DRAWS.randint(0, 256, (6, 28, 28)).astype("uint8"),
    "y_train": DRAWS.randint(0, 10, 6).astype("uint8"),
    "x_test": DRAWS.randint(0, 256, (3, 28, 28)).astype("uint8"),
    "y_test": DRAWS.randint(0, 10, 3).astype("uint8"),
}


@pytest.fixture
def served(tmp_path, monkeypatch):
    folder = tmp_path / "served"
    folder.mkdir()
    np.savez(folder / "mnist.npz", **ARRAYS)
    monkeypatch.setenv("KCORE_HOME", str(tmp_path / "home"))
    with serve(folder) as address:
        monkeypatch.setattr(mnist, "ORIGIN", address + "mnist.npz")
        monkeypatch.setattr(mnist, "FILE_HASH", None)
        yield folder / "mnist.npz"


def test_arrays(served):
    (x_train, y_train), (x_test, y_test) = mnist.load_data()
    for found, name in ((x_train, "x_train"), (y_train, "y_train"), (x_test, "x_test"), (y_test, "y_test")):
        np.testing.assert_array_equal(found, ARRAYS[name])
        assert found.dtype == np.uint8


def test_fetched_once(served):
    mnist.load_data()
    served.unlink()
    mnist.load_data()


def test_offline_says_which_file_to_put_where(served, tmp_path, monkeypatch):
    monkeypatch.setattr(mnist, "ORIGIN", "http://127.0.0.1:9/mnist.npz")
    with pytest.raises(DownloadError) as failure:
        mnist.load_data()
    path = tmp_path / "home" / "datasets" / "mnist.npz"
    assert f"put it at {path}" in str(failure.value) and "http://127.0.0.1:9/mnist.npz" in str(failure.value)
    path.write_bytes(served.read_bytes())
    mnist.load_data()


def test_a_file_put_there_by_hand_may_be_compressed_otherwise(served, tmp_path, monkeypatch):
    monkeypatch.setattr(mnist, "FILE_HASH", "0" * 32)
    with pytest.raises(DownloadError, match="If you trust what is there"):
        mnist.load_data()
    np.savez_compressed(tmp_path / "home" / "datasets" / "mnist.npz", **ARRAYS)
    (x_train, _), _ = mnist.load_data()
    np.testing.assert_array_equal(x_train, ARRAYS["x_train"])


def test_absolute_path_and_damage(tmp_path):
    path = tmp_path / "there.npz"
    np.savez(path, **ARRAYS)
    assert mnist.load_data(str(path))[0][0].shape == (6, 28, 28)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(DataError, match="there.npz cannot be read.*Delete it"):
        mnist.load_data(str(path))
