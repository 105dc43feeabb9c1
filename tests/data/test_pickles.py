"""Published arrays are read; nothing in them runs."""

import os
import pickle

import numpy as np
import pytest

from kcore.errors import DataError
from kcore.utils import load_npz, load_pickle


def objects(*items):
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array


class Harmful:
    def __init__(self, call, *args):
        self.call = call, args

    def __reduce__(self):
        return self.call


def test_arrays_of_numbers_and_of_lists(tmp_path):
    arrays = {
        "a": np.arange(6.0).reshape(2, 3),
        "b": objects([1, 2], [], "text", np.arange(3), np.float32(2.5)),
        "f": np.asfortranarray(np.arange(6).reshape(2, 3)),
    }
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "a.npz", **arrays)
        found = load_npz(tmp_path / "a.npz")
        np.testing.assert_array_equal(found["a"], arrays["a"])
        np.testing.assert_array_equal(found["f"], arrays["f"])
        assert found["b"][:3].tolist() == [[1, 2], [], "text"] and found["b"][3].tolist() == [0, 1, 2]
        assert found["b"][4] == 2.5
        assert list(load_npz(tmp_path / "a.npz", ["a"])) == ["a"]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_of_every_protocol(tmp_path, protocol):
    value = {"a": [1, 2.5, None, True], b"b": np.arange(4, dtype="uint8"), "c": ("x", {"y": b"z"})}
    (tmp_path / "p").write_bytes(pickle.dumps(value, protocol))
    found = load_pickle(tmp_path / "p")
    assert found["a"] == value["a"] and found["c"] == value["c"] and found[b"b"].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    "harm",
    [
        Harmful(os.system, "touch harm"),
        Harmful(eval, "open('harm', 'w')"),
        Harmful(getattr, "a", "upper"),
        Harmful(np.save, "harm", 1),
        Harmful(np.load, "harm"),
        Harmful(np.memmap, "harm", "u1", "w+", 0, 4),
    ],
    ids=lambda harm: harm.call[0].__name__,
)
def test_nothing_runs(tmp_path, monkeypatch, harm):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p").write_bytes(pickle.dumps([1, harm]))
    with pytest.raises(DataError, match="p cannot be read: it names"):
        load_pickle(tmp_path / "p")
    np.savez(tmp_path / "a.npz", x=objects([1], harm))
    with pytest.raises(DataError, match=r"a\.npz cannot be read: it names"):
        load_npz(tmp_path / "a.npz")
    assert sorted(os.listdir(tmp_path)) == ["a.npz", "p"]


def test_only_one_encoding(tmp_path):
    (tmp_path / "p").write_bytes(b"c_codecs\nencode\n(X\x01\x00\x00\x00aX\x05\x00\x00\x00rot13tR.")
    with pytest.raises(DataError, match="rot13"):
        load_pickle(tmp_path / "p")


def test_damage(tmp_path):
    np.savez(tmp_path / "a.npz", x=objects([1, 2], [3]), y=np.arange(1000))
    whole = (tmp_path / "a.npz").read_bytes()
    for cut in (0, 10, 300, 2000, len(whole) - 3):
        (tmp_path / "cut.npz").write_bytes(whole[:cut])
        with pytest.raises(DataError, match="cannot be read.*Delete it"):
            load_npz(tmp_path / "cut.npz")
    with pytest.raises(DataError, match=r"has the arrays \['x', 'y'\], not \['z'\]"):
        load_npz(tmp_path / "a.npz", ["x", "z"])
    with pytest.raises(FileNotFoundError):
        load_npz(tmp_path / "missing.npz")
    with pytest.raises(FileNotFoundError):
        load_pickle(tmp_path / "missing")
    (tmp_path / "p").write_bytes(pickle.dumps([1, 2, 3])[:-2])
    with pytest.raises(DataError, match="cannot be read"):
        load_pickle(tmp_path / "p")


def test_sizes_of_arrays(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, x=np.zeros((3, 2)), y=np.zeros(3), z=np.zeros((4, 5)))
    for sizes in ({"x": ("n", 2), "y": ("n",)}, {"x": (None, "c"), "z": (4, "d")}, {"y": ("n",), "x": ("n", None)}):
        assert list(load_npz(path, sizes)) == list(sizes)
    for sizes, message in (
        ({"x": ("n", 3)}, r"a.npz: the array 'x' has the shape \(3, 2\); expected \('n', 3\) .* Is it another file\?"),
        ({"x": ("n", "c"), "z": ("n", 5)}, r"'z' has the shape \(4, 5\); expected \('n', 5\) with {'n': 3, 'c': 2}"),
        ({"x": ("n", "n")}, r"'x' has the shape \(3, 2\)"),
        ({"y": ("n", None)}, r"'y' has the shape \(3,\)"),
        ({"x": ("n",)}, r"'x' has the shape \(3, 2\); expected \('n',\)"),
    ):
        with pytest.raises(DataError, match=message):
            load_npz(path, sizes)
