"""The data set from a server on loopback, against what the original API keeps of the same file."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import kcore_datasets_reuters as reuters
from kcore.errors import ArgumentError, DataError, DownloadError, KcoreWarning
from kcore.testing import serve

GOLDEN = Path(__file__).parent / "golden"
CASES = json.loads((GOLDEN / "selections.json").read_text())


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A server of the small file and an index, and an empty cache; gives the folder served."""
    folder = tmp_path / "served"
    folder.mkdir()
    shutil.copy(GOLDEN / "reuters.npz", folder)
    (folder / "reuters_word_index.json").write_text(json.dumps({"the": 1, "über": 2}), encoding="utf-8")
    monkeypatch.setenv("KCORE_HOME", str(tmp_path / "home"))
    with serve(folder) as address:
        monkeypatch.setattr(reuters, "ORIGIN", address + "reuters.npz")
        monkeypatch.setattr(reuters, "INDEX_ORIGIN", address + "reuters_word_index.json")
        monkeypatch.setattr(reuters, "FILE_HASH", None)
        yield folder


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["options"]))
def test_selection(server, case):
    found = reuters.load_data(**case["options"])
    for (x, y), (texts, classes) in zip(found, case["result"], strict=True):
        assert x.dtype == object and x.tolist() == texts
        assert y.tolist() == classes


def test_global_generator_is_left_alone(server):
    np.random.seed(5)
    expected = np.random.rand()
    np.random.seed(5)
    reuters.load_data()
    assert np.random.rand() == expected


def test_cache_and_path(server, tmp_path):
    reuters.load_data(path="other.npz")
    assert (tmp_path / "home" / "datasets" / "other.npz").exists()
    (server / "reuters.npz").unlink()
    reuters.load_data(path="other.npz")
    with pytest.raises(DownloadError, match="404"):
        reuters.load_data()


def test_word_index(server, tmp_path):
    assert reuters.get_word_index() == {"the": 1, "über": 2}
    (server / "reuters_word_index.json").unlink()
    assert reuters.get_word_index()["the"] == 1
    (tmp_path / "home" / "datasets" / "reuters_word_index.json").write_text("{")
    with pytest.raises(DataError, match="Delete it"):
        reuters.get_word_index()


def test_another_file_is_refused(server, monkeypatch, tmp_path):
    monkeypatch.setattr(reuters, "FILE_HASH", "0" * 32)
    with pytest.raises(DownloadError, match="expected 0000.*put it at .*reuters.npz") as failure:
        reuters.load_data()
    target = tmp_path / "home" / "datasets" / "reuters.npz"
    assert str(target) in str(failure.value) and not target.exists()
    shutil.copy(GOLDEN / "reuters.npz", target)  # as the message says
    reuters.load_data()


def test_wrong_arguments(server):
    with pytest.raises(ArgumentError, match="no argument 'num_word'"):
        reuters.load_data(num_word=10)
    with pytest.raises(DataError, match="maxlen is 1"):
        reuters.load_data(maxlen=1)
    with pytest.warns(KcoreWarning, match="nb_words"):
        reuters.load_data(nb_words=10)
