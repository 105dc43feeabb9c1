"""The facade as a whole: every public function is exercised by a test, and importing it is cheap."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

from kcore import backend as K

ROOT = Path(__file__).resolve().parents[2]


def test_every_function_is_called_by_a_test() -> None:
    texts = [
        p.read_text(encoding="utf-8") for folder in ("tests", "plugins") for p in (ROOT / folder).rglob("test_*.py")
    ]
    used = set(re.findall(r"\bK\.(\w+)", "\n".join(texts)))
    elsewhere = ("kcore.backend.conv", "kcore.backend.ctc")  # tested with their operations
    public = {n: getattr(K, n) for n in dir(K) if not n.startswith("_")}
    functions = {n for n, f in public.items() if inspect.isfunction(f) and f.__module__ not in elsewhere}
    assert not sorted(functions - used)


def test_every_function_has_a_docstring() -> None:
    functions = [getattr(K, n) for n in dir(K) if not n.startswith("_") and inspect.isfunction(getattr(K, n))]
    assert not [f.__name__ for f in functions if not f.__doc__]


def test_unknown_names_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match="no_such_function"):
        K.no_such_function  # noqa: B018


def test_functions_of_later_modules_are_listed() -> None:
    assert {"conv2d", "ctc_batch_cost", "relu"} <= set(dir(K))


def test_import_leaves_convolution_and_ctc_for_later() -> None:
    code = (
        "import sys; from kcore import backend as K; "
        "print([m for m in ('kcore.backend.conv', 'kcore.backend.ctc', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
