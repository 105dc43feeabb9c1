"""`kill -9` in the middle of saving leaves the old file or the new one, whole."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from kcore.models import load_model

PROGRAM = Path(__file__).with_name("saver.py")
KILLS = 200


def test_a_file_is_whole_whenever_saving_is_killed(tmp_path):
    moments = random.Random(4)
    path = tmp_path / "model.h5"
    command = [sys.executable, "-W", "ignore", PROGRAM, path]
    found, unfinished = set(), 0
    longest = 0.04  # seconds; grows until a kill comes after the first save, however slow the machine
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        for _ in range(KILLS):
            parent.stdin.write("\n")
            parent.stdin.flush()
            child = int(parent.stdout.readline())
            time.sleep(moments.uniform(0.001, longest))
            os.kill(child, signal.SIGKILL)
            copy = tmp_path / "copy.h5"
            shutil.copy(path, copy)
            model = load_model(copy)
            values = {float(value) for w in model.get_weights() for value in np.unique(w)}
            assert values in ({1.0}, {2.0}), f"a mixture: {values}"
            assert len(model.optimizer.get_weights()) == 13
            found |= values
            left = [p for p in tmp_path.iterdir() if p not in (path, copy)]
            unfinished += bool(left)
            if 2.0 not in found:
                longest = min(longest * 1.1, 2)
            for rest in left:
                rest.unlink()
        parent.stdin.close()
    assert found == {1.0, 2.0}
    assert unfinished > KILLS // 10, "hardly any kill came in the middle of saving"
