"""Makes golden.npz: values of the metric functions, computed by tf-keras.

pip install tf-keras tensorflow-cpu     # in a throw-away environment
python make_golden.py
"""

from pathlib import Path

import numpy as np
import tensorflow as tf
import tf_keras

rng = np.random.RandomState(11)
arrays = {}
for form, shape in {"2d": (40, 7), "3d": (9, 5, 7)}.items():
    scores = rng.normal(size=shape)
    # The right class has a somewhat higher score, so that accuracies are between 0 and 1.
    classes = rng.randint(shape[-1], size=shape[:-1])
    hot = np.eye(shape[-1])[classes]
    pred = (scores + hot).astype("float32")
    probability = (1 / (1 + np.exp(-scores))).astype("float32")
    binary = (probability + rng.normal(scale=0.4, size=shape) > 0.5).astype("float32")
    hot, sparse = hot.astype("float32"), classes[..., None].astype("float32")
    given = {
        "binary_accuracy": (binary, probability),
        "categorical_accuracy": (hot, pred),
        "sparse_categorical_accuracy": (sparse, pred),
        "top_k_categorical_accuracy": (hot, pred),
        "sparse_top_k_categorical_accuracy": (sparse, pred),
    }
    for name, (y_true, y_pred) in given.items():
        arrays[f"{name}/{form}/true"], arrays[f"{name}/{form}/pred"] = y_true, y_pred
        function = getattr(tf_keras.metrics, name)
        for k in (1, 2, 3, 5, 7) if "top_k" in name else (None,):
            arguments = {} if k is None else {"k": k}
            value = function(tf.constant(y_true), tf.constant(y_pred), **arguments).numpy()
            # Keras 2.1 returns the mean of the top-k accuracies, later versions one for each sample.
            key = f"{name}/{form}/value" + ("" if k is None else f"/{k}")
            arrays[key] = value if k is None else np.float32(np.mean(value))

np.savez_compressed(Path(__file__).with_name("golden.npz"), **arrays)
