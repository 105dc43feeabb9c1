"""Which words and texts are kept."""

import numpy as np
import pytest

from kcore.errors import ArgumentError, DataError, KcoreWarning
from kcore_datasets_word_utils import WordSelection, as_arrays, num_words_from, read_word_index, shuffled


def test_marks():
    assert WordSelection().marked([[1, 5], []]) == [[1, 4, 8], [1]]
    assert WordSelection(start_char=None, index_from=0).marked([[1, 5]]) == [[1, 5]]


def test_lengths_count_the_mark():
    texts, classes = WordSelection(maxlen=3).shorter([[1, 4], [1, 4, 5]], np.array([7, 8]))
    assert texts == [[1, 4]] and classes.tolist() == [7]


def test_words():
    assert WordSelection(num_words=6, skip_top=5).chosen([[1, 4, 5, 6]]) == [[2, 2, 5, 2]]
    assert WordSelection(num_words=6, skip_top=5, oov_char=None).chosen([[1, 4, 5, 6]]) == [[5]]
    assert WordSelection().chosen([[], [3, 9]]) == [[], [3, 2]]  # the largest number of all, as in Keras


def test_nothing_left():
    with pytest.raises(DataError, match="maxlen is 1, and every text"):
        WordSelection(maxlen=1).chosen([])


def test_equal_lengths_give_an_array_of_lists():
    x, _ = as_arrays([[1, 2], [3, 4]], np.array([0, 1]))
    assert x.dtype == object and x.tolist() == [[1, 2], [3, 4]]


def test_shuffled_in_step():
    x, y = shuffled(np.random.RandomState(1), np.arange(20), np.arange(20) * 2)
    assert (y == 2 * x).all() and sorted(x) == list(range(20)) and list(x) != sorted(x)


def test_older_name():
    assert num_words_from(5, {}) == 5
    with pytest.warns(KcoreWarning, match="num_words now"):
        assert num_words_from(None, {"nb_words": 3}) == 3
    with pytest.raises(ArgumentError, match="no argument 'num_word'"):
        num_words_from(None, {"num_word": 3})


@pytest.mark.parametrize("content", ["", "[1]", "\x80"])
def test_damaged_index(tmp_path, content):
    (tmp_path / "index.json").write_bytes(content.encode("latin1"))
    with pytest.raises(DataError, match="index.json cannot be read"):
        read_word_index(str(tmp_path / "index.json"))
