"""Which keys of saved configurations are later than Keras 2.1.6: what a reader of its files has to put up with."""

from __future__ import annotations

from typing import Any

# What every layer of 2.1.6 may have in its configuration.
BASE = {"name", "trainable", "dtype", "batch_input_shape"}

# Arguments of 2.1.6, of the classes to which later versions gave more.
_RNN = {
    "return_sequences", "return_state", "go_backwards", "stateful", "unroll", "units", "activation", "use_bias",
    "kernel_initializer", "recurrent_initializer", "bias_initializer", "kernel_regularizer", "recurrent_regularizer",
    "bias_regularizer", "activity_regularizer", "kernel_constraint", "recurrent_constraint", "bias_constraint",
    "dropout", "recurrent_dropout", "implementation", "recurrent_activation", "unit_forget_bias", "reset_after",
}  # fmt: skip
_CONV = {
    "filters", "kernel_size", "strides", "padding", "data_format", "dilation_rate", "activation", "use_bias",
    "kernel_initializer", "bias_initializer", "kernel_regularizer", "bias_regularizer", "activity_regularizer",
    "kernel_constraint", "bias_constraint", "depth_multiplier", "depthwise_initializer", "pointwise_initializer",
    "depthwise_regularizer", "pointwise_regularizer", "depthwise_constraint", "pointwise_constraint",
}  # fmt: skip
_POOL = {"pool_size", "strides", "padding", "data_format"}
_FAMILIES: list[tuple[str, set[str]]] = [
    ("SimpleRNN GRU LSTM SimpleRNNCell GRUCell LSTMCell", _RNN),
    ("RNN", {*_RNN, "cell", "num_constants"}),
    ("StackedRNNCells", {"cells"}),
    ("ConvLSTM2D", _RNN | _CONV),
    ("Conv1D Conv2D Conv3D SeparableConv1D SeparableConv2D", _CONV),
    (
        "Conv2DTranspose Conv3DTranspose DepthwiseConv2D LocallyConnected1D LocallyConnected2D",
        _CONV - {"dilation_rate"},
    ),
    ("MaxPooling1D MaxPooling2D MaxPooling3D AveragePooling1D AveragePooling2D AveragePooling3D", _POOL),
    ("GlobalMaxPooling2D GlobalMaxPooling3D GlobalAveragePooling2D GlobalAveragePooling3D", {"data_format"}),
    ("GlobalMaxPooling1D GlobalAveragePooling1D", set()),
    ("UpSampling2D UpSampling3D", {"size", "data_format"}),
    ("UpSampling1D", {"size"}),
    ("InputLayer", {"sparse"}),
    ("Bidirectional", {"layer", "merge_mode"}),
    ("TimeDistributed", {"layer"}),
    ("GaussianNoise", {"stddev"}),
    ("GaussianDropout", {"rate"}),
    ("Dropout AlphaDropout SpatialDropout1D", {"rate", "noise_shape", "seed"}),
    ("Lambda", {"function", "function_type", "output_shape", "output_shape_type", "arguments"}),
]
KEYS_OF_216 = {name: keys for names, keys in _FAMILIES for name in names.split()}


def table(configs: dict[str, Any]) -> dict[str, Any]:
    """What the files hold that 2.1.6 never wrote.

    Returns a dict with `classes`: class names of models that are new; `keys`: by class, later keys with an example
    of their value; `nested_forms`: shapes of values that changed (a dtype that is a policy, axes that are lists, ...).
    """
    keys: dict[str, dict[str, Any]] = {}
    classes: set[str] = set()
    forms: dict[str, Any] = {}
    for config in configs.values():
        _collect(config, keys, classes, forms)
    later = {name: dict(sorted(found.items())) for name, found in sorted(keys.items()) if found}
    return {"classes": sorted(classes), "keys": later, "nested_forms": forms}


def _collect(node: Any, keys: dict, classes: set, forms: dict) -> None:
    if isinstance(node, list):
        for item in node:
            _collect(item, keys, classes, forms)
        return
    if not isinstance(node, dict):
        return
    name, config = node.get("class_name"), node.get("config")
    if isinstance(name, str) and isinstance(config, dict):
        if name in ("Functional", "Sequential"):
            classes.add(name if name == "Functional" else "Sequential (config a dict)")
        known = KEYS_OF_216.get(name)
        if known is not None:
            found = {key: value for key, value in config.items() if key not in known | BASE}
            keys.setdefault(name, {}).update(found)
        if isinstance(config.get("axis"), list):
            forms[f"{name}.axis"] = config["axis"]
        if isinstance(config.get("dtype"), dict):
            forms["dtype"] = config["dtype"]
        beside = forms.setdefault("keys beside class_name and config", {})
        beside.update({key: _short(value) for key, value in node.items() if key not in ("class_name", "config")})
    for value in node.values():
        _collect(value, keys, classes, forms)


def _short(value: Any) -> Any:
    return value if len(str(value)) < 60 else f"{str(value)[:60]}..."
