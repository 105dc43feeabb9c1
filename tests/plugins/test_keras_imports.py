"""Imports of existing Keras 2.1 scripts, with `keras` replaced by `kcore`."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

LINES = Path(__file__).with_name("keras_imports.txt").read_text(encoding="utf-8").splitlines()
TABLE = dict(line.split(": ") for line in LINES if not line.startswith("#"))


@pytest.mark.parametrize("path", TABLE)
def test_every_name_can_be_imported(path):
    parent, _, last = path.rpartition(".")
    for name in TABLE[path].split():
        if last[0].isupper():  # a method of a class
            assert hasattr(getattr(importlib.import_module(parent), last), name)
        else:
            exec(f"from {path} import {name}", {})


def test_names_of_modules_are_attributes_without_an_import_statement(site):
    code = """
import kcore
kcore.engine.topology.Layer, kcore.layers.core.Dense, kcore.utils.np_utils.to_categorical, kcore.models.Model
kcore.backend.floatx(), kcore.engine.training.Model, kcore.layers.recurrent.LSTM
"""
    result = site.python(code)
    assert result.returncode == 0, result.stderr
