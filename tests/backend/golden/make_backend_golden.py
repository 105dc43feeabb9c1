"""Compute backend.npz with tf-keras (Keras 2 on TensorFlow), in an environment of its own:

    pip install tf-keras tensorflow-cpu
    python make_backend_golden.py

The tests need neither. Keys are ``<case>:<what>``.
"""

from pathlib import Path

import numpy as np
import tensorflow as tf
from tf_keras import backend as K

rng = np.random.default_rng(3)
out = {}


def save(case, inputs, outputs):
    for i, a in enumerate(inputs):
        out[f"{case}:in{i}"] = np.asarray(a)
    for i, a in enumerate(outputs):
        out[f"{case}:out{i}"] = np.asarray(a)


def with_gradients(case, fn, *arrays):
    """Values of ``fn`` and the gradients of its sum by the float inputs."""
    tensors = [tf.constant(a) for a in arrays]
    floats = [t for t in tensors if t.dtype.is_floating]
    with tf.GradientTape() as tape:
        tape.watch(floats)
        y = fn(*tensors)
    grads = tape.gradient(y, floats)
    save(case, arrays, [y, *[g if g is not None else np.zeros(t.shape) for g, t in zip(grads, floats)]])


def f32(*shape, scale=1.0):
    return (rng.normal(size=shape) * scale).astype("float32")


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


target = np.eye(4, dtype="float32")[[0, 3, 1]]
probabilities = softmax(f32(3, 4)).astype("float32")
logits = f32(3, 4, scale=5)
with_gradients("categorical", lambda p: K.categorical_crossentropy(target, p), probabilities * 1.5)
with_gradients("categorical_logits", lambda x: K.categorical_crossentropy(target, x, True), logits)
classes = np.array([0, 3, 1], "float32")
with_gradients("sparse", lambda p: K.sparse_categorical_crossentropy(classes, p), probabilities)
with_gradients("sparse_logits", lambda x: K.sparse_categorical_crossentropy(classes, x, True), logits)
binary = rng.integers(0, 2, (3, 4)).astype("float32")
with_gradients("binary", lambda p: K.binary_crossentropy(binary, p), np.clip(probabilities, 0.05, 0.95))
with_gradients("binary_logits", lambda x: K.binary_crossentropy(binary, x, True), logits)

x = f32(3, 5, scale=3)
for name in ("sigmoid", "hard_sigmoid", "tanh", "softplus", "softsign", "elu", "relu", "softmax"):
    with_gradients(name, getattr(K, name), x)
with_gradients("elu_alpha", lambda t: K.elu(t, 0.3), x)
with_gradients("relu_max", lambda t: K.relu(t, max_value=1.5), x)
with_gradients("relu_alpha", lambda t: K.relu(t, alpha=0.2), x)
with_gradients("l2_normalize", lambda t: K.l2_normalize(t, 1), x)
with_gradients("logsumexp", lambda t: tf.reduce_logsumexp(t, 1), x)
with_gradients("std", lambda t: K.std(t, 0), x)
with_gradients("var", lambda t: K.var(t, 1, keepdims=True), x)
with_gradients("prod", lambda t: K.prod(t, 1), x)
with_gradients("cumprod", lambda t: K.cumprod(t, 1), x)

images = f32(4, 3, 3, 2)
gamma, beta = f32(2), f32(2)
for case, axes in (("batch_norm_training", [0, 1, 2]),):
    y, mean, var = K.normalize_batch_in_training(tf.constant(images), gamma, beta, axes)
    save(case, [images, gamma, beta], [y, mean, var])
mean, var = f32(2), np.abs(f32(2)) + 0.5
save(
    "batch_normalization",
    [images, mean, var, beta, gamma],
    [K.batch_normalization(*map(tf.constant, (images, mean, var, beta, gamma)))],
)
save("resize_images", [images], [K.resize_images(tf.constant(images), 2, 3, "channels_last")])
save(
    "in_top_k",
    [probabilities, np.array([1, 2, 3])],
    [tf.math.in_top_k(np.array([1, 2, 3]), probabilities, k) for k in (1, 2, 3)],
)
save("int_mean", [np.array([[1, 2, 4], [-1, -2, -4]])], [K.mean(tf.constant([[1, 2, 4], [-1, -2, -4]]), 1)])

steps = f32(2, 5, 3)
w, u = f32(3, 4), f32(4, 4)
mask = np.array([[1, 1, 0, 1, 0], [0, 1, 1, 1, 1]], "bool")
for masked in (False, True):
    for backwards in (False, True):
        last, outputs, states = K.rnn(
            lambda i, s: (lambda h: (h, [h]))(K.tanh(K.dot(i, tf.constant(w)) + K.dot(s[0], tf.constant(u)))),
            tf.constant(steps),
            [tf.zeros((2, 4))],
            go_backwards=backwards,
            mask=tf.constant(mask) if masked else None,
        )
        save(f"rnn_{int(masked)}{int(backwards)}", [steps, w, u, mask], [last, outputs, states[0]])

for axes in ((1, 1), (1, 2), (2, 1), (2, 2)):
    a = f32(2, 3, 3) if 2 in axes[:1] else f32(2, 3)
    b = f32(2, 3, 3) if 2 in axes[1:] else f32(2, 3)
    save(f"batch_dot_{axes[0]}{axes[1]}", [a, b], [K.batch_dot(tf.constant(a), tf.constant(b), axes)])
save("dot", [f32(2, 3), f32(4, 3, 5)], [])
out["dot:out0"] = K.dot(tf.constant(out["dot:in0"]), tf.constant(out["dot:in1"])).numpy()

np.savez_compressed(Path(__file__).with_name("backend.npz"), **out)
print(len(out), "arrays")
