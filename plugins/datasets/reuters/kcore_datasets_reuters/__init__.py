"""Reuters: 11,228 newswires in 46 topics; manual, section 12.4."""

from __future__ import annotations

from typing import Any

import numpy as np

from kcore.errors import DataError
from kcore.utils import cached_file, load_npz
from kcore_datasets_word_utils import WordSelection, as_arrays, num_words_from, read_word_index, shuffled

__all__ = ["get_word_index", "load_data"]

Arrays = tuple[np.ndarray, np.ndarray]

ORIGIN = "https://s3.amazonaws.com/text-datasets/reuters.npz"
INDEX_ORIGIN = "https://s3.amazonaws.com/text-datasets/reuters_word_index.json"
#: md5 of the published files, as Keras 2.1.6 asks for them.
FILE_HASH: str | None = "87aedbeb0cb229e378797a632c1997b6"
INDEX_HASH: str | None = "4d44cc38712099c9e383dc6e5f11a921"


def load_data(
    path: str = "reuters.npz",
    num_words: int | None = None,
    skip_top: int = 0,
    maxlen: int | None = None,
    test_split: float = 0.2,
    seed: int = 113,
    start_char: int | None = 1,
    oov_char: int | None = 2,
    index_from: int = 3,
    **kwargs: Any,
) -> tuple[Arrays, Arrays]:
    """The newswires, shuffled and split; fetched if they are not in the cache.

    Args:
        path: name of the file in `~/.kcore/datasets`, or an absolute path.
        num_words: numbers from this one on are not kept, so that `num_words - index_from` or so of the most frequent
            words are; None for nearly all: the largest number of all is not kept, as in Keras.
        skip_top: numbers below this one are not kept.
        maxlen: texts of this length or longer are left out; None for none.
        test_split: share of the texts that goes into the test part, from 0 to 1.
        seed: of the shuffling. NumPy's global generator is left alone.
        start_char: the number that each text begins with; None for no mark.
        oov_char: what stands for a word that is not kept; None to leave such words out.
        index_from: is added to every number of a word, to leave room for marks.
        kwargs: `nb_words`, the older name of `num_words`.

    Returns:
        `(x_train, y_train), (x_test, y_test)`. `x`: an array of lists of word numbers. `y`: the topics, 0 to 45,
        shape `(samples,)`.

    Raises:
        ArgumentError (a TypeError), DataError (a ValueError): an argument is unknown or does not fit; the file is
            damaged.
        DownloadError (an OSError): the file cannot be fetched; the message says what to put where.
    """
    if not isinstance(test_split, int | float) or not 0 <= test_split <= 1:
        raise DataError(
            f"test_split is {test_split!r}, expected a share of the texts from 0 to 1, such as 0.2",
            argument="test_split",
        )
    selection = WordSelection(num_words_from(num_words, kwargs), skip_top, maxlen, start_char, oov_char, index_from)
    data = load_npz(cached_file(path, ORIGIN, FILE_HASH), {"x": ("samples",), "y": ("samples",)})
    x, y = shuffled(np.random.RandomState(seed), data["x"], data["y"])
    marked, y = selection.shorter(selection.marked(x), y)
    texts = selection.chosen(marked)
    train = int(len(texts) * (1 - test_split))
    return as_arrays(texts[:train], y[:train]), as_arrays(texts[train:], y[train:])


def get_word_index(path: str = "reuters_word_index.json") -> dict[str, int]:
    """The number of each word, fetched if it is not in the cache.

    In the texts of `load_data`, numbers are larger by `index_from`.

    Args:
        path: name of the file in `~/.kcore/datasets`, or an absolute path.

    Returns:
        Word to number; the most frequent word has the number 1.

    Raises:
        DownloadError (an OSError): the file cannot be fetched; the message says what to put where.
        DataError (a ValueError): the file is damaged.
    """
    return read_word_index(cached_file(path, INDEX_ORIGIN, INDEX_HASH))
