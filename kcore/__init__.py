"""kcore: a small, fast deep-learning framework with the API of Keras 2.

`import kcore` reads no plugin and imports nothing heavy: each name below is imported when it is
first used (PEP 562).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from kcore.plugins import finder as _finder

__version__ = "0.1.0"

_MODULES = (
    "activations",
    "applications",
    "backend",
    "backends",
    "callbacks",
    "compat",
    "config",
    "constraints",
    "datasets",
    "engine",
    "errors",
    "initializers",
    "layers",
    "losses",
    "metrics",
    "models",
    "optimizers",
    "plugins",
    "preprocessing",
    "regularizers",
    "testing",
    "utils",
    "wrappers",
)
_OBJECTS = {"Input": "layers", "Model": "models", "Sequential": "models"}

__all__ = ["Input", "Model", "Sequential", "__version__", *(m for m in _MODULES if m not in ("compat", "testing"))]

# From here on `import kcore.datasets.mnist` and the old import paths of Keras scripts are found.
_finder.install()

if TYPE_CHECKING:
    from kcore.layers import Input as Input
    from kcore.models import Model as Model
    from kcore.models import Sequential as Sequential


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    if name in _OBJECTS:
        value = getattr(importlib.import_module(f"{__name__}.{_OBJECTS[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
