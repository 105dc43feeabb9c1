"""`InputSpec`: what a layer demands of its inputs."""

import pytest

from kcore.engine import Input, InputSpec, Layer


class Demanding(Layer):
    def __init__(self, spec, **kwargs):
        super().__init__(**kwargs)
        self.input_spec = spec

    def call(self, x):
        return x[0] if isinstance(x, list) else x


@pytest.mark.parametrize(
    ("spec", "shape", "message"),
    [
        (InputSpec(ndim=3), (4,), "expected ndim=3, found ndim=2"),
        (InputSpec(min_ndim=3), (4,), "expected min_ndim=3, found ndim=2"),
        (InputSpec(max_ndim=2), (4, 5), "expected max_ndim=2, found ndim=3"),
        (InputSpec(axes={-1: 5}), (4,), r"expected axis -1 of input shape to have value 5 but got shape \(None, 4\)"),
        (InputSpec(axes={3: 5}), (4,), "expected an axis 3, found ndim=2"),
        (InputSpec(shape=(None, 5)), (4,), r"expected shape=\(None, 5\), found shape=\(None, 4\)"),
        (InputSpec(dtype="int32"), (4,), "expected dtype=int32, found dtype=float32"),
    ],
)
def test_inputs_that_the_spec_does_not_allow_are_refused(spec, shape, message):
    with pytest.raises(ValueError, match=f"Input 0 is incompatible with layer demanding_1: {message}"):
        Demanding(spec)(Input(shape))


@pytest.mark.parametrize(
    "spec",
    [
        InputSpec(),
        InputSpec(ndim=3),
        InputSpec(shape=(None, 7, 4)),
        InputSpec(shape=(2, None, 4)),
        InputSpec(axes={1: 9, -1: 4}),
        None,
    ],
)
def test_unknown_sizes_are_never_wrong(spec):
    Demanding(spec)(Input((None, 4)))


def test_number_of_inputs_is_checked():
    layer = Demanding([InputSpec(ndim=2), InputSpec(ndim=2)])
    with pytest.raises(ValueError, match="Layer demanding_1 expects 2 inputs, but it received 1 input tensors"):
        layer(Input((3,)))
    layer([Input((3,)), Input((3,))])
