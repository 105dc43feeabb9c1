"""IMDB from a server on loopback, against what the original API keeps of the same file."""

from pathlib import Path

import kcore_datasets_imdb as imdb
from kcore_datasets_word_utils.testing import WordDataSetTests


class TestImdb(WordDataSetTests):
    module = imdb
    golden = Path(__file__).parent / "golden"
