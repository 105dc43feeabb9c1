"""In the guide's examples `keras` means kcore, and the data sets of chapter 12 are small ones from loopback."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import struct
import tarfile

import numpy as np
import pytest

import kcore.compat
import kcore_datasets_boston_housing as boston_housing
import kcore_datasets_cifar as cifar
import kcore_datasets_fashion_mnist as fashion_mnist
import kcore_datasets_imdb as imdb
import kcore_datasets_mnist as mnist
import kcore_datasets_reuters as reuters
from kcore.testing import serve


@pytest.fixture(autouse=True)
def keras(tmp_path, monkeypatch):
    kcore.compat.install()
    np.random.seed(1)
    monkeypatch.chdir(tmp_path)
    yield
    kcore.compat.uninstall()


@pytest.fixture
def published(tmp_path, monkeypatch):
    """The data sets of chapter 12, small, on loopback; with an empty cache."""
    folder = tmp_path / "served"
    folder.mkdir()
    write(folder)
    monkeypatch.setenv("KCORE_HOME", str(tmp_path / "home"))
    with serve(folder) as address:
        redirect(monkeypatch, address)
        yield


RANDOM = np.random.RandomState(0)


def digits(count, classes=10):
    return RANDOM.randint(0, 256, (count, 28, 28)).astype("uint8"), (np.arange(count) % classes).astype("uint8")


def texts(count):
    lists = np.empty(count, object)
    lists[:] = [RANDOM.randint(1, 50, RANDOM.randint(3, 9)).tolist() for _ in range(count)]
    return lists, np.arange(count) % 2


def archive(path, members):
    with tarfile.open(path, "w:gz") as file:
        for name, content in members.items():
            data = pickle.dumps(content, 3)
            info = tarfile.TarInfo(name)
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))


def pictures(count, **labels):
    data = RANDOM.randint(0, 256, (count, 3072)).astype("uint8")
    return {b"data": data, **{name.encode(): values for name, values in labels.items()}}


def write(folder):
    """20 + 10 samples of each data set."""
    (x, y), (x_test, y_test) = digits(20), digits(10)
    np.savez(folder / "mnist.npz", x_train=x, y_train=y, x_test=x_test, y_test=y_test)
    for part, images, labels in (("train", x, y), ("t10k", x_test, y_test)):
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            head = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
            (folder / f"{part}-{kind}-ubyte.gz").write_bytes(gzip.compress(head + array.tobytes()))
    (x, y), (x_test, y_test) = texts(20), texts(10)
    np.savez(folder / "imdb.npz", x_train=x, y_train=y, x_test=x_test, y_test=y_test)
    np.savez(folder / "reuters.npz", x=x, y=y)
    for name in ("imdb", "reuters"):
        (folder / f"{name}_word_index.json").write_text(json.dumps({"giraffe": 1234, "the": 1}))
    np.savez(folder / "boston_housing.npz", x=RANDOM.rand(30, 13), y=RANDOM.rand(30))
    batches = {f"data_batch_{i}": pictures(4, labels=[i, 0, 9, 1]) for i in range(1, 6)}
    batches["test_batch"] = pictures(10, labels=list(range(10)))
    archive(folder / "cifar-10-python.tar.gz", {f"cifar-10-batches-py/{n}": c for n, c in batches.items()})
    parts = {n: pictures(c, fine_labels=[99] * c, coarse_labels=[19] * c) for n, c in (("train", 20), ("test", 10))}
    archive(folder / "cifar-100-python.tar.gz", {f"cifar-100-python/{n}": c for n, c in parts.items()})


def redirect(monkeypatch, address):
    """Lets the data sets fetch from `address`."""
    monkeypatch.setattr(cifar.files, "ADDRESS", address)
    for module in (cifar.cifar10, cifar.cifar100, mnist, imdb, reuters, boston_housing):
        monkeypatch.setattr(module, "FILE_HASH", None)
    for module in (mnist, imdb, reuters, boston_housing):
        monkeypatch.setattr(module, "ORIGIN", address + module.ORIGIN.rpartition("/")[2])
    for module in (imdb, reuters):
        monkeypatch.setattr(module, "INDEX_ORIGIN", address + module.INDEX_ORIGIN.rpartition("/")[2])
        monkeypatch.setattr(module, "INDEX_HASH", None)
    monkeypatch.setattr(fashion_mnist, "ADDRESS", address)
    monkeypatch.setattr(fashion_mnist, "HASHES", dict.fromkeys(fashion_mnist.HASHES))
