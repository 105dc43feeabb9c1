"""Golden values of preprocess_input, computed by tf-keras: run it where tf_keras is installed.

python make_preprocess.py preprocess.npz
"""

import sys

import numpy as np
from tf_keras.applications.imagenet_utils import preprocess_input

images = np.random.RandomState(0).uniform(0, 255, (2, 3, 4, 3)).astype("float32")
golden = {"images": images}
for mode in ("caffe", "tf", "torch"):
    golden[f"{mode}_last"] = preprocess_input(images.copy(), "channels_last", mode)
    first = images.transpose(0, 3, 1, 2).copy()
    golden[f"{mode}_first"] = preprocess_input(first, "channels_first", mode)
np.savez_compressed(sys.argv[1], **golden)
