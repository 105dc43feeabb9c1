"""The data set from a server on loopback, against the splits of the original API."""

import json
from pathlib import Path

import numpy as np
import pytest

import kcore_datasets_boston_housing as boston_housing
from kcore.errors import DataError, DownloadError
from kcore.testing import serve

GOLDEN = Path(__file__).parent / "golden"
CASES = json.loads((GOLDEN / "splits.json").read_text())


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.setenv("KCORE_HOME", str(tmp_path / "home"))
    with serve(GOLDEN) as address:
        monkeypatch.setattr(boston_housing, "ORIGIN", address + "boston_housing.npz")
        monkeypatch.setattr(boston_housing, "FILE_HASH", None)
        yield


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["options"]))
def test_splits(server, case):
    for found, expected in zip(boston_housing.load_data(**case["options"]), case["result"], strict=True):
        np.testing.assert_array_equal(found[0], np.array(expected[0]).reshape(-1, 13))
        np.testing.assert_array_equal(found[1], expected[1])


def test_global_generator_is_left_alone(server):
    np.random.seed(5)
    expected = np.random.rand()
    np.random.seed(5)
    boston_housing.load_data()
    assert np.random.rand() == expected


@pytest.mark.parametrize("share", [-0.1, 1, 1.5])
def test_wrong_share(share):
    with pytest.raises(DataError, match="test_split is"):
        boston_housing.load_data(test_split=share)


def test_a_damaged_download(server, monkeypatch):
    monkeypatch.setattr(boston_housing, "FILE_HASH", "0" * 64)
    with pytest.raises(DownloadError, match="its sha256 is"):
        boston_housing.load_data()


def test_another_file(tmp_path):
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(DataError, match=r"has the arrays \['a'\], not \['x', 'y'\]"):
        boston_housing.load_data(str(tmp_path / "other.npz"))


def test_arrays_of_other_sizes(tmp_path):
    for x, y in ((np.zeros((4, 3)), np.zeros(4)), (np.zeros((4, 13)), np.zeros(3)), (np.zeros(4), np.zeros(4))):
        np.savez(tmp_path / "other.npz", x=x, y=y)
        with pytest.raises(DataError, match="the array '[xy]' has the shape .*Is it another file"):
            boston_housing.load_data(str(tmp_path / "other.npz"))
    with pytest.raises(DataError, match="test_split is 'half', expected a share"):
        boston_housing.load_data(test_split="half")
