"""The names of `kcore.utils`, and the old paths to them."""

import functools
import importlib
import subprocess
import sys

import pytest

import kcore.utils

OLD = {
    "kcore.utils": "CustomObjectScope GeneratorEnqueuer OrderedEnqueuer Sequence conv_utils layer_utils "
    "multi_gpu_model np_utils test_utils to_categorical vis_utils",
    "kcore.utils.conv_utils": "conv_input_length conv_output_length convert_kernel deconv_length "
    "normalize_data_format normalize_padding normalize_tuple",
    "kcore.utils.data_utils": "get_file validate_file Sequence OrderedEnqueuer GeneratorEnqueuer",
    "kcore.utils.generic_utils": "Progbar custom_object_scope func_dump func_load has_arg CustomObjectScope "
    "get_custom_objects serialize_keras_object deserialize_keras_object",
    "kcore.utils.io_utils": "HDF5Matrix ask_to_proceed_with_overwrite",
    "kcore.utils.layer_utils": "convert_all_kernels_in_model convert_dense_weights_data_format print_summary",
    "kcore.utils.np_utils": "to_categorical normalize",
    "kcore.utils.test_utils": "get_test_data",
    "kcore.utils.vis_utils": "plot_model model_to_dot",
}


@pytest.mark.parametrize("path", OLD)
def test_old_paths(path):
    module = importlib.import_module(path)
    for name in OLD[path].split():
        found = getattr(module, name)
        assert name.endswith("_utils") or found is getattr(kcore.utils, name)


def test_all_names_resolve_and_nothing_is_imported_early():
    for name in kcore.utils.__all__:
        assert callable(getattr(kcore.utils, name))
    code = "import sys, kcore.utils; sys.exit(any(m in sys.modules for m in ('h5py', 'numpy', 'kcore.engine.layer')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_has_arg():
    from kcore.utils.generic_utils import has_arg

    def f(a, *rest, b=1, **more):
        return a, rest, b, more

    assert has_arg(f, "a") and has_arg(f, "b") and not has_arg(f, "c") and has_arg(f, "c", accept_all=True)
    assert not has_arg(f, "rest") and not has_arg(lambda x: x, "y", accept_all=True)
    assert has_arg(functools.partial(f, b=2), "b") and has_arg(kcore.utils.Progbar, "width")


def test_functions_as_data():
    from kcore.utils.generic_utils import func_dump, func_load

    scale = 3

    def f(x, y=2):
        return (x + y) * scale

    assert func_load(func_dump(f))(1) == 9 and func_load(*func_dump(f))(1, y=0) == 3


@pytest.mark.parametrize(("classification", "shape"), [(True, (20,)), (False, (20, 3))])
def test_get_test_data(classification, shape):
    from kcore.utils.test_utils import get_test_data

    (x, y), (x_test, y_test) = get_test_data(20, 5, (4, 2), (3,), classification)
    assert x.shape == (20, 4, 2) and y.shape == shape and len(x_test) == len(y_test) == 5


def test_print_summary():
    from kcore.layers import Dense
    from kcore.models import Sequential

    lines = []
    kcore.utils.print_summary(Sequential([Dense(2, input_shape=(3,))]), line_length=80, print_fn=lines.append)
    assert "Total params: 8" in lines and len(lines[0]) == 80
