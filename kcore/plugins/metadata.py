"""One installed distribution's entry points, read so that no defect of one file hurts another.

The standard readers raise on a junk line or a byte that is not UTF-8 in any distribution's
`entry_points.txt`, and so take every plugin down with it. Here a bad line costs that line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from kcore.config import normalized
from kcore.plugins.kinds import API_GROUP, HOOKS_GROUP, KINDS

_VALUE = re.compile(r"(?P<module>[\w.]+)\s*(:\s*(?P<attribute>[\w.]+)\s*)?(\[.*\]\s*)?$")
_GROUPS = {kind.group: kind.name for kind in KINDS.values()} | {API_GROUP: "api", HOOKS_GROUP: "hooks"}


@dataclass(frozen=True)
class Problem:
    """Something wrong with an installed distribution, found while listing.

    Args:
        distribution: its name, or the folder of its metadata where the name cannot be read.
        message: what is wrong.
    """

    distribution: str
    message: str

    def __str__(self) -> str:
        return f"{self.distribution}: {self.message}"


@dataclass(frozen=True)
class Entry:
    """One name that one distribution offers.

    Args:
        kind: 'layers', 'losses', ...
        name: the public name.
        value: 'package.module:attribute', or 'package.module' for a module.
        distribution: name of the distribution, normalized ('kcore-layers-core'); 'kcore' for what
            the core itself offers.
        version: its version, '' where it cannot be read.
    """

    kind: str
    name: str
    value: str
    distribution: str
    version: str

    @property
    def module(self) -> str:
        """The module part of `value`."""
        return self.value.partition(":")[0].strip()

    @property
    def attribute(self) -> str:
        """The attribute part of `value`, '' where the value is a module."""
        return self.value.partition(":")[2].partition("[")[0].strip()

    @property
    def source(self) -> str:
        """Distribution and version, for messages."""
        return f"{self.distribution} {self.version}".strip()


@dataclass(frozen=True)
class Distribution:
    """An installed distribution with entry points for kcore.

    Args:
        name: normalized name.
        version: '' where it cannot be read.
        location: folder on `sys.path` that holds it.
        api: plugin API versions that it states, as written ('v1'); usually one, () for none.
        entries: what it offers.
        hooks: its entries in the group `kcore.hooks`.
        problems: what is wrong with it.
    """

    name: str
    version: str
    location: str
    api: tuple[str, ...] = ()
    entries: tuple[Entry, ...] = ()
    hooks: tuple[Entry, ...] = ()
    problems: tuple[Problem, ...] = field(default=())


def parse(text: str) -> Iterator[tuple[str, str, str]]:
    """Yields (group, name, value) for each line of an `entry_points.txt`.

    A line that is none of section, comment and `name = value` is yielded as (group, line, '').
    """
    group = ""
    for raw in text.splitlines():
        line = raw.strip()
        if not line or line[0] in "#;":
            continue
        if line[0] == "[" and line[-1] == "]":
            group = line[1:-1].strip()
            continue
        name, _, value = line.partition("=")
        yield (group, name.strip(), value.strip()) if name.strip() and value.strip() else (group, line, "")


def read_distribution(source: Any) -> Distribution | None:
    """Reads one distribution, or returns None when it has nothing for kcore.

    Args:
        source: an `importlib_metadata.Distribution`.

    Raises:
        Whatever reading a damaged installation raises; the scan records it.
    """
    text = _entry_points_text(source)
    # Most distributions have nothing to do with kcore: look before parsing.
    if "[kcore." not in text:
        return None
    name, version, problems = _identity(source)
    entries: list[Entry] = []
    seen: set[tuple[str, str]] = set()
    for group, entry_name, value in parse(text):
        if not group.startswith("kcore."):
            continue
        fault = _fault(group, entry_name, value)
        if not fault and (group, entry_name) in seen:
            fault = f"'{entry_name}' stands twice in [{group}]; the first is used"
        if fault:
            problems.append(Problem(name, fault))
            continue
        seen.add((group, entry_name))
        entries.append(Entry(_GROUPS[group], entry_name, value, name, version))
    return Distribution(
        name=name,
        version=version,
        location=str(source.locate_file("")),
        api=tuple(entry.name for entry in entries if entry.kind == "api"),
        entries=tuple(entry for entry in entries if entry.kind in KINDS),
        hooks=tuple(entry for entry in entries if entry.kind == "hooks"),
        problems=tuple(problems),
    )


def _fault(group: str, name: str, value: str) -> str:
    if group not in _GROUPS:
        import difflib  # needed only when something is wrong

        near = difflib.get_close_matches(group, _GROUPS, 1)
        return f"the entry-point group [{group}] is unknown" + (f"; did you mean [{near[0]}]?" if near else "")
    if not value:
        return f"[{group}] has a line that is no entry: {name[:80]!r}"
    if not _VALUE.match(value):
        return f"[{group}] {name} = {value!r} is no reference of the form 'package.module:Object'"
    if ":" in name:
        return f"[{group}] the name {name!r} contains ':', which separates distribution and name"
    return ""


def _entry_points_text(source: Any) -> str:
    try:
        return source.read_text("entry_points.txt") or ""
    except UnicodeDecodeError as error:
        # The error carries the bytes: names are ASCII, so that the good lines survive.
        return error.object.decode("utf-8", errors="replace")


def _identity(source: Any) -> tuple[str, str, list[Problem]]:
    """Name and version, from the metadata file or else from the name of its folder."""
    problems = []
    try:
        name, version = _name_and_version(source)
    except Exception as error:  # a missing or unreadable METADATA file, in many forms
        name = version = None
        reason = f"its metadata cannot be read ({type(error).__name__}: {error})"
    else:
        reason = "its metadata have no name"
    if not name:
        stem = re.sub(r"\.(dist|egg)-info$", "", folder_of(source))
        name, _, version = stem.partition("-")
        problems.append(Problem(normalized(name) or "unknown", reason))
    return normalized(name), version or "", problems


def _name_and_version(source: Any) -> tuple[str | None, str | None]:
    """Two header fields, read as text: the parser of e-mails takes longer than all the rest of a scan."""
    text = source.read_text("METADATA") or source.read_text("PKG-INFO")
    if text is None:
        raise FileNotFoundError("there is no METADATA file")
    fields: dict[str, str] = {}
    for line in text.splitlines():
        if not line.strip():
            break  # the description follows
        key, _, value = line.partition(":")
        fields.setdefault(key.lower(), value.strip())
    return fields.get("name"), fields.get("version")


def folder_of(source: Any) -> str:
    """Name of the folder that holds a distribution's metadata, '' where it cannot be told."""
    folder = getattr(source, "_path", None)  # no public name; used for messages and fallbacks only
    return getattr(folder, "name", "") or ""
