"""Makes golden.npz: values and gradients of the losses, computed by tf-keras.

pip install tf-keras tensorflow-cpu     # in a throw-away environment
python make_golden.py
"""

from pathlib import Path

import numpy as np
import tensorflow as tf
import tf_keras

rng = np.random.RandomState(7)


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def f32(x):
    return np.asarray(x, "float32")


def one_hot(shape):
    return np.eye(shape[-1])[rng.randint(shape[-1], size=shape[:-1])]


def inputs(shape):
    """Targets and predictions of a shape, by the kind of loss that they suit."""
    normal = rng.normal(size=shape)
    return {
        "real": (normal, normal + rng.normal(size=shape)),
        "positive": (rng.poisson(3.0, size=shape), rng.uniform(0.1, 6.0, size=shape)),
        "sign": (rng.choice([-1.0, 1.0], size=shape), rng.normal(size=shape)),
        "one_hot": (one_hot(shape), softmax(rng.normal(size=shape))),
        "classes": (rng.randint(shape[-1], size=(*shape[:-1], 1)), softmax(rng.normal(size=shape))),
        "binary": (rng.randint(2, size=shape), rng.uniform(0.01, 0.99, size=shape)),
        "distribution": (softmax(rng.normal(size=shape)), softmax(rng.normal(size=shape))),
    }


SUITS = {
    "mean_squared_error": "real",
    "mean_absolute_error": "real",
    "mean_absolute_percentage_error": "real",
    "mean_squared_logarithmic_error": "positive",
    "logcosh": "real",
    "poisson": "positive",
    "cosine_proximity": "real",
    "categorical_crossentropy": "one_hot",
    "sparse_categorical_crossentropy": "classes",
    "binary_crossentropy": "binary",
    "kullback_leibler_divergence": "distribution",
    "hinge": "sign",
    "squared_hinge": "sign",
    "categorical_hinge": "one_hot",
}
LATER_NAMES = {"cosine_proximity": "cosine_similarity", "logcosh": "log_cosh"}

arrays = {}
for form, shape in {"2d": (6, 5), "3d": (4, 3, 5)}.items():
    data = {kind: (f32(true), f32(pred)) for kind, (true, pred) in inputs(shape).items()}
    for name, kind in SUITS.items():
        function = getattr(tf_keras.losses, LATER_NAMES.get(name, name))
        y_true, y_pred = data[kind]
        variable = tf.Variable(y_pred)
        with tf.GradientTape() as tape:
            loss = function(tf.constant(y_true), variable)
            mean = tf.reduce_mean(loss)
        key = f"{name}/{form}"
        arrays[f"{key}/true"], arrays[f"{key}/pred"] = y_true, y_pred
        arrays[f"{key}/loss"] = loss.numpy()
        arrays[f"{key}/gradient"] = tf.convert_to_tensor(tape.gradient(mean, variable)).numpy()

np.savez_compressed(Path(__file__).with_name("golden.npz"), **arrays)
