"""Texts made ready for models; manual, section 6.2."""

from __future__ import annotations

import json
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import numpy as np

from kcore.errors import ArgumentError, DataError, warn
from kcore.shapes import positive_int
from kcore.versions import explained

__all__ = ["Tokenizer", "hashing_trick", "one_hot", "text_to_word_sequence", "tokenizer_from_json"]

FILTERS = '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n'


def text_to_word_sequence(text: str, filters: Any = FILTERS, lower: bool = True, split: str = " ") -> list[str]:
    """The words of a text.

    Args:
        text: the text.
        filters: characters (a string or a list) that separate words as `split` does.
        lower: whether to convert to lower case.
        split: what separates words.

    Returns:
        list of words; an empty list for a text without words.

    Example:
        >>> text_to_word_sequence("The cat, the mat.")
        ['the', 'cat', 'the', 'mat']
    """
    if not isinstance(text, str):
        raise DataError(f"text is {text!r}, of type {type(text).__name__}; expected a string", argument="text")
    if lower:
        text = text.lower()
    text = text.translate({ord(character): split for character in filters})
    return [word for word in text.split(split) if word]


def one_hot(text: str, n: int, filters: Any = FILTERS, lower: bool = True, split: str = " ") -> list[int]:
    """The words of a text as numbers in 1..n-1, by Python's `hash`; see `hashing_trick`."""
    return hashing_trick(text, n, hash, filters, lower, split)


def hashing_trick(
    text: str,
    n: int,
    hash_function: str | Callable[[str], int] | None = None,
    filters: Any = FILTERS,
    lower: bool = True,
    split: str = " ",
) -> list[int]:
    """The words of a text as numbers, without a vocabulary; different words may get the same number.

    Args:
        text: the text.
        n: size of the space: numbers are in 1..n-1, 0 stays free.
        hash_function: 'md5', the same in every run; a function from a string to an int; None for Python's `hash`,
            which differs from run to run unless PYTHONHASHSEED is set.
        filters, lower, split: see `text_to_word_sequence`.

    Returns:
        list of ints, one for each word.

    Raises:
        ArgumentError: n is below 2, or an unknown hash function.
    """
    if n < 2:
        raise ArgumentError(f"n is {n}; expected at least 2, since 0 is reserved")
    if hash_function is None:
        hash_function = hash
    elif hash_function == "md5":
        hash_function = _md5
    elif not callable(hash_function):
        raise ArgumentError(f"hash_function is {hash_function!r}; expected None, 'md5' or a function of a string")
    return [hash_function(word) % (n - 1) + 1 for word in text_to_word_sequence(text, filters, lower, split)]


def _md5(word: str) -> int:
    import hashlib  # loads OpenSSL: only where it is needed

    return int(hashlib.md5(word.encode(), usedforsecurity=False).hexdigest(), 16)


