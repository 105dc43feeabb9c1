"""Which installed entry answers for a name: pins, switching off, first party, plugin API version.

Nothing here imports a plugin.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from kcore.config import PluginSettings, settings
from kcore.errors import (
    NotInstalledError,
    PluginConflictError,
    PluginDisabledError,
    PluginError,
    PluginVersionError,
    PluginWarning,
    warn,
)
from kcore.plugins.catalogue import CATALOGUE, DISTRIBUTIONS
from kcore.plugins.core_objects import CORE
from kcore.plugins.kinds import API_VERSION, kind_of
from kcore.plugins.metadata import Distribution, Entry

_told: set[tuple[str, str]] = set()


def is_first_party(distribution: str) -> bool:
    """Whether a distribution (normalized name) is one of kcore's own."""
    return distribution == CORE or distribution in DISTRIBUTIONS


def why_disabled(entry: Entry, policy: PluginSettings) -> str | None:
    """Why an entry is switched off, as a clause for a message; None where it is not."""
    for key in (entry.distribution, f"{entry.kind}:{entry.name}"):
        if key in policy.disabled:
            return f"{key!r} is switched off in {policy.disabled[key]}"
    if is_first_party(entry.distribution):
        return None
    if policy.first_party_only:
        return "only first-party plugins are switched on ('first_party_only')"
    if policy.allowed is not None and entry.distribution not in policy.allowed:
        return "the list of allowed plugins ('allowed') does not have it"
    return None


def split_enabled(entries: Iterable[Entry], policy: PluginSettings) -> tuple[list[Entry], list[Entry]]:
    """Divides entries into those that may be used and those that are switched off."""
    enabled: list[Entry] = []
    disabled: list[Entry] = []
    for entry in entries:
        (disabled if why_disabled(entry, policy) else enabled).append(entry)
    return enabled, disabled


class Choice(NamedTuple):
    """The entry that answers for a name, and what its user should be told of the choice, if anything."""

    entry: Entry
    note: str | None = None


def choose(kind: str, name: str, candidates: Sequence[Entry]) -> Choice | None:
    """Picks the entry that answers for a name, or returns None where there is no candidate.

    Args:
        kind, name: what is looked up.
        candidates: every entry that offers it, the core's own included.

    Raises:
        PluginDisabledError: there are candidates, and all are switched off.
        PluginConflictError: several remain, and nothing decides.
        NotInstalledError: a pin names a distribution that does not offer the name.
    """
    policy = settings().plugins
    enabled, disabled = split_enabled(candidates, policy)
    pinned = policy.pins.get(f"{kind}:{name}")
    if pinned is not None:
        return Choice(_pinned(kind, name, pinned, enabled, disabled))
    if not enabled:
        if disabled:
            raise _disabled_error(disabled[0], policy)
        return None
    by_value: dict[str, Entry] = {}
    for entry in enabled:
        by_value.setdefault(entry.value, entry)  # two names of one object are no conflict
    distinct = list(by_value.values())
    first_party = [entry for entry in distinct if is_first_party(entry.distribution)]
    owner = CATALOGUE.get(kind, {}).get(name)
    first_party.sort(key=lambda entry: entry.distribution not in (CORE, owner))
    if first_party:
        others = [entry for entry in distinct if not is_first_party(entry.distribution)]
        return Choice(first_party[0], _note_of_shadowed(first_party[0], others) if others else None)
    if len(distinct) > 1:
        raise conflict(kind, name, distinct)
    return Choice(distinct[0], _note_of_missing_owner(distinct[0], owner) if owner else None)


def _pinned(kind: str, name: str, pinned: str, enabled: Sequence[Entry], disabled: Sequence[Entry]) -> Entry:
    for entry in enabled:
        if entry.distribution == pinned:
            return entry
    for entry in disabled:
        if entry.distribution == pinned:
            raise _disabled_error(entry, settings().plugins)
    raise NotInstalledError(
        f"Unknown {kind_of(kind).label}: '{name}'. The configuration pins '{kind}:{name}' to {pinned}, "
        f"which is not installed or does not offer it: pip install {pinned}, or remove the pin.",
        kind=kind,
        name=name,
        distribution=pinned,
    )


def _disabled_error(entry: Entry, policy: PluginSettings) -> PluginDisabledError:
    reason = why_disabled(entry, policy)
    return PluginDisabledError(
        f"'{entry.name}' is in {entry.source}, which is installed, but {reason}.",
        kind=entry.kind,
        name=entry.name,
        distribution=entry.distribution,
        version=entry.version,
        reason=reason,
    )


