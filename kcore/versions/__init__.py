"""What other versions of Keras write, and what is written here.

keras_1.py   calls of Keras 1 in the words of Keras 2; the names it had
later.py     names and arguments of Keras 2.2 and later, and what to use instead
calls.py     `explained`: the decorator that translates and explains the arguments of a call
"""

from __future__ import annotations

from collections.abc import Iterable

from kcore.errors import nearest
from kcore.versions.calls import explained, explained_constructor, parameters_of, unknown_arguments
from kcore.versions.keras_1 import REMOVED
from kcore.versions.later import LATER, OF_TENSORFLOW

__all__ = ["explained", "explained_constructor", "history_of", "no_name", "parameters_of", "unknown_arguments"]


def history_of(kind: str, name: str) -> str | None:
    """What to say of a name that another version of Keras has, or None.

    Args:
        kind: 'layers', 'losses', ... or 'models', 'backend', 'utils'.
        name: as the user wrote it.
    """
    if name in REMOVED.get(kind, {}):
        return f"It is of Keras 1. {REMOVED[kind][name]}"
    if name in LATER.get(kind, {}):
        return f"It is of a version later than Keras 2.1.6. {LATER[kind][name]}"
    return OF_TENSORFLOW.get(name) if kind == "backend" else None


def no_name(module: str, name: str, message: str = "", known: Iterable[str] = ()) -> str:
    """The message for a name that a module of the core does not have.

    Args:
        module: such as "kcore.models".
        name: what was looked for.
        message: its beginning; by default that of an AttributeError.
        known: the names that the module has; left out for an AttributeError, to which Python adds the nearest itself.
    """
    message = message or f"module {module!r} has no attribute {name!r}"
    history = history_of(module.rpartition(".")[2], name)
    if history is not None:
        return f"{message}. {history}"
    near = nearest(name, [other for other in known if not other.startswith("_")], 1)
    return f"{message}. Did you mean '{near[0]}'?" if near else message
