"""Interrupted training goes on in a new process as if nothing had happened, to the bit."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kcore.layers import Dense, Dropout
from kcore.models import Sequential, load_model

PROGRAM = Path(__file__).with_name("resume.py")


def losses(kind, path, start, stop):
    command = [sys.executable, PROGRAM, kind, path, str(start), str(stop)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return done.stdout.split()


@pytest.mark.parametrize("kind, cuts", [("batches", [1, 4, 9]), ("epochs", [1, 3])])
def test_the_losses_after_an_interruption_are_those_of_the_whole_run(kind, cuts, tmp_path):
    whole = losses(kind, tmp_path / "whole.h5", 0, 10)
    assert len(set(whole)) == 10
    parts, start = [], 0
    for stop in [*cuts, 10]:
        parts += losses(kind, tmp_path / "parts.h5", start, stop)
        start = stop
    assert parts == whole


def model_with(count):
    model = Sequential([Dense(3, input_shape=(2,)), *(Dropout(0.5) for _ in range(count)), Dense(1)])
    model.compile("sgd", "mse")
    return model


def test_a_random_state_that_is_not_there_or_of_another_model_is_refused(tmp_path):
    path = str(tmp_path / "m.h5")
    model_with(1).save(path)
    with pytest.raises(ValueError, match="no random state.*include_random_state=True"):
        load_model(path, restore_random_state=True)


def test_nothing_global_changes_unless_it_is_asked_for(tmp_path):
    path = str(tmp_path / "m.h5")
    model_with(2).save(path, include_random_state=True)
    saved = np.random.get_state()[1].tolist()
    np.random.seed(5)
    load_model(path)
    assert np.random.get_state()[1].tolist() != saved
    load_model(path, restore_random_state=True)
    assert np.random.get_state()[1].tolist() == saved
