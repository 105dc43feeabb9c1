"""Makes golden.npz: activations, regularizers and constraints, computed by tf-keras.

pip install tf-keras tensorflow-cpu     # in a throw-away environment
python make_golden.py
"""

from pathlib import Path

import numpy as np
import tensorflow as tf
import tf_keras

rng = np.random.RandomState(5)
x = np.concatenate([rng.normal(scale=3, size=(5, 8)), np.linspace(-60, 60, 8)[None]]).astype("float32")
w2 = rng.normal(scale=2, size=(6, 5)).astype("float32")
w4 = rng.normal(scale=1, size=(3, 3, 2, 4)).astype("float32")
arrays = {"x": x, "w2": w2, "w4": w4}

for name in ["softmax", "elu", "selu", "softplus", "softsign", "relu", "tanh", "sigmoid", "hard_sigmoid", "linear"]:
    function = getattr(tf_keras.activations, name)
    variable = tf.Variable(x)
    with tf.GradientTape() as tape:
        y = function(variable)
        total = tf.reduce_sum(y * tf.constant(np.arange(8, dtype="float32")))
    arrays[f"{name}/value"] = y.numpy()
    arrays[f"{name}/gradient"] = tape.gradient(total, variable).numpy()
arrays["softmax/axis0"] = tf_keras.activations.softmax(tf.constant(x), axis=0).numpy()
arrays["elu/alpha"] = tf_keras.activations.elu(tf.constant(x), alpha=0.3).numpy()
arrays["relu/alpha"] = tf_keras.activations.relu(tf.constant(x), alpha=0.25, max_value=4.0).numpy()

arrays["l1"] = tf_keras.regularizers.L1(0.02)(tf.constant(w2)).numpy()
arrays["l2"] = tf_keras.regularizers.L2(0.03)(tf.constant(w2)).numpy()
arrays["l1_l2"] = tf_keras.regularizers.L1L2(0.02, 0.03)(tf.constant(w2)).numpy()

for w, axes in (("w2", (0, 1)), ("w4", ([0, 1, 2],))):
    value = tf.constant(arrays[w])
    for axis in axes:
        tail = f"{w}/{axis}"
        arrays[f"MaxNorm/{tail}"] = tf_keras.constraints.MaxNorm(1.5, axis=axis)(value).numpy()
        arrays[f"UnitNorm/{tail}"] = tf_keras.constraints.UnitNorm(axis=axis)(value).numpy()
        arrays[f"MinMaxNorm/{tail}"] = tf_keras.constraints.MinMaxNorm(1.0, 2.0, rate=0.7, axis=axis)(value).numpy()
    arrays[f"NonNeg/{w}"] = tf_keras.constraints.NonNeg()(value).numpy()

np.savez_compressed(Path(__file__).with_name("golden.npz"), **arrays)
