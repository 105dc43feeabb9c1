"""A program that seeds as the manual says (section 3.3.20) gives the same numbers, to the bit, in every process."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PROGRAM = """
import os, random
import numpy as np
np.random.seed(42)
random.seed(12345)
from kcore.layers import *
from kcore.models import Model
from kcore.runtime import blas

image, words = Input((40, 40, 3)), Input((12,))
x = Conv2D(24, 3, padding="same")(image)
x = BatchNormalization()(x)
x = Activation("relu")(x)
x = SeparableConv2D(32, 3)(x)
x = MaxPooling2D(2)(x)
x = GlobalAveragePooling2D()(Dropout(0.3)(x))
y = LSTM(48, dropout=0.2, recurrent_dropout=0.2)(GaussianNoise(0.1)(Embedding(500, 64)(words)))
z = Dense(256, activation="relu", kernel_regularizer="l2")(concatenate([x, y]))
model = Model([image, words], Dense(5, activation="softmax")(z))
model.compile("adam", "categorical_crossentropy")
data = [np.random.rand(72, 40, 40, 3), np.random.randint(0, 500, (72, 12))]
history = model.fit(data, np.eye(5)[np.random.randint(0, 5, 72)], batch_size=24, epochs=2, verbose=0)
print(repr(history.history["loss"]))
print(*(w.tobytes().hex() for w in model.get_weights()))
if os.environ.get("KCORE_THREADS"):
    assert blas.get_threads() in (None, int(os.environ["KCORE_THREADS"])), blas.get_threads()
"""


def run(cores: set[int] | None = None, **environment: str) -> str:
    limit = f"import os; os.sched_setaffinity(0, {cores})\n" if cores else ""
    done = subprocess.run(
        [sys.executable, "-c", limit + PROGRAM], capture_output=True, text=True, env={**os.environ, **environment}
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("environment", [{}, {"KCORE_THREADS": "3"}, {"PYTHONHASHSEED": "0"}])
def test_two_processes_give_the_same_bits(environment):
    first = run(**environment)
    assert first.count("\n") == 2 and len(first) > 10_000
    assert run(**environment) == first


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system cannot limit the cores of a process")
def test_one_thread_gives_the_same_bits_on_any_number_of_cores():
    cores = os.sched_getaffinity(0)
    assert run(KCORE_THREADS="1") == run({min(cores)}, KCORE_THREADS="1")
