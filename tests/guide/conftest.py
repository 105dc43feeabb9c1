"""In the guide's examples `keras` means kcore."""

import numpy as np
import pytest

import kcore.compat


@pytest.fixture(autouse=True)
def keras(tmp_path, monkeypatch):
    kcore.compat.install()
    np.random.seed(1)
    monkeypatch.chdir(tmp_path)
    yield
    kcore.compat.uninstall()
