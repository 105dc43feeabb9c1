"""`import kcore` must cost next to nothing."""

from __future__ import annotations

import statistics
import subprocess
import sys

MEASURE = """
import numpy, h5py, time
start = time.perf_counter()
import kcore
print(time.perf_counter() - start)
"""


def test_import_kcore_adds_at_most_150_ms_to_numpy_and_h5py():
    times = []
    for _ in range(3):
        result = subprocess.run([sys.executable, "-c", MEASURE], capture_output=True, text=True, check=True)
        times.append(float(result.stdout))
    assert statistics.median(times) < 0.150
