"""`check_layer` finds what is wrong with a layer."""

import numpy as np
import pytest

from kcore import backend as K
from kcore.engine import InputSpec, Layer
from kcore.testing import check_layer


class Good(Layer):
    """(batch, steps, features) to (batch, steps, units)."""

    def __init__(self, units=3, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.supports_masking = True
        self.input_spec = InputSpec(ndim=3)

    def build(self, input_shape):
        self.kernel = self.add_weight("kernel", (input_shape[-1], self.units))
        self.input_spec = InputSpec(ndim=3, axes={-1: input_shape[-1]})
        super().build(input_shape)

    def call(self, x):
        return K.dot(x, self.kernel)

    def compute_output_shape(self, s):
        return (*s[:-1], self.units)

    def get_config(self):
        return {**super().get_config(), "units": self.units}


def check(cls, **arguments):
    return check_layer(cls, {"units": 2}, (None, 4, 5), **arguments)


def test_a_good_layer():
    output = check(Good)
    assert output.shape == (3, 4, 2)
    x = np.ones((2, 4, 5))
    check_layer(Good, {"units": 2}, input_data=x, wrong_input_shapes=[(None, 5)])


def complains(cls, message, **arguments):
    with pytest.raises(AssertionError, match=f"{cls.__name__}.*{message}"):
        check(cls, **arguments)


def test_wrong_output_shape():
    class Wrong(Good):
        def compute_output_shape(self, s):
            return s

    complains(Wrong, "compute_output_shape says .* but the output's shape is")


def test_configuration_without_an_argument():
    class Forgets(Good):
        def get_config(self):
            return Layer.get_config(self)

    complains(Forgets, "get_config.. lacks an argument")


def test_configuration_without_the_name():
    class Nameless(Good):
        def get_config(self):
            return {"units": self.units}

    complains(Nameless, "lacks 'name'")


def test_configuration_that_is_no_json():
    class NoJson(Good):
        def get_config(self):
            return {**super().get_config(), "units": self.units, "name": self.name, "dtype": object()}

        @classmethod
        def from_config(cls, config):
            return cls(units=config["units"], name=config["name"])

    with pytest.raises((AssertionError, TypeError)):
        check(NoJson)


def test_weights_that_are_not_named_after_the_layer():
    class Unnamed(Good):
        def build(self, input_shape):
            self.kernel = K.variable(np.ones((input_shape[-1], self.units)), name="kernel")
            self._trainable_weights = [self.kernel]
            self.built = True

    complains(Unnamed, "should be named")


def test_a_weight_without_gradient():
    class Unused(Good):
        def build(self, input_shape):
            super().build(input_shape)
            self.add_weight("other", (2,))

    complains(Unused, "does not depend differentiably on the weight .*other")


def test_wrong_dtype():
    class Single(Good):
        def call(self, x):
            return K.cast(K.dot(x, self.kernel), "float32")

    complains(Single, "with floatx float16 the output is float32")


def test_a_mask_that_does_not_fit():
    class BadMask(Good):
        def compute_mask(self, inputs, mask=None):
            return K.any(K.not_equal(inputs, 0.0), axis=1)

    complains(BadMask, "has a mask of shape")


def test_random_in_test():
    class Noisy(Good):
        def call(self, x):
            return K.dot(x, self.kernel) + K.random_normal((1,))

    complains(Noisy, "results differ")


def test_errors_that_do_not_name_the_layer():
    class Silent(Good):
        def assert_input_compatibility(self, inputs):
            if K.ndim(inputs) != 3:
                raise ValueError("no")

    with pytest.raises((AssertionError, ValueError, AttributeError)):
        check(Silent)


def test_accepting_what_must_be_refused():
    class Open(Good):
        def __init__(self, units=3, **kwargs):
            super().__init__(units, **kwargs)
            self.input_spec = None

        def build(self, input_shape):
            super().build(input_shape)
            self.input_spec = None

    check(Open)
    complains(Open, "accepts inputs of shapes", wrong_input_shapes=[(None, 5)])


def test_expected_output():
    with pytest.raises(AssertionError):
        check_layer(Good, {"units": 2}, input_data=np.ones((1, 2, 2)), expected_output=np.ones((1, 2, 2)))


def test_without_shape_or_data():
    with pytest.raises(ValueError, match="needs `input_shape` or `input_data`"):
        check_layer(Good)
