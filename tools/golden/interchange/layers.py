"""The table: every layer of the first-party plugins, with the arguments that change what a file holds of it."""

from __future__ import annotations

from typing import Any

from layer_case import spec, values

from interchange.entry import Entry, entry, other

VECTOR, SEQUENCE, IMAGE, VOLUME = (2, 6), (2, 5, 3), (2, 4, 5, 2), (2, 3, 4, 3, 2)
IMAGE_FIRST, VOLUME_FIRST = (2, 2, 4, 5), (2, 2, 3, 4, 3)
FIRST = {"data_format": "channels_first"}
WORDS = values([[1, 4, 0, 2], [3, 3, 5, 0]])
#: Names of layers of which there are no files of their own.
NO_FILES = {
    "AtrousConvolution1D": "a function that makes a Conv1D",
    "AtrousConvolution2D": "a function that makes a Conv2D",
    "ConvLSTM2DCell": "the cell of ConvLSTM2D, which saves it as its own arguments and weights; RNN does not take it",
    "ElementwiseMerge": "the base of merging layers",
    "ScaledSum": "kcore's own, for InceptionResNetV2, where Keras has a Lambda: tests/applications",
}
SEVERAL = "a wrapper of one input does not take a layer of several"


def entries() -> dict[str, Entry]:
    """Every entry by the name of its layer."""
    table = [
        *_core(), *_activations(), *_convolutional(), *_space(), *_pooling(), *_local(), *_recurrent(), *_embeddings(),
        *_merge(), *_normalization(), *_noise(), *_wrappers(),
    ]  # fmt: skip
    return {one.class_name: one for one in table}


def _core() -> list[Entry]:
    return [
        entry("Dense", VECTOR, units=3, activation="tanh", others=(*_dense(), *_objects())),
        entry(
            "Activation", VECTOR, activation="tanh",
            others=tuple(
                other(name, activation=name)
                for name in ("linear", "relu", "elu", "selu", "sigmoid", "hard_sigmoid", "softmax", "softplus",
                             "softsign", "swish")
            ),
        ),
        entry(
            "Dropout", VECTOR, rate=0.3,
            others=(other("noise", SEQUENCE, noise_shape=[2, 1, 3], seed=3), other("zero", rate=0)),
        ),
        entry("SpatialDropout1D", SEQUENCE, rate=0.3),
        entry("SpatialDropout2D", IMAGE, rate=0.3),  # no file of Keras says which data format: it is not saved
        entry("SpatialDropout3D", VOLUME, rate=0.3),
        entry("Flatten", SEQUENCE, others=(other("image", IMAGE), other("first", IMAGE_FIRST, **FIRST))),
        entry("Reshape", VECTOR, target_shape=[2, 3], others=(other("inferred", SEQUENCE, target_shape=[-1, 5]),)),
        entry("Permute", SEQUENCE, dims=[2, 1], others=(other("image", IMAGE, dims=[3, 1, 2]),)),
        entry("RepeatVector", VECTOR, n=3),
        entry("Masking", SEQUENCE, others=(other("value", mask_value=0.5),)),
        entry("ActivityRegularization", VECTOR, l1=0.1, l2=0.2, others=(other("l1", l1=0.25, l2=0.0),)),
        entry(
            "Lambda", VECTOR, function="twice", function_type="function", output_shape=None,
            output_shape_type="raw", arguments={},
            others=(
                other("arguments", function="scaled", arguments={"factor": 3.0}),
                other("shape", function="columns", output_shape=[2]),
                other("shape_function", function="columns", output_shape="columns_shape",
                      output_shape_type="function"),
            ),
        ),
    ]  # fmt: skip


def _dense() -> tuple:
    return (
        other("plain", activation="linear"),
        other("no_bias", use_bias=False),
        other("deep", (2, 2, 3, 4)),
        other("frozen", trainable=False),
    )


