"""Merging layers: equal shapes, broadcasting, masks; Dot over its axes."""

from __future__ import annotations

from layer_case import Case, case

A = [[1, 1, 1, 0], [1, 0, 1, 1]]
B = [[1, 1, 0, 0], [0, 0, 1, 1]]


def cases() -> list[Case]:
    return [*_elementwise(), *_concatenate(), *_dot()]


def _elementwise() -> list[Case]:
    found = []
    for name in ("Add", "Multiply", "Average", "Maximum", "Minimum"):
        found += [
            case(name, (2, 3), (2, 3), name="two"),
            case(name, (2, 3, 4), (2, 3, 4), (2, 3, 4), name="three"),
            case(name, (2, 3, 4), (2, 1, 4), name="broadcast_one"),
            case(name, (2, 3, 1), (2, 1, 4), name="broadcast_both"),
            case(name, (2, 3, 4), (2, 4), name="broadcast_rank"),
            case(name, (2, 3, 2, 4), (2, 4), (2, 2, 4), name="broadcast_three_ranks"),
            case(name, (2, 4, 3), (2, 4, 3), name="masks", masks=(A, B)),
        ]
    return [
        *found,
        case("Add", (2, 4, 3), (2, 4, 3), name="one_mask", masks=(A, None)),
        case("Add", (2, 4, 3), (2, 4, 3), (2, 4, 3), name="two_masks_of_three", masks=(A, None, B)),
        case("Subtract", (2, 3), (2, 3), name="two"),
        case("Subtract", (2, 3, 4), (2, 1, 4), name="broadcast_one"),
        case("Subtract", (2, 3, 4), (2, 4), name="broadcast_rank"),
        case("Subtract", (2, 4, 3), (2, 4, 3), name="masks", masks=(A, B)),
    ]


def _concatenate() -> list[Case]:
    return [
        case("Concatenate", (2, 3), (2, 4), name="default"),
        case("Concatenate", (2, 3, 4), (2, 2, 4), (2, 1, 4), args={"axis": 1}),
        case("Concatenate", (2, 3, 4), (2, 3, 2), args={"axis": -1}),
        case("Concatenate", (2, 3, 2, 2), (2, 3, 4, 2), args={"axis": -2}),
        case("Concatenate", (2, 4, 3), (2, 4, 2), name="masks-last_axis", args={"axis": -1}, masks=(A, B)),
        case("Concatenate", (2, 4, 3), (2, 4, 2), name="one_mask-last_axis", args={"axis": -1}, masks=(A, None)),
        case("Concatenate", (2, 4, 3), (2, 4, 3), name="masks-axis1", args={"axis": 1}, masks=(A, B)),
        case("Concatenate", (2, 4, 3), (2, 4, 2), (2, 4, 1), name="two_masks_of_three", masks=(A, None, B)),
        case("Concatenate", (2, 2, 3, 4), (2, 2, 3, 4), args={"axis": 2}, name="4d-axis2"),
    ]


def _dot() -> list[Case]:
    tables = [
        ((2, 3), (2, 3), 1, {}),
        ((2, 3), (2, 3), -1, {}),
        ((2, 3), (2, 3), [1, 1], {}),
        ((2, 3), (2, 3), 1, {"normalize": True}),
        ((2, 3, 4), (2, 4, 5), [2, 1], {}),
        ((2, 3, 4), (2, 5, 4), 2, {}),
        ((2, 3, 4), (2, 3, 5), 1, {}),
        ((2, 3, 4), (2, 5, 3), [1, 2], {}),
        ((2, 3, 4), (2, 5, 4), -1, {"normalize": True}),
        ((2, 3, 4), (2, 3, 5), [1, 1], {"normalize": True}),
        ((2, 3, 4), (2, 4), [2, 1], {}),
        ((2, 4), (2, 3, 4), [1, 2], {}),
        ((1, 3, 4), (1, 3, 5), 1, {}),
        ((2, 3, 4), (2, 5, 4), [-1, -1], {"normalize": True}),
        ((2, 3, 4), (2, 4), [2, 1], {"normalize": True}),
    ]
    return [
        case("Dot", a, b, name=_dot_name(a, b, axes, more), args={"axes": axes, **more}) for a, b, axes, more in tables
    ]


def _dot_name(a: tuple[int, ...], b: tuple[int, ...], axes: int | list[int], more: dict) -> str:
    shapes = f"{'x'.join(map(str, a))}-{'x'.join(map(str, b))}"
    return f"{shapes}-axes={axes if isinstance(axes, int) else ','.join(map(str, axes))}{'-normalize' if more else ''}"
