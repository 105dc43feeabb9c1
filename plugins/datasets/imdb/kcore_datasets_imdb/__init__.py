"""IMDB: 25,000 and 25,000 film reviews, for (1) or against (0); manual, section 12.3.

A. L. Maas et al., "Learning word vectors for sentiment analysis", 2011.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kcore.utils import cached_file, load_npz
from kcore_datasets_word_utils import WordSelection, as_arrays, num_words_from, read_word_index, shuffled

__all__ = ["get_word_index", "load_data"]

Arrays = tuple[np.ndarray, np.ndarray]

ORIGIN = "https://s3.amazonaws.com/text-datasets/imdb.npz"
INDEX_ORIGIN = "https://s3.amazonaws.com/text-datasets/imdb_word_index.json"
#: md5 of the published files, as Keras 2.1.6 asks for them.
FILE_HASH: str | None = "599dadb1135973df5b59232a0e9a887c"
INDEX_HASH: str | None = "bfafd718b763782e994055a2d397834f"


def load_data(
    path: str = "imdb.npz",
    num_words: int | None = None,
    skip_top: int = 0,
    maxlen: int | None = None,
    seed: int = 113,
    start_char: int | None = 1,
    oov_char: int | None = 2,
    index_from: int = 3,
    **kwargs: Any,
) -> tuple[Arrays, Arrays]:
    """The reviews, shuffled; fetched if they are not in the cache.

    Args:
        path: name of the file in `~/.kcore/datasets`, or an absolute path.
        num_words: numbers from this one on are not kept, so that `num_words - index_from` or so of the most frequent
            words are; None for nearly all: the largest number of all is not kept, as in Keras.
        skip_top: numbers below this one are not kept.
        maxlen: texts of this length or longer are left out; None for none.
        seed: of the shuffling. NumPy's global generator is left alone.
        start_char: the number that each text begins with; None for no mark.
        oov_char: what stands for a word that is not kept; None to leave such words out.
        index_from: is added to every number of a word, to leave room for marks.
        kwargs: `nb_words`, the older name of `num_words`.

    Returns:
        `(x_train, y_train), (x_test, y_test)`. `x`: an array of lists of word numbers. `y`: shape `(samples,)`, 1 for
        a review in favour of the film, 0 for one against it.

    Raises:
        ArgumentError (a TypeError), DataError (a ValueError): an argument is unknown or does not fit; the file is
            damaged.
        DownloadError (an OSError): the file cannot be fetched; the message says what to put where.
    """
    selection = WordSelection(num_words_from(num_words, kwargs), skip_top, maxlen, start_char, oov_char, index_from)
    sizes = {"x_train": ("train",), "y_train": ("train",), "x_test": ("test",), "y_test": ("test",)}
    data = load_npz(cached_file(path, ORIGIN, FILE_HASH), sizes)
    generator = np.random.RandomState(seed)
    x_train, y_train = shuffled(generator, data["x_train"], data["y_train"])
    x_test, y_test = shuffled(generator, data["x_test"], data["y_test"])
    train, y_train = selection.shorter(selection.marked(x_train), y_train)
    test, y_test = selection.shorter(selection.marked(x_test), y_test)
    texts = selection.chosen(train + test)
    return as_arrays(texts[: len(train)], y_train), as_arrays(texts[len(train) :], y_test)


def get_word_index(path: str = "imdb_word_index.json") -> dict[str, int]:
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
