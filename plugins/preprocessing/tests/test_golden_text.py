"""Texts and sequences: values observed in tf-keras (golden/make_text.py), and properties of any input."""

from __future__ import annotations

import json
import random
import runpy
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcore.preprocessing.sequence import TimeseriesGenerator, make_sampling_table, pad_sequences, skipgrams
from kcore.preprocessing.text import Tokenizer, hashing_trick, one_hot, text_to_word_sequence, tokenizer_from_json

HERE = Path(__file__).parent / "golden"
GOLDEN = json.loads((HERE / "text.json").read_text("utf-8"))
MADE = SimpleNamespace(**runpy.run_path(str(HERE / "make_text.py")))


def check_tokens(got, expected):
    for name in ("numbers", "lazily", "back", "config"):
        assert got[name] == expected[name], name
    for mode in MADE.MODES:
        np.testing.assert_allclose(got["matrices"][mode], expected["matrices"][mode], rtol=1e-12, err_msg=mode)
    np.testing.assert_allclose(got["again"], expected["again"], rtol=1e-12)


@pytest.mark.parametrize("name", MADE.TOKENIZERS)
def test_tokenizers(name):
    check_tokens(MADE.tokens(Tokenizer, MADE.TOKENIZERS[name], MADE.TEXTS, MADE.NEW), GOLDEN["tokenizer"][name])


def test_texts_that_are_lists_of_tokens():
    check_tokens(MADE.tokens(Tokenizer, {}, MADE.LISTS, [*MADE.LISTS, ["cat", "bird"]]), GOLDEN["lists"])


def test_words_and_hashes():
    got = [text_to_word_sequence(*given, **arguments) for given, arguments in MADE.WORDS]
    assert got == GOLDEN["words"]
    assert [hashing_trick(t, n, "md5") for t in MADE.TEXTS for n in (2, 10, 1000)] == GOLDEN["md5"]
    assert [hashing_trick(t, 7, len) for t in MADE.TEXTS] == GOLDEN["length"]
    assert one_hot("a b", 9) == [hash("a") % 8 + 1, hash("b") % 8 + 1]


@pytest.mark.parametrize("name", MADE.SKIPS)
def test_skipgrams(name):
    random.seed(7)
    couples, labels = skipgrams(MADE.SEQUENCE, 6, **MADE.SKIPS[name])
    assert [couples, labels] == GOLDEN["skipgrams"][name]


def test_sampling_table():
    np.testing.assert_allclose(make_sampling_table(500), GOLDEN["table"], rtol=1e-12)
    np.testing.assert_allclose(make_sampling_table(40, 1e-3), GOLDEN["table_factor"], rtol=1e-12)
    assert make_sampling_table(0).shape == (0,)


@pytest.mark.parametrize(("arguments", "expected"), list(zip(MADE.SERIES, GOLDEN["series"])))
def test_series(arguments, expected):
    assert MADE.series(TimeseriesGenerator, arguments) == expected


@given(
    st.lists(st.integers(0, 9), max_size=12),
    st.integers(0, 5),
    st.sampled_from([0, 0.5, 1.0, 2.0]),
    st.booleans(),
    st.booleans(),
)
def test_skipgrams_of_any_sequence(sequence, window, negative, shuffle, categorical):
    couples, labels = skipgrams(sequence, 10, window, negative, shuffle, categorical)
    true = [0, 1] if categorical else 1
    neighbours = [
        (a, b)
        for i, a in enumerate(sequence)
        for j, b in enumerate(sequence)
        if i != j and abs(i - j) <= window and a and b
    ]
    positive = [tuple(c) for c, label in zip(couples, labels) if label == true]
    rest = [c for c, label in zip(couples, labels) if label != true]
    assert Counter(positive) == Counter(neighbours) and len(labels) == len(couples)
    assert len(rest) == int(len(neighbours) * negative)
    assert all(1 <= other <= 9 and word in sequence for word, other in rest)


@given(
    steps=st.integers(2, 40),
    length=st.integers(1, 8),
    rate=st.integers(1, 4),
    stride=st.integers(1, 5),
    batch_size=st.integers(1, 9),
    start=st.integers(0, 5),
    cut=st.integers(0, 5),
    reverse=st.booleans(),
)
def test_windows_of_any_series(steps, length, rate, stride, batch_size, start, cut, reverse):
    end = steps - 1 - cut
    if start + length > end:
        return
    data, targets = np.arange(steps) * 2, np.arange(steps) * 3
    g = TimeseriesGenerator(data, targets, length, rate, stride, start, end, False, reverse, batch_size)
    batches = [g[i] for i in range(len(g))]
    assert all(len(x) == len(y) == batch_size for x, y in batches[:-1]) and len(batches[-1][0]) > 0
    windows = [
        list(range(t - length, t, rate))[:: -1 if reverse else 1] for t in range(start + length, end + 1, stride)
    ]
    assert np.concatenate([x for x, _ in batches]).tolist() == [[2 * step for step in window] for window in windows]
    assert np.concatenate([y for _, y in batches]).tolist() == [3 * t for t in range(start + length, end + 1, stride)]


WORDS = st.lists(st.text("abcÄ09'", min_size=1, max_size=3), max_size=8)


@given(st.lists(WORDS, max_size=5), st.booleans())
def test_a_tokenizer_gives_its_texts_back(texts, as_text):
    t = Tokenizer(lower=False)
    t.fit_on_texts([" ".join(words) for words in texts] if as_text else texts)
    counts = Counter(word for words in texts for word in words)
    assert dict(t.word_counts) == counts and t.document_count == len(texts)
    assert t.word_docs == Counter(word for words in texts for word in set(words))
    assert sorted(t.index_word) == list(range(1, len(counts) + 1))
    frequencies = [counts[t.index_word[i]] for i in sorted(t.index_word)]
    assert frequencies == sorted(frequencies, reverse=True)
    sequences = t.texts_to_sequences(texts)
    assert t.sequences_to_texts(sequences) == [" ".join(words) for words in texts]
    again = tokenizer_from_json(t.to_json())
    assert again.texts_to_sequences(texts) == sequences and again.get_config() == t.get_config()
    if counts:
        matrix = t.texts_to_matrix(texts, "count")
        assert matrix.sum(axis=1).tolist() == [len(words) for words in texts]
    padded = pad_sequences(sequences, padding="post")
    assert [row[row > 0].tolist() for row in padded] == sequences
