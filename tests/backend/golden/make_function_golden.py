"""Compute functions.npz with tf-keras (Keras 2 on TensorFlow), in an environment of its own:

    pip install tf-keras tensorflow-cpu
    python make_function_golden.py

For each case of ``function_cases.py``: its value, and the gradients of the sum of the value times
``(0, 1, ..., 6, 0, 1, ...)``.
"""

import sys
from pathlib import Path

import numpy as np
import tensorflow as tf
from tf_keras import backend as K

sys.path.insert(0, str(Path(__file__).parents[1]))
from function_cases import CASES, NO_ORIGINAL

K.set_floatx("float64")
K.logsumexp = tf.reduce_logsumexp  # of Keras 2.1, and gone since
out = {}
for name, (call, arrays, order) in CASES.items():
    if name in NO_ORIGINAL:
        continue
    key = name.replace("/", " ")
    tensors = [tf.constant(a) for a in arrays]
    floats = [t for t in tensors if t.dtype.is_floating]
    with tf.GradientTape() as tape:
        tape.watch(floats)
        y = call(K, *tensors)
        weights = np.arange(np.size(y)).reshape(np.shape(y)) % 7
        total = tf.reduce_sum(y * weights) if order else None
    out[f"{key}:value"] = np.asarray(y)
    if order:
        for i, (t, g) in enumerate(zip(floats, tape.gradient(total, floats), strict=True)):
            out[f"{key}:gradient{i}"] = np.zeros(t.shape) if g is None else np.asarray(tf.convert_to_tensor(g))
np.savez_compressed(Path(__file__).with_name("functions.npz"), **out)
