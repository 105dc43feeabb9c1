"""Cells that users write, for the cases of RNN over custom cells; built on whatever `keras` module is given.

tools/golden/make_layer_golden.py gives it tf-keras, the test gives it kcore.
"""

from typing import Any


def make(keras: Any) -> dict[str, Any]:
    """The cell classes by name: the manual's `MinimalRNNCell` (5.6.1) and `ConstantsRNNCell`, fed with constants."""
    K = keras.backend

    class MinimalRNNCell(keras.layers.Layer):
        """output = inputs . kernel + previous output . recurrent_kernel"""

        def __init__(self, units, **kwargs):
            self.units = units
            self.state_size = units
            super().__init__(**kwargs)

        def build(self, input_shape):
            self.kernel = self.add_weight(shape=(input_shape[-1], self.units), initializer="uniform", name="kernel")
            self.recurrent_kernel = self.add_weight(
                shape=(self.units, self.units), initializer="uniform", name="recurrent_kernel"
            )
            self.built = True

        def call(self, inputs, states):
            previous = states[0]
            output = K.dot(inputs, self.kernel) + K.dot(previous, self.recurrent_kernel)
            return output, [output]

        def get_config(self):
            return {**super().get_config(), "units": self.units}

    class ConstantsRNNCell(keras.layers.Layer):
        """output = tanh(inputs . input_kernel + previous . recurrent_kernel + constant . constant_kernel)"""

        def __init__(self, units, constant_dim, **kwargs):
            self.units = units
            self.constant_dim = constant_dim
            self.state_size = units
            super().__init__(**kwargs)

        def build(self, input_shape):
            # Keras 2.1.6 gives the shapes of the step's input and of the constants, tf-keras the first alone.
            step_shape = input_shape[0] if isinstance(input_shape, list) else input_shape
            shapes = {
                "input_kernel": (step_shape[-1], self.units),
                "recurrent_kernel": (self.units, self.units),
                "constant_kernel": (self.constant_dim, self.units),
            }
            for name, shape in shapes.items():
                setattr(self, name, self.add_weight(shape=shape, initializer="uniform", name=name))
            self.built = True

        def call(self, inputs, states, constants):
            output = K.dot(inputs, self.input_kernel) + K.dot(states[0], self.recurrent_kernel)
            output = K.tanh(output + K.dot(constants[0], self.constant_kernel))
            return output, [output]

        def get_config(self):
            return {**super().get_config(), "units": self.units, "constant_dim": self.constant_dim}

    return {"MinimalRNNCell": MinimalRNNCell, "ConstantsRNNCell": ConstantsRNNCell}
