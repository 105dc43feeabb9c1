"""`Node`: what a layer knows of its calls."""

import pytest

from kcore.engine import Input, Layer


class Same(Layer):
    """Returns its input."""


def test_the_manuals_layer_nodes():
    a, b = Input((140, 3)), Input((140, 3))
    layer = Same()
    encoded_a = layer(a)
    assert layer.output is encoded_a
    encoded_b = layer(b)
    with pytest.raises(AttributeError, match="Layer same_1 has multiple inbound nodes.*Use `get_output_at"):
        _ = layer.output
    assert layer.get_output_at(0) is encoded_a
    assert layer.get_output_at(1) is encoded_b
    assert layer.get_input_at(1) is b
    assert layer.output_shape == (None, 140, 3)  # the same for all calls


def test_different_shapes_of_calls():
    layer = Same()
    layer(Input((32, 32, 3)))
    assert layer.input_shape == (None, 32, 32, 3)
    layer(Input((64, 64, 3)))
    with pytest.raises(AttributeError, match="different input shapes.*get_input_shape_at"):
        _ = layer.input_shape
    assert layer.get_input_shape_at(0) == (None, 32, 32, 3)
    assert layer.get_output_shape_at(1) == (None, 64, 64, 3)
    assert not hasattr(layer, "output_shape")


def test_a_layer_that_was_not_called():
    layer = Same()
    with pytest.raises(AttributeError, match="Layer same_1 is not connected, no input to return"):
        _ = layer.input
    with pytest.raises(AttributeError, match="never been called and thus has no defined output shape"):
        _ = layer.output_shape
    with pytest.raises(RuntimeError, match="never been called"):
        layer.get_output_at(0)
    layer(Input((3,)))
    with pytest.raises(
        ValueError, match="Asked to get output at node 2, but the layer same_1 has only 1 inbound nodes"
    ):
        layer.get_output_at(2)


def test_nodes_link_layers():
    x = Input((3,))
    first, second = Same(), Same()
    second(first(x))
    (node,) = second.inbound_nodes
    assert node.inbound_layers == [first]
    assert first.outbound_nodes == [node]
    assert node.get_config() == {
        "outbound_layer": "same_2",
        "inbound_layers": ["same_1"],
        "node_indices": [0],
        "tensor_indices": [0],
    }
