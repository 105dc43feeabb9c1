"""Models, and reading and writing them: `from kcore.models import Sequential, load_model`.

The names live in `kcore.engine` and `kcore.saving`; each is imported when it is first used.
"""

from __future__ import annotations

from kcore.plugins.doors import lazy_names

_NAMES = {
    "Input": "kcore.engine:Input",
    "Model": "kcore.engine:Model",
    "Sequential": "kcore.engine:Sequential",
    "clone_model": "kcore.engine:clone_model",
    "load_model": "kcore.saving:load_model",
    "model_from_config": "kcore.saving:model_from_config",
    "model_from_json": "kcore.saving:model_from_json",
    "model_from_yaml": "kcore.saving:model_from_yaml",
    "save_model": "kcore.saving:save_model",
}

__all__ = sorted(_NAMES)
__getattr__, __dir__ = lazy_names(__name__, _NAMES)
