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
from function_cases import CASES

K.set_floatx("float64")


def separable_conv1d(x, depthwise, pointwise, strides, padding):
    rows = tf.nn.separable_conv2d(
        x[:, None], depthwise[None], pointwise[None], (1, strides, strides, 1), padding.upper()
    )
    return rows[:, 0]


@tf.function(jit_compile=True)  # compiled, it is there in float64
def average_pool3d(x, size, strides, padding):
    return tf.nn.avg_pool3d(x, size, strides, padding)


def pool3d(x, size, strides, padding, pool_mode):
    if pool_mode == "avg":
        return average_pool3d(x, size, strides, padding.upper())
    # There is no float64. Maxima are copies, and their gradients here sums of small integers: exact in float32.
    return tf.cast(tf.nn.max_pool3d(tf.cast(x, "float32"), size, strides, padding.upper()), "float64")


# Of Keras 2.1, and gone since, or not there in float64 on a CPU: TensorFlow's functions, which they called.
K.logsumexp = tf.reduce_logsumexp
K.separable_conv1d = separable_conv1d
K.conv3d_transpose = lambda x, w, shape, strides, padding: tf.nn.conv3d_transpose(x, w, shape, strides, padding.upper())
K.pool3d = pool3d
out = {}
for name, (call, arrays, order) in CASES.items():
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
