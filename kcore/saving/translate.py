"""Configurations of later versions of the format, and with `keras_1` of earlier ones, in the words of Keras 2.1.6.

Keras 2.2 and later, and tf.keras, have class names for what 2.1.6 has only functions for
(`GlorotUniform`), further arguments that say nothing new (`ragged`, `registered_name`), and other names for
the same ones (`learning_rate`). They are translated before objects are made. What has no equal here is left as
it is, and refused by the object that does not know it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kcore.errors import KcoreWarning, SavedModelError, warn
from kcore.plugins.scopes import get_custom_objects
from kcore.saving import keras_1
from kcore.versions.later import FUNCTIONS_OF_CLASSES

Config = dict[str, Any]

_SCALED = {  # scale, mode, distribution
    "GlorotUniform": (1.0, "fan_avg", "uniform"),
    "GlorotNormal": (1.0, "fan_avg", "normal"),
    "HeUniform": (2.0, "fan_in", "uniform"),
    "HeNormal": (2.0, "fan_in", "normal"),
    "LecunUniform": (1.0, "fan_in", "uniform"),
    "LecunNormal": (1.0, "fan_in", "normal"),
}
_RENAMED = {
    "L1": "L1L2",
    "L2": "L1L2",
    "OrthogonalV2": "Orthogonal",
    "ZerosV2": "Zeros",
    "OnesV2": "Ones",
    "ConstantV2": "Constant",
    "RandomNormalV2": "RandomNormal",
    "RandomUniformV2": "RandomUniform",
    "TruncatedNormalV2": "TruncatedNormal",
    "BatchNormalizationV1": "BatchNormalization",
    "BatchNormalizationV2": "BatchNormalization",
    "LSTMV2": "LSTM",
    "GRUV2": "GRU",
}
#: Arguments of layers that 2.1.6 does not have, and the values that say nothing. Any other value is left, and the
#: layer refuses it by name.
_LAYER_EXTRAS: dict[str, Any] = {
    "groups": 1,
    "interpolation": "nearest",
    "keepdims": False,
    "noise_shape": None,
    "optional": False,
    "output_padding": None,
    "ragged": False,
    "seed": None,
    "time_major": False,
    "zero_output_for_mask": False,
}
_EXTRAS_OF_CLASS: dict[str, dict[str, Any]] = {
    "BatchNormalization": {"renorm": False, "synchronized": False},
    "Conv2DTranspose": {"dilation_rate": [1, 1]},
    "Conv3DTranspose": {"dilation_rate": [1, 1, 1]},
    "Embedding": {"sparse": False},
    "GlobalAveragePooling1D": {"data_format": "channels_last"},
    "GlobalMaxPooling1D": {"data_format": "channels_last"},
    "LocallyConnected1D": {"implementation": 1},
    "LocallyConnected2D": {"implementation": 1},
}
#: Arguments that later versions write for a class, and that never meant anything there.
_MEANINGLESS: dict[str, tuple[str, ...]] = {
    "SeparableConv1D": ("kernel_initializer", "kernel_regularizer", "kernel_constraint"),
    "SeparableConv2D": ("kernel_initializer", "kernel_regularizer", "kernel_constraint"),
}
_MISSING = object()
#: What says in which dtype a layer computes.
_POLICIES = ("Policy", "PolicyV1", "DTypePolicy")

#: Arguments of optimizers that 2.1.6 does not have, and the values that say nothing.
_OPTIMIZER_EXTRAS: dict[str, Any] = {
    "name": ...,  # of any value
    "is_legacy_optimizer": ...,
    "jit_compile": ...,
    "ema_momentum": ...,
    "ema_overwrite_frequency": ...,
    "global_clipnorm": (None,),
    "weight_decay": (None, 0.0),
    "use_ema": (None, False),
    "centered": (False,),
    "momentum": (0.0,),
    "initial_accumulator_value": ...,  # the state that the file has is set afterwards
    "clipnorm": (None,),
    "clipvalue": (None,),
}


def translate(config: Any) -> Any:
    """A configuration with every object in it as 2.1.6 describes it.

    Args:
        config: what JSON holds: dictionaries, lists, texts, numbers.

    Returns:
        A new configuration; the given one is left as it is.
    """
    if isinstance(config, list):
        return [translate(item) for item in config]
    if not isinstance(config, dict):
        return config
    if config.get("class_name") == "function" and isinstance(config.get("config"), str):
        return config["config"]
    if config.get("class_name") in _POLICIES and isinstance(config.get("config"), dict):
        return _dtype(config["config"].get("name"))
    result = {key: translate(value) for key, value in config.items()}
    if isinstance(result.get("class_name"), str) and isinstance(result.get("config"), dict):
        return _object(result)
    if result.get("class_name") == "Sequential" and keras_1.is_branched(result.get("config")):
        return keras_1.as_functional(result["config"])
    return result


def _dtype(policy: Any) -> Any:
    """The dtype of a policy: of weights and sums, where that of products is another."""
    if isinstance(policy, str) and policy.startswith("mixed_"):
        warn(
            f"The model was made for the dtype policy {policy!r}, which computes in {policy.removeprefix('mixed_')}. "
            "kcore computes in the dtype of the weights, float32, which is more exact.",
            KcoreWarning,
        )
        return "float32"
    return policy


def _object(description: Config) -> Config:
    name, config = keras_1.translate_layer(description["class_name"], description["config"])
    extras = {**_LAYER_EXTRAS, **_EXTRAS_OF_CLASS.get(name, {})}
    dropped = _MEANINGLESS.get(name, ())
    config = {k: v for k, v in config.items() if extras.get(k, _MISSING) != v and k not in dropped}
    axis = config.get("axis")
    if name.startswith("BatchNormalization") and isinstance(axis, list) and len(axis) == 1:
        config["axis"] = axis[0]
    if name in _SCALED and set(config) <= {"seed", "dtype"}:
        scale, mode, distribution = _SCALED[name]
        config = {"scale": scale, "mode": mode, "distribution": distribution, "seed": config.get("seed")}
        name = "VarianceScaling"
    elif name == "VarianceScaling" and config.get("distribution") == "truncated_normal":
        config = {**config, "distribution": "normal"}
    elif name in _RENAMED:
        name = _RENAMED[name]
    return {**description, "class_name": name, "config": config}


def translate_training(config: Config) -> Config:
    """A training configuration in the words of 2.1.6."""
    optimizer = translate(config["optimizer_config"])
    if isinstance(optimizer.get("class_name"), str):
        optimizer["class_name"] = optimizer["class_name"].rpartition(">")[2]  # "Custom>Adam"
    result = {**config, "optimizer_config": {**optimizer, "config": _optimizer_config(optimizer)}}
    for key in ("metrics", "weighted_metrics"):
        result[key] = _unwrapped(_by_name(translate(config.get(key))))
    result["loss"] = _by_name(translate(config.get("loss")))
    return result


def _optimizer_config(optimizer: Config) -> Any:
    config = optimizer.get("config")
    if not isinstance(config, dict):
        return config
    if "name" in config:  # Keras itself gives optimizers none
        config = _clipping_of_all(config, optimizer.get("class_name"))
    if "learning_rate" in config and "lr" not in config:
        config = {"lr" if key == "learning_rate" else key: value for key, value in config.items()}
        keeps = {"SGD": ("momentum",)}.get(str(optimizer.get("class_name")), ())
        config = {key: value for key, value in config.items() if key in keeps or not _says_nothing(key, value)}
        if optimizer.get("class_name") == "Nadam" and "decay" in config:
            config["schedule_decay"] = config.pop("decay")
    return config


def _clipping_of_all(config: Config, class_name: Any) -> Config:
    """tf.keras calls `global_clipnorm` what Keras calls `clipnorm`: the gradients are clipped by the norm of all."""
    if config.get("clipnorm") is not None:
        raise SavedModelError(
            f"The optimizer {class_name} of the file clips each gradient by its own norm (clipnorm="
            f"{config['clipnorm']:g} in tf.keras), while `clipnorm` here, as in Keras 2.1.6, clips by the norm of all "
            "of them. Load the model with compile=False and compile it with an optimizer of your choice."
        )
    return {"clipnorm" if key == "global_clipnorm" else key: v for key, v in config.items() if key != "clipnorm"}


def _says_nothing(key: str, value: Any) -> bool:
    values = _OPTIMIZER_EXTRAS.get(key, ())
    return values is ... or value in values


#: Arguments of classes of losses and metrics, and the values with which they are the functions of 2.1.6.
_DEFAULTS_OF_CLASSES: dict[str, tuple] = {
    "axis": (-1,),
    "from_logits": (False,),
    "ignore_class": (None,),
    "label_smoothing": (0,),
    "reduction": ("auto", "sum_over_batch_size"),
    "threshold": (0.5,),
}
_FUNCTION_OF: dict[str, Callable[[Config], Any]] = {
    "MeanMetricWrapper": lambda config: config.get("fn"),
    "LossFunctionWrapper": lambda config: config.get("fn"),
}


def _by_name(value: Any) -> Any:
    """Losses and metrics that are classes around a function, as that function's name."""
    if isinstance(value, list):
        return [_by_name(item) for item in value]
    if not isinstance(value, dict):
        return value
    if isinstance(value.get("class_name"), str) and isinstance(value.get("config"), dict):
        function = _FUNCTION_OF.get(value["class_name"], lambda config: None)(value["config"])
        return function if isinstance(function, str) else _function_like(value)
    return {key: _by_name(item) for key, item in value.items()}


def _function_like(description: Config) -> Any:
    """The name of the function that a class of losses or metrics stands for, where its arguments say no more."""
    name, config = description["class_name"], description["config"]
    if name not in FUNCTIONS_OF_CLASSES or name in get_custom_objects():
        return description
    for key, value in config.items():
        if key not in ("name", "dtype", "fn") and value not in _DEFAULTS_OF_CLASSES.get(key, ()):
            raise SavedModelError(
                f"The model was compiled with {name}({key}={value!r}), and {FUNCTIONS_OF_CLASSES[name]} here has no "
                "such argument. Load the model with compile=False and compile it with a function of your own."
            )
    return FUNCTIONS_OF_CLASSES[name]


def _unwrapped(metrics: Any) -> Any:
    """The metrics without what stands for none; those of a single output are kept in a list of their own later."""
    if not isinstance(metrics, list):
        return metrics
    metrics = [[m for m in part if m is not None] if isinstance(part, list) else part for part in metrics]
    return metrics[0] if len(metrics) == 1 and isinstance(metrics[0], list) else metrics
