"""Import paths that scripts written for Keras 2.1 use, and where their names live here.

Each old path is a module without a file: a name in it is looked for in the modules of the right
side, in this order. A real module of the same path goes first.
"""

from __future__ import annotations

OLD_PATHS: dict[str, tuple[str, ...]] = {
    "kcore.engine.base_layer": ("kcore.engine",),  # this and the next: Keras 2.2's names for the topology
    "kcore.engine.saving": ("kcore.saving",),
    "kcore.engine.topology": ("kcore.engine", "kcore.saving", "kcore.models"),
    "kcore.objectives": ("kcore.losses",),
    "kcore.legacy": ("kcore.versions",),
    "kcore.legacy.interfaces": ("kcore.versions.interfaces",),
    "kcore.engine.training": ("kcore.engine", "kcore.models"),
    **{
        f"kcore.layers.{name}": ("kcore.layers",)
        for name in (
            "advanced_activations",
            "convolutional",
            "convolutional_recurrent",
            "core",
            "cudnn_recurrent",
            "embeddings",
            "local",
            "merge",
            "noise",
            "normalization",
            "pooling",
            "recurrent",
            "wrappers",
        )
    },
    **{
        f"kcore.utils.{name}": ("kcore.utils",)
        for name in (
            "conv_utils",
            "data_utils",
            "generic_utils",
            "io_utils",
            "layer_utils",
            "np_utils",
            "test_utils",
            "vis_utils",
        )
    },
}

# Names that scripts import from old paths, and that are called something else now.
OLD_NAMES: dict[tuple[str, str], str] = {
    ("kcore.layers.merge", "_Merge"): "ElementwiseMerge",
}
