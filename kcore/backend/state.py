"""What holds for the whole program: default dtype, fuzz factor, image layout, learning phase, counters, backend."""

from __future__ import annotations

import threading
from collections import defaultdict
from typing import Any

from kcore import config
from kcore.config import (
    epsilon,
    floatx,
    image_data_format,
    set_floatx,
    set_image_data_format,
)
from kcore.errors import ArgumentError
from kcore.graph import Tensor
from kcore.ops import control
from kcore.shapes import normalize_data_format

__all__ = [
    "backend",
    "cast_to_floatx",
    "clear_session",
    "epsilon",
    "floatx",
    "get_uid",
    "image_data_format",
    "learning_phase",
    "manual_variable_initialization",
    "normalize_data_format",
    "reset_uids",
    "set_epsilon",
    "set_floatx",
    "set_image_data_format",
    "set_learning_phase",
]

_lock = threading.Lock()
_uids: defaultdict[str, int] = defaultdict(int)
_learning_phase: int | None = None


def backend() -> str:
    """The name of the device that computes: "numpy", "cupy", ..."""
    from kcore.runtime.devices import current_device

    return current_device().name


def cast_to_floatx(x: Any) -> Any:
    """A NumPy array (or nested sequence) converted to the default float dtype, as a new array."""
    import numpy as np

    return np.array(x, dtype=config.floatx())


def set_epsilon(e: float) -> None:
    """Set the fuzz factor that `epsilon` returns.

    Args:
        e: a number above 0 and below 1.
    """
    config.set_epsilon(e)


# -- counters ---------------------------------------------------------------------------------------------


def get_uid(prefix: str = "") -> int:
    """The next number (from 1) for `prefix`: automatic names such as ``dense_1`` come from here."""
    with _lock:
        _uids[prefix] += 1
        return _uids[prefix]


def reset_uids() -> None:
    """Let all numbers of `get_uid` start at 1 again."""
    with _lock:
        _uids.clear()


def clear_session() -> None:
    """Forget the counters and the fixed learning phase, as at the start of the program.

    Graphs need no clearing: what nobody refers to disappears by itself.
    """
    global _learning_phase
    reset_uids()
    _learning_phase = None


def manual_variable_initialization(value: bool) -> None:
    """Kept for scripts that call it: variables take their initial value when they are first read, in any case.

    Args:
        value: a Python bool.
    """


# -- learning phase ---------------------------------------------------------------------------------------


def learning_phase() -> Tensor | int:
    """The learning phase, 0 (test) or 1 (training).

    Returns:
        the int that `set_learning_phase` fixed; otherwise a bool scalar tensor, which can be among the inputs of a
        `function` and is false where it is not given.
    """
    return control.learning_phase() if _learning_phase is None else _learning_phase


def set_learning_phase(value: int) -> None:
    """Fix the learning phase for what is built from now on.

    Args:
        value: 0 or 1.

    Raises:
        ValueError: it is neither.
    """
    global _learning_phase
    if value not in (0, 1):
        raise ArgumentError(f"Expected learning phase to be 0 or 1, got {value!r}")
    _learning_phase = int(value)
