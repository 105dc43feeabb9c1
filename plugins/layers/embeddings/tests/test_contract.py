"""Each layer held to the contract (`kcore.testing.check_layer`)."""

import pytest

from kcore.layers import Embedding
from kcore.testing import check_layer

CASES = [
    (Embedding, {"input_dim": 9, "output_dim": 3}, {"input_shape": (None, 5), "input_dtype": "int32"}),
    (
        Embedding,
        {"input_dim": 9, "output_dim": 3, "mask_zero": True, "input_length": 5},
        {"input_shape": (None, 5), "input_dtype": "int32"},
    ),
    (
        Embedding,
        {"input_dim": 9, "output_dim": 3, "embeddings_regularizer": "l2", "embeddings_constraint": "non_neg"},
        {"input_shape": (None, 5), "input_dtype": "int32"},
    ),
]


@pytest.mark.parametrize(("layer", "arguments", "given"), CASES, ids=lambda v: getattr(v, "__name__", None))
def test_contract(layer, arguments, given):
    check_layer(layer, arguments, **given)
