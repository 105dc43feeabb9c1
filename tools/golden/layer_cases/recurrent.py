"""Recurrent layers: sequences, states, masks, directions, stateful operation, cells, ConvLSTM2D, CuDNN layers."""

from __future__ import annotations

from typing import Any

from layer_case import Case, case, disciplined, spec

X = (2, 4, 3)
RIGHT = [[1, 1, 1, 0], [1, 1, 0, 0]]
INNER = [[1, 0, 1, 1], [1, 1, 0, 1]]
LEFT = [[0, 0, 1, 1], [0, 1, 0, 1]]
STATES = {"SimpleRNN": 1, "GRU": 1, "LSTM": 2, "CuDNNGRU": 1, "CuDNNLSTM": 2}
UNITS = 3

CONSTANT_STATE = (
    "the first step of each sample is not masked: where it is, 2.1.6 gives the initial state and tf-keras zeros"
)


def cases() -> list[Case]:
    return [
        *(one for name in ("SimpleRNN", "GRU", "LSTM") for one in _plain(name)),
        *_own_to_gru_and_lstm(),
        *(one for name in ("CuDNNGRU", "CuDNNLSTM") for one in _cudnn(name)),
        *_cells(),
        *_conv_lstm(),
        *_combined(),
        *_disciplined(),
    ]


def _states(name: str, units: int = UNITS) -> tuple[tuple[int, int], ...]:
    return ((X[0], units),) * STATES[name]


def _plain(layer: str) -> list[Case]:
    def one(name: str, args: dict[str, Any] | None = None, shape: tuple[int, ...] = X, **options: Any) -> Case:
        return case(layer, shape, name=name, args={"units": UNITS, **(args or {})}, **options)

    sequences, backwards, unroll = {"return_sequences": True}, {"go_backwards": True}, {"unroll": True}
    state = {"return_state": True}
    found = [
        one("default"),
        one("sequences", sequences),
        one("no_bias", {"use_bias": False, **sequences}),
        one("backwards", backwards),
        one("backwards-sequences", {**backwards, **sequences}),
        one("state", state),
        one("state-sequences", {**state, **sequences}),
        one("state-sequences-backwards", {**state, **sequences, **backwards}),
        one("relu", {"activation": "relu", **sequences}),
        one("sigmoid", {"activation": "sigmoid", **sequences}),
        one("linear", {"activation": "linear", **sequences}),
        one("dropouts_in_test_phase", {"dropout": 0.3, "recurrent_dropout": 0.4, **sequences}),
        one("one_step", {**sequences, **state}, shape=(2, 1, 3)),
        one("long", {"units": 5}, shape=(3, 12, 4)),
        one("initial_state", sequences, initial_state=_states(layer)),
        one("initial_state-last", state, initial_state=_states(layer)),
        one("initial_state-backwards", {**sequences, **backwards}, initial_state=_states(layer)),
        one("initial_state-unroll", {**sequences, **unroll}, initial_state=_states(layer)),
        one(
            "initial_state-mask",
            {**sequences, **state},
            initial_state=_states(layer),
            masks=(INNER,),
            note=CONSTANT_STATE,
        ),
        one("stateful", {"stateful": True}, batches=3, reset_states=_states(layer)),
        one("stateful-sequences", {"stateful": True, **sequences, **state}, batches=2, reset_states=_states(layer)),
    ]
    for text, more in (("", {}), ("unroll-", unroll)):
        found += [
            one(f"{text}mask_right", more, masks=(RIGHT,)),
            one(f"{text}mask_right-sequences", {**more, **sequences, **state}, masks=(RIGHT,)),
            one(f"{text}mask_inner-sequences", {**more, **sequences}, masks=(INNER,)),
            one(f"{text}mask_left-sequences", {**more, **sequences, **state}, masks=(LEFT,)),
            one(f"{text}mask_left-backwards", {**more, **sequences, **backwards}, masks=(LEFT,)),
        ]
    return [
        *found,
        one("unroll", unroll),
        one("unroll-sequences-state", {**unroll, **sequences, **state}),
        one("unroll-backwards", {**unroll, **sequences, **backwards}),
    ]