def _objects() -> tuple:
    """Initializers, regularizers and constraints of every kind, kcore's and users' own."""
    initializers = {
        "zeros": spec("Zeros"), "ones": spec("Ones"), "constant": spec("Constant", value=0.25),
        "normal": spec("RandomNormal", mean=0.1, stddev=0.2, seed=4),
        "uniform": spec("RandomUniform", minval=-0.3, maxval=0.2, seed=5),
        "truncated": spec("TruncatedNormal", mean=0.0, stddev=0.3, seed=6),
        "orthogonal": spec("Orthogonal", gain=1.5, seed=7), "identity": spec("Identity", gain=2.0),
        **{f"scaled_{mode}_{kind}": spec("VarianceScaling", scale=1.5, mode=mode, distribution=kind, seed=None)
           for mode in ("fan_in", "fan_out", "fan_avg") for kind in ("uniform", "normal")},
        **{name: name for name in ("he_normal", "he_uniform", "lecun_normal", "lecun_uniform", "glorot_normal",
                                   "glorot_uniform")},
        "own_class": spec("Ramp", value=0.75),  # tf-keras takes no function by its name here, nor as a constraint
    }  # fmt: skip
    regularizers = {
        "l1": spec("L1L2", l1=0.02, l2=0.0), "l2": spec("L1L2", l1=0.0, l2=0.03), "l1_l2": spec("L1L2", l1=0.1, l2=0.2),
        "own_function": "squares", "own_class": spec("Lasso", strength=0.3),
    }  # fmt: skip
    constraints = {
        "max_norm": spec("MaxNorm", max_value=0.5, axis=0), "non_neg": spec("NonNeg"),
        "unit_norm": spec("UnitNorm", axis=1), "own_class": spec("Clipped", limit=0.4),
        "min_max_norm": spec("MinMaxNorm", min_value=0.1, max_value=0.9, rate=0.5, axis=0),
    }  # fmt: skip
    square = {"units": 6}  # what the identity can start
    return (
        *(other(f"init_{name}", **square, kernel_initializer=one) for name, one in initializers.items()),
        *(other(f"reg_{name}", kernel_regularizer=one, bias_regularizer=one) for name, one in regularizers.items()),
        *(other(f"bound_{name}", kernel_constraint=one) for name, one in constraints.items()),
        other("bias_objects", bias_initializer=initializers["constant"], bias_constraint=constraints["non_neg"]),
        other("penalized_output", activity_regularizer=regularizers["l1_l2"]),
        other("own_activation", activation="swish"),
    )


def _activations() -> list[Entry]:
    return [
        entry("LeakyReLU", VECTOR, alpha=0.1, others=(other("deep", SEQUENCE),)),
        entry("ELU", VECTOR, alpha=0.5),
        entry(
            "ReLU", VECTOR, max_value=0.5,
            others=(other("slope", max_value=None, negative_slope=0.25), other("threshold", threshold=0.25),
                    other("plain", max_value=None)),
        ),
        entry("ThresholdedReLU", VECTOR, theta=0.3),
        entry("Softmax", VECTOR, others=(other("axis", SEQUENCE, axis=1),)),
        entry(
            "PReLU", VECTOR,
            others=(
                other("shared", IMAGE, shared_axes=[1, 2]),
                other("objects", alpha_initializer=spec("Constant", value=0.2), alpha_constraint=spec("NonNeg"),
                      alpha_regularizer=spec("L1L2", l1=0.0, l2=0.1)),
            ),
        ),
    ]  # fmt: skip


def _convolutional() -> list[Entry]:
    no_bias, relu = other("no_bias", use_bias=False), other("relu", activation="relu")
    same, strides, dilated = other("same", padding="same"), other("strides", strides=2), other("wide", dilation_rate=2)
    first2, first3 = other("first", IMAGE_FIRST, **FIRST), other("first", VOLUME_FIRST, **FIRST)
    disciplined = other(
        "objects", kernel_regularizer=spec("L1L2", l1=0.0, l2=0.1), bias_initializer=spec("Ones"),
        kernel_constraint=spec("MaxNorm", max_value=2, axis=[0, 1, 2]),
        activity_regularizer=spec("L1L2", l1=0.1, l2=0.0),
    )  # fmt: skip
    depth = other(
        "depth_objects", depthwise_regularizer=spec("L1L2", l1=0.0, l2=0.1), depthwise_constraint=spec("NonNeg"),
        depthwise_initializer=spec("Ones"),
    )  # fmt: skip
    points = other(
        "point_objects", pointwise_regularizer=spec("L1L2", l1=0.1, l2=0.0), pointwise_initializer="he_normal"
    )
    multiplied = other("multiplied", depth_multiplier=2)
    two = {"filters": 3, "kernel_size": 2}
    oblong = {"filters": 3, "kernel_size": [2, 3]}
    causal, wide = other("causal", padding="causal"), other("wide", (2, 3, 4, 5, 2), dilation_rate=2)
    plane = (no_bias, relu, same, strides, first2)
    separable = (no_bias, relu, same, multiplied, dilated, depth, points)
    return [
        entry("Conv1D", (2, 6, 3), **two, others=(no_bias, relu, same, strides, dilated, causal)),
        entry("Conv2D", IMAGE, **oblong, others=(*plane, dilated, disciplined)),
        entry("Conv3D", VOLUME, **two, others=(no_bias, same, strides, wide, first3)),
        entry("SeparableConv1D", (2, 6, 3), **two, others=separable),
        entry("SeparableConv2D", IMAGE, **two, others=(*separable, strides, first2)),
        entry("DepthwiseConv2D", IMAGE, kernel_size=[2, 3], others=(*plane, multiplied, depth)),
        entry("Conv2DTranspose", IMAGE, **oblong, others=(*plane, disciplined)),
        entry("Conv3DTranspose", VOLUME, **two, others=(no_bias, relu, same, strides, first3)),
    ]  # fmt: skip


