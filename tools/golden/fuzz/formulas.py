"""Losses, metrics, weighted means and optimizers as 2.1.6 and the manual have them, in words of their own."""

from __future__ import annotations

from typing import Any

import numpy as np
import peer_layers
import tensorflow as tf

K = peer_layers.keras.backend


def eps() -> Any:
    return K.epsilon()


def mean(x: Any) -> Any:
    return tf.reduce_mean(x, axis=-1)


def sparse_ce(t: Any, p: Any) -> Any:
    p = tf.clip_by_value(p, eps(), 1 - eps())
    p = p / tf.reduce_sum(p, axis=-1, keepdims=True)  # tf.nn.sparse_softmax_cross_entropy of the logarithms
    t = tf.cast(t, tf.int64)
    t = t[..., 0] if t.shape.rank == p.shape.rank else t
    return -tf.math.log(tf.gather(p, t, axis=-1, batch_dims=t.shape.rank))


def categorical_ce(t: Any, p: Any) -> Any:
    p = p / tf.reduce_sum(p, axis=-1, keepdims=True)
    return -tf.reduce_sum(t * tf.math.log(tf.clip_by_value(p, eps(), 1 - eps())), axis=-1)


def binary_ce(t: Any, p: Any) -> Any:
    p = tf.clip_by_value(p, eps(), 1 - eps())
    return mean(-t * tf.math.log(p) - (1 - t) * tf.math.log(1 - p))


def kld(t: Any, p: Any) -> Any:
    t, p = tf.clip_by_value(t, eps(), 1.0), tf.clip_by_value(p, eps(), 1.0)
    return tf.reduce_sum(t * tf.math.log(t / p), axis=-1)


def cosine(t: Any, p: Any) -> Any:
    norm = lambda x: x / tf.sqrt(tf.maximum(tf.reduce_sum(x * x, axis=-1, keepdims=True), 1e-12))  # noqa: E731
    return -tf.reduce_sum(norm(t) * norm(p), axis=-1)


def msle(t: Any, p: Any) -> Any:
    log = lambda x: tf.math.log(tf.maximum(x, eps()) + 1.0)  # noqa: E731
    return mean(tf.square(log(p) - log(t)))


def categorical_hinge(t: Any, p: Any) -> Any:
    pos, neg = tf.reduce_sum(t * p, axis=-1), tf.reduce_max((1.0 - t) * p, axis=-1)
    return tf.maximum(0.0, neg - pos + 1.0)


def mape(t: Any, p: Any) -> Any:
    return 100.0 * mean(tf.abs((t - p) / tf.maximum(tf.abs(t), eps())))


LOSSES = {
    "mse": lambda t, p: mean(tf.square(p - t)),
    "mae": lambda t, p: mean(tf.abs(p - t)),
    "mape": mape,
    "mean_absolute_percentage_error": mape,
    "msle": msle,
    "logcosh": lambda t, p: mean((p - t) + tf.math.softplus(-2.0 * (p - t)) - np.log(2.0)),
    "poisson": lambda t, p: mean(p - t * tf.math.log(p + eps())),
    "kullback_leibler_divergence": kld,
    "cosine_proximity": cosine,
    "hinge": lambda t, p: mean(tf.maximum(1.0 - t * p, 0.0)),
    "squared_hinge": lambda t, p: mean(tf.square(tf.maximum(1.0 - t * p, 0.0))),
    "categorical_hinge": categorical_hinge,
    "binary_crossentropy": binary_ce,
    "categorical_crossentropy": categorical_ce,
    "sparse_categorical_crossentropy": sparse_ce,
    "own": lambda t, p: mean(tf.square(tf.square(t - p))),
}


def as_float(x: Any, p: Any) -> Any:
    return tf.cast(x, p.dtype)


def sparse_accuracy(t: Any, p: Any) -> Any:
    return as_float(tf.equal(tf.reduce_max(t, axis=-1), as_float(tf.argmax(p, -1), p)), p)


def top2(t: Any, p: Any) -> Any:
    index = tf.argmax(t, -1)
    score = tf.gather(p, index, axis=-1, batch_dims=1)
    return tf.reduce_mean(as_float(tf.reduce_sum(as_float(p > score[:, None], p), axis=-1) < 2, p), axis=-1)


METRICS = {
    **LOSSES,
    "binary_accuracy": lambda t, p: mean(as_float(tf.equal(t, tf.round(p)), p)),
    "categorical_accuracy": lambda t, p: as_float(tf.equal(tf.argmax(t, -1), tf.argmax(p, -1)), p),
    "sparse_categorical_accuracy": sparse_accuracy,
    "own_metric": lambda t, p: mean(tf.abs(t - 2.0 * p)),
    "top2": top2,
}
FULL = {
    "mse": "mean_squared_error",
    "mae": "mean_absolute_error",
    "acc": "acc",
    "accuracy": "acc",
    "crossentropy": "ce",
}


