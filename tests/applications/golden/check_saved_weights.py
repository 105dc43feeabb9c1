"""Loads what `make_features.py --save FOLDER` saved, by position and by name, and compares the features.

python check_saved_weights.py FOLDER [NAME ...]
"""

import sys
from pathlib import Path

import numpy as np
from cases import CASES

from kcore import applications
from kcore import backend as K
from kcore.applications.imagenet_utils import preprocess_input

GOLDEN = np.load(Path(__file__).parent / "features.npz")
folder, names = Path(sys.argv[1]), sys.argv[2:] or list(CASES)
for name in names:
    side, mode = CASES[name]
    x = preprocess_input(GOLDEN["photographs"][:, :side, :side], mode=mode)
    x = x / x.std()
    for part, options in (("top", {"classes": 7}), ("features", {"include_top": False, "pooling": "avg"})):
        expected = GOLDEN[f"{name}/{part}"]
        for by_name in (False, True):
            K.clear_session()
            model = getattr(applications, name)(weights=None, input_shape=(side, side, 3), **options)
            try:
                model.load_weights(folder / f"{name}_{part}.h5", by_name=by_name)
                error = np.abs(model.predict(x) - expected).max() / np.abs(expected).max()
                result = f"{error:.1e}"
            except Exception as failure:
                result = f"{type(failure).__name__}: {str(failure)[:300]}"
            print(f"{name:18} {part:9} {'by name' if by_name else 'by position':12} {result}", flush=True)
