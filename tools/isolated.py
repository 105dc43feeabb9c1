"""Runs each plugin's tests with nothing installed but what the plugin declares.

    python tools/isolated.py                        every distribution under plugins/
    python tools/isolated.py layers/core losses     these, by folder or by the distribution's name
    python tools/isolated.py losses -- -x -k mse    what follows -- goes to pytest

A plugin's tests may use its dependencies, those of its extra `test`, and pytest. For each distribution a folder is
made with links to just these: the wheels of this repository, unpacked, and the libraries of the environment that runs
this program, with what they require in turn. A bare environment runs a copy of the tests with that folder as its only
path, so that neither a forgotten dependency nor a file elsewhere in the repository is there by accident.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
import venv
import zipfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from wheels import ROOT, build, project_folders

TOOLS = ("pytest", "pytest-timeout")  # what the options in the root's pyproject.toml need


@dataclass(frozen=True)
class Project:
    """One distribution of this repository: its folder, and its table [project]."""

    folder: Path
    table: dict

    @property
    def name(self) -> str:
        return self.table["name"]

    def requirements(self, extras: Iterable[str]) -> list[Requirement]:
        optional = self.table.get("optional-dependencies", {})
        wanted = [*self.table.get("dependencies", ()), *(line for extra in extras for line in optional.get(extra, ()))]
        return [Requirement(line) for line in wanted]


class Missing(Exception):
    """A library is declared but not installed here."""


class Workshop:
    """A working folder with the unpacked wheels, a bare environment and a folder of links for each distribution."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.projects: dict[str, Project] = {}
        for path in project_folders():
            table = tomllib.loads((path / "pyproject.toml").read_text(encoding="utf-8"))["project"]
            self.projects[canonicalize_name(table["name"])] = Project(path, table)
        venv.create(folder / "bare", with_pip=False, symlinks=os.name != "nt")
        self.python = folder / "bare" / ("Scripts" if os.name == "nt" else "bin") / "python"
        self._unpacked: dict[str, Path] = {}

    def closure(self, project: Project) -> tuple[set[str], set[str]]:
        """Names of our distributions and of others that a plugin's tests may use."""
        ours: set[str] = {canonicalize_name(project.name)}
        others: set[str] = set()
        seen: set[tuple[str, frozenset[str]]] = set()
        waiting = [*project.requirements(["test"]), *map(Requirement, TOOLS)]
        while waiting:
            requirement = waiting.pop()
            name, extras = canonicalize_name(requirement.name), frozenset(requirement.extras)
            if (name, extras) in seen:
                continue
            seen.add((name, extras))
            if name in self.projects:
                ours.add(name)
                needs = self.projects[name].requirements(extras)
            else:
                others.add(name)
                needs = _requirements_of_library(name)
            waiting += [need for need in needs if _applies(need, extras)]
        return ours, others

    def site(self, project: Project) -> Path:
        """The folder with links to all that the plugin's tests may use."""
        ours, others = self.closure(project)
        folder = self.folder / "sites" / project.name
        folder.mkdir(parents=True)
        for name in ours:
            for path in self.unpacked(name).iterdir():
                (folder / path.name).symlink_to(path)
        for name in others:
            for path in _files_of_library(name):
                link = folder / path.name
                if not link.exists():
                    link.symlink_to(path)
        return folder

    def unpacked(self, name: str) -> Path:
        """What the wheel of one of our distributions installs."""
        if name not in self._unpacked:
            wheel = build(self.projects[name].folder, self.folder / "wheels")
            target = self.folder / "unpacked" / name
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(target)
            self._unpacked[name] = target
        return self._unpacked[name]

    def run(self, project: Project, arguments: list[str]) -> tuple[int, str]:
        """Runs a copy of the plugin's tests; the exit status of pytest and what it printed."""
        tests = self.folder / "tests" / project.name
        shutil.copytree(project.folder / "tests", tests / "tests")
        options = ["-c", ROOT / "pyproject.toml", "--rootdir", tests, "-q", "-p", "no:cacheprovider", *arguments]
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("KCORE_", "PYTHON", "PYTEST_"))}
        environment["PYTHONPATH"] = str(self.folder / "sites" / project.name)
        environment["CI"] = "true"  # hypothesis does not take a busy machine for an error
        result = subprocess.run(
            [self.python, "-s", "-P", "-m", "pytest", *options, tests / "tests"],
            cwd=tests,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return result.returncode, result.stdout


def _applies(requirement: Requirement, extras: Iterable[str]) -> bool:
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in (*extras, ""))


def _requirements_of_library(name: str) -> list[Requirement]:
    try:
        return [Requirement(line) for line in metadata.requires(name) or ()]
    except metadata.PackageNotFoundError:
        raise Missing(name) from None


def _files_of_library(name: str) -> set[Path]:
    """The folders and files at the top of site-packages that a library brings, its metadata among them."""
    distribution = metadata.distribution(name)
    tops = {file.parts[0] for file in distribution.files or () if file.parts[0] not in ("..", "__pycache__")}
    return {Path(str(distribution.locate_file(top))) for top in tops}


def chosen(projects: dict[str, Project], words: list[str]) -> list[Project]:
    """The plugins that the command line names, by folder or by name; all that have tests by default."""
    plugins = [
        project for project in projects.values() if (project.folder / "tests").is_dir() and project.folder != ROOT
    ]
    if not words:
        return plugins
    found = []
    for word in words:
        text = re.sub(r"^(\./)?plugins/|/$", "", word)
        matching = [p for p in plugins if text in (p.name, p.folder.relative_to(ROOT / "plugins").as_posix())]
        if not matching:
            sys.exit(f"no distribution with tests is called {word!r}; there are {', '.join(p.name for p in plugins)}")
        found += matching
    return found


def check(workshop: Workshop, project: Project, arguments: list[str]) -> str:
    """Tests one plugin and prints a line; returns what pytest printed, if it failed."""
    start = time.monotonic()
    status, output = workshop.run(project, arguments)
    summary = output.strip().splitlines()[-1] if output.strip() else "no output"
    print(f"{project.name}: {summary.strip('= ')} [{time.monotonic() - start:.0f} s]", flush=True)
    return output if status else ""


def main() -> int:
    split = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("plugins", nargs="*", help="folders below plugins/, or names of distributions; all by default")
    parser.add_argument("--jobs", type=int, default=1, help="how many distributions to test at the same time")
    parser.add_argument("--keep", type=Path, help="an empty folder to work in, which stays")
    options = parser.parse_args(sys.argv[1:split])
    with tempfile.TemporaryDirectory() as temporary:
        workshop = Workshop(options.keep or Path(temporary))
        ready = []
        for project in chosen(workshop.projects, options.plugins):
            try:
                workshop.site(project)
                ready.append(project)
            except Missing as library:
                # A GPU's libraries, say: that plugin is tested where they are.
                print(f"{project.name}: left out, it needs {library}, which is not installed here", flush=True)
        with ThreadPoolExecutor(options.jobs) as pool:
            failures = list(pool.map(lambda project: check(workshop, project, sys.argv[split + 1 :]), ready))
    print(*filter(None, failures), sep="\n", end="")
    return int(any(failures))


if __name__ == "__main__":
    sys.exit(main())
