"""What the layers refuse."""

import pytest

from kcore.layers import Input, PReLU


@pytest.mark.parametrize("axis", [0, -1, 7])
def test_shared_axes_are_axes_of_the_input(axis):
    with pytest.raises(ValueError, match="p_re_lu_.*shared_axes .* must be between 1 .* and 2"):
        PReLU(shared_axes=[axis])(Input((4, 2)))
