"""Masks: made, used, passed on, refused."""

import numpy as np
import pytest

from kcore import backend as K
from kcore.engine import Input, Layer, Model


class Same(Layer):
    """Returns its input."""


class Masks(Layer):
    """Masks what is 0."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def compute_mask(self, inputs, mask=None):
        return K.any(K.not_equal(inputs, 0.0), axis=-1)


class UsesMask(Layer):
    seen = None

    def call(self, inputs, mask=None):
        self.seen = mask
        return inputs if mask is None else inputs * K.expand_dims(K.cast(mask, "float32"))

    def compute_mask(self, inputs, mask=None):
        return None


def test_a_mask_reaches_a_layer_that_takes_it():
    masked = Masks()(Input((4, 2)))
    layer = UsesMask()
    y = layer(masked)
    assert layer.seen is masked._keras_mask
    assert y._keras_mask is None
    assert layer.input_mask is masked._keras_mask
    assert layer.output_mask is None


def test_a_given_mask_goes_first():
    layer = UsesMask()
    mine = K.placeholder((None, 4), dtype="bool")
    layer(Masks()(Input((4, 2))), mask=mine)
    assert layer.seen is mine


def test_layers_without_supports_masking_refuse_masks():
    with pytest.raises(TypeError, match="Layer same_1 does not support masking, but was passed an input_mask"):
        Same()(Masks()(Input((4, 2))))


def test_supports_masking_passes_a_mask_on():
    class Passes(Layer):
        supports_masking = True

    masked = Masks()(Input((4, 2)))
    assert Passes()(masked)._keras_mask is masked._keras_mask
    assert Passes()(Input((4, 2)))._keras_mask is None


def test_masks_of_several_inputs_come_as_a_list():
    class Merges(UsesMask):
        def call(self, inputs, mask=None):
            self.seen = mask
            return inputs[0]

    masked = Masks()(Input((4, 2)))
    layer = Merges()
    layer([masked, Input((4, 2))])
    assert layer.seen == [masked._keras_mask, None]


def test_masks_work_in_a_model():
    x = Input((3, 2))
    model = Model(x, UsesMask()(Masks()(x)))
    data = np.array([[[1, 2], [0, 0], [3, 0]]], "float32")
    np.testing.assert_array_equal(model.predict(data), data)
