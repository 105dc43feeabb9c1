"""`Layer`: names, arguments, building, calling, shapes, weights."""

import numpy as np
import pytest

from kcore import backend as K
from kcore.engine import Input, Layer
from kcore.engine.structure import snake_case
from kcore.errors import GraphError, ShapeError


class Linear(Layer):
    """The manual's "write your own layer"."""

    def __init__(self, output_dim, **kwargs):
        self.output_dim = output_dim
        super(Linear, self).__init__(**kwargs)  # noqa: UP008 - as old scripts write it

    def build(self, input_shape):
        self.kernel = self.add_weight(
            name="kernel", shape=(input_shape[1], self.output_dim), initializer="uniform", trainable=True
        )
        super(Linear, self).build(input_shape)  # noqa: UP008

    def call(self, x):
        return K.dot(x, self.kernel)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.output_dim)


class Same(Layer):
    """Returns its input."""


# --- names ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("class_name", "prefix"),
    [
        ("Dense", "dense"),
        ("LSTM", "lstm"),
        ("MaxPooling2D", "max_pooling2d"),
        ("BatchNormalization", "batch_normalization"),
        ("ConvLSTM2D", "conv_lst_m2d"),
        ("CuDNNLSTM", "cu_dnnlstm"),
        ("PReLU", "p_re_lu"),
        ("SeparableConv2D", "separable_conv2d"),
        ("GlobalAveragePooling2D", "global_average_pooling2d"),
        ("_Hidden", "private__hidden"),
    ],
)
def test_names_begin_with_the_class_in_snake_case(class_name, prefix):
    assert snake_case(class_name) == prefix


def test_names_count_layers_of_a_class():
    assert [Linear(1).name, Same().name, Linear(1).name] == ["linear_1", "same_1", "linear_2"]
    assert Linear(1, name="mine").name == "mine"


def test_weights_are_named_after_their_layer():
    layer = Linear(2)
    layer(Input((3,)))
    assert [w.name for w in layer.weights] == ["linear_1/kernel:0"]


def test_weights_of_inner_layers_have_the_outer_name_before():
    class Outer(Layer):
        def build(self, input_shape):
            self.inner = Linear(2)
            with K.name_scope("inner"):
                self.inner.build(input_shape)
            super().build(input_shape)

        def call(self, x):
            return self.inner.call(x)

    layer = Outer(name="outer")
    layer(Input((3,)))
    assert layer.inner.weights[0].name == "outer/inner/kernel:0"


# --- arguments --------------------------------------------------------------------------------------------


def test_unknown_argument_is_a_type_error_that_names_it():
    with pytest.raises(TypeError, match="Keyword argument not understood: 'untis'.*Linear"):
        Linear(3, untis=4)


def test_input_shape_is_remembered_with_its_batch_size():
    assert Linear(3, input_shape=(4,)).batch_input_shape == (None, 4)
    assert Linear(3, input_shape=[4], batch_size=8).batch_input_shape == (8, 4)
    assert Linear(3, batch_input_shape=(2, 4)).batch_input_shape == (2, 4)
    assert Linear(3, input_shape=(4,)).dtype == "float32"
    assert Linear(3, input_shape=(4,), dtype="int32").dtype == "int32"
    assert not hasattr(Linear(3), "batch_input_shape")


def test_input_shape_must_be_a_tuple():
    with pytest.raises(ValueError, match=r"input_shape.*such as.*784"):
        Linear(3, input_shape=4)


def test_configuration_has_what_was_given():
    assert Linear(3).get_config() == {"name": "linear_1", "trainable": True}
    config = Same(input_shape=(4,), trainable=False).get_config()
    assert config == {"name": "same_1", "trainable": False, "batch_input_shape": (None, 4), "dtype": "float32"}
    assert Same.from_config(config).get_config() == config


