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

if TYPE_CHECKING:  # what editors and type checkers see instead of `__getattr__`
    from kcore import activations as activations
    from kcore import applications as applications
    from kcore import backend as backend
    from kcore import backends as backends
    from kcore import callbacks as callbacks
    from kcore import compat as compat
    from kcore import config as config
    from kcore import constraints as constraints
    from kcore import datasets as datasets
    from kcore import engine as engine
    from kcore import errors as errors
    from kcore import initializers as initializers
    from kcore import layers as layers
    from kcore import losses as losses
    from kcore import metrics as metrics
    from kcore import models as models
    from kcore import optimizers as optimizers
    from kcore import plugins as plugins
    from kcore import preprocessing as preprocessing
    from kcore import regularizers as regularizers
    from kcore import testing as testing
    from kcore import utils as utils
    from kcore import wrappers as wrappers
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
    """The public names: what tab completion offers."""
    return sorted({*(name for name in globals() if name.startswith("__")), *_MODULES, *__all__})


globals()[_finder.RESOLVER] = _finder.refusing(__name__, __dir__)
