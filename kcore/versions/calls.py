"""Calls with arguments that a function does not have: of Keras 1, of later versions, misspelt.

`explained` wraps what users call. Arguments of Keras 1 are translated, with a warning that says what to write; any
other unknown one is refused with what was meant. An error about the call itself is shown at the user's line, without
the frames of kcore below it (`python -X dev` shows them).
"""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Callable, Iterable
from typing import Any, TypeVar, cast

from kcore.errors import (
    ArgumentError,
    DataError,
    DTypeError,
    GraphError,
    MaskingError,
    NotBuiltError,
    NotCompiledError,
    NotInstalledError,
    ShapeError,
    nearest,
    warn,
)
from kcore.origin import is_first_party, origin_of
from kcore.versions import keras_1
from kcore.versions.later import LATER_ARGUMENTS

F = TypeVar("F", bound=Callable[..., Any])

_TAKES_ANY = 0x08  # the flag of code with **kwargs
#: What says that a call was wrong.
_OF_THE_CALL = (
    ArgumentError, DataError, DTypeError, GraphError, MaskingError, NotBuiltError, NotCompiledError, NotInstalledError,
    ShapeError,
)  # fmt: skip


def explained(function: F, also: Iterable[str] | None = ()) -> F:
    """Decorates a function or method that users call.

    Args:
        function: has all its arguments in its signature.
        also: further arguments that it takes, in ``**kwargs``; others are refused. None if it refuses them itself.
    """
    code = function.__code__
    names = frozenset(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]) | frozenset(also or ())
    refuses = also is not None or not code.co_flags & _TAKES_ANY
    bound = int(code.co_varnames[:1] == ("self",))

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            if len(args) > 3 or not names.issuperset(kwargs):
                owner = _owner(function, args)
                new_args, kwargs = _translated(owner, names, args[bound:], kwargs)
                args = (*args[:bound], *new_args)
                if refuses and not names.issuperset(kwargs):
                    raise unknown_arguments(owner, kwargs.keys() - names, names - {"self"})
            return function(*args, **kwargs)
        except _OF_THE_CALL as error:
            if sys.flags.dev_mode or origin_of(error) is not None:  # a function of the user's is on the way
                raise
            raise error.with_traceback(None) from error.__cause__

    return cast(F, call)


def explained_constructor(cls: type) -> None:
    """Has the constructor of a class of kcore's explain its arguments; called for each subclass of a public base."""
    init = vars(cls).get("__init__")
    if init is not None and is_first_party(cls.__module__):
        cls.__init__ = explained(init, also=None)  # type: ignore[misc]


def parameters_of(cls: type) -> frozenset[str]:
    """The arguments of a class's constructor and of those of its bases."""
    found: set[str] = set()
    for base in cls.__mro__:
        init = vars(base).get("__init__")
        code = getattr(getattr(init, "__wrapped__", init), "__code__", None)
        if code is not None:
            found.update(code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount])
    return frozenset(name for name in found if not name.startswith("_"))


def unknown_arguments(owner: str, given: Iterable[str], known: Iterable[str]) -> ArgumentError:
    """The error for arguments that a function does not have.

    Args:
        owner: the class or function.
        given: the unknown arguments.
        known: those that it has.
    """
    given, known = sorted(given), sorted(known)
    message = f"Keyword argument not understood: {', '.join(map(repr, given))}, given to {owner}."
    advice = [_advice(owner, name, known) for name in given]
    if not all(advice):
        advice.append(f"Its arguments are {', '.join(known)}." if known else "It has none.")
    return ArgumentError(" ".join([message, *filter(None, advice)]))


def _advice(owner: str, name: str, known: Iterable[str]) -> str:
    later = LATER_ARGUMENTS.get(f"{owner}.{name}") or LATER_ARGUMENTS.get(name)
    if later is not None:
        return f"`{name}` is of a version later than Keras 2.1.6. {later}"
    near = nearest(name, known, 1)
    return f"Did you mean '{near[0]}'?" if near else ""


def _owner(function: Callable[..., Any], args: tuple[Any, ...]) -> str:
    """Under which name a function is known: of a constructor, the nearest class that the tables have."""
    if function.__name__ != "__init__":
        return function.__name__
    names = [cls.__name__ for cls in type(args[0]).__mro__]
    return next((name for name in names if name in keras_1.ARGUMENTS), names[0])


def _translated(
    owner: str, names: frozenset[str], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    new_args, new_kwargs = keras_1.translate_call(owner, names, args, kwargs)
    if new_args is not args or new_kwargs.keys() != kwargs.keys():
        shown = [*map(_short, new_args), *(f"{key}={_short(value)}" for key, value in new_kwargs.items())]
        written = re.sub(r"\.\.\.(, \.\.\.)+", "...", ", ".join(shown))
        warn(f"Update your `{owner}` call to the Keras 2 API: `{owner}({written})`")
    return new_args, new_kwargs


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 and "\n" not in text else "..."
