"""Makes the golden selections of plugins/datasets/imdb and .../reuters: what the original API keeps of small files.

pip install tf-keras tensorflow-cpu        # in a throw-away environment
python tools/golden/make_text_selections.py
"""

import json
import sys
from pathlib import Path

import numpy as np
from tf_keras.datasets import boston_housing, imdb, reuters

PLUGINS = Path(__file__).resolve().parents[2] / "plugins" / "datasets"
SHARED = [
    {},
    {"num_words": 10},
    {"num_words": 20, "skip_top": 6},
    {"maxlen": 6},
    {"start_char": None},
    {"oov_char": None},
    {"oov_char": None, "skip_top": 8, "num_words": 25},
    {"index_from": 0},
    {"index_from": 10, "start_char": 7, "oov_char": 8, "num_words": 20},
    {"seed": 5},
    {"maxlen": 8, "num_words": 15, "skip_top": 5, "seed": 0, "start_char": None},
]


def texts(draws, n):
    array = np.empty(n, dtype=object)
    array[:] = [draws.randint(1, 30, size=draws.randint(1, 12)).tolist() for _ in range(n)]
    return array


def give(load_data, path):
    """Lets the original read a local file instead of fetching its own."""
    sys.modules[load_data.__module__].get_file = lambda *args, **kwargs: str(path)


def run(load_data, options):
    parts = load_data(**options)
    return [[[[int(w) for w in text] for text in x], [int(c) for c in y]] for x, y in parts]


def write(name, load_data, arrays, cases):
    folder = PLUGINS / name / "tests" / "golden"
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / f"{name}.npz", **arrays)
    give(load_data, folder / f"{name}.npz")
    results = [{"options": options, "result": run(load_data, options)} for options in cases]
    (folder / "selections.json").write_text("[\n" + ",\n".join(json.dumps(r) for r in results) + "\n]\n")


draws = np.random.RandomState(0)
write(
    "imdb",
    imdb.load_data,
    {
        "x_train": texts(draws, 9),
        "y_train": draws.randint(0, 2, 9),
        "x_test": texts(draws, 6),
        "y_test": draws.randint(0, 2, 6),
    },
    SHARED,
)
write(
    "reuters",
    reuters.load_data,
    {"x": texts(draws, 15), "y": draws.randint(0, 46, 15)},
    [*SHARED, {"test_split": 0.5}, {"test_split": 0.33, "maxlen": 9}],
)

folder = PLUGINS / "boston_housing" / "tests" / "golden"
folder.mkdir(parents=True, exist_ok=True)
np.savez(folder / "boston_housing.npz", x=draws.randint(0, 100, (17, 13)) / 4.0, y=draws.randint(50, 500, 17) / 10.0)
give(boston_housing.load_data, folder / "boston_housing.npz")
golden = []
for options in ({}, {"seed": 3}, {"test_split": 0}, {"test_split": 0.5, "seed": 0}):
    parts = boston_housing.load_data(**options)
    golden.append({"options": options, "result": [[x.tolist(), y.tolist()] for x, y in parts]})
(folder / "splits.json").write_text("[\n" + ",\n".join(map(json.dumps, golden)) + "\n]\n")
