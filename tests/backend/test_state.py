"""Settings, counters, learning phase."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from kcore import backend as K


def test_epsilon() -> None:
    assert K.epsilon() == 1e-7
    K.set_epsilon(1e-5)
    assert K.epsilon() == 1e-5
    with pytest.raises(ValueError, match="above 0"):
        K.set_epsilon(-1)


def test_floatx() -> None:
    assert K.floatx() == "float32"
    K.set_floatx("float16")
    assert K.floatx() == "float16"
    assert K.dtype(K.placeholder((1,))) == "float16"
    assert K.dtype(K.variable([1.0])) == "float16"
    assert K.dtype(K.one_hot(K.constant([1], dtype="int32"), 3)) == "float32"  # as in Keras on TensorFlow
    with pytest.raises(ValueError, match="int32"):
        K.set_floatx("int32")


def test_cast_to_floatx() -> None:
    array = np.array([1.0, 2.0])
    assert K.cast_to_floatx(array).dtype == "float32"
    assert K.cast_to_floatx([1, 2]).dtype == "float32"


def test_image_data_format() -> None:
    assert K.image_data_format() == "channels_last"
    K.set_image_data_format("channels_first")
    assert K.image_data_format() == "channels_first"
    assert K.normalize_data_format(None) == "channels_first"
    with pytest.raises(ValueError, match="channels_last"):
        K.set_image_data_format("rows_first")


@pytest.mark.numpy_only
def test_backend() -> None:
    assert K.backend() == "numpy"


def test_uids() -> None:
    assert [K.get_uid("dense"), K.get_uid("dense"), K.get_uid("lstm"), K.get_uid()] == [1, 2, 1, 1]
    K.reset_uids()
    assert K.get_uid("dense") == 1
    K.clear_session()
    assert K.get_uid("dense") == 1


def test_uids_of_threads_are_distinct() -> None:
    numbers: list[int] = []
    threads = [threading.Thread(target=lambda: numbers.extend(K.get_uid("t") for _ in range(200))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(numbers) == list(range(1, 801))


def test_learning_phase_is_a_tensor_until_it_is_set() -> None:
    phase = K.learning_phase()
    assert K.is_tensor(phase)
    assert K.int_shape(phase) == ()
    K.set_learning_phase(1)
    assert K.learning_phase() == 1
    K.clear_session()
    assert K.is_tensor(K.learning_phase())
    with pytest.raises(ValueError, match="0 or 1"):
        K.set_learning_phase(2)


def test_manual_variable_initialization_changes_nothing_about_values() -> None:
    K.manual_variable_initialization(True)
    assert K.get_value(K.variable([3.0])) == 3
    K.manual_variable_initialization(False)


def test_name_scope_is_a_context() -> None:
    with K.name_scope("outer"):
        assert K.get_value(K.variable([1.0])) == 1
