"""Configurations of Keras 1, in the words of Keras 2.

Keras 1 has other names for layers (`Convolution2D`), for their arguments (`nb_filter`, `border_mode`) and for what
arguments hold (`{"name": "MaxNorm", "m": 2}`), and one layer `Merge` with a mode. What Keras 2 has no word for is left
as it is, and refused by the layer that does not know it. Weights are converted by the layers that own them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kcore.errors import SavedModelError, warn

Config = dict[str, Any]

_RENAMED_CLASSES = {
    "Convolution1D": "Conv1D",
    "Convolution2D": "Conv2D",
    "Convolution3D": "Conv3D",
    "AtrousConvolution1D": "Conv1D",
    "AtrousConvolution2D": "Conv2D",
    "Deconvolution2D": "Conv2DTranspose",
    "SeparableConvolution2D": "SeparableConv2D",
}
_WEIGHTED = {
    "init": "kernel_initializer",
    "bias": "use_bias",
    "W_regularizer": "kernel_regularizer",
    "b_regularizer": "bias_regularizer",
    "W_constraint": "kernel_constraint",
    "b_constraint": "bias_constraint",
}
_SPATIAL = {"border_mode": "padding", "dim_ordering": "data_format"}
_CONVOLUTION = {
    **_WEIGHTED,
    **_SPATIAL,
    "nb_filter": "filters",
    "filter_length": "kernel_size",
    "subsample": "strides",
    "subsample_length": "strides",
    "atrous_rate": "dilation_rate",
}
_RECURRENT = {
    **_WEIGHTED,
    "output_dim": "units",
    "inner_init": "recurrent_initializer",
    "inner_activation": "recurrent_activation",
    "U_regularizer": "recurrent_regularizer",
    "dropout_W": "dropout",
    "dropout_U": "recurrent_dropout",
    "forget_bias_init": "unit_forget_bias",
    "consume_less": "implementation",
}
_POOLING = {**_SPATIAL, "pool_length": "pool_size", "stride": "strides"}
_UPSAMPLING = {**_SPATIAL, "length": "size"}
_DROPOUT = {"p": "rate"}
_SPATIAL_DROPOUT = {**_DROPOUT, **_SPATIAL}
_EMBEDDING = {
    "init": "embeddings_initializer",
    "W_regularizer": "embeddings_regularizer",
    "W_constraint": "embeddings_constraint",
}
#: The arguments of layers, by today's class name: what they are called today.
_ARGUMENTS: dict[str, Mapping[str, str]] = {
    "Dense": {**_WEIGHTED, "output_dim": "units"},
    **dict.fromkeys(("Conv1D", "Conv2D", "Conv3D", "Conv2DTranspose", "SeparableConv2D"), _CONVOLUTION),
    **dict.fromkeys(("LocallyConnected1D", "LocallyConnected2D"), _CONVOLUTION),
    **dict.fromkeys(("LSTM", "GRU", "SimpleRNN"), _RECURRENT),
    "ConvLSTM2D": {**_RECURRENT, **_CONVOLUTION},
    **dict.fromkeys(
        [f"{kind}Pooling{rank}D" for kind in ("Max", "Average", "GlobalMax", "GlobalAverage") for rank in (1, 2, 3)],
        _POOLING,
    ),
    **dict.fromkeys([f"{kind}{rank}D" for kind in ("ZeroPadding", "Cropping") for rank in (1, 2, 3)], _SPATIAL),
    **dict.fromkeys([f"UpSampling{rank}D" for rank in (1, 2, 3)], _UPSAMPLING),
    **dict.fromkeys(("Dropout", "GaussianDropout", "SpatialDropout1D"), _DROPOUT),
    **dict.fromkeys(("SpatialDropout2D", "SpatialDropout3D"), _SPATIAL_DROPOUT),
    "GaussianNoise": {"sigma": "stddev"},
    "PReLU": {"init": "alpha_initializer"},
    "Embedding": _EMBEDDING,
    "InputLayer": {"input_dtype": "dtype"},
}
_VALUES: dict[str, Mapping[Any, Any]] = {
    "dim_ordering": {"tf": "channels_last", "th": "channels_first", "default": None},
    "consume_less": {"cpu": 0, "mem": 1, "gpu": 2},
}
#: The lengths of a window are arguments of their own.
_LENGTHS = (("nb_row", "nb_col"), ("kernel_dim1", "kernel_dim2", "kernel_dim3"))
_REGULARIZERS = ("L1L2Regularizer", "WeightRegularizer", "ActivityRegularizer")
_MERGING = {"sum": "Add", "mul": "Multiply", "ave": "Average", "max": "Maximum"}


def translate_layer(name: str, config: Config) -> tuple[str, Config]:
    """Class name and configuration of a layer in the words of Keras 2; those of Keras 2 are returned as they are."""
    if name == "Merge" and "mode" in config and not config.get("layers"):
        return _merge(config)
    today = _RENAMED_CLASSES.get(name, name)
    names = _ARGUMENTS.get(today, {})
    if name == "BatchNormalization" and "mode" in config:
        if config["mode"] != 0:
            raise SavedModelError(
                f"Layer {config.get('name')!r} is a BatchNormalization with mode={config['mode']!r}, of Keras 1; later "
                "versions have mode 0 only. Write it as a layer of your own and give it with custom_objects."
            )
        return name, {key: value for key, value in config.items() if key != "mode"}
    lengths = next((keys for keys in _LENGTHS if set(keys) <= set(config)), ())
    if not names or not (lengths or (set(names) & set(config))):
        return name, config
    found: Config = {"kernel_size": [config[key] for key in lengths]} if lengths else {}
    said_by_shape = () if today == "Embedding" else ("input_dim", "input_length")  # batch_input_shape says it too
    for key, value in config.items():
        if key not in lengths and key not in said_by_shape:
            found[names.get(key, key)] = _value(key, value)
    if today == "Conv2DTranspose":
        found.pop("output_shape", None)  # follows from the others
    if today == "Embedding" and found.pop("dropout", 0):
        warn(
            f"Layer {config.get('name')!r} is an Embedding with dropout={config['dropout']}, of Keras 1; later "
            "versions drop nothing there. For further training put a SpatialDropout1D after it."
        )
    return today, found


def _value(key: str, value: Any) -> Any:
    """The value of an argument of Keras 1."""
    if key in _VALUES and isinstance(value, str):
        return _VALUES[key].get(value, value)
    if key == "forget_bias_init":
        return value == "one"
    if isinstance(value, Mapping) and isinstance(value.get("name"), str):
        return _part(dict(value))
    return value


def _part(config: Config) -> Config:
    """A regularizer or constraint."""
    name = config.pop("name")
    if name in _REGULARIZERS:
        name = "L1L2"
    if name == "MaxNorm" and "m" in config:
        config["max_value"] = config.pop("m")
    return {"class_name": name, "config": config}


def _merge(config: Config) -> tuple[str, Config]:
    mode = config["mode"]
    own: Config = {key: config[key] for key in ("name", "trainable") if key in config}
    if mode in _MERGING:
        return _MERGING[mode], own
    if mode == "concat":
        return "Concatenate", {**own, "axis": config.get("concat_axis", -1)}
    if mode in ("dot", "cos"):
        return "Dot", {**own, "axes": config.get("dot_axes", -1), "normalize": mode == "cos"}
    raise SavedModelError(
        f"Layer {config.get('name')!r} is a Merge of Keras 1 with the mode {str(mode)[:60]!r}, which cannot be read "
        "from a file. Make the model in your program, with a Lambda, and use model.load_weights(filepath)."
    )


# --- sequential models that begin with several branches ------------------------------------------------------------


def is_branched(config: Any) -> bool:
    """Whether the layers of a `Sequential` begin with a `Merge` of other models."""
    first = config[0] if isinstance(config, list) and config else None
    return isinstance(first, Mapping) and first.get("class_name") == "Merge" and "layers" in first.get("config", ())


def as_functional(config: list[Config], name: str = "branches") -> Config:
    """A `Sequential` that begins with branches, as the functional model with the same layers."""
    layers: list[Config] = []
    inputs: list[str] = []
    last = _chain(config, layers, inputs)
    return {
        "class_name": "Model",
        "config": {
            "name": name,
            "layers": layers,
            "input_layers": [[name, 0, 0] for name in inputs],
            "output_layers": [[last, 0, 0]],
        },
    }


def _chain(config: list[Config], layers: list[Config], inputs: list[str]) -> str:
    """Add the layers of a sequential model to a functional one; returns the name of the last."""
    first, *rest = config
    if is_branched(config):
        merging = {key: value for key, value in first["config"].items() if key != "layers"}
        branches = [_branch(branch, layers, inputs) for branch in first["config"]["layers"]]
        class_name, merging = translate_layer("Merge", merging)
        last = _add(layers, {"class_name": class_name, "config": merging}, branches)
    else:
        shape = first.get("config", {}).get("batch_input_shape")
        if shape is None:
            raise SavedModelError(f"The first layer of a branch has no batch_input_shape: {first!r:.200}")
        dtype = first["config"].get("input_dtype") or first["config"].get("dtype") or "float32"
        inputs.append(f"{first['config']['name']}_input")
        start = {"batch_input_shape": shape, "dtype": dtype, "sparse": False, "name": inputs[-1]}
        last, rest = _add(layers, {"class_name": "InputLayer", "config": start}, []), config
    for layer in rest:
        last = _add(layers, layer, [last])
    return last


def _branch(branch: Any, layers: list[Config], inputs: list[str]) -> str:
    config = branch.get("config") if isinstance(branch, Mapping) else None
    if not isinstance(config, list) or not config:
        raise SavedModelError(
            f"A branch of a sequential model is no Sequential: {branch!r:.100}. Make the model in your program and use "
            "model.load_weights(filepath)."
        )
    return _chain(config, layers, inputs)


def _add(layers: list[Config], layer: Config, sources: list[str]) -> str:
    name = layer["config"]["name"]
    nodes = [[[source, 0, 0] for source in sources]] if sources else []
    layers.append({**layer, "name": name, "inbound_nodes": nodes})
    return str(name)
