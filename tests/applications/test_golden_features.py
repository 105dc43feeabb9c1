"""Features of two photographs, against what the original's applications make of them with the same weights.

`golden/make_features.py` computed them; `golden/check_saved_weights.py` does the same through the original's weight
files, which are too large to keep.
"""

import sys
from pathlib import Path

import numpy as np
import pytest

from kcore import applications
from kcore import backend as K
from kcore.applications.imagenet_utils import preprocess_input

GOLDEN = Path(__file__).parent / "golden"
sys.path.insert(0, str(GOLDEN))
from cases import CASES  # noqa: E402
from seeded_weights import fill  # noqa: E402

sys.path.remove(str(GOLDEN))

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN / "features.npz") as file:
        return dict(file)


@pytest.mark.parametrize("part", ["top", "features"])
@pytest.mark.parametrize("name", CASES)
def test_features(golden, name, part):
    K.clear_session()
    side, mode = CASES[name]
    x = preprocess_input(golden["photographs"][:, :side, :side], mode=mode)
    options = {"classes": 7} if part == "top" else {"include_top": False, "pooling": "avg"}
    model = getattr(applications, name)(weights=None, input_shape=(side, side, 3), **options)
    fill(model)
    expected = golden[f"{name}/{part}"]
    assert np.abs(model.predict(x / x.std()) - expected).max() <= 1e-4 * np.abs(expected).max()
