"""Texts and sequences: values observed in tf-keras, a simple reference, errors."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcore.errors import ArgumentError, DataError, ShapeError
from kcore.preprocessing.sequence import TimeseriesGenerator, make_sampling_table, pad_sequences, skipgrams
from kcore.preprocessing.text import Tokenizer, hashing_trick, one_hot, text_to_word_sequence, tokenizer_from_json

SIDES = st.sampled_from(["pre", "post"])
TEXTS = ["The cat sat on the mat.", "The dog sat on the log.", "Dogs and cats"]


@given(st.lists(st.lists(st.integers(-99, 99)), max_size=5), st.none() | st.integers(0, 7), SIDES, SIDES)
def test_pad_sequences(sequences, maxlen, padding, truncating):
    length = max(map(len, sequences), default=0) if maxlen is None else maxlen
    rows = []
    for row in sequences:
        row = (row[max(0, len(row) - length) :] if truncating == "pre" else row[:length]) if length else []
        pad = [7] * (length - len(row))
        rows.append(pad + row if padding == "pre" else row + pad)
    got = pad_sequences(sequences, maxlen, padding=padding, truncating=truncating, value=7)
    assert got.dtype == "int32" and got.shape == (len(rows), length) and got.tolist() == rows


def test_pad_sequences_of_vectors_and_errors():
    assert pad_sequences([[], [[5, 6]]], value=-1).tolist() == [[[-1, -1]], [[5, 6]]]
    with pytest.raises(ShapeError, match="sequence 1"):
        pad_sequences([[[1, 2]], [[1, 2, 3]]])
    with pytest.raises(DataError, match=r"sequences\[0\] is 1"):
        pad_sequences([1, 2])
    with pytest.raises(ArgumentError, match="dtype=object"):
        pad_sequences([["a"]], value="x")
    with pytest.raises(ArgumentError, match="padding"):
        pad_sequences([[1]], padding="left")


def test_skipgrams():
    expected = [0.0031522478751942504, 0.0031522478751942504, 0.0054759726939176976, 0.007415564097374219]
    np.testing.assert_allclose(make_sampling_table(4), expected, rtol=1e-12)
    assert skipgrams([1, 2, 0, 3], 5, 1, 0, False) == ([[1, 2], [2, 1]], [1, 1])
    random.seed(7)
    couples, labels = skipgrams([1, 2, 3], 5, window_size=2)
    assert couples[:6] == [[3, 1], [2, 3], [3, 2], [3, 3], [2, 1], [2, 1]]
    assert labels == [0, 1, 1, 0, 0, 0, 0, 1, 1, 0, 1, 1]
    with pytest.raises(ArgumentError, match="at least 2"):
        skipgrams([1, 2], 1)


def test_timeseries():
    data = np.arange(20)
    x, y = TimeseriesGenerator(data, data * 10, 4, sampling_rate=2, stride=3, batch_size=2)[1]
    assert x.tolist() == [[6, 8], [9, 11]] and y.tolist() == [100, 130]
    g = TimeseriesGenerator(data, data * 10, 4, 3, start_index=2, end_index=9, reverse=True, batch_size=5)
    assert len(g) == 1 and g[0][0].tolist() == [[5, 2], [6, 3], [7, 4], [8, 5]] and g[0][1].tolist() == [60, 70, 80, 90]
    np.random.seed(0)
    assert TimeseriesGenerator(data, data, 4, shuffle=True, batch_size=4)[0][1].tolist() == [16, 19, 9, 4]
    with pytest.raises(DataError, match="no window fits"):
        TimeseriesGenerator(data, data, 20)
    with pytest.raises(DataError, match="20 steps and targets 3"):
        TimeseriesGenerator(data, data[:3], 2)


def test_words_and_hashes():
    assert text_to_word_sequence("Hello, World! hello\tthere  x") == ["hello", "world", "hello", "there", "x"]
    assert text_to_word_sequence("a;;b;c", filters="", split=";;") == ["a", "b;c"]
    assert text_to_word_sequence("") == []
    assert hashing_trick("the cat sat on the mat", 10, "md5") == [6, 3, 1, 1, 6, 8]
    assert one_hot("a b a", 5) == hashing_trick("a b a", 5)
    with pytest.raises(DataError, match="expected a string"):
        text_to_word_sequence(5)
    with pytest.raises(ArgumentError, match="hash_function"):
        hashing_trick("a", 5, "sha")
    with pytest.raises(ArgumentError, match="n is 1"):
        hashing_trick("a", 1)


def test_tokenizer():
    t = Tokenizer(num_words=5)
    t.fit_on_texts(TEXTS)
    assert list(t.word_index) == ["the", "sat", "on", "cat", "mat", "dog", "log", "dogs", "and", "cats"]
    assert t.word_counts["the"] == 4 and t.word_docs["the"] == 2 and t.index_docs[1] == 2 and t.document_count == 3
    texts = ["the the cat flew", "dog", ""]
    assert t.texts_to_sequences(texts) == list(t.texts_to_sequences_generator(texts)) == [[1, 1, 4], [], []]
    assert t.sequences_to_texts([[1, 2, 99], []]) == ["the sat", ""]
    rows = {
        "binary": [0, 1, 0, 0, 1],
        "count": [0, 2, 0, 0, 1],
        "freq": [0, 2 / 3, 0, 0, 1 / 3],
        "tfidf": [0, 1.1736001944781467 * (1 + np.log(2)) / (1 + np.log(2)), 0, 0, 0.9162907318741551],
    }
    for mode, row in rows.items():
        np.testing.assert_allclose(t.texts_to_matrix(texts, mode), [row, [0] * 5, [0] * 5])
    again = tokenizer_from_json(t.to_json())
    assert again.get_config() == t.get_config() and again.texts_to_sequences(TEXTS) == t.texts_to_sequences(TEXTS)


def test_tokenizer_of_characters_unknown_words_and_sequences():
    t = Tokenizer(char_level=True)
    t.fit_on_texts(["aab", "a"])
    assert t.texts_to_sequences(["ba"]) == [[2, 1]]
    t = Tokenizer(num_words=4, oov_token="UNK")
    t.fit_on_texts(TEXTS)
    assert t.texts_to_sequences(["the cat flew", "dog", ""]) == [[2, 1, 1], [1], []]
    t = Tokenizer(num_words=5)
    t.fit_on_sequences([[1, 2], [1, 1, 3]])
    row = [0, 0.8649029646371624, 0.6931471805599453, 0, 1.0986122886681098]
    np.testing.assert_allclose(t.sequences_to_matrix([[1, 1, 2, 4]], "tfidf"), [row])
    with pytest.raises(DataError, match="fit_on_texts"):
        Tokenizer().texts_to_matrix(["a"])
    with pytest.raises(ArgumentError, match="mode"):
        t.sequences_to_matrix([[1]], "foo")
