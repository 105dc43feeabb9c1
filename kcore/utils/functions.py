"""What a callable takes."""

from __future__ import annotations

import inspect
from typing import Any


def has_arg(fn: Any, name: str, accept_all: bool = False) -> bool:
    """Whether a callable can be called with an argument of a name.

    Args:
        fn: function, method, class or other callable.
        name: the argument.
        accept_all: what to answer where it is not a named argument, but there is a `**kwargs`.
    """
    parameters = inspect.signature(fn).parameters
    parameter = parameters.get(name)
    if parameter is not None and parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
        return True
    return accept_all and any(p.kind is p.VAR_KEYWORD for p in parameters.values())
