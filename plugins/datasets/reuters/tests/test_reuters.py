"""Reuters from a server on loopback, against what the original API keeps of the same file."""

from pathlib import Path

import pytest

import kcore_datasets_reuters as reuters
from kcore.errors import DataError
from kcore_datasets_word_utils.testing import WordDataSetTests


class TestReuters(WordDataSetTests):
    module = reuters
    golden = Path(__file__).parent / "golden"

    def test_share_of_the_test_part(self):
        for share in (-0.1, 1.5):
            with pytest.raises(DataError, match=f"test_split is {share}, expected a share of the texts from 0 to 1"):
                reuters.load_data(test_split=share)
