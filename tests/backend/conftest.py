"""Each test starts from the default settings and a fresh session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kcore import backend as K


@pytest.fixture(autouse=True)
def _defaults() -> Iterator[None]:
    settings = (K.floatx(), K.epsilon(), K.image_data_format())
    K.clear_session()
    yield
    K.set_floatx(settings[0])
    K.set_epsilon(settings[1])
    K.set_image_data_format(settings[2])
    K.clear_session()
