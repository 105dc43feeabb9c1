"""Programs that are hurt while they train: what runs in them, and how they are run."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))


@pytest.fixture
def run_program(tmp_path) -> Callable[..., str]:
    """Runs Python source in a process of its own, in an empty folder; gives what it prints, once it ended well.

    The source can import `victim`. The process starts with Python's own answer to Ctrl-C, also where the tests run
    as a shell's background job, which ignores it.
    """

    def run(source: str, *arguments: str, timeout: float = 240) -> str:
        start = "import signal, sys\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
        start += f"sys.path.insert(0, {HERE!r})\n"
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", start + source, *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return done.stdout

    return run
