"""Golden values of texts and sequences, computed by tf-keras where it is installed.

python make_text.py text.json

The tests make the same calls on kcore; see `tokens` and `series`, which they use too.
"""

import itertools
import json
import random
import sys

import numpy as np

TEXTS = ["The cat sat on the mat.", "The dog sat, on THE log!", "Dogs and\tcats", "", "a-b a_b Ä ä"]
NEW = ["the the cat flew", "Dog! dog", "", "and or b"]
LISTS = [["The", "cat"], ["the", "dog", "the"], []]
TOKENIZERS = {
    "plain": {},
    "few": {"num_words": 5},
    "unknown": {"oov_token": "UNK"},
    "few_unknown": {"num_words": 4, "oov_token": "<x>"},
    "upper": {"lower": False},
    "filters": {"filters": "-!"},
    "split": {"split": "a", "filters": ""},
    "characters": {"char_level": True},
    "few_characters": {"char_level": True, "num_words": 6, "oov_token": "?"},
}
MODES = ["binary", "count", "freq", "tfidf"]
WORDS = [
    (["Hello, World! hello\tthere  x"], {}),
    (["a;;b;c"], {"filters": "", "split": ";"}),
    (["One Two"], {"lower": False}),
    (["x.y-z"], {"filters": "."}),
    (["tab\tnew\nline"], {}),
    ([""], {}),
]
SKIPS = {
    "plain": {},
    "window": {"window_size": 1, "negative_samples": 0},
    "ordered": {"shuffle": False, "window_size": 2},
    "categorical": {"categorical": True, "window_size": 2, "negative_samples": 0.5},
    "seeded": {"seed": 3, "negative_samples": 2.0},
    "table": {"sampling_table": [0.9, 0.5, 0.2, 0.7, 1.0, 0.3]},
}
SEQUENCE = [1, 2, 0, 3, 4, 5, 1, 2]
SERIES = [
    {"length": length, "sampling_rate": rate, "stride": stride, "batch_size": size, "reverse": rev, **part}
    for length, rate, stride, size, rev, part in itertools.product(
        (1, 5), (1, 3), (1, 4), (3, 128), (False, True), ({}, {"start_index": 2, "end_index": 15})
    )
]


def tokens(Tokenizer, arguments, texts, new):
    """What all methods of a tokenizer give."""
    t = Tokenizer(**arguments)
    t.fit_on_texts(texts)
    numbers = t.texts_to_sequences(new)
    matrices = {mode: np.asarray(t.texts_to_matrix(new, mode)).tolist() for mode in MODES}
    back = t.sequences_to_texts(numbers)
    t.fit_on_sequences(numbers)
    config = t.get_config()
    for name in ("word_counts", "word_docs", "index_docs", "index_word", "word_index"):
        config[name] = json.loads(config[name])
    return json.loads(
        json.dumps(
            {
                "numbers": numbers,
                "lazily": list(t.texts_to_sequences_generator(new)),
                "back": back,
                "matrices": matrices,
                "again": np.asarray(t.sequences_to_matrix(numbers, "tfidf")).tolist(),
                "config": config,
            }
        )
    )


def series(TimeseriesGenerator, arguments):
    """All batches of a series of vectors."""
    data = np.arange(40).reshape(20, 2)
    g = TimeseriesGenerator(data, data[:, 0] * 10, **arguments)
    return [[part.tolist() for part in g[i]] for i in range(len(g))]


def main():
    from tf_keras.preprocessing import sequence, text

    golden = {
        "tokenizer": {name: tokens(text.Tokenizer, a, TEXTS, NEW) for name, a in TOKENIZERS.items()},
        "lists": tokens(text.Tokenizer, {}, LISTS, LISTS + [["cat", "bird"]]),
        "words": [text.text_to_word_sequence(*given, **arguments) for given, arguments in WORDS],
        "md5": [text.hashing_trick(t, n, "md5") for t in TEXTS for n in (2, 10, 1000)],
        "length": [text.hashing_trick(t, 7, len) for t in TEXTS],
        "skipgrams": {},
        "table": sequence.make_sampling_table(500).tolist(),
        "table_factor": sequence.make_sampling_table(40, 1e-3).tolist(),
        "series": [series(sequence.TimeseriesGenerator, a) for a in SERIES],
    }
    for name, arguments in SKIPS.items():
        random.seed(7)
        golden["skipgrams"][name] = sequence.skipgrams(SEQUENCE, 6, **arguments)
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        json.dump(golden, file)
        file.write("\n")


if __name__ == "__main__":
    main()
