"""CIFAR from a server on loopback that serves small archives of the same format: pickles of Python 2."""

import io
import os
import pickle
import tarfile

import numpy as np
import pytest

from kcore import backend as K
from kcore.errors import ArgumentError, DataError, DownloadError
from kcore.testing import serve
from kcore_datasets_cifar import cifar10, cifar100, files

DRAWS = np.random.RandomState(0)


class Python2Pickler(pickle._Pickler):
    """Writes bytes as Python 2 wrote its strings."""

    dispatch = dict(pickle._Pickler.dispatch)

    def save_string(self, value):
        self.write(pickle.BINSTRING + len(value).to_bytes(4, "little") + value)
        self.memoize(value)

    dispatch[bytes] = save_string

    def save_text(self, value):
        self.save_string(value.encode("latin1"))

    dispatch[str] = save_text


def python2_pickle(value):
    buffer = io.BytesIO()
    Python2Pickler(buffer, 2).dump(value)
    # The array's type is found where NumPy 1 had it.
    return buffer.getvalue().replace(b"numpy._core.multiarray", b"numpy.core.multiarray")


def batch(n, **labels):
    return {"data": DRAWS.randint(0, 256, (n, 3072)).astype("uint8"), "batch_label": "a batch", **labels}


TEN = {f"data_batch_{i}": batch(2, labels=[i, 9 - i]) for i in range(1, 6)} | {"test_batch": batch(3, labels=[0, 1, 2])}
HUNDRED = {
    "train": batch(4, fine_labels=[99, 5, 7, 0], coarse_labels=[19, 1, 2, 3]),
    "test": batch(2, fine_labels=[1, 50], coarse_labels=[4, 5]),
}


def write_archive(path, folder, members):
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(f"{folder}/{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


@pytest.fixture
def served(tmp_path, monkeypatch):
    folder = tmp_path / "served"
    folder.mkdir()
    for module, content in ((cifar10, TEN), (cifar100, HUNDRED)):
        pickles = {name: python2_pickle(value) for name, value in content.items()}
        write_archive(folder / module.ARCHIVE, module.FOLDER, pickles)
        monkeypatch.setattr(module, "FILE_HASH", None)
    monkeypatch.setenv("KCORE_HOME", str(tmp_path / "home"))
    with serve(folder) as address:
        monkeypatch.setattr(files, "ADDRESS", address)
        yield folder


def test_cifar10(served):
    (x_train, y_train), (x_test, y_test) = cifar10.load_data()
    assert x_train.shape == (10, 32, 32, 3) and x_test.shape == (3, 32, 32, 3)
    assert y_train.ravel().tolist() == [1, 8, 2, 7, 3, 6, 4, 5, 5, 4] and y_test.tolist() == [[0], [1], [2]]
    assert {a.dtype for a in (x_train, y_train, x_test, y_test)} == {np.dtype("uint8")}
    np.testing.assert_array_equal(x_train[2], TEN["data_batch_2"]["data"][0].reshape(3, 32, 32).transpose(1, 2, 0))


@pytest.mark.parametrize(
    ("mode", "train", "test"), [("fine", [99, 5, 7, 0], [1, 50]), ("coarse", [19, 1, 2, 3], [4, 5])]
)
def test_cifar100(served, mode, train, test):
    (x_train, y_train), (x_test, y_test) = cifar100.load_data(label_mode=mode)
    assert x_train.shape == (4, 32, 32, 3) and x_test.shape == (2, 32, 32, 3)
    assert y_train.tolist() == [[i] for i in train] and y_test.tolist() == [[i] for i in test]


def test_channels_first(served):
    before = K.image_data_format()
    K.set_image_data_format("channels_first")
    try:
        (x, _), _ = cifar100.load_data()
    finally:
        K.set_image_data_format(before)
    np.testing.assert_array_equal(x.reshape(4, -1), HUNDRED["train"]["data"])


def test_wrong_label_mode():
    with pytest.raises(ArgumentError, match="label_mode is 'rough'; expected 'fine'"):
        cifar100.load_data("rough")


def test_cache(served, tmp_path):
    cifar10.load_data()
    (served / cifar10.ARCHIVE).unlink()
    cifar10.load_data()
    # An archive put there by hand, whatever its hash, is unpacked.
    os.replace(served / cifar100.ARCHIVE, tmp_path / "home" / "datasets" / "cifar-100-python.tar.gz")
    cifar100.load_data()


def test_offline_says_which_file_to_put_where(served, tmp_path):
    (served / cifar10.ARCHIVE).unlink()
    path = tmp_path / "home" / "datasets" / "cifar-10-batches-py.tar.gz"
    with pytest.raises(DownloadError, match=f"put it at {path}"):
        cifar10.load_data()


class Harmful:
    def __reduce__(self):
        return os.mkdir, ("harm",)


def test_nothing_in_a_file_runs(served, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_archive(served / cifar100.ARCHIVE, cifar100.FOLDER, {"train": pickle.dumps(Harmful(), 2), "test": b""})
    with pytest.raises(DataError, match=r"it names .*mkdir"):
        cifar100.load_data()
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize("content", [[], {b"data": None}, batch(2, labels=[1])])
def test_another_content(served, content):
    pickles = {"train": python2_pickle(content), "test": b""}
    write_archive(served / cifar100.ARCHIVE, cifar100.FOLDER, pickles)
    with pytest.raises(DataError, match="train does not hold pictures"):
        cifar100.load_data()
