"""`Function`: signatures, updates, ownership, threads, memory, messages."""

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kcore.ops  # noqa: F401 - registers the operations
from kcore.backend import function
from kcore.errors import DTypeError, ExecutionError, GraphError, ShapeError
from kcore.graph import apply, constant, placeholder, register
from kcore.graph.op import Op
from kcore.ops.control import learning_phase, select
from kcore.runtime.function import MAX_PLANS
from kcore.runtime.variable import Variable


def variable(value, name="v", **kwargs):
    array = np.asarray(value, dtype="float32")
    return Variable(array.shape, "float32", lambda: array, name, **kwargs)


def total(x):
    return apply("sum", x, axes=tuple(range(x.ndim)), keepdims=False)


def test_outputs_belong_to_the_caller():
    x = placeholder((None, 2), "float32", "x")
    f = function([x], [x + 1.0, x])
    first = f([np.zeros((2, 2), "float32")])
    f([np.ones((2, 2), "float32")])
    np.testing.assert_array_equal(first[0], np.ones((2, 2)))
    np.testing.assert_array_equal(first[1], np.zeros((2, 2)))


def test_updates_read_the_values_before_the_call():
    a, b = variable([1.0, 2.0], "a"), variable([10.0, 20.0], "b")
    swap = function([], [a + b], updates=[(a, b), (b, a)])
    np.testing.assert_array_equal(swap([])[0], [11, 22])
    np.testing.assert_array_equal(a.get(), [10, 20])
    np.testing.assert_array_equal(b.get(), [1, 2])


def test_an_output_shows_the_variable_before_its_update():
    v = variable([1.0, 2.0])
    f = function([], [v, v * 2.0], updates=[(v, v + 1.0)])
    old, doubled = f([])
    np.testing.assert_array_equal(old, [1, 2])
    np.testing.assert_array_equal(doubled, [2, 4])
    np.testing.assert_array_equal(v.get(), [2, 3])


def test_outputs_that_show_variables_are_read_before_these_are_swapped():
    a, b = variable([1.0, 2.0], "a"), variable([10.0, 20.0], "b")
    swap = function([], [a, apply("reshape", b, shape=(2, 1))], updates=[(a, b), (b, a)])
    for first, second in (([1, 2], [10, 20]), ([10, 20], [1, 2])):
        x, y = swap([])
        np.testing.assert_array_equal(x, first)
        np.testing.assert_array_equal(y[:, 0], second)


def test_new_values_are_written_straight_into_the_variable():
    v = variable(np.zeros(1 << 15))
    f = function([], [], updates=[(v, v * 0.5 + 1.0)])
    f([])
    assert "copy" not in f.show()
    assert "in variable" in f.show()
    np.testing.assert_array_equal(v.get(), np.ones(1 << 15))


def test_variables_are_drawn_when_first_read():
    calls = []

    def initial():
        calls.append(1)
        return np.zeros(3)

    v = Variable((3,), "float32", initial, "v")
    v.set(np.ones(3))
    assert not calls, "a value given from outside makes the initial one unnecessary"
    np.testing.assert_array_equal(v.get(), [1, 1, 1])
    with pytest.raises(ShapeError, match=r"'v' has shape \(3,\)"):
        v.set(np.ones(4))


def test_intermediate_tensors_can_be_given():
    x = placeholder((None,), "float32", "x")
    middle = x * 2.0
    f = function([middle], [middle + 1.0])
    np.testing.assert_array_equal(f([np.array([1.0, 2.0])])[0], [2, 3])


def test_the_learning_phase_is_part_of_the_signature():
    x = placeholder((None,), "float32", "x")
    y = select(learning_phase(), x * 2.0, x)
    f = function([x, learning_phase()], [y])
    one = np.ones(3, "float32")
    np.testing.assert_array_equal(f([one, 0])[0], one)
    np.testing.assert_array_equal(f([one, 1])[0], 2 * one)
    np.testing.assert_array_equal(function([x], [y])([one])[0], one)
    assert "0 instructions" in f.show().splitlines()[0] or "1 instructions" in f.show().splitlines()[0]


def test_wrong_arguments_are_named():
    x, y = placeholder((None, 3), "float32", "pixels"), placeholder((None,), "int32", "labels")
    f = function([x, y], [x, y], name="step")
    with pytest.raises(ShapeError, match=r"step takes 2 inputs \(pixels, labels\), got 1"):
        f([np.zeros((1, 3))])
    with pytest.raises(ShapeError, match=r"'pixels' of step expects shape \(None, 3\), got an array of shape \(2, 4\)"):
        f([np.zeros((2, 4)), [1, 2]])
    with pytest.raises(ShapeError, match="'labels'"):
        f([np.zeros((2, 3)), [[1, 2]]])
    with pytest.raises(DTypeError, match="'labels'"):
        f([np.zeros((2, 3)), ["a", "b"]])
    with pytest.raises(DTypeError, match="expects an array"):
        f([x, [1]])


def test_a_missing_placeholder_is_named():
    x, y = placeholder((None, 3), "float32", "x"), placeholder((None, 3), "float32", "forgotten")
    with pytest.raises(GraphError, match="'forgotten'"):
        function([x], [x + y])([np.zeros((1, 3))])


