"""The tests that data sets of numbered words share; needs pytest."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from kcore.errors import ArgumentError, DataError, DownloadError, KcoreWarning
from kcore.testing import serve

__all__ = ["WordDataSetTests"]


class WordDataSetTests:
    """Base of a test class: the data set from a server on loopback, against what the original keeps of the same file.

    Attributes:
        module: the data set: `load_data`, `get_word_index`, `ORIGIN`, `INDEX_ORIGIN`, `FILE_HASH`, `INDEX_HASH`.
        golden: a folder with a small file of the data set's format and name, and `selections.json`: a list of
            `{"options": arguments of load_data, "result": what the original gives}`.
    """

    module: ClassVar[Any]
    golden: ClassVar[Path]

    @property
    def file_name(self) -> str:
        return self.module.ORIGIN.rpartition("/")[2]

    @property
    def index_name(self) -> str:
        return self.module.INDEX_ORIGIN.rpartition("/")[2]

    @pytest.fixture(autouse=True)
    def served(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
        """A server of the small file and an index, and an empty cache; gives the folder served."""
        folder = tmp_path / "served"
        folder.mkdir()
        shutil.copy(self.golden / self.file_name, folder)
        (folder / self.index_name).write_text(json.dumps({"the": 1, "über": 2}), encoding="utf-8")
        monkeypatch.setenv("KCORE_HOME", str(tmp_path / "home"))
        with serve(folder) as address:
            monkeypatch.setattr(self.module, "ORIGIN", address + self.file_name)
            monkeypatch.setattr(self.module, "INDEX_ORIGIN", address + self.index_name)
            monkeypatch.setattr(self.module, "FILE_HASH", None)
            monkeypatch.setattr(self.module, "INDEX_HASH", None)
            yield folder

    def test_selections(self) -> None:
        for case in json.loads((self.golden / "selections.json").read_text(encoding="utf-8")):
            found = self.module.load_data(**case["options"])
            for (x, y), (texts, classes) in zip(found, case["result"], strict=True):
                assert x.dtype == object and x.tolist() == texts, case["options"]
                assert y.tolist() == classes, case["options"]

    def test_global_generator_is_left_alone(self) -> None:
        np.random.seed(5)
        expected = np.random.rand()
        np.random.seed(5)
        self.module.load_data()
        assert np.random.rand() == expected

    def test_cache_and_path(self, served: Path, tmp_path: Path) -> None:
        self.module.load_data(path="other.npz")
        assert (tmp_path / "home" / "datasets" / "other.npz").exists()
        (served / self.file_name).unlink()
        self.module.load_data(path="other.npz")
        with pytest.raises(DownloadError, match="404"):
            self.module.load_data()

    def test_word_index(self, served: Path, tmp_path: Path) -> None:
        assert self.module.get_word_index() == {"the": 1, "über": 2}
        (served / self.index_name).unlink()
        assert self.module.get_word_index()["the"] == 1
        (tmp_path / "home" / "datasets" / self.index_name).write_text("{")
        with pytest.raises(DataError, match="Delete it"):
            self.module.get_word_index()

    @pytest.mark.parametrize("part", ["FILE", "INDEX"])
    def test_another_file_is_refused(
        self, part: str, served: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        name = self.file_name if part == "FILE" else self.index_name
        load = self.module.load_data if part == "FILE" else self.module.get_word_index
        monkeypatch.setattr(self.module, f"{part}_HASH", "0" * 32)
        with pytest.raises(DownloadError, match=f"expected 0000.*put it at .*{name}") as failure:
            load()
        target = tmp_path / "home" / "datasets" / name
        assert str(target) in str(failure.value) and not target.exists()
        shutil.copy(served / name, target)  # as the message says
        load()

    def test_files_of_another_kind(self, tmp_path: Path) -> None:
        with np.load(self.golden / self.file_name, allow_pickle=True) as file:
            arrays = dict(file)
        texts, labels = (next(name for name in arrays if name.startswith(start)) for start in "xy")
        strings = np.array([["a", 1]] * len(arrays[texts]), object)
        for changed, message in (
            ({texts: np.zeros((len(arrays[texts]), 7))}, "the array 'x.*' has the shape .*another file"),
            ({labels: arrays[labels][:-1]}, "the array 'y.*' has the shape .*another file"),
            ({texts: np.arange(len(arrays[texts]))}, "a text is no list of word numbers"),
            ({texts: np.array([*map(list, strings), None], object)[:-1]}, "a text is no list of word numbers"),
            ({name: value[:0] for name, value in arrays.items()}, "the file has no texts"),
        ):
            np.savez(tmp_path / "other.npz", **{**arrays, **changed})
            with pytest.raises(DataError, match=message):
                self.module.load_data(path=str(tmp_path / "other.npz"))
        with pytest.raises(ArgumentError, match="is a folder; expected a file"):
            self.module.load_data(path=str(tmp_path))
        with pytest.raises(ArgumentError, match="path is None; expected the name of a file"):
            self.module.get_word_index(None)

    def test_wrong_arguments(self) -> None:
        for name in ("num_words", "skip_top", "maxlen", "index_from"):
            for value in (-1, "ten", 0.5):
                with pytest.raises(ArgumentError, match=f"{name} is {value!r}; expected a whole number of at least 0"):
                    self.module.load_data(**{name: value})
        with pytest.raises(ArgumentError, match="start_char is 'a'; expected a whole number, or None"):
            self.module.load_data(start_char="a")
        with pytest.raises(ArgumentError, match="no argument 'num_word'"):
            self.module.load_data(num_word=10)
        with pytest.raises(DataError, match="maxlen is 1"):
            self.module.load_data(maxlen=1)
        with pytest.warns(KcoreWarning, match="nb_words"):
            self.module.load_data(nb_words=10)