def _space() -> list[Entry]:
    def of(name: str, shape: tuple, first: tuple | None, key: str, plain: Any, *more: Any) -> Entry:
        others = [other(f"other{i}", **{key: one}) for i, one in enumerate(more)]
        if first:
            others.append(other("first", first, **FIRST))
        return entry(name, shape, **{key: plain}, others=tuple(others))

    return [
        of("Cropping1D", SEQUENCE, None, "cropping", 1, [0, 2]),
        of("Cropping2D", IMAGE, IMAGE_FIRST, "cropping", [[1, 0], [0, 2]], 1, [1, 2]),
        of("Cropping3D", VOLUME, VOLUME_FIRST, "cropping", [[1, 0], [0, 2], [1, 1]], 1),
        of("ZeroPadding1D", SEQUENCE, None, "padding", 1, [0, 2]),
        of("ZeroPadding2D", IMAGE, IMAGE_FIRST, "padding", [[1, 0], [0, 2]], 1, [1, 2]),
        of("ZeroPadding3D", VOLUME, VOLUME_FIRST, "padding", [[1, 0], [0, 2], [1, 1]], 1),
        of("UpSampling1D", SEQUENCE, None, "size", 2),
        of("UpSampling2D", IMAGE, IMAGE_FIRST, "size", [2, 3], 2),
        of("UpSampling3D", VOLUME, VOLUME_FIRST, "size", [2, 1, 3], 2),
    ]


def _pooling() -> list[Entry]:
    shapes = {1: (SEQUENCE, None), 2: (IMAGE, IMAGE_FIRST), 3: (VOLUME, VOLUME_FIRST)}
    found = []
    for kind in ("Max", "Average"):
        for rank, (shape, first) in shapes.items():
            of_first = (other("first", first, **FIRST),) if first else ()
            more = (other("same", padding="same"), other("strides", strides=1), *of_first)
            found.append(entry(f"{kind}Pooling{rank}D", shape, pool_size=2, others=more))
            found.append(entry(f"Global{kind}Pooling{rank}D", shape, others=of_first))
    return found


def _local() -> list[Entry]:
    no_bias, relu, strides = (
        other("no_bias", use_bias=False),
        other("relu", activation="relu"),
        other("strides", strides=2),
    )
    return [
        entry("LocallyConnected1D", SEQUENCE, filters=2, kernel_size=2, others=(no_bias, relu, strides)),
        entry("LocallyConnected2D", IMAGE, filters=2, kernel_size=2,
              others=(no_bias, relu, strides, other("first", IMAGE_FIRST, **FIRST))),
    ]  # fmt: skip


# --- recurrent -------------------------------------------------------------------------------------------------------

SEQUENCES, STATE = {"return_sequences": True}, {"return_state": True}
STATES = {"SimpleRNN": 1, "GRU": 1, "LSTM": 2, "CuDNNGRU": 1, "CuDNNLSTM": 2}


def _recurrent() -> list[Entry]:
    plain = [_plain(name) for name in ("SimpleRNN", "GRU", "LSTM")]
    return [*plain, *(_cudnn(name) for name in ("CuDNNGRU", "CuDNNLSTM")), _cells(), _conv_lstm()]


