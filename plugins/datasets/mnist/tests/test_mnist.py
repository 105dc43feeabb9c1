"""MNIST from a server on loopback that serves a small file of the same format."""

import numpy as np
import pytest

import kcore_datasets_mnist as mnist
from kcore.errors import ArgumentError, DataError, DownloadError
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


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"y_train": ARRAYS["y_train"][:4]}, r"'y_train' has the shape \(4,\); expected \('train',\) with .*6"),
        ({"x_test": np.zeros((3, 784))}, r"'x_test' has the shape \(3, 784\); expected \('test', 28, 28\)"),
        ({"x_train": np.zeros((6, 28, 28, 1))}, r"'x_train' has the shape .*Is it another file"),
    ],
)
def test_arrays_of_other_sizes(changed, message, tmp_path):
    np.savez(tmp_path / "other.npz", **{**ARRAYS, **changed})
    with pytest.raises(DataError, match=message):
        mnist.load_data(str(tmp_path / "other.npz"))


def test_paths_that_are_none(tmp_path):
    with pytest.raises(ArgumentError, match="is a folder; expected a file"):
        mnist.load_data(str(tmp_path))
    for path in (None, 3):
        with pytest.raises(ArgumentError, match=f"path is {path}; expected the name of a file in the cache, or an abs"):
            mnist.load_data(path)
