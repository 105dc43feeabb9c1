"""Functions in saved models: by name, by bytecode, and never run unasked."""

import json

import numpy as np
import pytest

from kcore import backend as K
from kcore.engine import Sequential
from kcore.errors import SavedModelError, UnsafeModelError
from kcore.layers import Lambda
from kcore.models import Model, clone_model, load_model, model_from_json
from kcore.saving import allow_bytecode, bytecode, func_dump, func_load, function_config, function_from_config


def double(x):
    return x * 2


@pytest.fixture
def forget():
    """As if another process had saved: nothing is remembered."""

    def forget():
        bytecode._saved_here.clear()

    yield forget
    forget()


@pytest.fixture
def saved(tmp_path, forget):
    path = tmp_path / "lambda.h5"
    Sequential([Lambda(lambda x: x * 3 + K.sum(x) * 0, input_shape=(2,), name="triple")]).save(path)
    forget()
    return path


ONES = np.ones((1, 2))


def test_bytecode_is_refused_with_all_ways_out(saved):
    with pytest.raises(UnsafeModelError) as caught:
        load_model(saved)
    message = str(caught.value)
    assert "'triple' holds its function as Python bytecode" in message
    assert "custom_objects={'triple': the_function}" in message
    assert "allow_bytecode('triple')" in message


def test_bytecode_is_run_where_it_is_allowed(saved):
    for names in ((), ("triple",), ("other", "triple")):
        with allow_bytecode(*names):
            np.testing.assert_array_equal(load_model(saved).predict(ONES), 3 * ONES)
    with allow_bytecode("other"), pytest.raises(UnsafeModelError):
        load_model(saved)
    with pytest.raises(UnsafeModelError):
        load_model(saved)


def test_a_function_given_for_the_layer_takes_its_place(saved):
    model = load_model(saved, custom_objects={"triple": lambda x: x * 5})
    np.testing.assert_array_equal(model.predict(ONES), 5 * ONES)


def test_the_process_that_saved_loads_again(tmp_path, forget):
    path = tmp_path / "own.h5"
    factor = 7
    Sequential([Lambda(lambda x, a=2: x * a * factor, input_shape=(2,))]).save(path)
    np.testing.assert_array_equal(load_model(path).predict(ONES), 14 * ONES)


def test_functions_of_equal_code_are_told_apart(forget):
    def times(factor):
        return Sequential([Lambda(lambda x: x * factor, input_shape=(2,))])

    two, three = times(2), times(3)
    texts = [two.to_json(), three.to_json()]
    for text, factor in zip(texts, (2, 3), strict=True):
        np.testing.assert_array_equal(model_from_json(text).predict(ONES), factor * ONES)
    array = np.array([4.0, 5.0])
    arrays = Sequential([Lambda(lambda x: x * array, input_shape=(2,))])
    np.testing.assert_array_equal(Sequential.from_config(arrays.get_config()).predict(ONES), [[4, 5]])
    with pytest.raises(UnsafeModelError):
        model_from_json(arrays.to_json())  # an array in a file is not known to be that array


def test_named_functions_are_saved_by_name(tmp_path, forget):
    path = tmp_path / "named.h5"
    model = Sequential([Lambda(double, input_shape=(2,), name="l")])
    config = model.get_config()[0]["config"]
    assert (config["function"], config["function_type"]) == ("double", "function")
    model.save(path)
    np.testing.assert_array_equal(load_model(path).predict(ONES), 2 * ONES)
    forget()
    with pytest.raises(SavedModelError, match=r"Unknown function in Lambda layer 'l': 'double'.*custom_objects"):
        load_model(path)
    np.testing.assert_array_equal(load_model(path, custom_objects={"double": double}).predict(ONES), 2 * ONES)


def test_nothing_is_looked_up_in_modules(forget):
    for name in ("eval", "os.system", "print", "numpy.load", "kcore.models.load_model"):
        with pytest.raises(SavedModelError, match="Unknown function"):
            function_from_config(name, "function", "l")


def test_dump_and_load():
    def inner(factor):
        return lambda x, y=3: x * factor + y

    function = inner(4)
    dumped = func_dump(function)
    assert isinstance(dumped[0], str)
    assert dumped[1:] == ((3,), (4,))
    assert func_load(dumped)(2) == 11
    assert func_load(json.loads(json.dumps(dumped)))(2) == 11
    assert func_load(*dumped)(1, y=0) == 4
    assert func_load(func_dump(lambda x: np.abs(K.floatx() and x)))(-2) == 2  # K and np are there


@pytest.mark.parametrize(
    "code", [None, 3, "", "no base64!", "AAAA", "4wAAAA==", ["6QMAAAA=", None, None], [], ["a"], {"code": 1}]
)
def test_damaged_bytecode(code, forget):
    with allow_bytecode(), pytest.raises(SavedModelError):
        function_from_config(code, "lambda", "l")


def test_unknown_kinds(forget):
    with pytest.raises(SavedModelError, match="Unknown type 'python'"):
        function_from_config("x", "python", "l")


def test_wrapped_bytecode_of_later_versions(forget):
    code, defaults, closure = func_dump(lambda x: x + 1)
    wrapped = {"class_name": "__lambda__", "config": {"code": code, "defaults": defaults, "closure": closure}}
    for value in ({"code": code, "defaults": None, "closure": None}, wrapped):
        with pytest.raises(UnsafeModelError):
            function_from_config(value, "lambda", "l")
        with allow_bytecode():
            assert function_from_config(value, "lambda", "l")(1) == 2


def test_what_is_remembered_is_bounded(forget, monkeypatch):
    monkeypatch.setattr(bytecode, "_MOST_REMEMBERED", 10)
    for i in range(50):
        function_config(eval(f"lambda x: x + {i}"))
    assert len(bytecode._saved_here) == 10


def test_functions_that_found_modules_and_arrays_around_them(tmp_path, forget):
    """`from keras import backend as K` inside the function that makes the model."""
    import kcore.backend as module

    table = np.arange(3.0)
    model = Sequential([Lambda(lambda x: module.square(x) + table, input_shape=(3,), name="own")])
    outer = Model(model.inputs, model.outputs)
    x = np.ones((2, 3))
    for twin in (clone_model(outer), Model.from_config(outer.get_config())):
        np.testing.assert_array_equal(twin.predict(x), outer.predict(x))
    outer.save(tmp_path / "own.h5")
    forget()
    with pytest.raises(UnsafeModelError):
        load_model(tmp_path / "own.h5")
    with allow_bytecode("own"):
        np.testing.assert_array_equal(load_model(tmp_path / "own.h5").predict(x), [[1, 2, 3]] * 2)
        text = outer.to_json().replace("kcore.backend", "kcore.no_such")
        with pytest.raises(SavedModelError, match="no_such"):
            model_from_json(text)


def test_the_same_process_finds_a_function_that_uses_a_module():
    import kcore.backend as module

    model = Sequential([Lambda(lambda x: module.square(x), input_shape=(3,))])
    np.testing.assert_array_equal(model_from_json(model.to_json()).predict(2 * np.ones((1, 3))), [[4, 4, 4]])