def _plain(name: str) -> Entry:
    def cell_option(key: str, value: Any) -> tuple:
        return () if name == "SimpleRNN" else (other(f"{key}_{value}", **{key: value}),)

    gated = () if name != "GRU" else (
        other("reset_after", reset_after=True),
        other("reset_after_no_bias", reset_after=True, use_bias=False),
        other("reset_after_stateful", reset_after=True, stateful=True),
        other("as_CuDNN", reset_after=True, recurrent_activation="sigmoid"),
    )  # fmt: skip
    forget = (other("no_forget_bias", unit_forget_bias=False),) if name == "LSTM" else ()
    return entry(
        name, SEQUENCE, units=2,
        others=(
            other("sequences", **SEQUENCES),
            other("state", **STATE, **SEQUENCES),
            other("no_bias", use_bias=False),
            other("backwards", go_backwards=True),
            other("unroll", unroll=True),
            other("relu", activation="relu"),
            other("dropouts", dropout=0.2, recurrent_dropout=0.3),
            other("initial_state", initial_state=((2, 2),) * STATES[name]),
            other("objects", kernel_regularizer=spec("L1L2", l1=0.0, l2=0.1), recurrent_initializer="glorot_uniform",
                  recurrent_constraint=spec("MaxNorm", max_value=2, axis=0), bias_initializer=spec("Ones"),
                  recurrent_regularizer=spec("Lasso", strength=0.2)),
            other("stateful", stateful=True),
            other("stateful_sequences", stateful=True, **SEQUENCES),
            *cell_option("implementation", 2),
            *cell_option("recurrent_activation", "sigmoid"),
            *forget, *gated,
        ),
    )  # fmt: skip


def _cudnn(name: str) -> Entry:
    return entry(
        name, SEQUENCE, units=2,
        others=(
            other("sequences", **SEQUENCES),
            other("state", **STATE),
            other("backwards", go_backwards=True),
            other("initial_state", initial_state=((2, 2),) * STATES[name]),
            other("stateful", stateful=True),
            other("objects", kernel_regularizer=spec("L1L2", l1=0.0, l2=0.1), bias_initializer=spec("Ones")),
        ),
    )  # fmt: skip


def _cells() -> Entry:
    simple, gru, lstm = spec("SimpleRNNCell", units=2), spec("GRUCell", units=3), spec("LSTMCell", units=2)
    stack = spec("StackedRNNCells", cells=[lstm, gru])
    constants = spec("ConstantsRNNCell", units=2, constant_dim=4)
    return entry(
        "RNN", SEQUENCE, cell=gru,
        others=(
            other("simple", cell=simple, **SEQUENCES),
            other("lstm", cell=lstm, **STATE),
            other("reset_after", cell=spec("GRUCell", units=3, reset_after=True)),
            other("no_bias", cell=spec("LSTMCell", units=2, use_bias=False)),
            other("stack", cell=stack),
            other("list", cell=spec("StackedRNNCells", cells=[simple, lstm]), **SEQUENCES),
            other("three", cell=spec("StackedRNNCells", cells=[gru, simple, lstm]), unroll=True),
            other("backwards", cell=stack, go_backwards=True),
            other("own_cell", cell=spec("MinimalRNNCell", units=3)),
            other("constants", cell=constants, constants=((2, 4),)),
            other("constants_state", cell=constants, constants=((2, 4),), initial_state=((2, 2),)),
            other("initial_state", initial_state=((2, 3),)),
            other("stateful", stateful=True),
            other("stateful_stack", cell=stack, stateful=True),
        ),
    )  # fmt: skip


def _conv_lstm() -> Entry:
    x, first = (2, 3, 4, 4, 2), (2, 3, 2, 4, 4)
    return entry(
        "ConvLSTM2D", x, filters=2, kernel_size=2,
        others=(
            other("sequences", **SEQUENCES),
            other("no_bias", use_bias=False),
            other("same", padding="same", kernel_size=[2, 3]),
            other("strides", strides=2, padding="same"),
            other("wide", dilation_rate=2),
            other("backwards", go_backwards=True),
            other("sigmoid", recurrent_activation="sigmoid", activation="relu", unit_forget_bias=False),
            other("stateful", stateful=True),
            other("first", first, **FIRST),
        ),
        leave_out={"bidirectional": "Keras 2.1.6 and tf-keras refuse ConvLSTM2D there"},
    )  # fmt: skip


# --- the rest --------------------------------------------------------------------------------------------------------


def _embeddings() -> list[Entry]:
    return [
        entry(
            "Embedding", WORDS, input_dim=6, output_dim=3,
            others=(
                other("mask", mask_zero=True),
                other("length", input_length=4),
                other("objects", embeddings_initializer="glorot_normal", embeddings_constraint=spec("NonNeg"),
                      embeddings_regularizer=spec("L1L2", l1=0.1, l2=0.0)),
            ),
        )
    ]  # fmt: skip


