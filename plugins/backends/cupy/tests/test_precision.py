"""TF32 is a choice: kcore's setting, CuPy's where kcore's says nothing, and off by default."""

from __future__ import annotations

import os

import pytest

from kcore import config
from kcore_backends_cupy.precision import tell_cupy, tf32_allowed


@pytest.fixture
def choose(monkeypatch, tmp_path):
    monkeypatch.setenv("KCORE_HOME", str(tmp_path))

    def chosen(kcore=None, cupy=None):
        for name, value in (("KCORE_TF32", kcore), ("CUPY_TF32", cupy)):
            monkeypatch.setenv(name, "")  # so that what the test leaves is undone
            monkeypatch.delenv(name)
            if value is not None:
                monkeypatch.setenv(name, value)
        config.reload()
        return tf32_allowed()

    yield chosen
    monkeypatch.undo()
    config.reload()


@pytest.mark.parametrize(
    ("kcore", "cupy", "allowed"),
    [
        (None, None, False),
        ("1", None, True),
        ("0", "1", False),
        (None, "1", True),
        (None, "0", False),
        ("1", "0", True),
    ],
)
def test_who_decides(choose, kcore, cupy, allowed):
    assert choose(kcore, cupy) is allowed
    tell_cupy()
    assert os.environ["CUPY_TF32"] == ("1" if allowed else "0")


def test_the_file_decides(choose, tmp_path):
    (tmp_path / "kcore.json").write_text('{"tf32": true}')
    assert choose()
