"""Layers of the original API (tf-keras), set to behave as those of Keras 2.1.6."""

from __future__ import annotations

import os

os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["TF_USE_LEGACY_KERAS"] = "1"

from typing import Any

import tf_keras as keras

# Arguments whose later default gives other values than Keras 2.1.6 did, or that 2.1.6 did not have.
DEFAULTS_OF_216: dict[str, dict[str, Any]] = {
    "LSTM": {"recurrent_activation": "hard_sigmoid", "implementation": 1},
    "LSTMCell": {"recurrent_activation": "hard_sigmoid", "implementation": 1},
    "GRU": {"recurrent_activation": "hard_sigmoid", "implementation": 1, "reset_after": False},
    "GRUCell": {"recurrent_activation": "hard_sigmoid", "implementation": 1, "reset_after": False},
    "BatchNormalization": {"fused": False},
}

# TensorFlow computes these with channels_last only on a CPU: name -> number of spatial dimensions.
CHANNELS_LAST_ONLY = {
    "Conv2D": 2, "Conv3D": 3, "SeparableConv2D": 2, "DepthwiseConv2D": 2, "Conv2DTranspose": 2, "Conv3DTranspose": 3,
    "MaxPooling2D": 2, "MaxPooling3D": 3, "AveragePooling2D": 2, "AveragePooling3D": 3, "ConvLSTM2D": 2,
}  # fmt: skip


def translate(node: Any, to_compute: bool = True) -> Any:
    """The same configuration in the words of tf-keras, nested layers included; with channels last `to_compute`."""
    if isinstance(node, list | tuple):
        return [translate(item, to_compute) for item in node]
    if not isinstance(node, dict):
        return node
    if "class_name" not in node:
        return {key: translate(value, to_compute) for key, value in node.items()}
    config = translate(node["config"], to_compute)
    if isinstance(config, dict):
        config = {**DEFAULTS_OF_216.get(node["class_name"], {}), **config}
        moved = to_compute and node["class_name"] in CHANNELS_LAST_ONLY
        if moved and config.get("data_format") == "channels_first":
            config["data_format"] = "channels_last"
    return {**node, "config": config}


def spatial_rank_to_move(node: Any) -> int:
    """Spatial dimensions of the channels_first layer in a configuration that must run as channels_last; 0 if none."""
    if isinstance(node, list | tuple):
        return max((spatial_rank_to_move(item) for item in node), default=0)
    if not isinstance(node, dict):
        return 0
    config = node.get("config")
    if isinstance(config, dict) and config.get("data_format") == "channels_first":
        return CHANNELS_LAST_ONLY.get(node.get("class_name", ""), 0)
    return max((spatial_rank_to_move(value) for value in node.values()), default=0)


def build(layer: dict[str, Any], precision: str, custom_objects: dict[str, Any]) -> Any:
    """The tf-keras layer of a (2.1.6) configuration."""
    keras.backend.set_floatx(precision)
    built = keras.layers.deserialize(translate(layer), custom_objects=custom_objects)
    for direction in ("forward_layer", "backward_layer"):
        if hasattr(built, direction):  # A later Bidirectional gives zeros at masked steps, 2.1.6 the last output.
            getattr(built, direction).zero_output_for_mask = False
    return built


def v1_layers() -> Any:
    """The layers that tf-keras keeps for TensorFlow 1 only: CuDNNLSTM, CuDNNGRU."""
    import tensorflow as tf

    return tf.compat.v1.keras.layers
