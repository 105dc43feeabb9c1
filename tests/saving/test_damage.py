"""Damaged and hostile files, each loaded in a child process with little memory and little time.

Each ends in an error of kcore's, or in a right model; nothing is run, half loaded, or written elsewhere
(`damage.py` makes the cases and says what is checked of each).
"""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from kcore.layers import BatchNormalization, Dense, Input, add
from kcore.models import Model

PROGRAM = Path(__file__).with_name("damage.py")
SECONDS_FOR_ONE = 20  # on a busy machine; they take milliseconds


def run_cases(seed, folder, start, stop):
    """Every case's number, kind, outcome and seconds; a child that hangs or dies is replaced after that case."""
    results = []
    while start < stop:
        lines: queue.Queue = queue.Queue()
        command = [sys.executable, PROGRAM, seed, folder, str(start), str(stop)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            reader = threading.Thread(target=lambda out=child.stdout, into=lines: [*map(into.put, out), into.put(None)])
            reader.start()
            begun = None
            while True:
                try:
                    line = lines.get(timeout=SECONDS_FOR_ONE)
                except queue.Empty:
                    if begun is None:  # Python is still starting
                        continue
                    child.kill()
                    results.append([begun[0], begun[1], "FAILED: hangs", SECONDS_FOR_ONE])
                    break
                if line is None:
                    if begun is not None:
                        results.append([begun[0], begun[1], f"FAILED: died ({child.wait()})", 0])
                    break
                record = json.loads(line)
                begun = record if record[2] == "begun" else None
                if begun is None:
                    results.append(record)
            reader.join()
        start = results[-1][0] + 1
    return results


def small_model():
    x = Input((3,))
    shared = Dense(3, activation="tanh")
    model = Model(x, Dense(1)(add([shared(shared(x)), BatchNormalization()(x)])))
    model.compile("adam", "mse", metrics=["mae"])
    model.train_on_batch(np.ones((2, 3)), np.ones((2, 1)))
    return model


def check(model, folder, start, stop):
    """Run cases; return the kinds of damage and the outcomes, counted."""
    seed = folder / "seed.h5"
    model.save(str(seed))
    results = run_cases(seed, folder, start, stop)
    assert [number for number, *_ in results] == list(range(start, stop))
    assert [result for result in results if result[2].startswith("FAILED")] == []
    made = [result for result in results if result[1] != "none"]
    assert len(made) > 0.95 * len(results)
    assert [path.name for path in folder.iterdir()] == ["seed.h5"], "something was written"
    return Counter(what for _, what, *_ in made), Counter(outcome for _, _, outcome, _ in made)


@pytest.mark.slow
@pytest.mark.parametrize("start", range(0, 2000, 400))
def test_damaged_and_hostile_files(tmp_path, start):
    """More, and of other models: `python damage.py SEED_FILE FOLDER START STOP`."""
    kinds, outcomes = check(small_model(), tmp_path, start, start + 400)
    assert len(kinds) > 15
    assert outcomes["right+right"] > 10 and len(outcomes) > 4  # not everything is refused
