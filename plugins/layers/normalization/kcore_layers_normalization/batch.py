"""`BatchNormalization`."""

from __future__ import annotations

from typing import Any

from kcore import backend as K
from kcore import constraints, initializers, regularizers
from kcore.engine import InputSpec, Layer
from kcore.errors import ShapeError
from kcore.shapes import real_number, whole_number


class BatchNormalization(Layer):
    """Normalizes each feature over the batch (manual, 5.10.1).

    In the training phase with the mean and variance of the batch, which also move the running averages; in the
    test phase with the running averages. The running variance takes the unbiased estimate of the batch's.

    Args:
        axis: int, the axis of the features (typically -1, or 1 for ``channels_first``).
        momentum: float, of the running averages.
        epsilon: float > 0, added to the variance.
        center: whether to add `beta`.
        scale: whether to multiply by `gamma`; unnecessary where the next layer is linear.
        beta_initializer, gamma_initializer, moving_mean_initializer, moving_variance_initializer: of the weights.
        beta_regularizer, gamma_regularizer, beta_constraint, gamma_constraint: of the trained weights.

    References:
        Ioffe and Szegedy, Batch Normalization: Accelerating Deep Network Training (2015).
    """

    input_spec = InputSpec()  # one tensor

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        moving_mean_initializer: Any = "zeros",
        moving_variance_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        self.axis = whole_number(axis, "axis", self)
        self.momentum = real_number(momentum, "momentum", self, 0, 1)
        self.epsilon = real_number(epsilon, "epsilon", self, 0)
        self.center = center
        self.scale = scale
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.moving_mean_initializer = initializers.get(moving_mean_initializer)
        self.moving_variance_initializer = initializers.get(moving_variance_initializer)
        self.beta_regularizer = regularizers.get(beta_regularizer)
        self.gamma_regularizer = regularizers.get(gamma_regularizer)
        self.beta_constraint = constraints.get(beta_constraint)
        self.gamma_constraint = constraints.get(gamma_constraint)

    def build(self, input_shape: Any) -> None:
        ndim = len(input_shape)
        if not -ndim <= self.axis < ndim:
            raise ShapeError(f"layer {self.name}: axis {self.axis} is out of range for input {tuple(input_shape)}")
        features = input_shape[self.axis]
        if features is None:
            raise ShapeError(
                f"layer {self.name} needs to know the size of axis {self.axis} of its input, whose shape is "
                f"{tuple(input_shape)}: the weights have one element for each of its features"
            )
        self.input_spec = InputSpec(ndim=ndim, axes={self.axis: features})
        shape = (features,)
        self.gamma = self.beta = None
        if self.scale:
            self.gamma = self.add_weight(
                name="gamma",
                shape=shape,
                initializer=self.gamma_initializer,
                regularizer=self.gamma_regularizer,
                constraint=self.gamma_constraint,
            )
        if self.center:
            self.beta = self.add_weight(
                name="beta",
                shape=shape,
                initializer=self.beta_initializer,
                regularizer=self.beta_regularizer,
                constraint=self.beta_constraint,
            )
        self.moving_mean = self.add_weight(
            name="moving_mean", shape=shape, initializer=self.moving_mean_initializer, trainable=False
        )
        self.moving_variance = self.add_weight(
            name="moving_variance", shape=shape, initializer=self.moving_variance_initializer, trainable=False
        )
        self.built = True

    def call(self, inputs: Any, training: Any = None) -> Any:
        if training in (0, False):
            return self._with_running_averages(inputs)
        ndim = K.ndim(inputs)
        axes = [axis for axis in range(ndim) if axis != self.axis % ndim]
        normalized, mean, variance = K.normalize_batch_in_training(
            inputs, self.gamma, self.beta, axes, epsilon=self.epsilon
        )
        count = K.cast(K.prod(K.stack([K.shape(inputs)[axis] for axis in axes])), K.dtype(variance))
        unbiased = variance * (count / (count - (1.0 + self.epsilon)))
        self.add_update(
            [
                K.moving_average_update(self.moving_mean, mean, self.momentum),
                K.moving_average_update(self.moving_variance, unbiased, self.momentum),
            ],
            inputs,
        )
        return K.in_train_phase(normalized, lambda: self._with_running_averages(inputs), training=training)

    def _with_running_averages(self, inputs: Any) -> Any:
        ndim = K.ndim(inputs)
        axis = self.axis % ndim
        weights = [self.moving_mean, self.moving_variance, self.beta, self.gamma]
        if axis != ndim - 1:  # features do not broadcast by themselves
            shape = [1] * ndim
            shape[axis] = -1
            weights = [None if w is None else K.reshape(w, shape) for w in weights]
        mean, variance, beta, gamma = weights
        return K.batch_normalization(inputs, mean, variance, beta, gamma, epsilon=self.epsilon)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        config = {
            "axis": self.axis,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "center": self.center,
            "scale": self.scale,
            "beta_initializer": initializers.serialize(self.beta_initializer),
            "gamma_initializer": initializers.serialize(self.gamma_initializer),
            "moving_mean_initializer": initializers.serialize(self.moving_mean_initializer),
            "moving_variance_initializer": initializers.serialize(self.moving_variance_initializer),
            "beta_regularizer": regularizers.serialize(self.beta_regularizer),
            "gamma_regularizer": regularizers.serialize(self.gamma_regularizer),
            "beta_constraint": constraints.serialize(self.beta_constraint),
            "gamma_constraint": constraints.serialize(self.gamma_constraint),
        }
        return {**super().get_config(), **config}
