"""Makes kcore_datasets_digits/digits.npz from the copy of the data that scikit-learn ships.

pip install scikit-learn        # in a throw-away environment
python make_data.py
"""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

digits = load_digits()
images, classes = digits.images.astype("uint8"), digits.target.astype("uint8")
assert (images == digits.images).all() and images.shape == (1797, 8, 8) and images.max() == 16
target = Path(__file__).resolve().parents[1] / "kcore_datasets_digits" / "digits.npz"
np.savez_compressed(target, x=images, y=classes)
print(target, target.stat().st_size, "bytes")
