"""What fails while a model runs names the operation, the user's line and the layer."""

from __future__ import annotations

import numpy as np
import pytest

from kcore import backend as K
from kcore.errors import ExecutionError, ShapeError
from kcore.layers import Add, Dense, Embedding, Flatten, Input, Lambda, TimeDistributed
from kcore.models import Model, Sequential


@pytest.fixture
def embedded():
    encoder = Sequential([Embedding(5, 3, input_length=4), Flatten()], name="encoder")
    x = Input((4,), dtype="int32")
    model = Model(x, Dense(1)(encoder(x)))  # made here
    model.compile("sgd", "mse")
    return model


OUTSIDE = np.full((2, 4), 9)


@pytest.mark.parametrize(
    "run",
    [
        lambda model: model.predict(OUTSIDE),
        lambda model: model.train_on_batch(OUTSIDE, np.zeros((2, 1))),
        lambda model: model.fit(OUTSIDE, np.zeros((2, 1)), verbose=0),
    ],
    ids=["predict", "train_on_batch", "fit"],
)
def test_an_index_out_of_range(embedded, run):
    with pytest.raises(ExecutionError, match="index 9 is out of range for 5 rows") as caught:
        run(embedded)
    assert caught.value.layer.startswith("encoder/embedding")
    assert "# made here" in caught.value.line
    assert "for layer encoder/embedding" in str(caught.value)
    assert caught.value.op == "gather"
    assert caught.value.shapes == [(5, 3), (2, 4)]


def test_outside_of_layers():
    x = K.placeholder((None,), dtype="int32")
    step = K.function([x], [K.gather(K.constant(np.eye(3)), x)])  # made here
    with pytest.raises(ExecutionError) as caught:
        step([[5]])
    assert caught.value.layer is None
    assert "# made here" in caught.value.line


def test_inside_of_a_wrapper():
    model = Sequential([TimeDistributed(Embedding(5, 3), input_shape=(4, 1), name="steps")])
    with pytest.raises(ExecutionError) as caught:
        model.predict(np.full((2, 4, 1), 7))
    assert caught.value.layer == "steps"


def test_shapes_that_clash_only_when_known():
    a, b = Input((None,)), Input((None,))
    model = Model([a, b], Add(name="sum")([Lambda(lambda x: x)(a), b]))  # made here
    with pytest.raises(ShapeError) as caught:
        model.predict([np.zeros((2, 3)), np.zeros((2, 4))])
    assert caught.value.layer == "sum"
    assert "# made here" in caught.value.line
