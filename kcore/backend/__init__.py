"""The public functions on tensors, under the names of the manual's chapter on the backend.

    from kcore import backend as K

    x = K.placeholder(shape=(None, 10))
    f = K.function([x], [K.softmax(x)])
    (probabilities,) = f([array])

It is a facade: arguments are checked here, and the work is done by `kcore.ops`, `kcore.grad` and `kcore.runtime`.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

from kcore.backend.control import *  # noqa: F403
from kcore.backend.math import *  # noqa: F403
from kcore.backend.nn import *  # noqa: F403
from kcore.backend.random import *  # noqa: F403
from kcore.backend.recurrence import *  # noqa: F403
from kcore.backend.scopes import *  # noqa: F403
from kcore.backend.session import *  # noqa: F403
from kcore.backend.shaping import *  # noqa: F403
from kcore.backend.sparse import *  # noqa: F403
from kcore.backend.state import *  # noqa: F403
from kcore.backend.variables import *  # noqa: F403
from kcore.plugins.finder import RESOLVER as _RESOLVER
from kcore.plugins.finder import refusing as _refusing
from kcore.versions import no_name as _no_name

# Functions of modules that are imported when one of them is first used.
_LATER = {
    "conv": (
        "conv1d",
        "conv2d",
        "conv2d_transpose",
        "conv3d",
        "conv3d_transpose",
        "depthwise_conv2d",
        "local_conv1d",
        "local_conv2d",
        "pool1d",
        "pool2d",
        "pool3d",
        "separable_conv1d",
        "separable_conv2d",
    ),
    "ctc": ("ctc_batch_cost", "ctc_decode", "ctc_label_dense_to_sparse"),
}
_MODULE_OF = {name: module for module, names in _LATER.items() for name in names}
#: Understood, but not offered by `dir`.
_OLD = dict.fromkeys(("image_dim_ordering", "set_image_dim_ordering"), "keras_1")


def __getattr__(name: str) -> Any:
    module = _MODULE_OF.get(name) or _OLD.get(name)
    if module is None:
        raise AttributeError(_no_name(__name__, name))
    value = getattr(importlib.import_module(f"{__name__}.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names: what tab completion offers."""
    own = {name for name, value in globals().items() if not isinstance(value, ModuleType)}
    return sorted({*own, *_MODULE_OF} - {"Any", "ModuleType", "annotations"})


globals()[_RESOLVER] = _refusing(__name__, __dir__)
