"""A folder on `sys.path` in which a test makes distributions by hand, defects included."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from kcore import config
from kcore.plugins import policy, registry
from kcore.plugins.catalogue import CATALOGUE


class Site:
    """A site-packages folder with what a test puts into it.

    Args:
        folder: the folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def module(self, path: str, source: str) -> None:
        """Writes a module: `path` is relative, such as 'shop/__init__.py'."""
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(source, encoding="utf-8")

    def distribution(
        self,
        name: str,
        entries: Mapping[str, Mapping[str, str]] | None = None,
        *,
        version: str = "1.0",
        entry_points: str | bytes | None = None,
        metadata: str | bytes | None = "",
        suffix: str = ".dist-info",
    ) -> Path:
        """Writes a distribution's metadata folder.

        Args:
            name, version: as in its metadata.
            entries: group ('layers' for 'kcore.layers') to name to value.
            entry_points: the file's text instead.
            metadata: METADATA's text; '' for a good one, None for no file.
            suffix: '.dist-info' or '.egg-info'.
        """
        folder = self.folder / f"{name.replace('-', '_')}-{version}{suffix}"
        folder.mkdir(parents=True)
        if entry_points is None:
            groups = entries or {}
            entry_points = "".join(
                f"[kcore.{group}]\n" + "".join(f"{key} = {value}\n" for key, value in names.items())
                for group, names in groups.items()
            )
        _write(folder / "entry_points.txt", entry_points)
        if metadata == "":
            metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        if metadata is not None:
            _write(folder / ("METADATA" if suffix == ".dist-info" else "PKG-INFO"), metadata)
        return folder

    def plugin(self, name: str, kind: str = "layers", *, source: str = "", **objects: str) -> None:
        """A good plugin: a package with the given objects (name to Python expression)."""
        package = name.replace("-", "_")
        lines = "".join(f"{key} = {expression}\n" for key, expression in objects.items())
        self.module(f"{package}/__init__.py", source + lines)
        self.distribution(name, {kind: {key: f"{package}:{key}" for key in objects}, "api": {"v1": package}})

    def python(self, code: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Runs code in a new process that sees this folder first."""
        paths = os.pathsep.join(filter(None, [str(self.folder), os.environ.get("PYTHONPATH", "")]))
        return subprocess.run(
            [sys.executable, "-W", "error", "-c", code],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": paths, **environment},
            check=False,
            timeout=120,
        )


def _write(file: Path, content: str | bytes) -> None:
    file.write_bytes(content.encode() if isinstance(content, str) else content)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A fresh folder first on the path; afterwards everything is as before."""
    folder = tmp_path / "site"
    modules = set(sys.modules)
    monkeypatch.setenv("KCORE_HOME", str(tmp_path / "home"))
    for variable in [key for key in os.environ if key.startswith("KCORE_PLUGINS_")]:
        monkeypatch.delenv(variable)
    monkeypatch.syspath_prepend(folder)
    config.reload()
    made = Site(folder)
    registry.refresh()
    yield made
    monkeypatch.undo()
    for name in set(sys.modules) - modules:
        if str(folder) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]
    config.reload()
    registry.refresh()


@pytest.fixture
def first_party(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A catalogue of one invented first-party plugin: `Aardvark` is in `kcore-layers-zoo`."""
    monkeypatch.setitem(CATALOGUE, "layers", {"Aardvark": "kcore-layers-zoo"})
    monkeypatch.setitem(CATALOGUE, "optimizers", {"Badger": "kcore-optimizers-zoo"})
    monkeypatch.setattr(policy, "DISTRIBUTIONS", frozenset({"kcore-layers-zoo", "kcore-optimizers-zoo"}))
    yield
