"""What the project promises of whole programs: threads, repeatability, bounded memory, helpful errors."""

import resource
import subprocess
import sys
import threading

import numpy as np
import pytest

from kcore.layers import BatchNormalization, Dense, Dropout
from kcore.models import Sequential


def small_model():
    model = Sequential(
        [
            Dense(32, activation="relu", input_shape=(16,)),
            BatchNormalization(),
            Dropout(0.5),
            Dense(4, activation="softmax"),
        ]
    )
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    return model


def test_twenty_threads_predict_with_one_model():
    model = small_model()
    data = [np.random.RandomState(i).rand(8 + i % 3, 16).astype("float32") for i in range(20)]
    expected = [model.predict(x) for x in data]
    wrong, failed = [], []

    def serve(i):
        try:
            for _ in range(20):
                for predict in (model.predict, model.predict_on_batch):
                    if not np.array_equal(predict(data[i]), expected[i]):
                        wrong.append(i)
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=serve, args=(i,)) for i in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert not wrong


def test_a_thousand_batch_sizes_do_not_grow_memory():
    model = small_model()
    for n in range(1, 80):
        model.predict_on_batch(np.zeros((n, 16), "float32"))
    before = peak_memory()
    for n in range(80, 1080):
        model.predict_on_batch(np.zeros((n, 16), "float32"))
    grown = peak_memory() - before
    assert grown < 48 << 20, f"{grown} bytes more after a thousand batch sizes"


def peak_memory():
    """Bytes of resident memory at most, so far."""
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kilobytes * (1 if sys.platform == "darwin" else 1024)


SEEDED = """
import numpy as np
np.random.seed(42)
from kcore.layers import Dense, Dropout, GaussianNoise
from kcore.models import Sequential
model = Sequential([Dense(16, activation="relu", input_shape=(8,)), GaussianNoise(0.1), Dropout(0.3), Dense(1)])
model.compile("adam", "mse")
history = model.fit(np.random.rand(100, 8), np.random.rand(100, 1), batch_size=16, epochs=3, verbose=0)
print(repr(history.history["loss"]), repr([w.tobytes().hex() for w in model.get_weights()]))
"""


def test_a_seed_repeats_a_program_to_the_bit():
    runs = [
        subprocess.run([sys.executable, "-c", SEEDED], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]
    assert runs[0] == runs[1]
    assert len(runs[0]) > 1000


@pytest.mark.parametrize(
    ("given", "hint"),
    [("from kcore.layers import Dens", "Dense"), ("from kcore.layers import NoSuchThing", "NoSuchThing")],
)
def test_a_typo_gets_a_hint(given, hint):
    with pytest.raises(ImportError, match=hint):
        exec(given)


def test_a_wrong_shape_names_layer_and_shapes():
    model = small_model()
    with pytest.raises(ValueError, match=r"dense_\d+_input to have shape \(16,\) but got array with shape \(15,\)"):
        model.predict(np.zeros((3, 15)))
