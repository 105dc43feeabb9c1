"""Max and average pooling in 1D, 2D and 3D, and global pooling."""

from __future__ import annotations

from layer_case import Case, case

FIRST = {"data_format": "channels_first"}
SHAPES = {1: (2, 7, 3), 2: (2, 5, 6, 3), 3: (2, 4, 5, 3, 2)}
FIRST_SHAPES = {2: (2, 3, 5, 6), 3: (2, 2, 4, 5, 3)}
TABLES = {
    1: [
        {}, {"pool_size": 3}, {"pool_size": 3, "strides": 1}, {"pool_size": 2, "strides": 3},
        {"pool_size": 3, "padding": "same"}, {"pool_size": 3, "strides": 2, "padding": "same"},
        {"pool_size": 2, "strides": 1, "padding": "same"},
    ],
    2: [
        {}, {"pool_size": [3, 2]}, {"pool_size": 3, "strides": 1}, {"pool_size": 2, "strides": [2, 3]},
        {"pool_size": [2, 3], "padding": "same"}, {"pool_size": 3, "strides": 2, "padding": "same"},
        {"pool_size": [4, 2], "strides": 1, "padding": "same"}, {"pool_size": [5, 6]},
    ],
    3: [
        {}, {"pool_size": [2, 1, 3]}, {"pool_size": 2, "strides": 1}, {"pool_size": [2, 3, 2], "strides": [1, 2, 1]},
        {"pool_size": 2, "padding": "same"}, {"pool_size": 3, "strides": 2, "padding": "same"},
    ],
}  # fmt: skip


def cases() -> list[Case]:
    return [*_windows(), *_global()]


def _windows() -> list[Case]:
    found = []
    for kind in ("Max", "Average"):
        for rank, tables in TABLES.items():
            # TensorFlow has no 3D pooling in float64 on a CPU; in float32 it errs in the last bit.
            options = {"precision": "float32"} if rank == 3 else {}
            name = f"{kind}Pooling{rank}D"
            found += [case(name, SHAPES[rank], name=_name(args), args=args, **options) for args in tables]
            if rank in FIRST_SHAPES:
                found += [
                    case(name, FIRST_SHAPES[rank], name=f"{_name(args)}-first", args={**args, **FIRST}, **options)
                    for args in tables
                ]
    return found


def _name(args: dict) -> str:
    return (
        "-".join(f"{key}={'x'.join(map(str, v)) if isinstance(v, list) else v}" for key, v in args.items()) or "default"
    )


def _global() -> list[Case]:
    return [
        case(f"Global{kind}Pooling{rank}D", shape, name=name, args=args)
        for kind in ("Max", "Average")
        for rank, shape, name, args in [
            (1, SHAPES[1], "last", {}),
            (2, SHAPES[2], "last", {}),
            (2, FIRST_SHAPES[2], "first", FIRST),
            (3, SHAPES[3], "last", {}),
            (3, FIRST_SHAPES[3], "first", FIRST),
        ]
    ]
