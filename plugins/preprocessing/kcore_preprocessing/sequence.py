"""Sequences made ready for models; manual, section 6.1."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from typing import Any

import numpy as np

from kcore.errors import ArgumentError, DataError, ShapeError
from kcore.shapes import listed, positive_int, real_number
from kcore.utils import Sequence
from kcore.versions import explained

__all__ = ["TimeseriesGenerator", "make_sampling_table", "pad_sequences", "skipgrams"]


@explained
def pad_sequences(
    sequences: Iterable[Any],
    maxlen: int | None = None,
    dtype: Any = "int32",
    padding: str = "pre",
    truncating: str = "pre",
    value: Any = 0.0,
) -> np.ndarray:
    """Sequences of any length as one array, padded and cut to one length.

    Args:
        sequences: list of sequences; their elements are scalars, or arrays of one shape.
        maxlen: the length; None for that of the longest.
        dtype: of the result; `object` for strings.
        padding: 'pre' or 'post': where `value` is added.
        truncating: 'pre' or 'post': where a sequence that is too long loses elements.
        value: what is added.

    Returns:
        array (sequences, maxlen, ...).

    Raises:
        ArgumentError: an unknown `padding` or `truncating`, a negative `maxlen`, a value that the dtype cannot hold.
        DataError: `sequences` is not a list of sequences.
        ShapeError: elements of different shapes.
    """
    for name, side in (("padding", padding), ("truncating", truncating)):
        if side not in ("pre", "post"):
            raise ArgumentError(f"{name} is {side!r}; expected 'pre' or 'post'")
    if maxlen is not None:
        maxlen = positive_int(maxlen, "maxlen", least=0)
    rows = _rows(sequences)
    if maxlen is None:
        maxlen = max((len(row) for row in rows), default=0)
    element = next((np.shape(row)[1:] for row in rows if len(row)), ())
    if np.dtype(dtype) != object and not np.issubdtype(dtype, np.str_) and isinstance(value, str):
        raise ArgumentError(f"value is {value!r}, which the dtype {dtype} cannot hold; use dtype=object for strings")
    padded = np.full((len(rows), maxlen, *element), value, dtype=dtype)
    for i, row in enumerate(rows):
        if not len(row) or not maxlen:
            continue
        try:
            kept = np.asarray(row[-maxlen:] if truncating == "pre" else row[:maxlen], dtype=dtype)
        except (ValueError, TypeError) as error:
            raise DataError(
                f"sequences[{i}] does not fit the dtype {np.dtype(dtype)} ({error}). Elements are numbers, or arrays "
                "of one shape; for strings use dtype=object",
                argument="sequences",
            ) from error
        if kept.shape[1:] != element:
            raise ShapeError(
                f"the elements of sequence {i} have the shape {kept.shape[1:]}, those before it {element}; "
                "all must have one shape",
                shapes=(kept.shape[1:], element),
            )
        padded[i, slice(maxlen - len(kept), None) if padding == "pre" else slice(len(kept))] = kept
    return padded


def _rows(sequences: Any) -> list[Any]:
    if not hasattr(sequences, "__iter__"):
        raise DataError(f"sequences is {sequences!r}; expected a list of sequences", argument="sequences")
    rows = list(sequences)
    for i, row in enumerate(rows):
        if not hasattr(row, "__len__"):
            raise DataError(
                f"sequences[{i}] is {row!r}, not a sequence; expected a list of sequences. For one: [sequence]",
                argument="sequences",
            )
    return rows


def make_sampling_table(size: int, sampling_factor: float = 1e-5) -> np.ndarray:
    """Probabilities of keeping the words of a text, by rank, for `skipgrams`.

    Word frequencies are taken from Zipf's law: the word of rank i is expected with the frequency 1 / (i H), where
    i H ~ i (log i + gamma) + 1/2 - 1/(12 i). It is kept with the probability
    min(1, sqrt(sampling_factor / frequency)). Mikolov et al., 2013, Distributed Representations of Words and Phrases.

    Args:
        size: number of words.
        sampling_factor: smaller values drop more of the frequent words.

    Returns:
        array (size,); entry i is the probability of the i-th most common word; entry 0 is that of rank 1.
    """
    size = positive_int(size, "size", least=0)
    gamma = 0.577
    rank = np.maximum(np.arange(size, dtype="float64"), 1.0)
    inverse_frequency = rank * (np.log(rank) + gamma) + 0.5 - 1.0 / (12.0 * rank)
    f = sampling_factor * inverse_frequency
    return np.minimum(1.0, np.sqrt(f))


@explained
def skipgrams(
    sequence: Any,
    vocabulary_size: int,
    window_size: int = 4,
    negative_samples: float = 1.0,
    shuffle: bool = True,
    categorical: bool = False,
    sampling_table: Any = None,
    seed: int | None = None,
) -> tuple[list[list[int]], list[Any]]:
    """Pairs of words that are neighbours in a text (label 1), and pairs with random words (label 0).

    Mikolov et al., 2013, Efficient Estimation of Word Representations in Vector Space. Random numbers come from the
    module `random`.

    Args:
        sequence: list of word indices; 0 is no word, and skipped.
        vocabulary_size: the largest index + 1.
        window_size: largest distance of neighbours.
        negative_samples: number of random pairs for each pair of neighbours, >= 0.
        shuffle: whether to mix the pairs.
        categorical: labels [0, 1] and [1, 0] instead of 1 and 0.
        sampling_table: probability of keeping each word, as from `make_sampling_table`.
        seed: for the shuffling; None to draw one.

    Returns:
        couples, a list of [word, other word], and their labels.

    Raises:
        ArgumentError: random words are wanted from a vocabulary without words.
    """
    for name, amount in (("window_size", window_size), ("negative_samples", negative_samples)):
        real_number(amount, name, least=0)
    sequence = listed(sequence, "sequence", "word indices")
    if sampling_table is not None and len(sequence) and max(sequence) >= len(sampling_table):
        raise DataError(
            f"sequence has the word {max(sequence)}, and sampling_table has {len(sampling_table)} entries; expected "
            "one for each index: make_sampling_table(largest index + 1)",
            argument="sampling_table",
        )
    couples: list[list[int]] = []
    for i, word in enumerate(sequence):
        if not word or (sampling_table is not None and sampling_table[word] < random.random()):
            continue
        for j in range(max(0, i - window_size), min(len(sequence), i + window_size + 1)):
            if j != i and sequence[j]:
                couples.append([word, sequence[j]])
    positive, negative = ([0, 1], [1, 0]) if categorical else (1, 0)
    labels: list[Any] = [positive for _ in couples]
    count = int(len(couples) * negative_samples)
    if count > 0:
        if vocabulary_size < 2:
            raise ArgumentError(f"vocabulary_size is {vocabulary_size}; negative samples need words: at least 2")
        words = [couple[0] for couple in couples]
        random.shuffle(words)
        couples += [[words[i % len(words)], random.randint(1, vocabulary_size - 1)] for i in range(count)]
        labels += [negative] * count
    if shuffle:
        seed = random.randint(0, 10**7) if seed is None else seed
        for pairs in (couples, labels):
            random.seed(seed)
            random.shuffle(pairs)
    return couples, labels


class TimeseriesGenerator(Sequence):
    """Batches of windows of a time series, each with the target that follows it.

    The window that ends before step t has the steps t - length, t - length + sampling_rate, ... and the target of t.

    Args:
        data: array or list (steps, ...).
        targets: one for each step.
        length: of a window, in steps.
        sampling_rate: distance of the steps taken within a window.
        stride: distance of one window from the next.
        start_index, end_index: the part of the data to use; the end is included; None for the last step.
        shuffle: draw windows at random (from `np.random`) instead of in order.
        reverse: steps of a window in reverse order.
        batch_size: windows a batch.

    Raises:
        DataError: data and targets differ in length, or no window fits.
        ArgumentError: a length, stride, rate or size below 1.

    Example:
        >>> import numpy as np
        >>> x, y = TimeseriesGenerator(np.arange(10), np.arange(10), length=3, batch_size=2)[0]
        >>> x.tolist(), y.tolist()
        ([[0, 1, 2], [1, 2, 3]], [3, 4])
    """

    @explained
    def __init__(
        self,
        data: Any,
        targets: Any,
        length: int,
        sampling_rate: int = 1,
        stride: int = 1,
        start_index: int = 0,
        end_index: int | None = None,
        shuffle: bool = False,
        reverse: bool = False,
        batch_size: int = 128,
    ) -> None:
        if len(data) != len(targets):
            raise DataError(f"data has {len(data)} steps and targets {len(targets)}; expected one target for each step")
        for name, given in {
            "length": length,
            "sampling_rate": sampling_rate,
            "stride": stride,
            "batch_size": batch_size,
        }.items():
            if given < 1:
                raise ArgumentError(f"{name} is {given}; expected at least 1")
        self.data, self.targets = data, targets
        self.length, self.sampling_rate, self.stride = length, sampling_rate, stride
        self.start_index = start_index + length  # the first step that has a whole window before it
        self.end_index = len(data) - 1 if end_index is None else end_index
        self.shuffle, self.reverse, self.batch_size = shuffle, reverse, batch_size
        if start_index < 0 or self.end_index >= len(data):
            raise ArgumentError(
                f"start_index is {start_index} and end_index {self.end_index}; expected steps of the data, 0 to "
                f"{len(data) - 1}"
            )
        if self.start_index > self.end_index:
            raise DataError(
                f"no window fits: start_index + length is {self.start_index}, and the last step that may be a target "
                f"(end_index) is {self.end_index}. Use a smaller length, or more data"
            )
        self._data, self._targets = np.asarray(data), np.asarray(targets)

    def __len__(self) -> int:
        windows = (self.end_index - self.start_index) // self.stride + 1
        return -(-windows // self.batch_size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        count = len(self)
        if not -count <= index < count:
            raise IndexError(f"batch {index} was asked for; there are {count}")
        index %= count
        if self.shuffle:
            rows = np.random.randint(self.start_index, self.end_index + 1, size=self.batch_size)
        else:
            first = self.start_index + self.batch_size * self.stride * index
            rows = np.arange(first, min(first + self.batch_size * self.stride, self.end_index + 1), self.stride)
        steps = rows[:, None] + np.arange(-self.length, 0, self.sampling_rate)
        samples = self._data[steps]
        return samples[:, ::-1] if self.reverse else samples, self._targets[rows]

    def get_config(self) -> dict[str, Any]:
        """The arguments; data and targets as JSON texts."""
        names = ("length", "sampling_rate", "stride", "start_index", "end_index", "shuffle", "reverse", "batch_size")
        arrays = {name: json.dumps(np.asarray(getattr(self, name)).tolist()) for name in ("data", "targets")}
        return {**arrays, **{name: getattr(self, name) for name in names}}

    def to_json(self, **kwargs: Any) -> str:
        """The arguments as a JSON text; `kwargs` are those of `json.dumps`."""
        return json.dumps({"class_name": type(self).__name__, "config": self.get_config()}, **kwargs)
