"""The table that `summary` prints, to the letter."""

import numpy as np

from kcore.engine import Input, Layer, Model, Sequential
from kcore.layers import Dense, Dropout

CHAIN = """\
_________________________________________________________________
Layer (type)                 Output Shape              Param #   
=================================================================
dense_1 (Dense)              (None, 300)               300300    
_________________________________________________________________
dropout_1 (Dropout)          (None, 300)               0         
_________________________________________________________________
dense_2 (Dense)              (None, 2)                 602       
=================================================================
Total params: 300,902
Trainable params: 602
Non-trainable params: 300,300
_________________________________________________________________"""

GRAPH = """\
__________________________________________________________________________________________________
Layer (type)                    Output Shape         Param #     Connected to                     
==================================================================================================
a (InputLayer)                  (None, 4)            0                                            
__________________________________________________________________________________________________
b (InputLayer)                  (None, 5, 4)         0                                            
__________________________________________________________________________________________________
a_layer_with_a_long_name (Dense multiple             15          a[0][0]                          
                                                                 b[0][0]                          
==================================================================================================
Total params: 15
Trainable params: 15
Non-trainable params: 0
__________________________________________________________________________________________________"""


def printed(model, **arguments):
    lines = []
    model.summary(print_fn=lines.append, **arguments)
    return "\n".join(lines)


def test_chain():
    model = Sequential([Dense(300, input_shape=(1000,), trainable=False), Dropout(0.5), Dense(2)])
    assert printed(model) == CHAIN


def test_graph():
    a, b = Input((4,), name="a"), Input((5, 4), name="b")
    layer = Dense(3, name="a_layer_with_a_long_name")
    assert printed(Model([a, b], [layer(a), layer(b)])) == GRAPH


def test_a_functional_chain_is_printed_as_one():
    x = Input((3,))
    text = printed(Model(x, Dense(2)(Dense(4)(x))))
    assert "Connected to" not in text
    assert "input_1 (InputLayer)" in text


def test_calls_outside_the_model_are_not_shown():
    x, elsewhere = Input((3,), name="x"), Input((3,), name="elsewhere")
    layer = Dense(2)
    layer(elsewhere)
    text = printed(Model(x, layer(x)))
    assert "elsewhere" not in text
    assert "Connected to" not in text


def test_layers_with_several_inputs_and_outputs():
    class Swap(Layer):
        def call(self, xs):
            return [xs[1], xs[0]]

        def compute_output_shape(self, s):
            return [s[1], s[0]]

    a, b = Input((4,), name="a"), Input((5,), name="b")
    text = printed(Model([a, b], Swap()([a, b])))
    assert "[(None, 5), (None, 4 " in text  # cut off at its column's end
    assert "b[0][0]" in text


def test_widths():
    model = Sequential([Dense(2, input_shape=(3,))])
    text = printed(model, line_length=40, positions=[0.5, 0.8, 1.0])
    assert {len(line) for line in text.splitlines() if line[0] in "_="} == {40}
    assert "dense_1 (Dense)     (None, 2)   8" in text
    assert printed(model, positions=[20, 32, 40], line_length=40) == text


def test_it_prints_by_default(capsys):
    model = Sequential([Dense(2, input_shape=(3,))])
    model.summary()
    assert "Total params: 8" in capsys.readouterr().out


def test_a_weight_shared_by_two_nested_models_counts_once():
    shared = Dense(3)
    a, b, x = Input((3,)), Input((3,)), Input((3,))
    both = Model(x, [Model(a, shared(a))(x), Model(b, shared(b))(x)])
    assert f"Total params: {np.prod((3, 3)) + 3}" in printed(both)
