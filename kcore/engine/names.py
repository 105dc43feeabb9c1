"""Names of layers and of their weights."""

from __future__ import annotations

from kcore import backend as K
from kcore.backend.scopes import name_scope, scoped
from kcore.engine.structure import snake_case

__all__ = ["automatic_name", "name_scope", "scoped"]


def automatic_name(class_name: str) -> str:
    """The name of a layer that was given none: `dense_1`, `dense_2` ... in order of construction."""
    return f"{snake_case(class_name)}_{K.get_uid(class_name)}"