def require_enabled(entry: Entry) -> None:
    """Raises PluginDisabledError for an entry that is switched off."""
    if why_disabled(entry, settings().plugins):
        raise _disabled_error(entry, settings().plugins)


def conflict(kind: str, name: str, entries: Sequence[Entry]) -> PluginConflictError:
    """The error for a name that several third-party distributions offer."""
    choices = tuple(f"{entry.distribution}:{name}" for entry in entries)
    pin = f'"{kind}:{name}": "{entries[0].distribution}"'
    return PluginConflictError(
        f"The {kind_of(kind).label} '{name}' is offered by {' and by '.join(e.source for e in entries)}. "
        f"Choose one: by its full name ({' or '.join(repr(c) for c in choices)}), in kcore.json "
        f'({{"plugins": {{"pins": {{{pin}}}}}}}), or with '
        f"KCORE_PLUGINS_PINS={kind}:{name}={entries[0].distribution}.",
        kind=kind,
        name=name,
        candidates=choices,
    )


def _note_of_shadowed(used: Entry, others: Sequence[Entry]) -> str:
    also = " and ".join(entry.source for entry in others)
    return (
        f"The {kind_of(used.kind).label} '{used.name}' is offered by {used.source} and also by {also}; "
        f"the first-party one is used. '{others[0].distribution}:{used.name}', or a pin in kcore.json, "
        "chooses the other."
    )


def _note_of_missing_owner(used: Entry, owner: str) -> str:
    return (
        f"The {kind_of(used.kind).label} '{used.name}' comes from {used.source}, since {owner}, which "
        f"has kcore's own, is not installed or not switched on (pip install {owner}). "
        f"Pin '{used.kind}:{used.name}' to {used.distribution} to say that this is meant."
    )


def tell(choice: Choice) -> None:
    """Warns of a choice's note, once in a process for each name; with the strict switch, raises it."""
    entry, note = choice
    if note is None:
        return
    if settings().plugins.strict:
        raise PluginError(note, kind=entry.kind, name=entry.name, distribution=entry.distribution)
    if (entry.kind, entry.name) not in _told:
        _told.add((entry.kind, entry.name))
        warn(note, PluginWarning)


def forget_warnings() -> None:
    """Lets each warning be given once more."""
    _told.clear()


# --- the plugin API's version ----------------------------------------------------------------------


def api_fault(distribution: Distribution) -> str | None:
    """Why this core cannot use a distribution's plugins, or None where it can.

    A distribution that states no version is taken to be written for version 1.
    """
    readable = [version for version in map(_api_version, distribution.api) if version is not None]
    if distribution.api and not readable:
        return f"it states the plugin API {', '.join(distribution.api)}, which is no version such as 'v1'"
    wanted = readable or [(1, 0)]
    if any(major == API_VERSION[0] and minor <= API_VERSION[1] for major, minor in wanted):
        return None
    return f"it was written for plugin API {' or '.join(distribution.api)}, and this kcore speaks {spoken_api()}"


def spoken_api() -> str:
    """The plugin API version of this core, as text: 'v1.0'."""
    return f"v{API_VERSION[0]}.{API_VERSION[1]}"


def _api_version(text: str) -> tuple[int, int] | None:
    match = re.fullmatch(r"v?(\d+)(?:\.(\d+))?", text)
    return (int(match[1]), int(match[2] or 0)) if match else None


def require_api(entry: Entry, distribution: Distribution) -> None:
    """Raises PluginVersionError for an entry whose plugin was written for another plugin API."""
    fault = api_fault(distribution)
    if fault is None:
        return
    wanted = ", ".join(distribution.api)
    newer = any((_api_version(text) or (0, 0)) > API_VERSION for text in distribution.api)
    remedy = "pip install --upgrade kcore" if newer else f"pip install --upgrade {distribution.name}"
    raise PluginVersionError(
        f"'{entry.name}' is in {entry.source}, but {fault}. As its user: {remedy}. As its author: adapt it "
        f'and state the version in [project.entry-points."kcore.api"].',
        kind=entry.kind,
        name=entry.name,
        distribution=entry.distribution,
        version=entry.version,
        wanted=wanted,
        spoken=spoken_api(),
    )
