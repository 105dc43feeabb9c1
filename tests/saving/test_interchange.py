"""Real models of Keras 2, and what is not read from files of later versions."""

import os
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from kcore.models import load_model

GOLDEN = Path(__file__).parent / "golden"
REAL = Path(os.environ.get("KCORE_REAL_MODELS", Path(__file__).parents[3] / "shared" / "models"))


def test_a_value_that_means_something_is_not_dropped(tmp_path):
    path = tmp_path / "model.h5"
    shutil.copy(GOLDEN / "dense_stack.h5", path)
    with h5py.File(path, "a") as file:
        text = file.attrs["model_config"]
        file.attrs["model_config"] = text.replace('"units": 4', '"groups": 2, "units": 4')
    with pytest.raises(ValueError, match="Keyword argument not understood: 'groups'"):
        load_model(path)


@pytest.mark.parametrize("file", ["wiki_name_lstm.h5", "emotion_model.hdf5"])
def test_real_models_of_keras_2(file, tmp_path):
    """Sequential with a list as configuration (2.1.6); a graph whose optimizer state is in the order of names (2.0.5).

    The files are not part of the repository; KCORE_REAL_MODELS names the folder they are in.
    """
    if not (REAL / file).exists():
        pytest.skip(f"{REAL / file} is not there")
    with np.load(REAL / f"{file.split('.')[0]}.npz") as arrays:
        x, expected = arrays["x"], arrays["y0"]
    model = load_model(REAL / file)
    np.testing.assert_allclose(model.predict(x), expected, atol=1e-5)
    model.save(tmp_path / file)
    again = load_model(tmp_path / file)
    targets = np.eye(expected.shape[1])[expected.argmax(1)]
    before = again.evaluate(x, targets, verbose=0)[0]
    assert before == pytest.approx(model.evaluate(x, targets, verbose=0)[0])
    for _ in range(5):
        again.train_on_batch(x, targets)
    assert again.evaluate(x, targets, verbose=0)[0] < before
