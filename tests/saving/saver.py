"""Saves one of two models to a file, again and again, until it is killed: for `test_kill.py`.

For each line of its input a forked child starts to save, and its process id is printed: a fork takes milliseconds, and
the start of Python does not.
"""

import os
import sys

import numpy as np

from kcore.layers import Dense
from kcore.models import Sequential


def model_of(value):
    model = Sequential([Dense(40, input_shape=(30,), name="first"), Dense(20, name="second")])
    model.compile("adam", "mse")
    model._make_train_function()
    model.set_weights([np.full(w.shape, value, "float32") for w in model.get_weights()])
    return model


def save_for_ever(models, path):
    while True:
        for model in models:
            model.save(path)


if __name__ == "__main__":
    models = [model_of(1.0), model_of(2.0)]
    models[0].save(sys.argv[1])
    for _ in sys.stdin:
        child = os.fork()
        if child == 0:
            save_for_ever(models, sys.argv[1])
        print(child, flush=True)
        os.waitpid(child, 0)
