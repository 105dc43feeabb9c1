"""`kcore info`: versions, devices, BLAS and paths, for a bug report."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import sys
from dataclasses import asdict
from typing import Any

import kcore
from kcore import config
from kcore.errors import KcoreError
from kcore.plugins import policy, registry, report
from kcore.runtime.devices import current_device

HELP = "show versions, devices, BLAS and paths"


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Runs the command."""
    data = collect()
    if args.json:
        print(json.dumps(data, indent=2))
    else:
        _print(data)
    return 0


def collect() -> dict[str, Any]:
    """Everything the command shows, as JSON-ready data."""
    installed = registry.installed()
    return {
        "kcore": kcore.__version__,
        "plugin_api": policy.spoken_api(),
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
        "libraries": {name: _version(name) for name in ("numpy", "h5py", "pluggy", "importlib_metadata")},
        "blas": _blas(),
        "backend": {
            "asked_for": config.backend(),
            "installed": registry.names("backends"),
            "not usable": _unusable(),
            "used": _used_backend(),
        },
        "paths": {
            "home": str(config.home()),
            "config": f"{config.path()}{'' if config.path().exists() else ' (not there)'}",
            "core": os.path.dirname(kcore.__file__),
        },
        "settings": _settings(),
        "plugins": {d.name: d.version for d in installed.distributions.values()},
        "problems": report.problems(),
    }


def _version(module: str) -> str | None:
    try:
        found = importlib.import_module(module)
    except ImportError:
        return None
    return getattr(found, "__version__", None) or importlib.import_module("importlib_metadata").version(module)


def _blas() -> str:
    import numpy

    settings = numpy.show_config(mode="dicts") or {}
    blas = settings.get("Build Dependencies", {}).get("blas", {})
    return f"{blas.get('name', 'unknown')} {blas.get('version', '')}".strip()


def _unusable() -> dict[str, str]:
    """Installed backends that cannot run here, and why."""
    found = {}
    for name in registry.names("backends"):
        if name == "numpy":
            continue
        try:
            reason = registry.get("backends", name).explain()
        except Exception as error:  # a broken plugin is what this is asked about
            reason = f"{type(error).__name__}: {error}"
        if reason is not None:
            found[name] = reason
    return found


def _used_backend() -> str:
    try:
        return current_device().name
    except KcoreError as error:  # a bug report about a device that fails needs the rest all the same
        return f"none ({error})"


def _settings() -> dict[str, Any]:
    settings = asdict(config.settings())
    settings["plugins"]["allowed"] = settings["plugins"]["allowed"] and sorted(settings["plugins"]["allowed"])
    return settings


def _print(data: dict[str, Any], indent: str = "") -> None:
    for key, value in data.items():
        if isinstance(value, dict):
            print(f"{indent}{key}:")
            _print(value, indent + "  ")
        else:
            shown = ", ".join(map(str, value)) or "none" if isinstance(value, (list, tuple)) else value
            print(f"{indent}{key}: {shown}")
