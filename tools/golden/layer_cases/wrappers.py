"""TimeDistributed around layers and models, Bidirectional in every merge mode."""

from __future__ import annotations

from typing import Any

from layer_case import Case, case, spec, values

X = (2, 4, 3)
RIGHT = [[1, 1, 1, 0], [1, 1, 0, 0]]
INNER = [[1, 0, 1, 1], [1, 1, 0, 1]]
WORDS = values([[[1, 0, 2], [2, 2, 5]], [[0, 0, 0], [4, 3, 1]]])
FIRST = {"data_format": "channels_first"}


def cases() -> list[Case]:
    return [*_time_distributed(), *_bidirectional()]


def _time_distributed() -> list[Case]:
    def one(name: str, shape: Any, layer: dict[str, Any], **options: Any) -> Case:
        return case("TimeDistributed", shape, name=name, args={"layer": layer}, **options)

    dense = spec("Dense", units=2, activation="tanh")
    model = {
        "class_name": "Sequential",
        "config": [
            spec("Dense", units=4, activation="relu", batch_input_shape=[None, 3], name="inner_1"),
            spec("Dense", units=2, name="inner_2"),
        ],
    }
    conv_model = {
        "class_name": "Sequential",
        "config": [
            spec("Conv2D", filters=2, kernel_size=2, batch_input_shape=[None, 4, 5, 2], name="inner_1"),
            spec("MaxPooling2D", pool_size=2, name="inner_2"),
            spec("Flatten", name="inner_3"),
        ],
    }
    return [
        one("Dense", X, dense),
        one("Dense-4d", (2, 3, 4, 5), dense),
        one("Dense-mask", X, dense, masks=(RIGHT,)),
        one("Activation", X, spec("Activation", activation="softmax")),
        one("Conv1D", (2, 3, 5, 2), spec("Conv1D", filters=3, kernel_size=2)),
        one("Conv2D", (2, 3, 4, 5, 2), spec("Conv2D", filters=3, kernel_size=[2, 3], strides=2, padding="same")),
        one("Conv2D-first", (2, 3, 2, 4, 5), spec("Conv2D", filters=3, kernel_size=[2, 3], padding="same", **FIRST)),
        one("Flatten", (2, 3, 4, 2), spec("Flatten")),
        one("BatchNormalization-test", X, spec("BatchNormalization")),
        one("LSTM", (2, 3, 4, 2), spec("LSTM", units=3)),
        one("GRU-sequences", (2, 3, 4, 2), spec("GRU", units=2, return_sequences=True)),
        one("LSTM-state-sequences", (2, 3, 4, 2), spec("LSTM", units=3, return_sequences=True, go_backwards=True)),
        one("MaxPooling2D", (2, 3, 4, 5, 2), spec("MaxPooling2D", pool_size=2)),
        one("SeparableConv2D", (2, 3, 4, 5, 2), spec("SeparableConv2D", filters=3, kernel_size=2, depth_multiplier=2)),
        one("Conv2DTranspose", (2, 3, 2, 3, 2), spec("Conv2DTranspose", filters=2, kernel_size=3, strides=2)),
        one("GlobalAveragePooling1D", (2, 3, 4, 2), spec("GlobalAveragePooling1D")),
        one("Embedding", WORDS, spec("Embedding", input_dim=6, output_dim=2)),
        one("Sequential", X, model),
        one("Sequential-conv", (2, 3, 4, 5, 2), conv_model),
        one("TimeDistributed", (2, 3, 2, 4), spec("TimeDistributed", layer=spec("Dense", units=3))),
        one("Bidirectional", (2, 3, 4, 2), spec("Bidirectional", layer=spec("GRU", units=2))),
    ]


def _bidirectional() -> list[Case]:
    def one(name: str, layer: dict[str, Any], more: dict[str, Any] | None = None, **options: Any) -> Case:
        return case("Bidirectional", X, name=name, args={"layer": layer, **(more or {})}, **options)

    found = []
    for mode in ("sum", "mul", "concat", "ave", None):
        lstm, last = spec("LSTM", units=2, return_sequences=True), spec("GRU", units=2)
        found += [
            one(f"{mode}-sequences", lstm, {"merge_mode": mode}),
            one(f"{mode}-last", last, {"merge_mode": mode}),
            one(f"{mode}-sequences-mask", lstm, {"merge_mode": mode}, masks=(RIGHT,)),
            one(f"{mode}-last-mask", last, {"merge_mode": mode}, masks=(INNER,)),
        ]
    state = {"return_sequences": True, "return_state": True}
    return [
        *found,
        one("SimpleRNN", spec("SimpleRNN", units=2, activation="relu", return_sequences=True)),
        one("no_bias", spec("LSTM", units=2, use_bias=False)),
        one("backwards_inside", spec("GRU", units=2, go_backwards=True, return_sequences=True)),
        one("LSTM-state", spec("LSTM", units=2, **state)),
        one("GRU-state-last", spec("GRU", units=2, return_state=True)),
        one("LSTM-state-mask", spec("LSTM", units=2, **state), masks=(INNER,)),
        one("LSTM-initial_state", spec("LSTM", units=2, return_sequences=True), initial_state=((2, 2),) * 4),
        one("GRU-initial_state", spec("GRU", units=2, **state), initial_state=((2, 2),) * 2),
        *(
            one(f"constants-{name}", spec("RNN", cell=spec("ConstantsRNNCell", units=2, constant_dim=4), **state),
                more, constants=((2, 4),), **options)
            for name, more, options in (
                ("concat", {}, {}),
                ("sum-initial_state", {"merge_mode": "sum"}, {"initial_state": ((2, 2),) * 2}),
                ("None-mask", {"merge_mode": None}, {"masks": (INNER,)}),
            )
        ),
        one("stateful", spec("GRU", units=2, stateful=True), batches=2),
        one("RNN-LSTMCell", spec("RNN", cell=spec("LSTMCell", units=2), return_sequences=True)),
        one("stateful-LSTM-sequences", spec("LSTM", units=2, stateful=True, return_sequences=True), batches=3),
        one("stateful-state-sum", spec("GRU", units=2, stateful=True, **state), {"merge_mode": "sum"}, batches=2),
        one("LSTM-initial_state-mask-None", spec("LSTM", units=2, **state), {"merge_mode": None},
            initial_state=((2, 2),) * 4, masks=(INNER,)),
        one("GRU-reset_after", spec("GRU", units=2, reset_after=True, return_sequences=True)),
        one("CuDNN-like", spec("LSTM", units=2, recurrent_activation="sigmoid", implementation=2)),
        one("unroll", spec("LSTM", units=2, unroll=True, return_sequences=True), {"merge_mode": "sum"}),
    ]  # fmt: skip
