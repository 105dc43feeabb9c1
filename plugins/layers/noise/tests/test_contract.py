"""Each layer held to the contract (`kcore.testing.check_layer`)."""

import pytest

from kcore.layers import AlphaDropout, GaussianDropout, GaussianNoise
from kcore.testing import check_layer

CASES = [
    (GaussianNoise, {"stddev": 0.1}, {"input_shape": (None, 4, 3)}),
    (GaussianDropout, {"rate": 0.2}, {"input_shape": (None, 4, 3)}),
    (AlphaDropout, {"rate": 0.2}, {"input_shape": (None, 4, 3)}),
    (AlphaDropout, {"rate": 0.2, "noise_shape": (None, 1, 3), "seed": 3}, {"input_shape": (None, 4, 3)}),
]


@pytest.mark.parametrize(("layer", "arguments", "given"), CASES, ids=lambda v: getattr(v, "__name__", None))
def test_contract(layer, arguments, given):
    check_layer(layer, arguments, **given)