def metric_of(name: str, loss: str, width: int) -> tuple[str, Any]:
    if name not in ("acc", "accuracy", "crossentropy"):
        return FULL.get(name, name), METRICS[name]
    if width == 1 or loss == "binary_crossentropy":
        kind = "binary"
    elif loss == "sparse_categorical_crossentropy":
        kind = "sparse_categorical"
    else:
        kind = "categorical"
    return FULL[name], METRICS[f"{kind}_{'accuracy' if 'acc' in name else 'crossentropy'}"]


def reduced(score: Any, weights: Any, mask: Any) -> Any:
    """2.1.6's weighted, masked mean."""
    if mask is not None:
        mask = as_float(mask, score)
        if mask.shape.rank < score.shape.rank:
            mask = tf.reshape(mask, [*mask.shape, *[1] * (score.shape.rank - mask.shape.rank)])
        score = score * mask / tf.reduce_mean(mask)
    if weights is not None:
        score = tf.reduce_mean(score, axis=list(range(weights.ndim, score.shape.rank)))
        score = score * weights / (np.mean(weights != 0) or np.nan)
    return tf.reduce_mean(score)


class Optimizer:
    """The formulas of 2.1.6 in NumPy."""

    def __init__(self, name: str, lr: float, decay: float = 0.0, clipnorm: float = 0.0, clipvalue: float = 0.0, **more):
        self.name, self.lr, self.decay, self.clipnorm, self.clipvalue, self.more = (
            name,
            lr,
            decay,
            clipnorm,
            clipvalue,
            more,
        )
        self.t = 0
        self.cache = 1.0
        self.state: list[dict[str, Any]] | None = None

    def step(self, weights: list[np.ndarray], gradients: list[np.ndarray]) -> list[np.ndarray]:
        if self.clipnorm:
            norm = np.sqrt(sum(np.sum(g * g) for g in gradients))
            if norm >= self.clipnorm:
                gradients = [g * (self.clipnorm / norm) for g in gradients]
        if self.clipvalue:
            gradients = [np.clip(g, -self.clipvalue, self.clipvalue) for g in gradients]
        if self.state is None:
            self.state = [{"m": 0.0 * w, "v": 0.0 * w, "h": 0.0 * w} for w in weights]
        lr = self.lr / (1 + self.decay * self.t) if self.decay else self.lr
        self.t += 1
        if self.name == "Nadam":
            b1, sd = self.more["beta_1"], self.more["schedule_decay"]
            self.now = b1 * (1 - 0.5 * 0.96 ** (self.t * sd))
            self.next = b1 * (1 - 0.5 * 0.96 ** ((self.t + 1) * sd))
            self.cache *= self.now
        rule = getattr(self, self.name.lower())
        return [rule(w, g, s, lr, **self.more) for w, g, s in zip(weights, gradients, self.state)]

    def sgd(self, w, g, s, lr, momentum, nesterov):
        v = s["m"] = momentum * s["m"] - lr * g
        return w + momentum * v - lr * g if nesterov else w + v

    def rmsprop(self, w, g, s, lr, rho, epsilon):
        s["v"] = rho * s["v"] + (1 - rho) * g * g
        return w - lr * g / (np.sqrt(s["v"]) + epsilon)

    def adagrad(self, w, g, s, lr, epsilon):
        s["v"] = s["v"] + g * g
        return w - lr * g / (np.sqrt(s["v"]) + epsilon)

    def adadelta(self, w, g, s, lr, rho, epsilon):
        s["v"] = rho * s["v"] + (1 - rho) * g * g
        update = g * np.sqrt(s["m"] + epsilon) / np.sqrt(s["v"] + epsilon)
        s["m"] = rho * s["m"] + (1 - rho) * update * update
        return w - lr * update

    def adam(self, w, g, s, lr, beta_1, beta_2, epsilon, amsgrad):
        t = self.t
        lr = lr * np.sqrt(1 - beta_2**t) / (1 - beta_1**t)
        s["m"] = beta_1 * s["m"] + (1 - beta_1) * g
        v = s["v"] = beta_2 * s["v"] + (1 - beta_2) * g * g
        if amsgrad:
            v = s["h"] = np.maximum(s["h"], v)
        return w - lr * s["m"] / (np.sqrt(v) + epsilon)

    def adamax(self, w, g, s, lr, beta_1, beta_2, epsilon):
        s["m"] = beta_1 * s["m"] + (1 - beta_1) * g
        s["v"] = np.maximum(beta_2 * s["v"], np.abs(g))
        return w - lr / (1 - beta_1**self.t) * s["m"] / (s["v"] + epsilon)

    def nadam(self, w, g, s, lr, beta_1, beta_2, epsilon, schedule_decay):
        s["m"] = beta_1 * s["m"] + (1 - beta_1) * g
        s["v"] = beta_2 * s["v"] + (1 - beta_2) * g * g
        m = (1 - self.now) * g / (1 - self.cache) + self.next * s["m"] / (1 - self.cache * self.next)
        return w - lr * m / (np.sqrt(s["v"] / (1 - beta_2**self.t)) + epsilon)