def _merge() -> list[Entry]:
    wrapped = {"time_distributed": SEVERAL, "sequential": "a Sequential has one input"}
    three = other("three", (2, 3, 4), (2, 3, 4), (2, 3, 4))
    pair = ((2, 3, 4), (2, 3, 4))
    more: dict[str, tuple] = {
        "Subtract": (),
        "Concatenate": (three, other("axis", (2, 3, 4), (2, 2, 4), axis=1)),
        "Dot": (other("axes", (2, 3, 4), (2, 4, 5), axes=[2, 1]), other("cosine", normalize=True)),
    }
    args: dict[str, dict[str, Any]] = {"Dot": {"axes": 2}}
    names = ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate", "Dot")
    return [
        entry(name, *pair, others=more.get(name, (three,)), leave_out=wrapped, **args.get(name, {})) for name in names
    ]


def _normalization() -> list[Entry]:
    return [
        entry(
            "BatchNormalization", VECTOR, axis=1,  # written so: tf-keras saves axes counted from the front
            others=(
                other("no_scale", scale=False),
                other("no_center", center=False),
                other("neither", scale=False, center=False),
                other("axis", SEQUENCE, axis=1),
                other("image", IMAGE, axis=3, momentum=0.9, epsilon=0.01),
                other("image_axis", IMAGE, axis=2),
                other("frozen", trainable=False),
                other("objects", gamma_initializer=spec("Constant", value=2.0), beta_initializer=spec("Ones"),
                      moving_mean_initializer=spec("Ones"), moving_variance_initializer=spec("Constant", value=3.0),
                      gamma_regularizer=spec("L1L2", l1=0.1, l2=0.0), beta_constraint=spec("NonNeg")),
            ),
        )
    ]  # fmt: skip


def _noise() -> list[Entry]:
    return [
        entry("GaussianNoise", VECTOR, stddev=0.2),
        entry("GaussianDropout", VECTOR, rate=0.2),
        entry("AlphaDropout", VECTOR, rate=0.2),  # nor the noise's shape here
    ]


def _wrappers() -> list[Entry]:
    dense = spec("Dense", units=2, activation="tanh")
    model = spec(
        "Sequential",
        layers=[
            spec("Dense", units=4, activation="relu", batch_input_shape=[None, 3]),
            spec("BatchNormalization", axis=1),
        ],
    )
    lstm, gru = spec("LSTM", units=2, **SEQUENCES), spec("GRU", units=2)
    return [
        entry(
            "TimeDistributed", SEQUENCE, layer=dense,
            others=(
                other("no_bias", layer=spec("Dense", units=2, use_bias=False)),
                other("model", layer=model),
                other("conv", (2, 3, 4, 5, 2), layer=spec("Conv2D", filters=2, kernel_size=2)),
                other("recurrent", (2, 3, 4, 2), layer=lstm),
                other("bidirectional", (2, 3, 4, 2), layer=spec("Bidirectional", layer=gru)),
                other("twice", (2, 3, 4, 5), layer=spec("TimeDistributed", layer=dense)),
                other("embedding", values([[[1, 0, 2], [2, 2, 5]], [[0, 0, 0], [4, 3, 1]]]),
                      layer=spec("Embedding", input_dim=6, output_dim=2)),
            ),
        ),
        entry(
            "Bidirectional", SEQUENCE, layer=lstm,
            others=(
                *(other(f"{mode}", merge_mode=mode) for mode in ("sum", "mul", "ave", None)),
                other("last", layer=gru),
                other("simple", layer=spec("SimpleRNN", units=2, activation="relu"), merge_mode="sum"),
                other("no_bias", layer=spec("LSTM", units=2, use_bias=False)),
                other("reset_after", layer=spec("GRU", units=2, reset_after=True)),
                other("state", layer=spec("LSTM", units=2, **SEQUENCES, **STATE)),
                other("cells", layer=spec("RNN", cell=spec("LSTMCell", units=2), **SEQUENCES)),
                other("backwards", layer=spec("GRU", units=2, go_backwards=True)),
                other("initial_state", initial_state=((2, 2),) * 4),
                other("stateful", layer=spec("GRU", units=2, stateful=True)),
            ),
        ),
    ]  # fmt: skip