class Tokenizer:
    """Turns texts into sequences of word numbers, or into vectors, with a vocabulary learned from texts.

    Words are numbered by falling frequency, from 1; 0 stays free for padding. A text is a string, or a list of
    tokens, which are used as they are.

    Args:
        num_words: use the `num_words - 1` most frequent words only; None for all.
        filters, lower, split: see `text_to_word_sequence`.
        char_level: tokens are characters instead of words.
        oov_token: stands for words that are not in the vocabulary, as number 1; None to leave them out.

    Attributes:
        word_counts: word -> number of occurrences.
        word_docs: word -> number of texts that have it.
        word_index: word -> number.
        index_word: number -> word.
        index_docs: number -> number of texts that have it.
        document_count: number of texts seen.

    Example:
        >>> tokenizer = Tokenizer()
        >>> tokenizer.fit_on_texts(["the cat", "the dog"])
        >>> tokenizer.texts_to_sequences(["the dog and the cat"])
        [[1, 3, 1, 2]]
    """

    @partial(explained, also=("document_count",))
    def __init__(
        self,
        num_words: int | None = None,
        filters: Any = FILTERS,
        lower: bool = True,
        split: str = " ",
        char_level: bool = False,
        oov_token: str | None = None,
        **kwargs: Any,
    ) -> None:
        self.document_count = int(kwargs.pop("document_count", 0))
        if num_words is not None:
            num_words = positive_int(num_words, "num_words", "Tokenizer", least=0)
        self.num_words, self.filters, self.lower, self.split = num_words, filters, lower, split
        self.char_level, self.oov_token = char_level, oov_token
        self.word_counts: OrderedDict[str, int] = OrderedDict()
        self.word_docs: dict[str, int] = defaultdict(int)
        self.index_docs: dict[int, int] = defaultdict(int)
        self.word_index: dict[str, int] = {}
        self.index_word: dict[int, str] = {}

    def fit_on_texts(self, texts: Iterable[Any]) -> None:
        """Learn the vocabulary from texts; may be called again with further texts.

        Args:
            texts: list or iterator of texts.
        """
        if isinstance(texts, str) and not self.char_level:
            warn(
                "fit_on_texts was given one string, each character of which is taken for a text; for one text give a "
                "list: [text]"
            )
        if not isinstance(texts, Iterable):
            raise DataError(f"fit_on_texts takes a list of texts. Received: {texts!r:.200}", argument="texts")
        for text in texts:
            self.document_count += 1
            counts = Counter(self._tokens(text))
            for word, count in counts.items():
                self.word_counts[word] = self.word_counts.get(word, 0) + count
                self.word_docs[word] += 1
        words = sorted(self.word_counts, key=self.word_counts.__getitem__, reverse=True)
        if self.oov_token is not None:
            words = [self.oov_token, *(word for word in words if word != self.oov_token)]
        self.word_index = {word: i for i, word in enumerate(words, 1)}
        self.index_word = dict(enumerate(words, 1))
        self.index_docs = defaultdict(int, {self.word_index[word]: n for word, n in self.word_docs.items()})

    def fit_on_sequences(self, sequences: Iterable[Any]) -> None:
        """Count in how many sequences each number is: what `sequences_to_matrix` needs for 'tfidf'.

        Args:
            sequences: list of sequences of word numbers.
        """
        for sequence in sequences:
            self.document_count += 1
            for index in set(sequence):
                self.index_docs[index] += 1

    def texts_to_sequences(self, texts: Iterable[Any]) -> list[list[int]]:
        """Texts as lists of word numbers; words that are not known are left out, or the `oov_token`."""
        return list(self.texts_to_sequences_generator(texts))

    def texts_to_sequences_generator(self, texts: Iterable[Any]) -> Iterator[list[int]]:
        """As `texts_to_sequences`, one text at a time."""
        limit = self.num_words or len(self.word_index) + 1
        unknown = self.word_index.get(self.oov_token) if self.oov_token is not None else None
        numbers = {word: i for word, i in self.word_index.items() if i < limit}
        for text in texts:
            found = (numbers.get(token, unknown) for token in self._tokens(text))
            yield [index for index in found if index is not None]

    def sequences_to_texts(self, sequences: Iterable[Any]) -> list[str]:
        """Sequences of word numbers as texts, words joined by spaces."""
        return list(self.sequences_to_texts_generator(sequences))

    def sequences_to_texts_generator(self, sequences: Iterable[Any]) -> Iterator[str]:
        """As `sequences_to_texts`, one sequence at a time."""
        limit = self.num_words or len(self.word_index) + 1
        words = {i: word for i, word in self.index_word.items() if i < limit}
        for sequence in sequences:
            found = (words.get(index, self.oov_token) for index in sequence)
            yield " ".join(word for word in found if word is not None)

    def texts_to_matrix(self, texts: Iterable[Any], mode: str = "binary") -> np.ndarray:
        """Texts as vectors (texts, num_words); see `sequences_to_matrix`."""
        return self.sequences_to_matrix(self.texts_to_sequences(texts), mode)

    def sequences_to_matrix(self, sequences: Any, mode: str = "binary") -> np.ndarray:
        """Sequences of word numbers as vectors with one element for each word.

        Args:
            sequences: list of sequences of word numbers; numbers that are too large are left out.
            mode: 'binary', 'count', 'freq' (count / length), or 'tfidf', which is
                (1 + log count) log(1 + documents / (1 + documents with the word)).

        Returns:
            float64 array (sequences, num_words).

        Raises:
            DataError: nothing was learned yet, and `num_words` was not given.
            ArgumentError: an unknown mode.
        """
        if mode not in ("binary", "count", "freq", "tfidf"):
            raise ArgumentError(f"mode is {mode!r}; expected 'binary', 'count', 'freq' or 'tfidf'")
        if not self.num_words and not self.word_index:
            raise DataError("the vocabulary is empty: call fit_on_texts first, or give num_words to Tokenizer")
        if mode == "tfidf" and not self.document_count:
            raise DataError("mode 'tfidf' needs document counts: call fit_on_texts or fit_on_sequences first")
        width = self.num_words or len(self.word_index) + 1
        sequences = list(sequences)
        counts = np.zeros((len(sequences), width))
        for i, (row, sequence) in enumerate(zip(counts, sequences)):
            numbers = np.asarray(sequence if np.ndim(sequence) else [sequence], dtype="int64")
            if not np.ndim(sequence) or numbers.ndim > 1 or (numbers < 0).any():
                raise DataError(
                    f"sequences[{i}] is {sequence!r}; expected a list of word numbers of at least 0. For one sequence: "
                    "[sequence]",
                    argument="sequences",
                )
            row += np.bincount(numbers[numbers < width], minlength=width)
        if mode == "binary":
            return (counts > 0).astype("float64")
        if mode == "freq":
            return counts / np.maximum([[len(sequence)] for sequence in sequences], 1) if len(counts) else counts
        if mode == "tfidf":
            with_word = np.array([self.index_docs.get(i, 0) for i in range(width)])
            tf = np.where(counts > 0, 1 + np.log(np.maximum(counts, 1)), 0)
            return tf * np.log(1 + self.document_count / (1 + with_word))
        return counts

    def get_config(self) -> dict[str, Any]:
        """The arguments and what was learned; dictionaries as JSON texts."""
        arguments = ("num_words", "filters", "lower", "split", "char_level", "oov_token", "document_count")
        learned = ("word_counts", "word_docs", "index_docs", "index_word", "word_index")
        return {
            **{name: getattr(self, name) for name in arguments},
            **{name: json.dumps(getattr(self, name)) for name in learned},
        }

    def to_json(self, **kwargs: Any) -> str:
        """Everything as one JSON text, for `tokenizer_from_json`; `kwargs` are those of `json.dumps`."""
        return json.dumps({"class_name": type(self).__name__, "config": self.get_config()}, **kwargs)

    def _tokens(self, text: Any) -> Any:
        if self.char_level or isinstance(text, list | tuple):
            if not isinstance(text, str | list | tuple) or not all(isinstance(token, str) for token in text):
                raise DataError(f"a text is {text!r}; expected a string, or a list of strings", argument="texts")
            if not self.lower:
                return text
            return text.lower() if isinstance(text, str) else [token.lower() for token in text]
        return text_to_word_sequence(text, self.filters, self.lower, self.split)


def tokenizer_from_json(json_string: str) -> Tokenizer:
    """The `Tokenizer` that `Tokenizer.to_json` wrote."""
    try:
        config = json.loads(json_string)["config"]
        learned = {
            name: json.loads(config.pop(name))
            for name in ("word_counts", "word_docs", "index_docs", "index_word", "word_index")
        }
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataError(
            f"json_string is not what Tokenizer.to_json wrote ({type(error).__name__}: {error})", argument="json_string"
        ) from error
    tokenizer = Tokenizer(**config)
    tokenizer.word_counts = OrderedDict(learned["word_counts"])
    tokenizer.word_docs = defaultdict(int, learned["word_docs"])
    tokenizer.word_index = learned["word_index"]
    tokenizer.index_docs = defaultdict(int, {int(i): n for i, n in learned["index_docs"].items()})
    tokenizer.index_word = {int(i): word for i, word in learned["index_word"].items()}
    return tokenizer
