"""The one scan of the installed distributions.

It happens when something is first looked up that the core itself does not have, once in a process,
under a lock. It reads text only: no plugin is imported by being found.
"""

from __future__ import annotations

import importlib
import os
import re
import sys
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from kcore.config import settings
from kcore.errors import PluginError
from kcore.plugins.kinds import KINDS
from kcore.plugins.metadata import Distribution, Entry, Problem, folder_of, read_distribution


@dataclass(frozen=True)
class Index:
    """What is installed.

    Args:
        distributions: every distribution with entry points for kcore, by name.
        entries: for each kind, for each name, the entries that offer it, in the order of the path.
        problems: everything that was found wrong.
        state: what the search path looked like, to notice a later installation.
    """

    distributions: dict[str, Distribution] = field(default_factory=dict)
    entries: dict[str, dict[str, list[Entry]]] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    state: Any = None


_lock = threading.RLock()
_index: Index | None = None


def index() -> Index:
    """The index of installed plugins; the first call scans."""
    global _index
    found = _index
    if found is None:
        with _lock:
            found = _index
            if found is None:
                found = _scan()
                _refuse_defects(found)
                _index = found
    return found


def _refuse_defects(found: Index) -> None:
    if settings().plugins.strict and found.problems:
        listed = "; ".join(map(str, found.problems))
        raise PluginError(f"Installed plugins have defects, and the switch 'strict' is on: {listed}")


def known_index() -> Index | None:
    """The index if a scan has happened, else None."""
    return _index


def refresh() -> Index:
    """Scans again, for what was installed or removed since."""
    global _index
    importlib.invalidate_caches()
    with _lock:
        _index = None
        return index()


def changed() -> bool:
    """Whether the search path has changed since the scan, so that a missing name may be there now."""
    known = _index
    return known is not None and known.state != _path_state()


def _path_state() -> tuple[tuple[str, int], ...]:
    return tuple((folder, _changed_at(folder)) for folder in sys.path)


def _changed_at(folder: str) -> int:
    try:
        return os.stat(folder or ".").st_mtime_ns
    except OSError:
        return 0  # a path entry that does not exist, or a zip file's inside


def _scan() -> Index:
    # The package is half as slow to import as the standard library's module, and unlike it lets a
    # leftover folder of metadata not hide the real one.
    import importlib_metadata

    state = _path_state()
    problems: list[Problem] = []
    candidates: dict[str, list[tuple[Distribution, str]]] = {}
    for source in _tolerant(importlib_metadata.distributions(), problems):
        try:
            distribution = read_distribution(source)
        except Exception as error:  # any damage of one installation must not hide the others
            where = folder_of(source) or "an unnamed distribution"
            problems.append(Problem(where, f"cannot be read ({type(error).__name__}: {error})"))
            continue
        if distribution is not None:
            candidates.setdefault(distribution.name, []).append((distribution, folder_of(source)))
    distributions = {name: _one_of(copies, problems) for name, copies in sorted(candidates.items())}
    entries: dict[str, dict[str, list[Entry]]] = {kind: {} for kind in KINDS}
    for distribution in distributions.values():
        problems.extend(distribution.problems)
        for entry in distribution.entries:
            entries[entry.kind].setdefault(entry.name, []).append(entry)
    return Index(distributions, entries, tuple(problems), state)


def _tolerant(sources: Iterable[Any], problems: list[Problem]) -> Iterable[Any]:
    iterator = iter(sources)
    while True:
        try:
            yield next(iterator)
        except StopIteration:
            return
        except Exception as error:  # a broken finder of some other package
            problems.append(Problem("search path", f"the scan stopped ({type(error).__name__}: {error})"))
            return


def _one_of(copies: list[tuple[Distribution, str]], problems: list[Problem]) -> Distribution:
    """The copy whose code an import would find: the first folder of the path, its newest version."""
    first = copies[0][0]
    same_folder = [copy for copy in copies if copy[0].location == first.location]
    chosen = max((copy for copy, _ in same_folder), key=lambda copy: _version_key(copy.version))
    if len({folder for _, folder in same_folder}) > 1:
        folders = ", ".join(sorted(folder for _, folder in same_folder))
        message = f"{first.location} has leftovers of another version ({folders}); {chosen.version} is used"
        problems.append(Problem(chosen.name, message))
    return chosen


def _version_key(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version))
