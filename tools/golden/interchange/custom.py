"""What users bring themselves, built on whatever `keras` module is given: the names that files have for it."""

from __future__ import annotations

from typing import Any


def objects(keras: Any) -> dict[str, Any]:
    """Functions and classes by the names under which files know them."""
    K = keras.backend

    def twice(x: Any) -> Any:
        return 2.0 * x

    def scaled(x: Any, factor: float = 1.0) -> Any:
        return factor * x

    def columns(x: Any) -> Any:
        return x[:, :2]

    def columns_shape(shape: Any) -> Any:
        return (shape[0], 2)

    def swish(x: Any) -> Any:
        return x * K.sigmoid(x)

    def squares(weights: Any) -> Any:
        return 0.01 * K.sum(K.square(weights))

    class Ramp(keras.initializers.Initializer):
        """All of one value."""

        def __init__(self, value: float = 1.0) -> None:
            self.value = value

        def __call__(self, shape: Any, dtype: Any = None, **more: Any) -> Any:
            return K.constant(self.value, shape=shape)

        def get_config(self) -> dict[str, Any]:
            return {"value": self.value}

    class Lasso(keras.regularizers.Regularizer):
        """The sum of absolute values."""

        def __init__(self, strength: float = 0.1) -> None:
            self.strength = strength

        def __call__(self, x: Any) -> Any:
            return self.strength * K.sum(K.abs(x))

        def get_config(self) -> dict[str, Any]:
            return {"strength": self.strength}

    class Clipped(keras.constraints.Constraint):
        """Values between -limit and limit."""

        def __init__(self, limit: float = 1.0) -> None:
            self.limit = limit

        def __call__(self, w: Any) -> Any:
            return K.clip(w, -self.limit, self.limit)

        def get_config(self) -> dict[str, Any]:
            return {"limit": self.limit}

    class Scale(keras.layers.Layer):
        """A trainable factor for each feature."""

        def __init__(self, power: int = 1, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.power = power

        def build(self, input_shape: Any) -> None:
            self.factor = self.add_weight(name="factor", shape=(input_shape[-1],), initializer="ones")
            super().build(input_shape)

        def call(self, inputs: Any) -> Any:
            return inputs * K.pow(K.abs(self.factor), self.power)

        def compute_output_shape(self, input_shape: Any) -> Any:
            return input_shape

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), "power": self.power}

    found = [
        twice, scaled, columns, columns_shape, swish, squares, Ramp, Lasso, Clipped, Scale
    ]  # fmt: skip
    return {one.__name__: one for one in found}
