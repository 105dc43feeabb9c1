"""`HDF5Matrix`, by itself, in training, and in worker processes."""

from __future__ import annotations

import multiprocessing
import pickle

import h5py
import numpy as np
import pytest

from kcore.layers import Dense
from kcore.models import Sequential
from kcore.utils import HDF5Matrix


@pytest.fixture
def file(tmp_path):
    rng = np.random.RandomState(0)
    with h5py.File(tmp_path / "data.h5", "w") as f:
        f["x"] = rng.rand(60, 4).astype("float32")
        f["y"] = rng.rand(60, 1).astype("float32")
        f["group/empty"] = 3
    return tmp_path / "data.h5"


@pytest.fixture
def array(file):
    with h5py.File(file, "r") as f:
        return f["x"][:]


def test_like_an_array(file, array):
    x = HDF5Matrix(file, "x", start=10, end=50)
    part = array[10:50]
    assert x.shape == (40, 4) and x.dtype == "float32" and x.ndim == 2 and x.size == 160 and len(x) == 40
    np.testing.assert_array_equal(x[:], part)
    np.testing.assert_array_equal(np.asarray(x), part)
    for key in (
        0,
        -1,
        np.int64(3),
        slice(5, 9),
        slice(30, 100),
        slice(9, 2),
        slice(0, 20, 3),
        slice(-3, None),
        slice(None, None, -7),
        [1, 2, 3],
        [7, 2, 2, -1],
        np.arange(40) % 3 == 0,
        [],
    ):
        np.testing.assert_array_equal(x[key], part[key if key != [] else slice(0, 0)] if isinstance(key, list)
                                      else part[key])  # fmt: skip
    for key in (40, -41, [3, 40]):
        with pytest.raises(IndexError):
            x[key]
    with pytest.raises(IndexError):
        x["name"]
    x.close()
    np.testing.assert_array_equal(x[:2], part[:2])


def test_ranges_and_what_is_missing(file, tmp_path):
    assert HDF5Matrix(file, "x", start=-10).shape == (10, 4)
    assert HDF5Matrix(file, "x", end=-10).shape == (50, 4)
    for start, end in ((30, 20), (0, 61)):
        with pytest.raises(ValueError, match="not a range of the 60 rows"):
            HDF5Matrix(file, "x", start=start, end=end)
    for name in ("z", "group", "group/empty"):
        with pytest.raises(ValueError, match="no data set with rows"):
            HDF5Matrix(file, name)
    with pytest.raises(FileNotFoundError):
        HDF5Matrix(tmp_path / "nothing.h5", "x")


def test_normalizer(file, array):
    x = HDF5Matrix(file, "x", normalizer=lambda rows: rows * 2)
    np.testing.assert_array_equal(x[3:5], array[3:5] * 2)
    np.testing.assert_array_equal(x[[5, 1]], array[[5, 1]] * 2)


@pytest.mark.parametrize("shuffle", [False, "batch", True])
def test_training_is_that_of_arrays(file, array, shuffle):
    with h5py.File(file, "r") as f:
        target = f["y"][:]

    def trained(x, y):
        np.random.seed(1)
        model = Sequential([Dense(3, activation="tanh", input_shape=(4,)), Dense(1)])
        model.compile("sgd", "mse")
        history = model.fit(x, y, batch_size=16, epochs=2, shuffle=shuffle, verbose=0)
        return [*history.history["loss"], model.evaluate(x, y, verbose=0), *model.predict(x)[:, 0]]

    on_disk = trained(HDF5Matrix(file, "x", 8, 56), HDF5Matrix(file, "y", 8, 56))
    assert on_disk == trained(array[8:56], target[8:56])


def test_is_not_read_whole(file):
    most = []
    x = HDF5Matrix(file, "x", normalizer=lambda rows: most.append(len(rows)) or rows)
    model = Sequential([Dense(1, input_shape=(4,))])
    model.predict(x, batch_size=8)
    assert max(most) <= 8 and sum(most) == 60


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_in_another_process(file, array, method):
    x = HDF5Matrix(file, "x")
    context = multiprocessing.get_context(method)
    assert pickle.loads(pickle.dumps(x)).shape == x.shape
    with context.Pool(1) as pool:
        result = pool.apply(np.sum, (x,)) if method == "spawn" else pool.apply(_sum_of, (x,))
        pool.close()
        pool.join()
    assert abs(result - array.sum()) < 1e-3


def _sum_of(x):
    return float(x[:].sum())
