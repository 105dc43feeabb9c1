"""What goes wrong while a model is trained leaves the model usable, its checkpoint whole, and nothing running.

Each program runs in a process of its own, so that signals, limits and killed workers are real.
"""

from __future__ import annotations

import os
import sys

import pytest

HOOKS = [
    "on_train_begin",
    "on_epoch_begin",
    "on_batch_begin",
    "on_batch_end",
    "on_epoch_end",
    "on_train_end",
]

READING = {
    "arrays": "model.fit(X, Y, batch_size=8, epochs=4, verbose=0, callbacks=callbacks, validation_split=0.25)",
    "threads": "model.fit_generator(Data(), epochs=4, verbose=0, callbacks=callbacks, workers=2, "
    "validation_data=Data())",
    "processes": "model.fit_generator(Data(), epochs=4, verbose=0, callbacks=callbacks, workers=2, "
    "use_multiprocessing=True, validation_data=Data())",
}


@pytest.mark.parametrize("reading", READING)
@pytest.mark.parametrize("hook", HOOKS)
def test_ctrl_c_in_each_phase(run_program, hook, reading):
    run_program(f"""
from victim import *
model = make_model()
model.fit(X, Y, epochs=1, verbose=0, callbacks=[checkpoint()])
callbacks = [checkpoint(), Interrupts({hook!r})]
try:
    {READING[reading]}
except KeyboardInterrupt:
    pass
else:
    raise SystemExit("no interrupt arrived")
check(model)
""")


@pytest.mark.parametrize("reading", READING)
def test_ctrl_c_at_any_moment(run_program, reading):
    """In a kernel, in a validation, in a save, between two of kcore's locks: wherever 25 signals happen to arrive."""
    run_program(f"""
from victim import *
import random
model = make_model()
callbacks = [checkpoint()]
model.fit(X, Y, epochs=1, verbose=0, callbacks=callbacks)
for i in range(25):
    presses = Presses(random.Random(i).uniform(0, 0.03))
    try:
        presses.start()
        while True:
            {READING[reading]}
    except KeyboardInterrupt:
        presses.stop()
check(model)
""")


def test_ctrl_c_in_the_thread_pool_leaves_it_whole(run_program):
    """Products and convolutions that are cut for several threads, interrupted: afterwards all threads work."""
    run_program("""
from victim import *
from kcore import backend as K
from kcore.runtime import blas, parallel
import random
before = blas.get_threads()
x = K.variable(np.ones((16, 64, 64, 16)))
kernel = K.variable(np.ones((3, 3, 16, 16)) / 144)
run = K.function([], [K.sum(K.conv2d(x, kernel))])
expected = run([])[0]
for i in range(60):
    presses = Presses(random.Random(i).uniform(0, 0.02))
    try:
        presses.start()
        while True:
            run([])
    except KeyboardInterrupt:
        presses.stop()
assert run([])[0] == expected
assert blas.get_threads() == before, (blas.get_threads(), before)
assert parallel.thread_count() == int(os.environ.get("KCORE_THREADS", len(os.sched_getaffinity(0))))
""")


@pytest.mark.parametrize("processes", [False, True])
def test_a_worker_that_raises(run_program, processes):
    run_program(f"""
from victim import *
model = make_model()
try:
    model.fit_generator(Data(), epochs=1, verbose=0, callbacks=[checkpoint()])
    model.fit_generator(Data(bad=9), epochs=3, verbose=0, callbacks=[checkpoint()], workers=3,
                        use_multiprocessing={processes})
except ValueError as error:
    assert "batch is damaged" in str(error)
else:
    raise SystemExit("no error arrived")
check(model)
""")


def test_a_worker_that_is_killed(run_program):
    run_program("""
from victim import *
from kcore.errors import WorkerError
model = make_model()
model.fit_generator(Data(), epochs=1, verbose=0, callbacks=[checkpoint()])
for arguments in ({"generator": Data(bad=9, what="kill")}, {"generator": Data(), "validation_data": Data(3, "kill")}):
    try:
        model.fit_generator(epochs=3, verbose=0, callbacks=[checkpoint()], workers=3, use_multiprocessing=True,
                            **arguments)
    except WorkerError as error:
        assert "killed by signal 9" in str(error), error
    else:
        raise SystemExit("no error arrived")
check(model)
""")


@pytest.mark.parametrize("batch", ["(X, Y, None, 1)", "X", "(X, Y[:3])", "(X[:, :4], Y)"])
def test_a_generator_that_yields_a_wrong_batch(run_program, batch):
    run_program(f"""
from victim import *
from kcore.errors import DataError
def generator():
    for i in range(20):
        yield X, Y
    yield {batch}
model = make_model()
model.fit(X, Y, epochs=1, verbose=0, callbacks=[checkpoint()])
try:
    model.fit_generator(generator(), steps_per_epoch=10, epochs=3, verbose=0, callbacks=[checkpoint()])
except DataError:
    pass
else:
    raise SystemExit("no error arrived")
check(model)
""")


def test_a_generator_that_yields_nan(run_program):
    """Training on NaN spoils the weights; `TerminateOnNaN` says so, and the best checkpoint is the way back."""
    out = run_program("""
from victim import *
from kcore.callbacks import TerminateOnNaN
def generator():
    while True:
        for i in range(20):
            yield X, Y
        yield X * np.nan, Y
model = make_model()
history = model.fit_generator(generator(), steps_per_epoch=10, epochs=9, verbose=0,
                              callbacks=[TerminateOnNaN(), checkpoint()])
assert len(history.epoch) == 3 and np.isnan(history.history["loss"][-1]), history.history
model.load_weights(BEST)
model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
check(model)
""")
    assert "Invalid loss" in out


@pytest.mark.skipif(not hasattr(os, "fork") or sys.platform == "darwin", reason="limits the size of files")
@pytest.mark.parametrize("weights_only", [False, True])
def test_a_full_disk_while_saving(run_program, weights_only):
    """The limit on the size of files makes every write beyond it fail, as on a full disk."""
    run_program(f"""
from victim import *
import pathlib, resource
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
model = make_model()
model.fit(X, Y, epochs=2, verbose=0, callbacks=[checkpoint()])
before = pathlib.Path(BEST).read_bytes()
saving = ModelCheckpoint(BEST, save_weights_only={weights_only})
resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 4, resource.RLIM_INFINITY))
try:
    model.fit(X, Y, epochs=2, verbose=0, callbacks=[saving])
except OSError as error:
    assert BEST in str(error), error
else:
    raise SystemExit("no error arrived")
finally:
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
assert pathlib.Path(BEST).read_bytes() == before
check(model)
""")
