"""Nodes, handles, constants, indices and symbolic shapes."""

import gc
import weakref

import numpy as np
import pytest

from kcore import ops as O
from kcore.errors import DTypeError, GraphError, ShapeError
from kcore.grad import gradients
from kcore.graph import (
    Op,
    Spec,
    apply,
    constant,
    constant_value,
    dim_of,
    encode_shape,
    nodes_of,
    placeholder,
    register,
    shape_of,
    static_int,
    static_value,
)


def test_equal_pure_nodes_are_one_node():
    x = placeholder((None, 3), "float32", "x")
    a, b = x + 1.0, x + 1.0
    assert a.node is b.node
    assert a is not b, "handles are not unique: layers attach their history to them"
    assert (x + 2.0).node is not a.node


def test_handles_carry_their_own_attributes():
    x = placeholder((None, 3), "float32", "x")
    a, b = (x * 2.0), (x * 2.0).handle()
    a._keras_shape = (5, 3)
    assert a.get_shape() == (5, 3)
    assert b.get_shape() == (None, 3)
    assert a.key == b.key


def test_unused_graph_is_freed():
    x = placeholder((4,), "float32", "x")
    node = weakref.ref(apply("exp", x * 3.25).node)
    gc.collect()
    assert node() is None


def test_nodes_remember_the_users_line():
    x = placeholder((4,), "float32", "x")
    y = x * 7.5
    assert y.node.origin.filename == __file__
    assert "x * 7.5" in str(y.node.origin)


def test_nodes_of_gradients_show_the_line_of_the_operation():
    x = placeholder((4,), "float32", "x")
    y = apply("exp", x * 7.5)  # this line
    (g,) = gradients(y, [x])
    assert g.node.origin.lineno in (y.node.origin.lineno, y.node.origin.lineno + 1)
    assert all("this line" in str(n.origin) for n in nodes_of([g]) if n.op.name == "multiply" and n is not y.node)


def test_python_numbers_never_widen():
    x = placeholder((4,), "float32", "x")
    assert (x + 1).dtype == (2.5 * x).dtype == (x - True).dtype == "float32"
    i = placeholder((4,), "int32", "i")
    assert (i + 1).dtype == "int32"
    assert (i * 2.5).dtype == "float32"
    assert (i + x).dtype == "float32"
    half = placeholder((4,), "float16", "h")
    assert (half * 0.1).dtype == "float16"


def test_arrays_and_numpy_numbers_never_widen_tensors():
    """NumPy makes float64 of nearly everything; `scores / np.sqrt(d)` and `image - np.array(means)` stay float32."""
    x = placeholder((4, 3), "float32", "x")
    double = np.array([1.0, 2.0, 3.0])
    for y in (x / np.sqrt(8), np.float64(2) ** x, x - double, double * x, np.maximum.reduce(double) + x):
        assert y.dtype == "float32"
    assert (placeholder((3,), "float16", "h") * double).dtype == "float16"
    assert (placeholder((3,), "float64", "d") * double.astype("float32")).dtype == "float64"
    assert (x + np.arange(3)).dtype == "float32"

    i = placeholder((3,), "int32", "i")
    assert (i + np.arange(3)).dtype == (np.int64(7) - i).dtype == "int32"
    assert (i + np.array([0, 2**31, 1])).dtype == "int64", "nothing is lost"
    assert (i * double).dtype == "float32", "as beside Python's floats: floatx"
    assert (i > np.bool_(True)).dtype == "bool"


@pytest.mark.parametrize("first", [True, False])
def test_functions_of_several_operands_keep_the_dtype_of_the_tensors(first):
    x = placeholder((2, 3), "float32", "x")
    a = np.arange(6.0).reshape(2, 3)
    x, y = (x, a) if first else (a, x)
    made = [
        O.maximum(x, y),
        O.where(np.array([True, False, True]), x, y),
        O.matmul(x, y.T if first else O.transpose(y, (1, 0))),
        O.batch_dot(x, y, 1),
        O.concat([x, y]),
        O.stack([x, y]),
        O.binary_crossentropy(x, y),
        O.categorical_crossentropy(x, y),
    ]
    assert {t.dtype for t in made} == {"float32"}


def test_constants_compare_by_content():
    assert constant([1.0, 2.0]).node is constant([1.0, 2.0]).node
    assert constant([1.0, 2.0]).node is not constant([1.0, 2.0], dtype="float64").node
    array = np.arange(3.0)
    kept = constant(array)
    array[0] = 9
    np.testing.assert_array_equal(constant_value(kept), [0, 1, 2])


def test_constants_of_no_numbers_are_refused():
    with pytest.raises(DTypeError, match="expected a number"):
        constant("hello")
    with pytest.raises(DTypeError):
        constant([[1, 2], [3]])


def test_symbolic_tensors_have_no_truth_value_nor_array():
    x = placeholder((None, 3), "float32", "x")
    with pytest.raises(GraphError, match=r"K\.switch"):
        bool(x > 0.0)
    with pytest.raises(GraphError, match=r"K\.eval"):
        np.asarray(x)
    with pytest.raises(GraphError, match="unknown"):
        iter(x)


@pytest.mark.parametrize(
    "item", [0, -1, slice(1, 3), (slice(None), 2), (..., 1), (None, 0), (slice(None, None, -1), slice(0, 9, 2))]
)
def test_indexing_infers_what_numpy_gives(item):
    array = np.zeros((4, 5))
    assert placeholder((4, 5), "float64", "x")[item].shape == array[item].shape


def test_indexing_refuses_what_cannot_be():
    x = placeholder((4, 5), "float32", "x")
    with pytest.raises(ShapeError, match="too many"):
        x[0, 0, 0]
    with pytest.raises(ShapeError, match="out of range"):
        x[4]
    with pytest.raises(ShapeError, match="step"):
        x[::0]
    with pytest.raises(ShapeError, match="cannot index"):
        x[1.5, 0]


def test_full_slices_are_no_operation():
    x = placeholder((4, 5), "float32", "x")
    assert x[:].node is x.node
    assert x[:, :].node is x.node


def test_shapes_of_tensors():
    x = placeholder((None, 7, 3), "float32", "x")
    assert static_value(shape_of(x)) == (None, 7, 3)
    assert static_int(shape_of(x)[1]) == 7
    assert static_int(shape_of(x)[0]) is None
    assert dim_of(x, 1) == 7
    assert static_int(shape_of(x)[1] * shape_of(x)[2] + 1) == 22
    dims, extra = encode_shape((shape_of(x)[0], shape_of(x)[1], 4, -1))
    assert dims == (-2, 7, 4, -1)
    assert [t.shape for t in extra] == [()]


def test_shapes_that_are_none():
    with pytest.raises(ShapeError):
        encode_shape((2, "three"))
    with pytest.raises(ShapeError, match="cannot be -5"):
        encode_shape((2, -5))


def test_walks_are_not_recursive():
    x = placeholder((2,), "float32", "x")
    y = x
    for _ in range(5000):
        y = y + 1.5
    assert len(nodes_of([y])) == 5002


def test_operation_names_are_taken_once():
    class Fake(Op):
        name = "add"

    with pytest.raises(GraphError, match="taken"):
        register(Fake)


def test_attributes_must_be_hashable():
    x = placeholder((2,), "float32", "x")
    with pytest.raises(GraphError, match="hashable"):
        apply("transpose", x, perm=[0])


def test_specs_print_what_a_reader_needs():
    assert str(Spec((None, 3), "float32")) == "float32(?, 3)"
