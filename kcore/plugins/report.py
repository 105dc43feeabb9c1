"""What is installed, for people and programs: the rows behind `kcore plugins`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from kcore.config import settings
from kcore.errors import KcoreError, PluginConflictError
from kcore.plugins import discovery, hooks, policy, registry
from kcore.plugins.core_objects import CORE_OBJECTS, core_entry
from kcore.plugins.kinds import KINDS
from kcore.plugins.metadata import Entry

HOOKS = "hooks"  #: no kind of object: what takes part in something rather than being looked up


@dataclass(frozen=True)
class Row:
    """One name, or one module of hooks (kind 'hooks'), that one distribution offers.

    Args:
        kind, name, distribution, version, value: as in the distribution's metadata.
        state: 'ok'; 'disabled' by the configuration; 'outdated', written for another plugin API;
            'shadowed' by a distribution that goes first; 'conflict' with another that does not;
            'broken', its import failed.
        detail: why it is not 'ok'.
    """

    kind: str
    name: str
    distribution: str
    version: str
    state: str
    value: str
    detail: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The row as a dictionary, for JSON."""
        return asdict(self)


def rows(kind: str | None = None) -> list[Row]:
    """Every name that is offered, sorted by kind and name, then every module of hooks; imports nothing.

    Args:
        kind: only this kind.
    """
    registry.installed()
    kinds = [kind] if kind else [*KINDS, HOOKS]
    return [row for each in kinds for row in _rows_of(each)]


def _rows_of(kind: str) -> list[Row]:
    if kind == HOOKS:
        distributions = discovery.index().distributions
        return [_row(entry) for name in sorted(distributions) for entry in distributions[name].hooks]
    offered = discovery.index().entries[kind]
    result = []
    for name in sorted({*offered, *CORE_OBJECTS.get(kind, {})}):
        own = core_entry(kind, name)
        result += [_row(entry) for entry in ([own] if own else []) + offered.get(name, [])]
    return result


def _row(entry: Entry) -> Row:
    state, detail = _state(entry)
    return Row(entry.kind, entry.name, entry.distribution, entry.version, state, entry.value, detail)


def _state(entry: Entry) -> tuple[str, str]:
    reason = policy.why_disabled(entry, settings().plugins)
    if reason:
        return "disabled", reason
    distribution = discovery.index().distributions.get(entry.distribution)
    fault = policy.api_fault(distribution) if distribution else None
    if fault:
        return "outdated", fault
    if entry.kind == HOOKS:  # a module of hooks neither goes before another nor stands in its way
        return "ok", ""
    failure = registry.failure_of(entry)
    if failure is not None:
        return "broken", f"{type(failure.cause).__name__}: {failure.cause}"
    try:
        used = registry.entry_for(entry.kind, entry.name)
    except PluginConflictError as error:
        return "conflict", f"choose one of {', '.join(error.candidates)}"
    except KcoreError as error:  # a pin to something that is not there
        return "shadowed", str(error)
    if used != entry and used.value != entry.value:
        return "shadowed", f"{used.distribution} goes first"
    return "ok", ""


def check(kind: str | None = None, distribution: str | None = None) -> list[Row]:
    """Imports every name that is switched on and returns the rows with what was found.

    Args:
        kind, distribution: only these.
    """
    wanted = [row for row in rows(kind) if distribution in (None, row.distribution)]
    checked = []
    for row in wanted:
        if row.state not in ("disabled", "outdated"):
            entry = Entry(row.kind, row.name, row.value, row.distribution, row.version)
            row = _checked(entry)
        checked.append(row)
    return checked


def _checked(entry: Entry) -> Row:
    try:
        if entry.kind == HOOKS:
            hooks.check(entry)
        else:
            registry.load(entry)
    except (Exception, SystemExit) as error:  # also a core object that cannot be imported
        cause = error.__cause__ or error
        detail = f"{type(cause).__name__}: {cause}"
        return Row(entry.kind, entry.name, entry.distribution, entry.version, "broken", entry.value, detail)
    return _row(entry)


def problems() -> list[str]:
    """Everything wrong that the scan found, as sentences."""
    found = [str(problem) for problem in registry.installed().problems]
    for distribution in discovery.index().distributions.values():
        fault = policy.api_fault(distribution)
        if fault:
            found.append(f"{distribution.name} {distribution.version}: {fault}")
    return found
