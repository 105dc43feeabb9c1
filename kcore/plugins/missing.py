"""What a user reads when a name is not there: what to install, or what was meant."""

from __future__ import annotations

from kcore.errors import NotInstalledError, nearest
from kcore.plugins import discovery
from kcore.plugins.catalogue import CATALOGUE
from kcore.plugins.kinds import KINDS, kind_of
from kcore.versions import history_of


def owner_of(kind: str, name: str) -> str | None:
    """The first-party distribution that has a name, or None."""
    owners = CATALOGUE.get(kind, {})
    if name in owners or not kind_of(kind).ignores_case:
        return owners.get(name)
    return next((owner for known, owner in owners.items() if known.lower() == name.lower()), None)


def not_installed(kind: str, name: str, installed: list[str]) -> NotInstalledError:
    """The error for a name that no installed plugin offers.

    Args:
        kind, name: what was looked up.
        installed: the names of that kind that are there.
    """
    label = kind_of(kind).label
    owner = owner_of(kind, name)
    near = nearest(name, [*installed, *kind_of(kind).short], 3)
    history = history_of(kind, name)
    message = f"Unknown {label}: '{name}'. "
    if owner is not None:
        message += _install(owner)
    elif name in kind_of(kind).short:
        message += _one_of_several(kind, name, installed)
    elif history is not None:
        message += f"{history}{_if_own(kind)}"
    elif near:
        message += f"Did you mean {' or '.join(map(repr, near))}?{_if_own(kind)}"
    else:
        message += _elsewhere(kind, name) or _not_installed_but_near(kind, name) or _no_idea(kind)
    if owner is None and discovery.index().problems:  # for the author of a plugin: his line may be one of them
        message += " Some installed plugins have defects: 'kcore plugins check' tells which."
    return NotInstalledError(message, kind=kind, name=name, distribution=owner, nearest=near)


def _one_of_several(kind: str, name: str, installed: list[str]) -> str:
    ends = tuple(f"_{short}" for short in kind_of(kind).short if short[0] == name[0])  # 'acc' and 'accuracy'
    several = sorted(other for other in {*installed, *CATALOGUE.get(kind, {})} if other.endswith(ends))
    return (
        "It stands for the one that fits a model's loss and output, and `compile` takes it. Elsewhere name one: "
        f"{', '.join(several)}."
    )


def whereabouts(name: str) -> str:
    """What is known of a name of any kind that no installed plugin offers, for `kcore plugins show`; '' for nothing."""
    owners = {owner for kind in KINDS if (owner := owner_of(kind, name)) is not None}
    if owners:
        return f"{_install(sorted(owners)[0])}."
    known = {other for kind in KINDS for other in (*CATALOGUE.get(kind, {}), *discovery.index().entries.get(kind, {}))}
    near = nearest(name, sorted({*known, *discovery.index().distributions}), 3)
    return f"Did you mean {' or '.join(map(repr, near))}?" if near else ""


def _if_own(kind: str) -> str:
    return f" If it is your own, {_own(kind)}." if kind_of(kind).in_configurations else ""


def _install(owner: str) -> str:
    present = discovery.index().distributions.get(owner)
    if present is not None:
        return f"It is in newer versions of {owner} than the installed {present.version}: pip install --upgrade {owner}"
    return f"It is in {owner}, which is not installed: pip install {owner}"


def _elsewhere(kind: str, name: str) -> str:
    """Whether the name is one of another kind: `kcore.layers.Adam`."""
    for other in KINDS.values():
        known = {**CATALOGUE.get(other.name, {}), **discovery.index().entries.get(other.name, {})}
        if other.name != kind and name in known:
            article = "an" if other.label[0] in "aio" else "a"
            return f"It is no {kind_of(kind).label} but {article} {other.label}: {other.group}.{name}"
    return ""


def _not_installed_but_near(kind: str, name: str) -> str:
    known = CATALOGUE.get(kind, {})
    near = nearest(name, known, 1)
    return f"Did you mean '{near[0]}'? {_install(known[near[0]])}" if near else ""


def _no_idea(kind: str) -> str:
    own = f"If it is your own, {_own(kind)}; if" if kind_of(kind).in_configurations else "If"
    return (
        f"No installed plugin offers it ('kcore plugins list --kind {kind}' shows what there is). {own} it is in a "
        "plugin, install that."
    )


def _own(kind: str) -> str:
    itself = "" if kind == "layers" else "give it itself, without quotes, or "
    return f"{itself}name it in custom_objects or a CustomObjectScope"