def _own_to_gru_and_lstm() -> list[Case]:
    found = []
    for layer in ("GRU", "LSTM"):
        for name, args in {
            "implementation2": {"implementation": 2},
            "sigmoid_gates": {"recurrent_activation": "sigmoid"},
            "sigmoid_gates-implementation2": {"recurrent_activation": "sigmoid", "implementation": 2},
            "relu-sigmoid_gates": {"activation": "relu", "recurrent_activation": "sigmoid"},
            "implementation2-no_bias": {"implementation": 2, "use_bias": False},
            "implementation2-dropouts_in_test_phase": {"implementation": 2, "dropout": 0.2, "recurrent_dropout": 0.3},
        }.items():
            found.append(case(layer, X, name=name, args={"units": UNITS, "return_sequences": True, **args}))
        found.append(
            case(layer, X, name="implementation2-mask", masks=(INNER,),
                 args={"units": UNITS, "implementation": 2, "return_sequences": True, "return_state": True})
        )  # fmt: skip
    for name, args in {
        "reset_after": {},
        "reset_after-implementation2": {"implementation": 2},
        "reset_after-no_bias": {"use_bias": False},
        "reset_after-sigmoid_gates": {"recurrent_activation": "sigmoid"},
        "reset_after-backwards": {"go_backwards": True, "return_state": True},
        "reset_after-unroll": {"unroll": True},
    }.items():
        args = {"units": UNITS, "reset_after": True, "return_sequences": True, **args}
        found.append(case("GRU", X, name=name, args=args))
    args = {"units": UNITS, "reset_after": True, "return_sequences": True}
    found.append(case("GRU", X, name="reset_after-mask", args=args, masks=(INNER,)))
    found.append(case("GRU", X, name="reset_after-initial_state", args=args, initial_state=_states("GRU")))
    return found


def _cudnn(layer: str) -> list[Case]:
    """See `cudnn_layout.py`: the values are those of LSTM / GRU(reset_after=True) with sigmoid gates."""

    def one(name: str, args: dict[str, Any] | None = None, **options: Any) -> Case:
        return case(layer, X, name=name, args={"units": UNITS, **(args or {})}, **options)

    sequences, state = {"return_sequences": True}, {"return_state": True}
    return [
        one("default"),
        one("sequences", sequences),
        one("state", state),
        one("state-sequences", {**state, **sequences}),
        one("initial_state", {**sequences, **state}, initial_state=_states(layer)),
        one("stateful", {"stateful": True}, batches=2, reset_states=_states(layer)),
        one("backwards", {**sequences, "go_backwards": True}),
        one("wide", {"units": 2}),
        one("narrow", {"units": 5}),
    ]


def _cells() -> list[Case]:
    sequences, state = {"return_sequences": True}, {"return_state": True}
    simple, gru, lstm = spec("SimpleRNNCell", units=2), spec("GRUCell", units=3), spec("LSTMCell", units=2)
    after = spec("GRUCell", units=3, reset_after=True)
    minimal, small = spec("MinimalRNNCell", units=3), spec("MinimalRNNCell", units=2)
    found = [
        case("RNN", X, name=f"{cell['class_name']}-{text}", args={"cell": cell, **sequences, **more}, **options)
        for cell in (simple, gru, lstm, minimal)
        for text, more, options in [
            ("sequences", {}, {}),
            ("state-backwards", {**state, "go_backwards": True}, {}),
            ("mask", state, {"masks": (INNER,)}),
            ("unroll", {"unroll": True}, {}),
        ]
    ]
    found.append(case("RNN", X, name="GRUCell-reset_after", args={"cell": after, **sequences}))
    stacks = {
        "LSTM-GRU": ([lstm, gru], ((2, 3), (2, 2), (2, 2))),
        "minimal-minimal": ([minimal, small], ((2, 2), (2, 3))),
        "GRU-LSTM-simple": ([gru, lstm, simple], ((2, 2), (2, 2), (2, 2), (2, 3))),
    }
    order = "states from the last cell to the first, as 2.1.6 lists them"
    for text, (cells, states) in stacks.items():
        stack = {"cell": spec("StackedRNNCells", cells=cells)}
        found += [
            case("RNN", X, name=f"stack-{text}", args=stack),
            case("RNN", X, name=f"stack-{text}-sequences-state", args={**stack, **sequences, **state}, note=order),
            case("RNN", X, name=f"stack-{text}-initial_state", args={**stack, **sequences, **state}, note=order,
                 initial_state=states),
            case("RNN", X, name=f"stack-{text}-mask", args={**stack, **sequences}, masks=(RIGHT,)),
            case("RNN", X, name=f"stack-{text}-unroll", args={**stack, **sequences, "unroll": True}),
        ]  # fmt: skip
    constants = {"cell": spec("ConstantsRNNCell", units=2, constant_dim=4)}
    return [
        *found,
        case("RNN", X, name="constants", args=constants, constants=((2, 4),)),
        case("RNN", X, name="constants-initial_state", args={**constants, **sequences, **state}, constants=((2, 4),),
             initial_state=((2, 2),)),
    ]  # fmt: skip


