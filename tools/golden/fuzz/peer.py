"""tf-keras with the layers and arguments of 2.1.6, where it has them otherwise."""

from __future__ import annotations

from typing import Any

import peer_layers
import tensorflow as tf

from fuzz.build import Side

keras = peer_layers.keras


class Penalty(keras.layers.Layer):
    """The penalty on activations, summed over the batch as in 2.1.6."""

    def __init__(self, l1: float = 0.0, l2: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.l1, self.l2 = l1, l2
        self.supports_masking = True

    def call(self, x: Any) -> Any:
        for one in x if isinstance(x, (list, tuple)) else [x]:
            self.add_loss(self.l1 * tf.reduce_sum(tf.abs(one)) + self.l2 * tf.reduce_sum(tf.square(one)))
        return [tf.identity(one) for one in x] if isinstance(x, (list, tuple)) else tf.identity(x)


class BatchNormalization(keras.layers.Layer):
    """By the batch in the training phase, frozen or not; moves by the unbiased variance unless it is frozen."""

    def __init__(
        self,
        axis=-1,
        momentum=0.99,
        epsilon=1e-3,
        center=True,
        scale=True,
        gamma_regularizer=None,
        beta_constraint=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.axis, self.momentum, self.epsilon, self.center, self.scale = axis, momentum, epsilon, center, scale
        self.gamma_regularizer, self.beta_constraint = gamma_regularizer, beta_constraint
        self.supports_masking = True

    def build(self, shape):
        n = (shape[self.axis],)
        self.gamma = self.beta = None
        if self.scale:
            self.gamma = self.add_weight(name="gamma", shape=n, initializer="ones", regularizer=self.gamma_regularizer)
        if self.center:
            self.beta = self.add_weight(name="beta", shape=n, initializer="zeros", constraint=self.beta_constraint)
        self.moving_mean = self.add_weight(name="moving_mean", shape=n, initializer="zeros", trainable=False)
        self.moving_variance = self.add_weight(name="moving_variance", shape=n, initializer="ones", trainable=False)
        super().build(shape)

    def call(self, x, training=None):
        rank = x.shape.rank
        axis = self.axis % rank
        others = [i for i in range(rank) if i != axis]
        wide = [1] * rank
        wide[axis] = -1
        if training:
            mean, variance = tf.nn.moments(x, others)
            if self.trainable:
                n = tf.cast(tf.size(x) / tf.size(mean), x.dtype)
                self.moving_mean.assign(self.moving_mean * self.momentum + mean * (1 - self.momentum))
                unbiased = variance * n / (n - (1.0 + self.epsilon))
                self.moving_variance.assign(self.moving_variance * self.momentum + unbiased * (1 - self.momentum))
        else:
            mean, variance = self.moving_mean, self.moving_variance
        y = (x - tf.reshape(mean, wide)) / tf.sqrt(tf.reshape(variance, wide) + self.epsilon)
        if self.gamma is not None:
            y = y * tf.reshape(self.gamma, wide)
        if self.beta is not None:
            y = y + tf.reshape(self.beta, wide)
        return y


class LeakyReLU(keras.layers.Layer):
    """With the slope in the precision of the input."""

    def __init__(self, alpha: float = 0.3, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.alpha = alpha
        self.supports_masking = True

    def call(self, x: Any) -> Any:
        return tf.where(x > 0, x, self.alpha * x)


class TimeDistributed(keras.layers.Wrapper):
    """The steps joined with the batch; masks pass unchanged."""

    def __init__(self, layer: Any, **kwargs: Any) -> None:
        super().__init__(layer, **kwargs)
        self.supports_masking = True

    def call(self, x: Any, training: Any = None) -> Any:
        shape = tf.shape(x)
        joined = tf.reshape(x, tf.concat([[-1], shape[2:]], 0))
        joined.set_shape([None, *x.shape[2:]])
        more = {"training": training} if "training" in self.layer._call_spec.arg_names else {}
        y = self.layer(joined, **more)
        out = tf.reshape(y, tf.concat([shape[:2], tf.shape(y)[1:]], 0))
        out.set_shape([*x.shape[:2], *y.shape[1:]])
        return out


class Softmax(keras.layers.Layer):
    """Without regard to masks."""

    def __init__(self, axis: int = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis
        self.supports_masking = True

    def call(self, x: Any) -> Any:
        e = tf.exp(x - tf.reduce_max(x, axis=self.axis, keepdims=True))
        return e / tf.reduce_sum(e, axis=self.axis, keepdims=True)


class Peer(Side):
    """tf-keras, with the arguments and layers of 2.1.6."""

    def __init__(self) -> None:
        super().__init__(keras)
        self.penalties: dict[int, Any] = {}

    def make(self, class_name: str, config: dict[str, Any]) -> Any:
        config = {**peer_layers.DEFAULTS_OF_216.get(class_name, {}), **config}
        if class_name == "BatchNormalization":
            config.pop("fused")
            made = BatchNormalization(**config)
        elif class_name == "ActivityRegularization":
            made = Penalty(**config)
        elif class_name in ("LeakyReLU", "Softmax", "TimeDistributed"):
            made = globals()[class_name](**config)
            if class_name == "TimeDistributed" and id(config["layer"]) in self.penalties:
                self.penalties[id(made)] = self.penalties[id(config["layer"])]
        elif class_name == "RNN" and isinstance(config["cell"], list):
            made = keras.layers.RNN(**{**config, "cell": keras.layers.StackedRNNCells(config["cell"])})
        else:
            penalty = config.pop("activity_regularizer", None)
            made = getattr(keras.layers, class_name)(**config)
            inner = config.get("layer") if class_name == "TimeDistributed" else None
            penalty = penalty or self.penalties.get(id(inner))
            if penalty is not None:
                self.penalties[id(made)] = Penalty(float(penalty.l1), float(penalty.l2))
        for direction in ("forward_layer", "backward_layer"):
            if hasattr(made, direction):
                getattr(made, direction).zero_output_for_mask = False
        return made

    def layer(self, described: dict[str, Any], name: str | None = None) -> Any:
        if "sequential" not in described:
            return super().layer(described, name)
        model = keras.models.Sequential(name=name)
        for one in described["sequential"]:
            made = self.layer(one)
            model.add(made)
            if id(made) in self.penalties:
                model.add(self.penalties[id(made)])
        return model

    def call(self, layer: Any, inputs: list[Any], states: list[Any], described: dict[str, Any]) -> list[Any]:
        outputs = super().call(layer, inputs, states, described)
        penalty = self.penalties.get(id(layer))
        if penalty is not None:
            outputs = penalty(outputs) if len(outputs) > 1 else [penalty(outputs[0])]
        return outputs
