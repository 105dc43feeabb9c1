"""Utilities; manual, chapter 20. Each name is imported when it is first used.

The old paths (`kcore.utils.np_utils`, `kcore.utils.generic_utils`, ...) offer the same names: see
`kcore/plugins/old_paths.py`.
"""

from __future__ import annotations

from kcore.plugins.doors import lazy_names

_NAMES = {
    "CustomObjectScope": "kcore.plugins.scopes:CustomObjectScope",
    "GeneratorEnqueuer": "kcore.data.enqueuer:GeneratorEnqueuer",
    "HDF5Matrix": "kcore.data.hdf5_matrix:HDF5Matrix",
    "OrderedEnqueuer": "kcore.data.enqueuer:OrderedEnqueuer",
    "Progbar": "kcore.engine.progbar:Progbar",
    "Sequence": "kcore.data.sequence:Sequence",
    "convert_all_kernels_in_model": "kcore.utils.kernels:convert_all_kernels_in_model",
    "custom_object_scope": "kcore.plugins.scopes:custom_object_scope",
    "deserialize_keras_object": "kcore.plugins.objects:deserialize_keras_object",
    "get_custom_objects": "kcore.plugins.scopes:get_custom_objects",
    "get_file": "kcore.utils.cache:get_file",
    "model_to_dot": "kcore.utils.plotting:model_to_dot",
    "device_scope": "kcore.utils.placement:device_scope",
    "multi_gpu_model": "kcore.utils.multi_gpu:multi_gpu_model",
    "normalize": "kcore.utils.arrays:normalize",
    "plot_model": "kcore.utils.plotting:plot_model",
    "print_summary": "kcore.engine.summary:print_summary",
    "serialize_keras_object": "kcore.plugins.objects:serialize_keras_object",
    "to_categorical": "kcore.utils.arrays:to_categorical",
}

#: What the authors of data sets and applications need besides.
_FOR_PLUGINS = {
    "cached_file": "kcore.utils.cache:cached_file",
    "load_npz": "kcore.data.pickles:load_npz",
    "load_pickle": "kcore.data.pickles:load_pickle",
}

#: What scripts know under the old paths only.
_OLDER_NAMES = {
    "SequenceEnqueuer": "kcore.data.enqueuer:SequenceEnqueuer",
    "ask_to_proceed_with_overwrite": "kcore.saving.files:ask_to_proceed_with_overwrite",
    "conv_input_length": "kcore.shapes:conv_input_length",
    "conv_output_length": "kcore.shapes:conv_output_length",
    "convert_dense_weights_data_format": "kcore.utils.kernels:convert_dense_weights_data_format",
    "convert_kernel": "kcore.utils.kernels:convert_kernel",
    "count_params": "kcore.engine.summary:count_params",
    "deconv_length": "kcore.shapes:deconv_length",
    "func_dump": "kcore.saving.bytecode:func_dump",
    "func_load": "kcore.saving.bytecode:func_load",
    "get_test_data": "kcore.utils.samples:get_test_data",
    "has_arg": "kcore.utils.functions:has_arg",
    "normalize_data_format": "kcore.shapes:normalize_data_format",
    "normalize_padding": "kcore.shapes:normalize_padding",
    "normalize_tuple": "kcore.shapes:normalize_tuple",
    "validate_file": "kcore.data.download:validate_file",
}

__all__ = sorted({**_NAMES, **_FOR_PLUGINS})
__getattr__, __dir__ = lazy_names(__name__, {**_NAMES, **_FOR_PLUGINS, **_OLDER_NAMES})
