"""Automatic names start at 1 in every test."""

import pytest

from kcore import backend as K


@pytest.fixture(autouse=True)
def fresh_names():
    K.clear_session()
    yield
    K.clear_session()
