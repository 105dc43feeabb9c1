"""`Input`: shapes, dtypes, tensors that are there already."""

import numpy as np
import pytest

from kcore import backend as K
from kcore.engine import Input


def test_inputs_of_layers():
    x = Input((3,), name="data", dtype="int32")
    assert (x.dtype, K.int_shape(x), x._keras_history[0].name) == ("int32", (None, 3), "data")
    assert K.int_shape(Input(batch_shape=(2, None))) == (2, None)
    assert K.int_shape(Input(shape=())) == (None,)
    config = x._keras_history[0].get_config()
    assert config == {"batch_input_shape": (None, 3), "dtype": "int32", "sparse": False, "name": "data"}
    value = K.variable(np.ones((2, 3)))
    wrapped = Input(tensor=value)
    assert not wrapped._keras_history[0].is_placeholder
    assert wrapped._keras_shape == (2, 3)


@pytest.mark.parametrize("arguments", [{}, {"shape": 3}, {"shape": (3, "a")}, {"shape": (-1,)}, {"shape": (2.5,)}])
def test_wrong_input_shapes_are_explained(arguments):
    with pytest.raises(ValueError, match="shape"):
        Input(**arguments)
