"""Imports of existing Keras 2.1 scripts, with `keras` replaced by `kcore`."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

LINES = Path(__file__).with_name("keras_imports.txt").read_text(encoding="utf-8").splitlines()
TABLE = dict(line.split(": ") for line in LINES if not line.startswith("#"))


@pytest.mark.parametrize("path", TABLE)
def test_every_name_can_be_imported(path):
    for name in TABLE[path].split():
        exec(f"from {path} import {name}", {})


CLASSES = [path for path in TABLE if path.rpartition(".")[2][0].isupper()]


@pytest.mark.parametrize("path", CLASSES)
def test_a_class_in_a_path_is_the_class_itself(path, site):
    parent, _, name = path.rpartition(".")
    code = f"""
from {path} import from_config
from {parent} import {name}
import {path}, importlib, {parent} as parent
assert parent.{name} is {name} is importlib.import_module({path!r}) and isinstance({name}, type), {name}
assert from_config == {name}.from_config
"""
    result = site.python(code)
    assert result.returncode == 0, result.stderr


def test_no_modules_below_a_class():
    importlib.import_module("kcore.layers.Lambda")
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("kcore.layers.Lambda.nothing")
    with pytest.raises(ModuleNotFoundError, match="use: from kcore.layers import add"):
        importlib.import_module("kcore.layers.add")


def test_names_of_modules_are_attributes_without_an_import_statement(site):
    code = """
import kcore
kcore.engine.topology.Layer, kcore.layers.core.Dense, kcore.utils.np_utils.to_categorical, kcore.models.Model
kcore.backend.floatx(), kcore.engine.training.Model, kcore.layers.recurrent.LSTM
"""
    result = site.python(code)
    assert result.returncode == 0, result.stderr
