"""What the wrappers refuse."""

import pytest

from kcore.layers import Bidirectional, Dense, TimeDistributed


@pytest.mark.parametrize("wrong", [Dense(3), 3, None])
def test_bidirectional_wraps_recurrent_layers(wrong):
    with pytest.raises(TypeError, match="Bidirectional wraps a recurrent layer.*given"):
        Bidirectional(wrong)


def test_time_distributed_wraps_layers():
    with pytest.raises(TypeError, match="TimeDistributed wraps a layer or a model.*given 3"):
        TimeDistributed(3)