def _conv_lstm() -> list[Case]:
    x, first = (2, 3, 4, 5, 2), (2, 3, 2, 4, 5)
    sequences = {"return_sequences": True}
    tables: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
        ("valid", {}, {}),
        ("valid-sequences", sequences, {}),
        ("same-sequences", {"padding": "same", **sequences}, {}),
        ("strides", {"strides": [1, 2], "padding": "same"}, {}),
        ("dilation", {"dilation_rate": 2, "padding": "same"}, {}),
        ("backwards", {"go_backwards": True, **sequences}, {}),
        ("no_bias-relu", {"use_bias": False, "activation": "relu"}, {}),
        ("sigmoid_gates", {"recurrent_activation": "sigmoid"}, {}),
        ("dropouts_in_test_phase", {"dropout": 0.2, "recurrent_dropout": 0.3}, {}),
        ("state", {"return_state": True, "padding": "same", **sequences}, {}),
        ("stateful", {"stateful": True, "padding": "same"}, {"batches": 2}),
    ]
    found = [
        case(
            "ConvLSTM2D",
            shape,
            name=name + suffix,
            args={"filters": 3, "kernel_size": [2, 3], **args, **more},
            **options,
        )
        for shape, suffix, more in ((x, "", {}), (first, "-first", {"data_format": "channels_first"}))
        for name, args, options in tables
    ]
    masked = {"filters": 2, "kernel_size": 3, "padding": "same", **sequences}
    return [*found, case("ConvLSTM2D", x, name="mask", args=masked, masks=([[1, 1, 0], [1, 0, 1]],))]


def _combined() -> list[Case]:
    """Options that meet: states kept with masks, directions and loops written out; constants with masks."""
    sequences, state, stateful = {"return_sequences": True}, {"return_state": True}, {"stateful": True}
    found = []
    for layer in ("SimpleRNN", "GRU", "LSTM"):
        for name, more, options in [
            ("stateful-mask", {**sequences, **state}, {"masks": (INNER,)}),
            ("stateful-backwards", {**sequences, "go_backwards": True}, {}),
            ("stateful-unroll", {**sequences, "unroll": True}, {}),
            ("stateful-dropouts_in_test_phase", {"dropout": 0.3, "recurrent_dropout": 0.3}, {}),
        ]:
            args = {"units": UNITS, **stateful, **more}
            found.append(case(layer, X, name=name, args=args, batches=2, reset_states=_states(layer), **options))
        args = {"units": UNITS, **sequences, **state, "unroll": True}
        found.append(
            case(layer, X, name="initial_state-unroll-mask", args=args, initial_state=_states(layer), masks=(INNER,),
                 note=CONSTANT_STATE)
        )  # fmt: skip
        if layer != "SimpleRNN":
            args = {"units": UNITS, "implementation": 2, **stateful, **sequences}
            found.append(case(layer, X, name="stateful-implementation2", args=args, batches=2))
    args = {"units": UNITS, "reset_after": True, **stateful, **sequences}
    found.append(case("GRU", X, name="reset_after-stateful", args=args, batches=2, reset_states=_states("GRU")))
    for layer in ("CuDNNGRU", "CuDNNLSTM"):
        args = {"units": UNITS, **sequences, **state, "go_backwards": True}
        found.append(case(layer, X, name="state-backwards", args=args))
        args = {"units": UNITS, **sequences, **state, **stateful}
        found.append(case(layer, X, name="stateful-sequences", args=args, batches=2, reset_states=_states(layer)))
    constants = {"cell": spec("ConstantsRNNCell", units=2, constant_dim=4), **sequences}
    for name, more, options in [
        ("constants-mask", state, {"masks": (INNER,)}),
        ("constants-unroll", {"unroll": True}, {}),
        ("constants-backwards", {"go_backwards": True}, {}),
    ]:
        found.append(case("RNN", X, name=name, args={**constants, **more}, constants=((2, 4),), **options))
    for name in ("SimpleRNNCell", "GRUCell", "LSTMCell"):
        args = {"cell": spec(name, units=2), **stateful, **sequences}
        found.append(case("RNN", X, name=f"{name}-stateful", args=args, batches=2))
    x = (2, 3, 4, 5, 2)
    conv = {"filters": 2, "kernel_size": 3, "padding": "same", **sequences}
    return [
        *found,
        case("ConvLSTM2D", x, name="initial_state", args={**conv, **state}, initial_state=((2, 4, 5, 2),) * 2),
        case("ConvLSTM2D", x, name="mask-state-backwards", args={**conv, **state, "go_backwards": True},
             masks=([[1, 1, 0], [1, 0, 1]],)),
        case("ConvLSTM2D", x, name="stateful-reset", args={**conv, **stateful}, batches=2,
             reset_states=((2, 4, 5, 2),) * 2),
    ]  # fmt: skip


def _disciplined() -> list[Case]:
    return [
        *(
            disciplined(name, X, parts=("kernel", "recurrent", "bias"), args={"units": UNITS})
            for name in ("SimpleRNN", "GRU", "LSTM")
        ),
        disciplined(
            "ConvLSTM2D", (2, 3, 4, 5, 2), parts=("kernel", "recurrent", "bias"), args={"filters": 2, "kernel_size": 2}
        ),
    ]
