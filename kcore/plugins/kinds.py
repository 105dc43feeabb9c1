"""The kinds of things that plugins offer, and the version of the plugin API."""

from __future__ import annotations

from typing import NamedTuple

#: The plugin API that this core speaks, as (major, minor). A plugin states in its metadata, as
#: the name of an entry in the group `kcore.api`, the one it was written for: `v1` or `v1.0`.
#: The major number must be equal, and the minor number not above this one.
API_VERSION = (1, 0)

API_GROUP = "kcore.api"
HOOKS_GROUP = "kcore.hooks"


class Kind(NamedTuple):
    """One kind of plugin object.

    Args:
        name: the plural name: the door is `kcore.<name>`, the entry-point group `kcore.<name>`.
        label: what one of them is called in messages.
        ignores_case: whether 'sgd' finds `SGD`.
        in_configurations: whether strings and saved models name its objects, so that `custom_objects` can.
        modules: whether its names may stand for modules: `import kcore.<name>.<module>`.
        short: further names that users may give, each of which stands for one of several objects.
    """

    name: str
    label: str
    ignores_case: bool = False
    in_configurations: bool = True
    modules: bool = False
    short: tuple[str, ...] = ()

    @property
    def group(self) -> str:
        """The entry-point group, which is also the door's import path."""
        return f"kcore.{self.name}"


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("layers", "layer"),
        Kind("losses", "loss function"),
        Kind("metrics", "metric function", short=("accuracy", "acc", "crossentropy", "ce")),
        Kind("optimizers", "optimizer", ignores_case=True),
        Kind("callbacks", "callback", in_configurations=False),
        Kind("initializers", "initializer"),
        Kind("activations", "activation function"),
        Kind("regularizers", "regularizer"),
        Kind("constraints", "constraint"),
        Kind("datasets", "data set", in_configurations=False, modules=True),
        Kind("applications", "application", in_configurations=False, modules=True),
        Kind("preprocessing", "preprocessing module", in_configurations=False, modules=True),
        Kind("wrappers", "wrapper module", in_configurations=False, modules=True),
        Kind("backends", "backend", in_configurations=False),
    )
}


def kind_of(name: str) -> Kind:
    """The kind called `name`; a KeyError names all kinds."""
    try:
        return KINDS[name]
    except KeyError:
        raise KeyError(f"{name!r} is no kind of plugin; the kinds are {', '.join(KINDS)}") from None
