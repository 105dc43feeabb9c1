"""Functions in saved models (the function of a `Lambda`), and how they are kept from doing harm.

A named function is saved by its name. An anonymous one is saved as Keras 2 does it: as Python bytecode, which
only the Python version that wrote it can read, and which can do anything. Loading therefore takes, in this
order:

1. what the caller gave for it in `custom_objects`: under the function's name, or under the layer's;
2. the very function, where this process saved it itself (a copy of a model, saving and loading in one program):
   the bytecode in the file then only says which one it was, and is not run;
3. the bytecode, only inside `allow_bytecode()`.
"""

from __future__ import annotations

import base64
import binascii
import importlib
import marshal
import types
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

from kcore.errors import SavedModelError, UnsafeModelError
from kcore.plugins.scopes import get_custom_objects

Code = tuple[str, Any, Any]

#: The layers whose bytecode may be run; None: of no layer, empty: of all.
_allowed: ContextVar[frozenset[str] | None] = ContextVar("kcore_allowed_bytecode", default=None)

_MOST_REMEMBERED = 1000
_saved_here: OrderedDict[Any, Callable[..., Any]] = OrderedDict()  # by what identifies them in a file


@contextmanager
def allow_bytecode(*layers: str) -> Iterator[None]:
    """Let models that are loaded inside run the bytecode of their `Lambda` layers.

    Only for files from a source you trust: bytecode can do whatever a program can.

    Args:
        layers: names of the layers that may; all where none is named.

    Example:
        >>> with allow_bytecode("lambda_1"):
        ...     model = load_model("model.h5")
    """
    token = _allowed.set(frozenset(layers))
    try:
        yield
    finally:
        _allowed.reset(token)


# --- as Keras 2 writes functions -------------------------------------------------------------------------


def func_dump(func: Callable[..., Any]) -> Code:
    """A function as data.

    Returns:
        Tuple of its bytecode (base64 text), the defaults of its arguments, and the values of its closure.
    """
    code = base64.encodebytes(marshal.dumps(func.__code__)).decode("ascii")
    closure = tuple(cell.cell_contents for cell in func.__closure__) if func.__closure__ else None
    return code, func.__defaults__, closure


def func_load(
    code: Any, defaults: Any = None, closure: Any = None, globs: dict[str, Any] | None = None
) -> Callable[..., Any]:
    """A function from what `func_dump` made of it. Running it runs the code: see `allow_bytecode`.

    Args:
        code: bytecode as base64 text, or the whole tuple that `func_dump` returned.
        defaults: tuple, the defaults of its arguments.
        closure: tuple, the values of its closure.
        globs: dictionary, the names the function can use.

    Raises:
        ValueError: not the bytecode of a function, or that of another version of Python.
    """
    if isinstance(code, (tuple, list)):
        code, defaults, closure = code
    try:
        loaded = marshal.loads(base64.b64decode(code.encode("ascii")))
    except (AttributeError, TypeError, EOFError, ValueError, binascii.Error, MemoryError) as error:
        raise SavedModelError(
            f"The bytecode of a function cannot be read: {error}. It can only be read by the version of Python that "
            "wrote it; give the function with custom_objects instead."
        ) from error
    if not isinstance(loaded, types.CodeType):
        raise SavedModelError(f"Expected the bytecode of a function, but found {type(loaded).__name__}.")
    defaults = tuple(tuple(d) if isinstance(d, list) else d for d in defaults) if defaults is not None else None
    cells = None if closure is None else tuple(types.CellType(_from_file(value)) for value in closure)
    if len(cells or ()) != len(loaded.co_freevars):
        raise SavedModelError(
            f"The function uses {len(loaded.co_freevars)} outer names, but {len(cells or ())} were saved."
        )
    names = {"__builtins__": __builtins__, **(_usual_names() if globs is None else globs)}
    return types.FunctionType(loaded, names, name=loaded.co_name, argdefs=defaults, closure=cells)


def _from_file(value: Any) -> Any:
    """A value of a closure: JSON has modules and arrays as `{"type", "value"}` (`architecture.json_value`)."""
    kind = value.get("type") if isinstance(value, dict) and value.keys() == {"type", "value"} else None
    if kind == "module":
        try:
            return importlib.import_module(value["value"])
        except (ImportError, AttributeError, TypeError, ValueError) as error:
            raise SavedModelError(f"The function uses the module {value['value']!r:.100}: {error}") from error
    return np.asarray(value["value"]) if kind == "ndarray" else value


def _usual_names() -> dict[str, Any]:
    """What the functions of Keras scripts use: `K`, `np`, and the module itself."""
    import kcore
    from kcore import backend

    return {"K": backend, "np": np, "numpy": np, "kcore": kcore, "keras": kcore}


