"""Calls of Keras 1 in the words of Keras 2, as Keras 2 itself still understood them.

Keras 1 has other names for layers (`Convolution2D`), for arguments (`nb_filter`, `border_mode`, `nb_epoch`) and for
some of their values (`dim_ordering="th"`), and the lengths of a convolution's window are arguments of their own.
The tables serve calls in programs (`translate_call`) and configurations in files (`kcore.saving.keras_1`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from kcore.errors import ArgumentError

Kwargs = dict[str, Any]

CLASSES = {
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
LAYER_ARGUMENTS: dict[str, Mapping[str, str]] = {
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
    "BatchNormalization": {"beta_init": "beta_initializer", "gamma_init": "gamma_initializer"},
    "Embedding": _EMBEDDING,
    "InputLayer": {"input_dtype": "dtype"},
}
_READING = {"max_q_size": "max_queue_size", "nb_worker": "workers", "pickle_safe": "use_multiprocessing"}
#: The same of all that is called.
ARGUMENTS: dict[str, Mapping[str, str]] = {
    **LAYER_ARGUMENTS,
    "fit": {"nb_epoch": "epochs"},
    "fit_generator": {"nb_epoch": "epochs", **_READING},
    "evaluate_generator": _READING,
    "predict_generator": _READING,
    "ImageDataGenerator": {"dim_ordering": "data_format"},
    "Tokenizer": {"nb_words": "num_words"},
    "to_categorical": {"nb_classes": "num_classes"},
}
_VALUES: dict[str, Mapping[Any, Any]] = {
    "dim_ordering": {"tf": "channels_last", "th": "channels_first", "default": None},
    "consume_less": {"cpu": 0, "mem": 1, "gpu": 2},
}
#: The lengths of a window are arguments of their own.
LENGTHS = (("nb_row", "nb_col"), ("kernel_dim1", "kernel_dim2", "kernel_dim3"))
_RANKS = {"Conv2D": 2, "Conv2DTranspose": 2, "SeparableConv2D": 2, "LocallyConnected2D": 2, "Conv3D": 3}
#: Arguments that say nothing any more, with these values (`...`: with any).
_WITHOUT_MEANING: dict[tuple[str, str], Any] = {
    ("BatchNormalization", "mode"): 0,
    ("Conv2DTranspose", "output_shape"): ...,  # follows from the others
}
#: Numbers of samples that are numbers of batches today, and the argument that has the generator.
_SAMPLES = {
    "samples_per_epoch": ("steps_per_epoch", "generator"),
    "nb_val_samples": ("validation_steps", "validation_data"),
    "val_samples": ("steps", "generator"),
}

_MERGED = "Use Add, Multiply, Average, Maximum, Concatenate or Dot of kcore.layers, called on a list of tensors."
_COUNTED = "Keras 2 took it away: it was an average over batches. Compute it with scikit-learn from model.predict(x)."
#: Names that Keras 2 does not have, by kind, and what to write instead.
REMOVED: dict[str, dict[str, str]] = {
    "layers": {
        "Merge": _MERGED,
        "merge": _MERGED,
        "Highway": "Write it with Dense, Multiply and Add, or as a layer of your own.",
        "MaxoutDense": "Use Dense, Reshape and a Lambda with K.max.",
        "TimeDistributedDense": "Use TimeDistributed(Dense(units)), or Dense(units), which works on the last axis.",
    },
    "metrics": dict.fromkeys(
        ("precision", "recall", "fbeta_score", "fmeasure", "f1_score", "matthews_correlation"), _COUNTED
    ),
    "regularizers": {
        "activity_l1": "Give regularizers.l1(factor) as activity_regularizer of the layer.",
        "activity_l2": "Give regularizers.l2(factor) as activity_regularizer of the layer.",
        "activity_l1l2": "Give regularizers.l1_l2(l1, l2) as activity_regularizer of the layer.",
    },
    "models": {"Graph": "Use the functional API: Model(inputs, outputs)."},
    "utils": {
        "probas_to_classes": "Use probabilities.argmax(axis=-1).",
        "categorical_probas_to_classes": "Use probabilities.argmax(axis=-1).",
    },
}


def value_of(key: str, value: Any) -> Any:
    """The value of an argument of Keras 1, `key` being its old name."""
    if key in _VALUES and isinstance(value, str):
        return _VALUES[key].get(value, value)
    if key == "forget_bias_init" and isinstance(value, str):
        return value == "one"
    return value


def translate_call(
    owner: str, names: frozenset[str], args: tuple[Any, ...], kwargs: Kwargs
) -> tuple[tuple[Any, ...], Kwargs]:
    """The arguments of a call, in the words of Keras 2; those of Keras 2 are returned as they are.

    Args:
        owner: the class or method that is called, such as "Conv2D" or "fit".
        names: the arguments that it has; what it has is never another's old name.
        args, kwargs: of the call, without `self`.

    Raises:
        ArgumentError: a number of samples cannot be made a number of batches.
    """
    args = _with_window(owner, args)
    renamed = ARGUMENTS.get(owner, {})
    found: Kwargs = {}
    for key, value in kwargs.items():
        new = key
        if key not in names:
            if _is_meaningless(owner, key, value):
                continue
            new = renamed.get(key, key)
            value = value_of(key, value)
            if key in _SAMPLES and _SAMPLES[key][0] in names:
                new, value = _SAMPLES[key][0], _steps(key, value, args, kwargs)
        if new in found or (new != key and new in kwargs):
            raise ArgumentError(f"{owner} got `{new}` twice: `{key}` is what Keras 1 calls it.")
        found[new] = value
    for lengths in LENGTHS:
        if _RANKS.get(owner) == len(lengths) and set(lengths) <= set(found):
            found["kernel_size"] = tuple(found.pop(key) for key in lengths)
    return args, found


def _with_window(owner: str, args: tuple[Any, ...]) -> tuple[Any, ...]:
    """`Conv2D(64, 3, 3)` as `Conv2D(64, (3, 3))`: as many ints as there are spatial dimensions, as Keras 2 has it."""
    rank = _RANKS.get(owner, 0)
    lengths = args[1 : 1 + rank]
    if rank and len(lengths) == rank and all(type(length) is int for length in lengths):
        return (args[0], lengths, *args[1 + rank :])
    return args


def _is_meaningless(owner: str, key: str, value: Any) -> bool:
    if (owner, key) not in _WITHOUT_MEANING:
        return False
    expected = _WITHOUT_MEANING[owner, key]
    return expected is ... or (isinstance(value, type(expected)) and expected == value)


def _steps(key: str, samples: Any, args: tuple[Any, ...], kwargs: Kwargs) -> int:
    """The number of batches of a generator that hold `samples` samples."""
    new, argument = _SAMPLES[key]
    generator = kwargs.get(argument, args[0] if args and argument == "generator" else None)
    batch_size = getattr(generator, "batch_size", None)
    if not batch_size:
        raise ArgumentError(
            f"`{key}` of Keras 1 is a number of samples; today `{new}` is a number of batches. "
            f"Give {new}={samples} divided by the size of a batch."
        )
    return math.ceil(samples / batch_size)
