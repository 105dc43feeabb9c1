"""Fresh environments with wheels of this repository in them; nothing is downloaded.

The wheels are built once. Third-party libraries come from the environment that runs the tests, by
links in a folder that every fresh environment has on its path: pip there sees them as installed, so
that a requirement that a plugin forgot to declare is missing.
"""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

import importlib_metadata
import pytest

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Environment:
    """A virtual environment.

    Args:
        folder: where it is.
        wheels: the folder of our wheels.
    """

    folder: Path
    wheels: Path

    @property
    def executable(self) -> Path:
        """Its Python."""
        return self.folder / ("Scripts" if os.name == "nt" else "bin") / "python"

    def install(self, *requirements: str) -> None:
        """Installs with pip, from our wheels only, with dependencies."""
        command = [sys.executable, "-m", "pip", "--python", self.executable, "--disable-pip-version-check"]
        command += ["install", "--quiet", "--no-index", "--find-links", self.wheels, *requirements]
        result = _run(command)
        assert result.returncode == 0, result.stdout + result.stderr

    def python(self, code: str, *, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Runs code, isolated from this process's environment; warnings are errors."""
        result = _run([self.executable, "-I", "-W", "error", "-c", code])
        assert result.returncode == 0 or not check, result.stdout + result.stderr
        return result

    def kcore(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Runs the installed program `kcore`."""
        return _run([self.executable.parent / "kcore", *words])


def _run(command: list) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("KCORE_", "PYTHON"))}
    return subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
        env=environment,
        stdin=subprocess.DEVNULL,
    )


@pytest.fixture(scope="session")
def wheels(tmp_path_factory) -> Path:
    """The folder of all wheels, built once."""
    folder = tmp_path_factory.mktemp("wheels")
    runpy.run_path(str(ROOT / "tools" / "wheels.py"))["build_all"](folder)
    return folder


@pytest.fixture(scope="session")
def libraries(tmp_path_factory) -> Path:
    """A folder with the third-party libraries that our distributions declare, and what these need."""
    folder = tmp_path_factory.mktemp("libraries")
    wanted = runpy.run_path(str(ROOT / "tools" / "requirements.py"))["requirements"](dev=False)
    seen: set[str] = set()
    while wanted:
        name = _name_of(wanted.pop())
        if name in seen:
            continue
        seen.add(name)
        try:
            distribution = importlib_metadata.distribution(name)
        except importlib_metadata.PackageNotFoundError:
            continue  # for another Python or system, or optional
        wanted += [need for need in distribution.requires or [] if "extra ==" not in need]
        for top in {file.parts[0] for file in distribution.files or [] if file.parts[0] not in ("..", "bin")}:
            link = folder / top
            if not link.exists():
                link.symlink_to(distribution.locate_file(top))
    return folder


def _name_of(requirement: str) -> str:
    return "".join(c if c.isalnum() or c in "-_." else " " for c in requirement).split()[0].lower()


@pytest.fixture
def fresh(tmp_path, wheels, libraries) -> Environment:
    """A fresh environment without any of our distributions."""
    folder = tmp_path / "environment"
    venv.create(folder, with_pip=False, symlinks=os.name != "nt")
    environment = Environment(folder, wheels)
    site = environment.python("import sysconfig; print(sysconfig.get_path('purelib'))").stdout.strip()
    (Path(site) / "libraries.pth").write_text(f"{libraries}\n")
    return environment
