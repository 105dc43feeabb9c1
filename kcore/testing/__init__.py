"""What the author of a plugin needs to hold it to the contract: for use in tests.

The names below are imported when they are first used.
"""

from __future__ import annotations

from kcore.plugins.doors import lazy_names

_NAMES = {
    "check_golden": "kcore.testing.golden:check_golden",
    "check_gradient": "kcore.testing.gradients:check_gradient",
    "check_layer": "kcore.testing.layers:check_layer",
    "load_golden": "kcore.testing.golden:load_golden",
    "serve": "kcore.testing.server:serve",
}

__all__ = sorted(_NAMES)
__getattr__, __dir__ = lazy_names(__name__, _NAMES)
