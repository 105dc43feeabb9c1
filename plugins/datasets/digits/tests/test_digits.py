"""The digits data set: shapes, splits, content."""

import numpy as np
import pytest

from kcore.errors import DataError
from kcore_datasets_digits import load_data


def test_shapes_dtypes_and_ranges():
    (x_train, y_train), (x_test, y_test) = load_data()
    assert x_train.shape == (1438, 8, 8) and y_train.shape == (1438,)
    assert x_test.shape == (359, 8, 8) and y_test.shape == (359,)
    for x, y in ((x_train, y_train), (x_test, y_test)):
        assert x.dtype == y.dtype == np.uint8
        assert x.min() == 0 and x.max() == 16
        assert sorted(set(y.tolist())) == list(range(10))


def test_content_is_that_of_the_source():
    (x, y), (x_none, _) = load_data(test_split=0)
    assert len(x) == 1797 and len(x_none) == 0
    # Counts of the ten classes, as the description of the data set states them.
    assert np.bincount(y).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert int(x.astype(int).sum()) == 561718


def test_seeds():
    first, again, other = load_data(seed=1), load_data(seed=1), load_data(seed=2)
    assert all((a == b).all() for p, q in zip(first, again) for a, b in zip(p, q))
    assert not (first[0][1] == other[0][1]).all()


def test_global_generator_is_left_alone():
    np.random.seed(5)
    expected = np.random.rand()
    np.random.seed(5)
    load_data()
    assert np.random.rand() == expected


def test_parts_do_not_overlap_and_are_complete():
    (x_train, _), (x_test, _) = load_data(test_split=0.5)
    rows = np.concatenate([x_train, x_test]).reshape(-1, 64)
    (everything, _), _ = load_data(test_split=0)
    assert sorted(map(bytes, rows)) == sorted(map(bytes, everything.reshape(-1, 64)))


@pytest.mark.parametrize("share", [-0.1, 1.5])
def test_wrong_share(share):
    with pytest.raises(DataError, match="test_split"):
        load_data(test_split=share)