def test_dtype_policies_of_later_versions_are_read():
    policy = {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float16"}}
    assert Same(dtype=policy).dtype == "float16"
    assert Same(dtype="mixed_float16").dtype == "float32"


# --- calling ----------------------------------------------------------------------------------------------


def test_the_first_call_builds():
    layer = Linear(2)
    assert not layer.built
    y = layer(Input((3,)))
    assert layer.built
    assert y._keras_shape == K.int_shape(y) == (None, 2)
    assert y._keras_history == (layer, 0, 0)
    kernel = layer.kernel
    layer(Input((3,)))
    assert layer.kernel is kernel


def test_initial_weights_are_set_on_building():
    kernel = np.arange(6.0).reshape(3, 2)
    layer = Linear(2, weights=[kernel])
    layer(Input((3,)))
    np.testing.assert_array_equal(layer.get_weights()[0], kernel)


def test_outputs_are_fresh_handles_even_of_equal_values():
    x = Input((3,))
    a, b = Same()(x), Same()(x)
    assert a is not x
    assert a is not b
    assert a.key == b.key == x.key
    assert [t._keras_history[0].name for t in (x, a, b)] == ["input_1", "same_1", "same_2"]


def test_several_inputs_give_a_list_of_shapes_and_one_in_a_list_gives_one():
    shapes = []

    class Sum(Layer):
        def build(self, input_shape):
            shapes.append(input_shape)
            super().build(input_shape)

        def call(self, inputs):
            return sum(inputs) if isinstance(inputs, list) else inputs

        def compute_output_shape(self, input_shape):
            return input_shape[0]

    Sum()([Input((3,)), Input((3,))])
    Sum()(Input((3,)))
    assert shapes == [[(None, 3), (None, 3)], (None, 3)]


def test_several_outputs():
    class Split(Layer):
        def call(self, x):
            return [x[:, :1], x[:, 1:]]

        def compute_output_shape(self, s):
            return [(s[0], 1), (s[0], s[1] - 1)]

    layer = Split()
    a, b = layer(Input((3,)))
    assert a._keras_history == (layer, 0, 0)
    assert b._keras_history == (layer, 0, 1)
    assert layer.output_shape == [(None, 1), (None, 2)]


def test_arrays_are_refused_with_the_layers_name():
    with pytest.raises(ValueError, match="Layer linear_1 was called with an input that isn't a symbolic tensor"):
        Linear(2)(np.zeros((2, 3)))


def test_a_call_that_returns_no_tensor_is_refused():
    class Nothing(Layer):
        def call(self, x):
            pass

    with pytest.raises(ValueError, match=r"`call` of layer nothing_1 \(Nothing\) must return a tensor"):
        Nothing()(Input((3,)))


def test_learning_phase_is_passed_on():
    class Phased(Layer):
        def call(self, x):
            return K.in_train_phase(x * 2, x)

    y = Phased()(Input((3,)))
    z = Same()(y)
    assert y._uses_learning_phase
    assert z._uses_learning_phase
    assert not Input((3,))._uses_learning_phase

    class Claims(Layer):
        def call(self, x):
            result = x * 3
            result._uses_learning_phase = True
            return result

    claimed = Same()(Claims()(Input((3,))))
    assert claimed._uses_learning_phase


# --- shapes --------------------------------------------------------------------------------------------------


def test_sizes_that_the_graph_does_not_know_come_from_compute_output_shape():
    class Windows(Layer):
        def call(self, x):
            return K.reshape(x, (-1, K.shape(x)[1] // 2, 2 * 4))

        def compute_output_shape(self, s):
            return (s[0], 5, 8)

    y = Windows()(Input((None, 4)))
    assert y.shape[1] is None
    assert K.int_shape(y) == (None, 5, 8)


def test_the_graph_is_right_where_compute_output_shape_is_wrong():
    class Sloppy(Layer):  # compute_output_shape is not overridden and says "as the input"
        def call(self, x):
            return K.concatenate([x, x])

    assert K.int_shape(Sloppy()(Input((3,)))) == (None, 6)


def test_compute_output_shape_is_not_needed_where_the_graph_knows():
    class Lazy(Layer):
        def call(self, x):
            return x * 2

        def compute_output_shape(self, s):
            raise AssertionError("not needed")

    assert K.int_shape(Lazy()(Input((3,)))) == (None, 3)


# --- weights --------------------------------------------------------------------------------------------------


def built(**kwargs):
    layer = Linear(2, **kwargs)
    layer(Input((3,)))
    return layer


def test_weights_are_not_drawn_before_they_are_read():
    drawn = []

    class Counting(Layer):
        def build(self, input_shape):
            self.w = self.add_weight("w", (2,), initializer=lambda shape: K.random_uniform(shape))
            super().build(input_shape)

        def call(self, x):
            return x * self.w

    layer = Counting()
    layer(Input((2,)))
    state = layer.w.state
    initial, state._initial = state._initial, lambda: drawn.append(1) or initial()
    layer.set_weights([np.ones(2)])
    np.testing.assert_array_equal(layer.get_weights()[0], np.ones(2))
    assert drawn == []


def test_weight_arguments():
    class Many(Layer):
        def build(self, input_shape):
            self.a = self.add_weight("a", (2,), regularizer="l2", constraint="non_neg")
            self.b = self.add_weight("b", (), dtype="float64", initializer="ones", trainable=False)
            self.c = self.add_weight(name="c", shape=[np.int64(2), 3], initializer=lambda shape: np.full(shape, 7.0))
            self.d = self.add_weight((4,), initializer="zeros", name="d", trainable=False)  # as in Keras 1
            super().build(input_shape)

        def call(self, x):
            return x

    layer = Many()
    layer(Input((2,)))
    assert layer.trainable_weights == [layer.a, layer.c]
    assert layer.non_trainable_weights == [layer.b, layer.d]
    assert layer.weights == [layer.a, layer.c, layer.b, layer.d]
    assert [w.name for w in layer.weights] == ["many_1/a:0", "many_1/c:0", "many_1/b:0", "many_1/d:0"]
    assert [K.dtype(w) for w in layer.weights] == ["float32", "float32", "float64", "float32"]
    assert len(layer.losses) == 1
    assert layer.a.constraint is not None
    np.testing.assert_array_equal(K.get_value(layer.c), np.full((2, 3), 7.0))
    assert layer.count_params() == 2 + 1 + 6 + 4


def test_a_weight_needs_known_sizes():
    with pytest.raises(ValueError, match=r"Layer linear_1 cannot make its weight 'kernel' of shape \(None, 2\)"):
        Linear(2)(Input((None,)))


def test_trainable_moves_weights():
    layer = built()
    assert (len(layer.trainable_weights), len(layer.non_trainable_weights)) == (1, 0)
    layer.trainable = False
    assert (len(layer.trainable_weights), len(layer.non_trainable_weights)) == (0, 1)
    assert built(trainable=False).trainable_weights == []


def test_weights_can_be_assigned_as_in_keras_1():
    class Old(Layer):
        def build(self, input_shape):
            self.W = K.variable(np.ones((3, 2)), name="W")
            self.trainable_weights = [self.W]

        def call(self, x):
            return K.dot(x, self.W)

    layer = Old()
    layer(Input((3,)))
    assert layer.weights == [layer.W]
    assert layer.count_params() == 6


def test_set_weights_checks_before_it_changes():
    class Two(Layer):
        def build(self, input_shape):
            self.a = self.add_weight("a", (2,), initializer="zeros")
            self.b = self.add_weight("b", (3,), initializer="zeros")
            super().build(input_shape)

        def call(self, x):
            return x

    layer = Two()
    layer(Input((2,)))
    with pytest.raises(ValueError, match="weight list of length 1, but the layer was expecting 2 weights"):
        layer.set_weights([np.ones(2)])
    with pytest.raises(ValueError, match=r"shape \(3,\) not compatible with provided weight shape \(4,\).*two_1/b:0"):
        layer.set_weights([np.ones(2), np.ones(4)])
    np.testing.assert_array_equal(layer.get_weights()[0], np.zeros(2))
    layer.set_weights([[1, 2], [3, 4, 5]])
    np.testing.assert_array_equal(layer.get_weights()[1], [3, 4, 5])


def test_count_params_of_a_layer_that_is_not_built():
    with pytest.raises(RuntimeError, match="You tried to call `count_params` on linear_1, but the layer isn't built"):
        Linear(2).count_params()


def test_what_authors_of_layers_forget():
    class NoBase(Layer):
        def __init__(self, n):
            self.n = n

    class Fractions(Layer):
        def build(self, input_shape):
            self.w = self.add_weight(name="w", shape=(input_shape[-1], 2.5), initializer="ones")

    with pytest.raises(GraphError, match=r"NoBase.__init__ does not call super\(\).__init__\(\*\*kwargs\)"):
        NoBase(3)(Input((3,)))
    with pytest.raises(ShapeError, match=r"weight 'w' of shape \(3, 2.5\): every size .* a whole number and known"):
        Fractions()(Input((3,)))
