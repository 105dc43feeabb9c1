"""Automatic names start at 1 in every test."""

import numpy as np
import pytest

from kcore import backend as K


@pytest.fixture(autouse=True)
def fresh_names():
    K.clear_session()
    np.random.seed(11)
    yield
    K.clear_session()