def test_shapes_that_clash_only_when_known_name_the_line():
    x, y = placeholder((None, 3), "float32", "x"), placeholder((None, 3), "float32", "y")
    f = function([x, y], [x + y])
    with pytest.raises(ShapeError) as caught:
        f([np.zeros((2, 3)), np.zeros((4, 3))])
    assert "made at" in str(caught.value)
    assert __file__ in str(caught.value)


def test_what_fails_while_running_shows_op_shapes_and_line():
    @register
    class Breaks(Op):
        name = "breaks_in_test"

        def infer(self, x):
            return x

        def kernel(self, xp, out, x):
            raise MemoryError("no more")

    x = placeholder((None, 3), "float32", "x")
    f = function([x], [apply("breaks_in_test", x)])
    with pytest.raises(ExecutionError) as caught:
        f([np.zeros((2, 3))])
    message = str(caught.value)
    assert "MemoryError: no more" in message
    assert "breaks_in_test(float32(2, 3))" in message
    assert __file__ in message
    assert isinstance(caught.value.cause, MemoryError)


def test_arguments_that_are_no_tensors():
    with pytest.raises(GraphError, match="should be a tensor"):
        function([3.0], [])
    with pytest.raises(GraphError, match="pair"):
        function([], [], updates=[constant(1.0)])
    v = variable([1.0, 2.0])
    with pytest.raises(ShapeError, match="'v'"):
        function([], [], updates=[(v, constant([1.0, 2.0, 3.0]))])


def test_the_number_of_plans_is_bounded():
    x = placeholder((None, 8), "float32", "x")
    f = function([x], [x * 2.0])
    for n in range(1, 3 * MAX_PLANS):
        f([np.zeros((n, 8), "float32")])
    assert len(f._plans) == MAX_PLANS
    np.testing.assert_array_equal(f([np.ones((1, 8))])[0], 2 * np.ones((1, 8)))


def test_threads_share_a_function():
    x = placeholder((None, 32), "float32", "x")
    w = variable(np.random.RandomState(0).rand(32, 32))
    f = function([x], [apply("tanh", apply("matmul", apply("tanh", apply("matmul", x, w) * 0.1), w) * 0.1)])
    inputs = [np.random.RandomState(i).rand(8, 32).astype("float32") for i in range(20)]
    expected = [f([a])[0] for a in inputs]
    wrong = []

    def work(i):
        for _ in range(30):
            if not np.array_equal(f([inputs[i]])[0], expected[i]):
                wrong.append(i)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(20)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


def test_print_shows_the_value_and_passes_it_on(capsys):
    x = placeholder((None,), "float32", "x")
    f = function([x], [apply("print", x, message="x is ") * 2.0])
    np.testing.assert_array_equal(f([[1.0, 2.0]])[0], [2, 4])
    assert "x is [1. 2.]" in capsys.readouterr().err


def test_the_plan_can_be_read():
    x = placeholder((None, 3), "float32", "x")
    f = function([x], [apply("exp", x)])
    assert "not compiled yet" in f.show()
    f([np.zeros((2, 3))])
    text = f.show()
    assert "exp(float32(2, 3))" in text
    assert "apply(" in text, "the line of the program"
    assert "total:" in text


# -- the compiler against plain evaluation ------------------------------------------------------------------

UNARY = ("exp", "tanh", "negative", "square", "abs")
BINARY = ("add", "subtract", "multiply", "maximum")
NUMPY = {name: getattr(np, name) for name in (*UNARY, *BINARY)}


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_random_graphs_compute_what_numpy_computes(data):
    """Fusion, register reuse, memory in place and updates, over graphs drawn at random."""
    shape = data.draw(st.sampled_from([(3, 4), (130, 150), (1, 20000), (20000, 1)]))
    small = data.draw(st.sampled_from([shape, (1, shape[1]), (shape[0], 1), (shape[1],), ()]))
    rng = np.random.RandomState(0)
    arrays = [rng.uniform(-1, 1, s).astype("float32") for s in (shape, small)]
    state = rng.uniform(-1, 1, shape).astype("float32")
    v = Variable(shape, "float32", lambda: state, "v")
    tensors = [placeholder(s, "float32", "x") for s in (shape, small)] + [v]
    values = [*arrays, state]
    inputs = tensors[:2]
    for _ in range(data.draw(st.integers(1, 12))):
        i, j = data.draw(st.integers(0, len(tensors) - 1)), data.draw(st.integers(0, len(tensors) - 1))
        if data.draw(st.booleans()):
            name = data.draw(st.sampled_from(UNARY))
            tensors.append(apply(name, apply("tanh", tensors[i])))
            values.append(NUMPY[name](np.tanh(values[i])))
        else:
            name = data.draw(st.sampled_from(BINARY))
            tensors.append(apply(name, tensors[i], tensors[j]))
            values.append(NUMPY[name](values[i], values[j]))
    picked = data.draw(st.lists(st.integers(0, len(tensors) - 1), min_size=1, max_size=3))
    full = [k for k, t in enumerate(tensors) if t.shape == shape]
    new = data.draw(st.sampled_from(full))
    f = function(inputs, [tensors[k] for k in picked], updates=[(v, tensors[new])])
    for result, k in zip(f(arrays), picked, strict=True):
        np.testing.assert_allclose(result, values[k], rtol=2e-5, atol=2e-5)
    np.testing.assert_allclose(v.get(), values[new], rtol=2e-5, atol=2e-5)