# --- in the configuration of a layer ---------------------------------------------------------------------


def function_config(function: Callable[..., Any]) -> tuple[Any, str]:
    """How a function stands in a layer's configuration.

    Returns:
        Its name and "function", or its bytecode (see `func_dump`) and "lambda".
    """
    name = getattr(function, "__name__", None) or type(function).__name__
    if name == "<lambda>" or _is_local(function):
        dumped = func_dump(function)
        _remember(_hashable(dumped), function)
        return dumped, "lambda"
    _remember(name, function)
    return name, "function"


def _remember(key: Any, function: Callable[..., Any]) -> None:
    _saved_here.pop(key, None)
    _saved_here[key] = function
    if len(_saved_here) > _MOST_REMEMBERED:
        _saved_here.popitem(last=False)


def _hashable(value: Any) -> Any:
    """What tells a saved function (its code, defaults and closure) from others, whether from a file or not."""
    if isinstance(value, (list, tuple)):
        return tuple(_hashable(item) for item in value)
    if isinstance(value, (str, int, float, bool, type(None))):
        return (type(value).__name__, value)
    if isinstance(value, types.ModuleType):
        return ("module", value.__name__)
    if isinstance(value, dict) and value.get("type") == "module":
        return ("module", str(value.get("value")))
    return ("object", id(value))  # never equal to anything in a file


def _is_local(function: Any) -> bool:
    return isinstance(function, types.FunctionType) and "<locals>" in function.__qualname__


def function_from_config(
    value: Any,
    kind: str,
    layer: str | None,
    what: str = "function",
    custom_objects: Mapping[str, Any] | None = None,
) -> Callable[..., Any]:
    """The function that a configuration describes; see the module's docstring for the order.

    Args:
        value, kind: what `function_config` returned.
        layer: name of the layer, under which `custom_objects` may have its function too.
        what: the argument it is for: 'function', 'output_shape' or 'mask'.
        custom_objects: names to functions.

    Raises:
        UnsafeModelError (a ValueError): bytecode that was not allowed.
        SavedModelError (a ValueError): nobody has the function, or the description is damaged.
    """
    given = {**get_custom_objects(), **(custom_objects or {})}
    key = str(layer) if what == "function" else f"{layer}.{what}"
    if layer is not None and callable(given.get(key)):
        return given[key]
    if kind == "function":
        return _by_name(value, key, given)
    if kind != "lambda":
        raise SavedModelError(
            f"Unknown type {kind!r} of the function of layer {layer!r}: 'function' or 'lambda' was expected."
        )
    return _by_bytecode(value, layer, key, given)


def _by_name(name: Any, key: str, given: Mapping[str, Any]) -> Callable[..., Any]:
    if isinstance(name, str):
        if callable(given.get(name)):
            return given[name]
        if name in _saved_here:
            return _saved_here[name]
    raise SavedModelError(
        f"Unknown function in Lambda layer '{key}': {name!r:.100}. Give it when loading: "
        f"custom_objects={{{name!r:.100}: the_function}}."
    )


def _by_bytecode(value: Any, layer: str | None, key: str, given: Mapping[str, Any]) -> Callable[..., Any]:
    dumped = _as_dumped(value)
    if dumped is None:
        raise SavedModelError(f"The function of Lambda layer '{layer}' is damaged: {value!r:.100}")
    known = _saved_here.get(_hashable(dumped))
    if known is not None:
        return known
    allowed = _allowed.get()
    if allowed is None or (allowed and layer not in allowed):
        raise UnsafeModelError(
            f"The Lambda layer '{layer}' holds its function as Python bytecode, which could do anything and is not run "
            f"unless you say so. Give the function itself, custom_objects={{'{key}': the_function}}, or if you trust "
            f"where the model comes from, load it inside `with kcore.saving.allow_bytecode('{layer}'):`."
        )
    return func_load(dumped, globs={**_usual_names(), **given})


def _as_dumped(value: Any) -> Code | None:
    """Code, defaults and closure, in whatever way a version wrote them; None where that is not what it is."""
    if isinstance(value, dict):  # later versions wrap it
        value = value.get("config", value)
    if isinstance(value, dict):
        value = (value.get("code"), value.get("defaults"), value.get("closure"))
    if isinstance(value, str):
        value = (value, None, None)
    if not isinstance(value, (list, tuple)) or len(value) != 3 or not isinstance(value[0], str):
        return None
    code, defaults, closure = value
    well_formed = all(part is None or isinstance(part, (list, tuple)) for part in (defaults, closure))
    return (code, defaults, closure) if well_formed else None
