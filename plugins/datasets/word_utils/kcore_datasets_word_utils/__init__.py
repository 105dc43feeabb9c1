"""Texts as lists of word numbers, the most frequent word being 1: which words and texts are kept.

Manual, sections 12.3 and 12.4. In what is returned, the numbers below `index_from` are free for marks: 0 fills up
short texts, `start_char` begins each text, `oov_char` stands for a word that was not kept.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kcore.errors import ArgumentError, DataError, warn

__all__ = ["Texts", "WordSelection", "as_arrays", "num_words_from", "read_word_index", "shuffled"]

Texts = list[list[int]]


@dataclass(frozen=True)
class WordSelection:
    """Which words and texts are kept.

    Attributes:
        num_words: numbers from this one on are not kept (counted after `index_from` was added); None for the largest
            number there is, which is then itself not kept: so it is in Keras, and published results depend on it.
        skip_top: numbers below this one are not kept.
        maxlen: texts of this length or longer, `start_char` counted, are left out; None for none.
        start_char: the number that each text begins with; None for no mark.
        oov_char: what stands for a word that is not kept; None to leave it out.
        index_from: is added to every number of a word.
    """

    num_words: int | None = None
    skip_top: int = 0
    maxlen: int | None = None
    start_char: int | None = 1
    oov_char: int | None = 2
    index_from: int = 3

    def __post_init__(self) -> None:
        for name in ("num_words", "skip_top", "maxlen", "start_char", "oov_char", "index_from"):
            value = getattr(self, name)
            mark, needed = name.endswith("_char"), name == "skip_top"
            if value is None and not needed:
                continue
            if not isinstance(value, int | np.integer) or (value < 0 and not mark):
                raise ArgumentError(
                    f"{name} is {value!r}; expected a whole number{'' if mark else ' of at least 0'}"
                    + ("" if needed else ", or None")
                )

    def marked(self, texts: Iterable[Sequence[int]]) -> Texts:
        """The texts with their beginnings marked and their numbers shifted.

        Raises:
            DataError (a ValueError): a text is no list of numbers.
        """
        first = [] if self.start_char is None else [self.start_char]
        shift = self.index_from or 0
        try:
            return [first + [word + shift for word in text] for text in texts]
        except TypeError as error:
            raise DataError(f"a text is no list of word numbers ({error}): is the file another one?") from error

    def shorter(self, texts: Texts, classes: np.ndarray) -> tuple[Texts, np.ndarray]:
        """The texts shorter than `maxlen`, with their classes."""
        if not self.maxlen:
            return texts, classes
        kept = [i for i, text in enumerate(texts) if len(text) < self.maxlen]
        return [texts[i] for i in kept], classes[kept]

    def chosen(self, texts: Texts) -> Texts:
        """The texts with the words that are not kept replaced or left out.

        Raises:
            DataError (a ValueError): no text is left.
        """
        if not texts and not self.maxlen:
            raise DataError("the file has no texts: is it another one?")
        if not texts:
            raise DataError(
                f"maxlen is {self.maxlen!r}, and every text is at least as long: take a larger one", argument="maxlen"
            )
        top = self.num_words or max(max(text, default=0) for text in texts)
        if self.oov_char is None:
            return [[word for word in text if self.skip_top <= word < top] for text in texts]
        return [[word if self.skip_top <= word < top else self.oov_char for word in text] for text in texts]


def shuffled(generator: np.random.RandomState, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
    """Arrays in one random order; draws as the original does."""
    order = np.arange(len(arrays[0]))
    generator.shuffle(order)
    return tuple(array[order] for array in arrays)


def as_arrays(texts: Texts, classes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """An array of lists, also where all lists are of one length, and the classes."""
    array = np.empty(len(texts), dtype=object)
    array[:] = texts
    return array, classes


def num_words_from(num_words: int | None, others: Mapping[str, Any]) -> int | None:
    """`num_words`, or what was given under its older name `nb_words`.

    Raises:
        ArgumentError (a TypeError): another argument was given.
    """
    unknown = sorted(set(others) - {"nb_words"})
    if unknown:
        raise ArgumentError(f"load_data has no argument {', '.join(map(repr, unknown))}")
    if "nb_words" in others:
        warn("nb_words is called num_words now")
        return others["nb_words"]
    return num_words


def read_word_index(path: str) -> dict[str, int]:
    """The numbers of words, from a JSON file.

    Raises:
        DataError (a ValueError): the file is damaged, or another one.
    """
    try:
        with open(path, encoding="utf-8") as file:
            index = json.load(file)
        if not isinstance(index, dict):
            raise ValueError("it holds no table of words")
        return index
    except ValueError as error:
        raise DataError(
            f"{path} cannot be read: {error}. Delete it and call again: it is fetched anew where there is a network"
        ) from error
