"""A training run that can be interrupted: for `test_resume.py`, which runs it as a program.

    python resume.py batches|epochs FILE START STOP

prints the losses from START to STOP; reads FILE if START > 0, and writes it at STOP.
"""

import sys

import numpy as np

from kcore.layers import GRU, Dense, Dropout, GaussianNoise, Input, add
from kcore.models import Model, load_model

BATCH = 4


def build():
    x = Input((5, 3))
    late = Dense(4)
    h = GRU(4, dropout=0.3, recurrent_dropout=0.2)(GaussianNoise(0.1)(x))
    branches = [Dropout(0.4)(Dense(4, activation="tanh")(h)), Dropout(0.2)(late(h))]
    model = Model(x, Dense(1)(Dropout(0.1)(add(branches[::-1]))))
    model.compile(optimizer="adam", loss="mse", metrics=["mae"])
    return model


def data():
    rng = np.random.RandomState(3)
    return rng.normal(size=(24, 5, 3)), rng.normal(size=(24, 1))


def run_batches(path, start, stop):
    np.random.seed(start + 100)
    x, y = data()
    model = load_model(path, restore_random_state=True) if start else build()
    for _ in range(start, stop):
        rows = np.random.randint(0, len(x), BATCH)
        print(float(model.train_on_batch(x[rows], y[rows])[0]).hex())
    model.save(path, include_random_state=True)


def run_epochs(path, start, stop):
    np.random.seed(start + 100)
    x, y = data()
    model = load_model(path, restore_random_state=True) if start else build()
    history = model.fit(x, y, epochs=stop, initial_epoch=start, batch_size=BATCH, verbose=0)
    print("\n".join(float(loss).hex() for loss in history.history["loss"]))
    model.save(path, include_random_state=True)


if __name__ == "__main__":
    run = {"batches": run_batches, "epochs": run_epochs}[sys.argv[1]]
    run(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
